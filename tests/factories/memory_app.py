"""The whole app on in-memory adapters, and a client that asks it as the host would."""

import asyncio
import inspect
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
import jsonschema

from config.settings import Settings
from core.declaration import JobType
from core.errors import ErrorCode, TransientError
from core.heart import Heart
from core.json import JsonObject
from core.models.claims import ClaimedTask, ClaimRequest
from core.ports.clock import Clock
from core.registry import AnyHandler, Registry
from infrastructure.clock import SystemClock
from infrastructure.memory.blob_store import InMemoryBlobStore
from infrastructure.memory.catalogue import InMemoryCatalogue
from infrastructure.memory.effects import InMemoryEffects
from infrastructure.memory.jobs import InMemoryJobRepository
from infrastructure.memory.mending import InMemoryMending
from infrastructure.memory.queue import InMemoryQueue
from infrastructure.memory.state import EngineState
from infrastructure.memory.sweep_runs import InMemorySweepRuns
from infrastructure.memory.tasks import InMemoryTaskRepository
from infrastructure.memory.unpublished import InMemoryUnpublishing
from infrastructure.memory.vector_store import InMemoryVectorStore
from jobs import ALL_JOBS
from local.functions_host.routes import RouteTable, parse_template
from triggers import openapi
from triggers.bootstrap import VERSION, App
from triggers.http.documents import RESOURCES

LANES = ("light", "heavy")
ADDRESS = "https://terrane.test"

_CLAIM_IDS = itertools.count(1)


@dataclass(frozen=True)
class MemoryApp:
    """An `App` whose adapters are in memory.

    Args:
        app: The app, as `triggers.bootstrap.app` would give it.
        state: Its tables.
        queue: Its bus.
        blobs: Its store.
    """

    app: App
    state: EngineState
    queue: InMemoryQueue
    blobs: InMemoryBlobStore

    def work(self, *, most: int = 1_000) -> None:
        """Answer the bells that have come, until none is left."""
        for _ in range(most):
            rung = [lane for lane in LANES if self.queue.take(lane) is not None]
            if not rung:
                return
            for lane in rung:
                self.app.machine.answer_bell(lane)
        raise AssertionError("bells without end")

    def claim(self, lane: str = "light") -> Sequence[ClaimedTask]:
        """Take what is runnable, as a worker that then does nothing."""
        claim_id = next(_CLAIM_IDS)
        return self.app.tasks.claim(
            ClaimRequest(lane, 100, "idler", f"claim-{claim_id}", timedelta(minutes=5))
        )

    def take_down(self, part: str, code: ErrorCode) -> None:
        """Let a part answer nothing from now on; call before anything was asked of the app."""
        vars(self.app)[part] = Unavailable(code)


class Unavailable:
    """An adapter of any port whose server does not answer."""

    def __init__(self, code: ErrorCode) -> None:
        self._code = code

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*arguments: Any, **options: Any) -> Any:
            raise TransientError(self._code, f"server.test does not answer ({name}).")

        return fail


def memory_app(
    jobs: Sequence[JobType] = (), handlers: Sequence[AnyHandler] = (), clock: Clock | None = None
) -> MemoryApp:
    """Compose the app of these job types and handlers, or of all of the release."""
    clock = clock or SystemClock()
    settings = Settings()
    state = EngineState(clock)
    queue = InMemoryQueue(clock, LANES)
    blobs = InMemoryBlobStore(clock)
    catalogue, tables = InMemoryCatalogue(), InMemoryVectorStore()
    app = App(settings)
    tasks = InMemoryTaskRepository(state)
    parts = {
        "jobs": InMemoryJobRepository(state),
        "tasks": tasks,
        "queue": queue,
        "blobs": blobs,
        "catalogue": catalogue,
        "vector_tables": tables,
        "effects": InMemoryEffects(state, catalogue, tables),
        "unpublishing": InMemoryUnpublishing(state),
        "sweep_runs": InMemorySweepRuns(state),
        "mending": InMemoryMending(state),
        "scratch_tables": None,
        "heart": Heart(tasks, settings.engine.lease),
    }
    if jobs:
        parts["registry"] = Registry(jobs, handlers)
    # The parts of an app are made when they are first asked for; these are there already.
    vars(app).update(parts)
    return MemoryApp(app, state, queue, blobs)


@dataclass(frozen=True)
class Answer:
    """What a client sees."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers["Content-Type"].partition(";")[0]


def _routes() -> RouteTable[Callable[..., Any]]:
    table = RouteTable[Callable[..., Any]]()
    for resource in RESOURCES:
        for builder in resource.blueprint._function_builders:
            function = builder._function
            trigger = function.get_trigger().get_dict_repr()
            methods = [method.value for method in trigger["methods"]]
            table.add(parse_template(f"api/{trigger['route']}"), methods, function.get_user_function())
    return table


ROUTES = _routes()


@cache
def described() -> JsonObject:
    """The interface's own description of the release."""
    return openapi.document(RESOURCES, ALL_JOBS, VERSION, f"{ADDRESS}/api")


class Client:
    """Sends requests to the functions as the host does, and holds every answer to its description."""

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", path, b"", headers)

    def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.send("POST", path, content, {"content-type": "application/json", **(headers or {})})

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return asyncio.run(self.asend(method, path, body, headers))

    async def asend(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        parts = urlsplit(path if path.startswith("http") else f"{ADDRESS}{path}")
        found = ROUTES.find(method, parts.path)
        assert found is not None, f"no route for {method} {parts.path}"
        function, route_params = found
        request = func.HttpRequest(
            method,
            parts.geturl(),
            headers=dict(headers or {}),
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            route_params=route_params,
            body=body,
        )
        response = function(req=request)
        if inspect.isawaitable(response):
            response = await response
        shown = {**response.headers, "Content-Type": f"{response.mimetype}; charset={response.charset}"}
        answer = Answer(response.status_code, shown, response.get_body())
        _check_description(function.__name__, answer)
        return answer


def _check_description(name: str, answer: Answer) -> None:
    operations = [one for methods in described()["paths"].values() for one in methods.values()]
    [operation] = [one for one in operations if one["operationId"] == name]
    content = operation["responses"][str(answer.status)]["content"][answer.media_type]
    if "schema" in content:
        schema = {"components": described()["components"], **content["schema"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)
