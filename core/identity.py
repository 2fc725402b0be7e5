"""Ids that follow from what they name, so that a repetition finds the first."""

import hashlib

from core.json import JsonObject, canonical


def job_id(job_type: str, identity_parameters: JsonObject) -> str:
    """Return the SHA-256 of a job type and its parameters, as 64 hexadecimal digits.

    Args:
        job_type: Name of the job type.
        identity_parameters: Validated parameters without those equal to their default, so that a
            release that adds one changes no id, and without fields that are no part of the identity.
    """
    return hashlib.sha256(canonical([job_type, identity_parameters])).hexdigest()


def task_id(job: str, revision: int, stage: int, kind: str, key: str) -> str:
    """Return a task's id, 32 hexadecimal digits; `app.task_id_v1` computes the same.

    The revision is part of it: a task of an earlier one that still runs somewhere must not be
    able to end a task of this one.
    """
    text = "|".join((job, str(revision), str(stage), kind, key))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
