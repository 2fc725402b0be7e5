"""The port to isolated children: what every adapter does alike, and what only children can do."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import codes
from core.errors import (
    DeadlineExceeded,
    InvalidInput,
    NativeCrash,
    OutOfMemory,
    Stopped,
    TaskFailed,
    TransientError,
    Violation,
)
from core.ports.isolation import ChildProgress, IsolatedCall, IsolatedRunner
from infrastructure.isolation import ForkServerRunner, InlineRunner
from tests.factories.isolated import BROKEN, BUSY
from tests.fixtures.processes import wait_until

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def fork_server_runner() -> Iterator[ForkServerRunner]:
    runner = ForkServerRunner({"vector": ["tests.factories.isolated"]})
    yield runner
    runner.close()


@pytest.fixture(params=["fork server", "inline"])
def runner(request: pytest.FixtureRequest) -> IsolatedRunner:
    if request.param == "inline":
        return InlineRunner()
    forking: ForkServerRunner = request.getfixturevalue("fork_server_runner")
    return forking


@pytest.fixture
def killing_runner(fork_server_runner: ForkServerRunner) -> IsolatedRunner:
    """Return an adapter that promises to end what does not end itself; inline ones cannot."""
    return fork_server_runner


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., IsolatedCall]:
    def make(function: str, value: float = 0, **limits: Any) -> IsolatedCall:
        target = f"tests.factories.isolated:{function}"
        return IsolatedCall("vector", target, {"value": value}, tmp_path, **limits)

    return make


Call = Callable[..., IsolatedCall]


def look_away(_: ChildProgress | None) -> None:
    """Watch nothing."""


def test_the_result_comes_back_as_json(runner: IsolatedRunner, call: Call) -> None:
    assert runner.run(call("double", 21), look_away) == {"value": 42}


def test_a_number_that_json_lacks_becomes_null(runner: IsolatedRunner, call: Call) -> None:
    assert runner.run(call("give_nan"), look_away) == {"value": None}


def test_a_large_result_comes_back_whole(runner: IsolatedRunner, call: Call) -> None:
    result = runner.run(call("give_megabytes", 3), look_away)

    assert result == {"value": "x" * 3 * 1024 * 1024}


def test_files_are_left_in_the_workspace(runner: IsolatedRunner, call: Call, tmp_path: Path) -> None:
    result = runner.run(call("write_file", 7), look_away)

    assert result == {"value": str(tmp_path)}
    assert (tmp_path / "number.txt").read_text() == "7.0"


@pytest.mark.parametrize(
    "target",
    ["tests.factories.isolated:missing", "tests.missing:double", "double", "", "tests.factories.isolated:"],
)
def test_an_unknown_function_fails_the_task(runner: IsolatedRunner, target: str, tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="no isolated function") as failure:
        runner.run(IsolatedCall("vector", target, {}, tmp_path), look_away)

    assert failure.value.code == codes.TASK_CRASHED


def test_parameters_that_the_model_refuses_fail_the_task(runner: IsolatedRunner, tmp_path: Path) -> None:
    wrong = IsolatedCall("vector", "tests.factories.isolated:double", {"value": "many"}, tmp_path)

    with pytest.raises(TaskFailed, match="value") as failure:
        runner.run(wrong, look_away)

    assert failure.value.code == codes.TASK_CRASHED


@pytest.mark.parametrize("function", ["take_anything", "return_nothing", "raise_unexpectedly"])
def test_a_bug_of_the_function_fails_the_task(runner: IsolatedRunner, call: Call, function: str) -> None:
    with pytest.raises(TaskFailed) as failure:
        runner.run(call(function), look_away)

    assert failure.value.code == codes.TASK_CRASHED


def test_an_unexpected_error_is_named(runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(TaskFailed, match=r"^ZeroDivisionError: by nought$"):
        runner.run(call("raise_unexpectedly"), look_away)


def test_a_deliberate_failure_crosses_whole(runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(TaskFailed, match=r"^3\.0 is broken$") as failure:
        runner.run(call("fail", 3), look_away)

    assert failure.value.code == BROKEN
    assert failure.value.details == {"value": 3.0, "parts": ["a", "b"]}


def test_invalid_input_crosses_with_its_violations(runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(InvalidInput) as failure:
        runner.run(call("refuse", 3), look_away)

    assert failure.value.violations == (Violation("value", "is too small", 3.0),)


def test_a_passing_fault_crosses_as_one(runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(TransientError) as failure:
        runner.run(call("be_busy"), look_away)

    assert failure.value.code == BUSY


def test_progress_reaches_the_watch(runner: IsolatedRunner, call: Call) -> None:
    seen: list[ChildProgress | None] = []

    runner.run(call("report", 0.25), seen.append)

    assert ChildProgress(0.25, "on the way") in seen
    assert None in seen


def test_progress_is_limited_in_rate(runner: IsolatedRunner, call: Call) -> None:
    seen: list[ChildProgress | None] = []

    runner.run(call("report_often"), seen.append)

    assert 1 <= len([each for each in seen if each is not None]) < 1000


def test_what_the_watch_raises_at_progress_ends_the_call(runner: IsolatedRunner, call: Call) -> None:
    def stop(progress: ChildProgress | None) -> None:
        if progress is not None:
            raise Stopped("stopping")

    with pytest.raises(Stopped, match="stopping"):
        runner.run(call("report_for_ever"), stop)


def test_calls_of_several_threads_do_not_mix(runner: IsolatedRunner, call: Call) -> None:
    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(lambda n: runner.run(call("double", n), look_away), range(20)))

    assert results == [{"value": 2 * n} for n in range(20)]


@pytest.mark.parametrize(("function", "signal"), [("abort", "SIGABRT"), ("read_null", "SIGSEGV")])
def test_a_crash_is_named_by_its_signal(
    killing_runner: IsolatedRunner, call: Call, function: str, signal: str
) -> None:
    with pytest.raises(NativeCrash, match=signal) as crash:
        killing_runner.run(call(function), look_away)

    assert crash.value.code == codes.NATIVE_CRASH
    assert killing_runner.run(call("double", 1), look_away) == {"value": 2}


@pytest.mark.parametrize(("function", "value", "code"), [("leave", 0, 70), ("exit_at_once", 0, 0)])
def test_an_exit_without_an_answer_is_a_crash(
    killing_runner: IsolatedRunner, call: Call, function: str, value: int, code: int
) -> None:
    with pytest.raises(NativeCrash, match=f"exit code {code}"):
        killing_runner.run(call(function, value), look_away)


@pytest.mark.parametrize("garbage", range(5))
def test_an_answer_that_makes_no_sense_is_a_crash(
    killing_runner: IsolatedRunner, call: Call, garbage: int
) -> None:
    with pytest.raises(NativeCrash, match="no sense"):
        killing_runner.run(call("send_garbage", garbage, deadline=timedelta(seconds=20)), look_away)


def test_a_kill_by_the_system_counts_as_lack_of_memory(killing_runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(OutOfMemory, match="the system killed"):
        killing_runner.run(call("kill_itself"), look_away)


def test_a_child_that_grows_too_large_is_killed(killing_runner: IsolatedRunner, call: Call) -> None:
    with pytest.raises(OutOfMemory, match="may use 200 MiB") as failure:
        killing_runner.run(call("hoard", memory_mib=200), look_away)

    assert failure.value.code == codes.NATIVE_OUT_OF_MEMORY


@pytest.mark.parametrize("function", ["loop", "hang"])
def test_a_child_that_takes_too_long_is_killed(
    killing_runner: IsolatedRunner, call: Call, function: str, tmp_path: Path
) -> None:
    with pytest.raises(DeadlineExceeded, match="longer than 1 s") as failure:
        killing_runner.run(call(function, deadline=timedelta(seconds=1)), look_away)

    assert failure.value.code == codes.NATIVE_DEADLINE
    assert not psutil.pid_exists(pid_of_child(tmp_path))


@pytest.mark.parametrize("function", ["loop", "hang"])
def test_what_the_watch_raises_kills_a_silent_child(
    killing_runner: IsolatedRunner, call: Call, function: str, tmp_path: Path
) -> None:
    def stop_once_it_runs(_: ChildProgress | None) -> None:
        if (tmp_path / "pid").exists():
            raise Stopped("lost")

    with pytest.raises(Stopped, match="lost"):
        killing_runner.run(call(function), stop_once_it_runs)

    assert not psutil.pid_exists(pid_of_child(tmp_path))


def test_closing_ends_the_calls_under_way(call: Call, tmp_path: Path) -> None:
    runner = ForkServerRunner({})
    ends: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(call("hang"), look_away)
        except Stopped as end:
            ends.append(end)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until((tmp_path / "pid").exists, PATIENCE_SECONDS)
    runner.close()
    thread.join(PATIENCE_SECONDS)

    assert [str(end) for end in ends] == ["drain"]
    assert not psutil.pid_exists(pid_of_child(tmp_path))
    with pytest.raises(Stopped, match="drain"):
        runner.run(call("double"), look_away)


def pid_of_child(workspace: Path) -> int:
    return int((workspace / "pid").read_text())
