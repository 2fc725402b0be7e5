"""Workers that die, hang, drain, and share a port."""

import os
import signal
import socket
import threading

from tests.fixtures.processes import wait_until
from tests.integration.local.functions_host.host_process import HostProcess, is_running, launch, write_app

SLOW = """
@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    note("started")
    end = time.monotonic() + float(req.params["seconds"])
    while time.monotonic() < end and not Path("go").exists():
        time.sleep(0.02)
    note("ended")
    return "done"
"""


def test_a_killed_worker_is_replaced(start_host) -> None:
    host = start_host("")
    first = host.worker()

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: host.answers() and host.worker() != first, 30)


def test_workers_share_the_port(start_host) -> None:
    host = start_host("", FUNCTIONS_WORKER_PROCESS_COUNT="2")
    seen: set[int] = set()

    def both_answered() -> bool:
        seen.add(host.worker())
        return len(seen) == 2

    wait_until(both_answered, 60)


def test_an_invocation_over_the_function_timeout_ends_its_worker(start_host) -> None:
    source = """
    @app.route("hang")
    async def hang(req: func.HttpRequest) -> str:
        time.sleep(600)
    """
    host = start_host(source, host={"functionTimeout": "00:00:01"})
    first = host.worker()

    failure = []
    try:
        host.get("/api/hang")
    except OSError as error:
        failure.append(error)

    assert failure
    wait_until(lambda: host.answers() and host.worker() != first, 30)
    assert "function timeout exceeded function=hang" in host.output()


def test_sigterm_lets_a_running_request_end_and_refuses_new_ones(start_host) -> None:
    host = start_host(SLOW, "--grace", "60")
    worker = host.worker()
    answers = []
    request = threading.Thread(target=lambda: answers.append(host.get("/api/slow?seconds=50").body))
    request.start()
    wait_until(lambda: host.notes() == ["started"], 10)

    host.signal(signal.SIGTERM)
    wait_until(lambda: not _accepts(host), 10)
    (host.app / "go").touch()

    assert host.wait() == 0
    request.join(10)
    assert (answers, host.notes()) == ([b"done"], ["started", "ended"])
    assert not is_running(worker)


def test_an_invocation_that_outlasts_the_grace_is_cut_off(start_host) -> None:
    host = start_host(SLOW, "--grace", "0.2")
    request = threading.Thread(target=lambda: _get_or_fail(host, "/api/slow?seconds=500"))
    request.start()
    wait_until(lambda: host.notes() == ["started"], 10)

    host.signal(signal.SIGTERM)

    assert host.wait(20) == 0
    request.join(10)
    assert host.notes() == ["started"]


def test_the_apps_own_sigterm_handler_is_called_at_once(start_host) -> None:
    source = """
    def on_sigterm(number, frame):
        assert threading.current_thread() is threading.main_thread()
        note(f"signal {number}")
        stop.set()

    stop = threading.Event()
    signal.signal(signal.SIGTERM, on_sigterm)

    @app.route("wait")
    def wait(req: func.HttpRequest) -> str:
        note("started")
        stop.wait(60)
        note("drained")
        return "drained"
    """
    host = start_host(source, "--grace", "60")
    request = threading.Thread(target=lambda: host.get("/api/wait"))
    request.start()
    wait_until(lambda: host.notes() == ["started"], 10)

    host.signal(signal.SIGTERM)

    assert host.wait(30) == 0
    request.join(10)
    assert host.notes() == ["started", f"signal {signal.SIGTERM.value}", "drained"]


def test_workers_end_when_the_supervisor_is_killed(start_host) -> None:
    host = start_host("")
    worker = host.worker()

    host.signal(signal.SIGKILL)

    wait_until(lambda: not is_running(worker), 20)


def test_every_problem_is_reported_before_anything_is_served(tmp_path) -> None:
    source = """
    @app.route("admin/users")
    def users(req: func.HttpRequest) -> str: ...

    @app.route("same/{a}", methods=["GET"])
    def one(req: func.HttpRequest) -> str: ...

    @app.route("same/{b}", methods=["GET", "POST"])
    def two(req: func.HttpRequest) -> str: ...

    @app.route("one")
    @app.function_name("one")
    def three(req: func.HttpRequest) -> str: ...

    @app.service_bus_queue_trigger(arg_name="m", queue_name="q", connection="Bus")
    def unconnected(m: func.ServiceBusMessage): ...

    @app.timer_trigger(arg_name="t", schedule="%NOT_SET%")
    def unset(t: func.TimerRequest): ...

    @app.timer_trigger(arg_name="t", schedule="0 61 * * * *")
    def wrong(t: func.TimerRequest): ...
    """
    options = {"functionTimeout": "soon", "extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}

    host = launch(write_app(tmp_path, source, options))

    assert host.wait() == 1
    problems = host.output().split("The app cannot be served:\n")[1].splitlines()
    assert [problem[:60] for problem in problems if problem.startswith("- ")] == [
        "- host.json: functionTimeout: 'soon' is not a duration of th",
        "- host.json: extensions.serviceBus.maxConcurrentCalls: 0 is ",
        "- Function one does not have a unique function name. Please ",
        "- users: route 'admin/users' conflicts with the built-in rou",
        "- unconnected: no setting Bus (connection string) or Bus__fu",
        "- unset: '%NOT_SET%': no setting NOT_SET",
        "- wrong: '0 61 * * * *': minute: 61 is not from 0 to 59",
        "- one: more than one function has this name",
        "- two: route 'api/same/{b}' is that of one (GET)",
    ]


def test_an_app_that_cannot_be_imported_is_reported_with_its_traceback(tmp_path) -> None:
    host = launch(write_app(tmp_path, "raise RuntimeError('no database')"))

    assert host.wait() == 1
    assert "RuntimeError: no database" in host.output()
    assert 'function_app.py", line' in host.output()


def test_a_port_that_is_taken_is_named(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        host = launch(write_app(tmp_path, ""), "--port", str(port))

        assert host.wait() == 1
    assert f"127.0.0.1:{port}: Address already in use" in host.output()


def _accepts(host: HostProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", host.port), timeout=1).close()
    except OSError:
        return False
    return True


def _get_or_fail(host: HostProcess, path: str) -> None:
    try:
        host.get(path)
    except OSError:
        return
