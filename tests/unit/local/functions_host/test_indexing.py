"""What the host finds wrong with an app before it serves it."""

import azure.functions as func
import pytest

from local.functions_host.bindings import BindingContext
from local.functions_host.host_json import HostConfig
from local.functions_host.indexing import AppIndex, index_functions
from local.functions_host.model import AuthLevel, FunctionSpec, HttpTrigger, QueueTrigger, TimerTrigger

SETTINGS = {"Bus": "Endpoint=sb://here", "QUEUE": "work", "SCHEDULE": "0 */5 * * * *"}


def index(app: func.FunctionApp) -> AppIndex:
    return index_functions(app, BindingContext(HostConfig(), SETTINGS))


def only(app: func.FunctionApp) -> FunctionSpec:
    found = index(app)
    assert not found.problems
    [function] = found.functions
    return function


def test_an_http_function_takes_its_name_as_route_and_the_apps_auth_level() -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ADMIN)

    @app.route()
    async def hello(req: func.HttpRequest, context: func.Context) -> str:
        return "hello"

    function = only(app)
    assert isinstance(function.trigger, HttpTrigger)
    assert (function.trigger.template.text, function.trigger.methods) == ("api/hello", frozenset())
    assert function.trigger.auth_level is AuthLevel.ADMIN
    assert (function.is_async, function.wants_context, function.returns_http) == (True, True, True)


def test_settings_are_filled_in_for_queues_and_schedules() -> None:
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(arg_name="m", queue_name="%QUEUE%-dead", connection="Bus")
    def consume(m: func.ServiceBusMessage) -> None: ...

    @app.timer_trigger(arg_name="t", schedule="%SCHEDULE%", run_on_startup=True, use_monitor=False)
    def tick(t: func.TimerRequest) -> None: ...

    found = index(app)

    queue, timer = (function.trigger for function in found.functions)
    assert isinstance(queue, QueueTrigger)
    assert isinstance(timer, TimerTrigger)
    assert (queue.queue, queue.connection.connection_string) == ("work-dead", SETTINGS["Bus"])
    assert (timer.expression, timer.run_on_startup, timer.use_monitor) == ("0 */5 * * * *", True, False)


def test_blueprints_are_indexed_with_the_app() -> None:
    blueprint, app = func.Blueprint(), func.FunctionApp()

    @blueprint.route("a", methods=["GET"])
    def in_blueprint(req: func.HttpRequest) -> str:
        return ""

    app.register_functions(blueprint)

    assert only(app).name == "in_blueprint"


@pytest.mark.parametrize("route", ["admin", "admin/users", "Administration", "/runtime/x"])
def test_routes_of_the_host_itself_are_refused(route: str) -> None:
    app = func.FunctionApp()

    @app.route(route)
    def taken(req: func.HttpRequest) -> str:
        return ""

    [problem] = index(app).problems
    assert "conflicts with the built-in routes" in problem


def test_the_same_route_may_serve_different_methods_only() -> None:
    app = func.FunctionApp()

    @app.route("a/{x}", methods=["GET"])
    def read(req: func.HttpRequest) -> str:
        return ""

    @app.route("A/{y}", methods=["POST"])
    def write(req: func.HttpRequest) -> str:
        return ""

    @app.route("a/{z}")
    def everything(req: func.HttpRequest) -> str:
        return ""

    assert index(app).problems == [
        "everything: route 'api/a/{z}' is that of read (GET)",
        "everything: route 'api/a/{z}' is that of write (POST)",
    ]


def test_names_that_differ_in_case_only_are_one_name() -> None:
    app = func.FunctionApp()

    @app.function_name("Twice")
    @app.route("a")
    def one(req: func.HttpRequest) -> str:
        return ""

    @app.function_name("twice")
    @app.route("b")
    def two(req: func.HttpRequest) -> str:
        return ""

    assert [problem.split(":")[0] for problem in index(app).problems] == ["Twice", "twice"]


def test_parameters_must_match_the_bindings() -> None:
    app = func.FunctionApp()

    @app.route("a")
    def other_name(request: func.HttpRequest) -> str:
        return ""

    @app.route("b")
    def other_type(req: func.TimerRequest) -> str:
        return ""

    @app.route("c")
    def other_context(req: func.HttpRequest, context: str) -> str:
        return ""

    problems = index(app).problems

    assert problems[:2] == [
        "other_name: binding req has no parameter of that name",
        "other_name: parameter request has no binding",
    ]
    assert problems[2].startswith("other_type: parameter req: ")
    assert problems[3] == "other_context: parameter context must be of type azure.functions.Context"


def test_what_is_not_served_is_refused_rather_than_ignored() -> None:
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="m", queue_name="q", connection="Bus", cardinality=func.Cardinality.MANY
    )
    def batches(m: list[func.ServiceBusMessage]) -> None: ...

    @app.service_bus_queue_trigger(arg_name="m", queue_name="q", connection="Bus", is_sessions_enabled=True)
    def sessions(m: func.ServiceBusMessage) -> None: ...

    @app.service_bus_topic_trigger(arg_name="m", topic_name="t", subscription_name="s", connection="Bus")
    def topics(m: func.ServiceBusMessage) -> None: ...

    @app.queue_trigger(arg_name="m", queue_name="q", connection="Storage")
    def storage(m: func.QueueMessage) -> None: ...

    @app.route("a")
    @app.service_bus_queue_output(arg_name="out", queue_name="q", connection="Bus")
    def output(req: func.HttpRequest, out: func.Out[str]) -> str:
        return ""

    problems = {problem.split(": ")[0]: problem.split(": ")[1] for problem in index(app).problems}

    assert problems["batches"].startswith("cardinality many is not served")
    assert problems["sessions"] == "Service Bus sessions are not served"
    assert problems["topics"] == "this host serves Service Bus queues, not topics"
    assert problems["storage"] == "this host serves no queueTrigger"
    assert "output" in problems


def test_a_function_without_trigger_does_not_hide_the_problems_of_others() -> None:
    app = func.FunctionApp()

    @app.function_name("untriggered")
    def untriggered() -> None: ...

    @app.timer_trigger(arg_name="t", schedule="%MISSING%")
    def tick(t: func.TimerRequest) -> None: ...

    problems = index(app).problems

    assert any("untriggered" in problem and "trigger" in problem for problem in problems)
    assert "tick: '%MISSING%': no setting MISSING" in problems
