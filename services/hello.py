"""Handlers of the smoke test."""

from datetime import timedelta

from pydantic import BaseModel

from core.errors import ErrorCode, TransientError
from core.handler import TaskContext, task_handler

SIMULATED_FAULT = ErrorCode(
    "hello.simulated_fault",
    "A fault was asked for",
    "Submit with a lower failure_rate.",
    retryable=True,
)


class Greeting(BaseModel):
    """Parameters of a greeting."""

    index: int
    message: str
    failure_rate: float
    sleep_seconds: float


class Greeted(BaseModel):
    """A greeting said."""

    greeting: str


class Replied(BaseModel):
    """A reply to a greeting."""

    reply: str


@task_handler("hello_world_greeting")
def say_greeting(p: Greeting, context: TaskContext) -> Greeted:
    """Say a greeting, after a nap or a simulated fault if asked for.

    Raises:
        TransientError: With the chance `failure_rate`, on each attempt.
    """
    if p.sleep_seconds:
        context.sleep(timedelta(seconds=p.sleep_seconds))
    if context.chance.uniform() < p.failure_rate:
        raise TransientError(SIMULATED_FAULT, f"Greeting {p.index} met the fault that was asked for.")
    return Greeted(greeting=f"{p.message} from task {p.index}!")


@task_handler("hello_world_reply")
def say_reply(p: Greeted, context: TaskContext) -> Replied:  # noqa: ARG001 - every handler has one
    """Answer the greeting of the same key."""
    return Replied(reply=f"Heard: {p.greeting}")
