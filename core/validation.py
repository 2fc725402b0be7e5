"""Resource validators: declared checks of what parameters name, run before anything is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from core.declaration import JobType, ResourceCheck
from core.errors import ErrorCode, Violation


@dataclass(frozen=True)
class ResourceViolation:
    """What a validator found: a code, and the sentence for the parameter it was asked about."""

    code: ErrorCode
    message: str


#: ``(parameters as a mapping, check) -> a violation, or None``. Validators never change parameters.
Validator = Callable[[Mapping[str, Any], ResourceCheck], ResourceViolation | None]


class ResourceValidators:
    """The validators that adapters provide, by name.

    Args:
        validators: Name to function.
    """

    def __init__(self, validators: Mapping[str, Validator]) -> None:
        self._validators = validators

    def run(self, job: JobType, parameters: BaseModel) -> list[tuple[Violation, ErrorCode]]:
        """Run every check of a job type and return everything that is wrong.

        Raises:
            TransientError: What is asked does not answer.
            KeyError: The declaration names a validator that nobody provides: a bug.
        """
        values = parameters.model_dump()
        found: list[tuple[Violation, ErrorCode]] = []
        for check in job.resource_validators:
            violation = self._validators[check.validator](values, check)
            if violation is not None:
                message = f"{violation.message.removesuffix('.')}. {violation.code.remedy}"
                found.append(
                    (Violation(check.parameter, message, values.get(check.parameter)), violation.code)
                )
        return found
