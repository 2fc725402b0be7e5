"""What the declarations of all job types name is there."""

import pytest

from core.declaration import JobType
from infrastructure.validators import ALL_VALIDATORS
from jobs import ALL_JOBS


@pytest.mark.parametrize("job", ALL_JOBS, ids=lambda job: job.job_type)
def test_every_check_of_a_job_type_is_provided(job: JobType) -> None:
    provided = {validator.name for validator in ALL_VALIDATORS}

    assert {check.validator for check in job.resource_validators} <= provided
