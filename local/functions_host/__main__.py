"""``python -m local.functions_host --app DIR --port 7071``."""

import sys

from local.functions_host.options import parse_arguments
from local.functions_host.supervisor import serve

if __name__ == "__main__":
    sys.exit(serve(parse_arguments()))
