"""What is submitted, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.declaration import Identity, Location, Stage
from core.json import JsonObject


@dataclass(frozen=True)
class NewJob:
    """A validated submission, ready to be recorded.

    Args:
        job_id: Its identity.
        job_type: Its type.
        identity: Whether a completed job stands for ever.
        parameters: Validated, complete with defaults.
        stages: As declared now; the job keeps them.
        priority: 0 to 9, 9 most urgent.
        requested_by: The actor.
        reservations: Where it will publish.
        replace: Whether it may take over what is live under another job.
        has_intermediates: Whether its end needs a clean-up.
        sources: ETag of each source.
        rerun: Run a completed job again, if its revision is still `seen_revision`.
        seen_revision: The revision that the wish was made against.
        traceparent: W3C trace context of the request.
    """

    job_id: str
    job_type: str
    identity: Identity
    parameters: JsonObject
    stages: Sequence[Stage]
    priority: int = 5
    requested_by: str = "unknown"
    reservations: Sequence[Location] = ()
    replace: bool = False
    has_intermediates: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    rerun: bool = False
    seen_revision: int | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class SubmitAnswer:
    """What the store did with a `NewJob`.

    Args:
        answer: ``created``, ``joined``, ``found``, ``stopping``, ``cleaning`` or ``owned``.
        status: The job's status.
        revision: Its revision.
        owner: With ``owned``, the job that has the location.
        location: With ``owned``, the location.
    """

    answer: str
    status: str = ""
    revision: int = 0
    owner: str | None = None
    location: str | None = None
