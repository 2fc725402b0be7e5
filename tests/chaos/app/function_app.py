"""The product's app, and beside its job types one that counts its effects."""

import runpy
from pathlib import Path

import jobs
import services
from tests.chaos.effects import CountedJob, publish_counted, write_counted

jobs.ALL_JOBS = (*jobs.ALL_JOBS, CountedJob)
services.ALL_HANDLERS = (*services.ALL_HANDLERS, write_counted, publish_counted)

# The product's entry point lies beside this one under another name.
app = runpy.run_path(str(Path(__file__).with_name("product_app.py")))["app"]
