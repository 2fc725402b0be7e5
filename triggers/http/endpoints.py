"""Declaring routes: what one takes and answers is said once, for the host, the code and OpenAPI."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic

import azure.functions as func
from pydantic import BaseModel

from core.json import JsonObject, dumps
from triggers.http.addresses import prefix_of
from triggers.http.errors import problems_as_json
from triggers.http.requests import Call, Q, parse_query

JSON_MEDIA_TYPE = "application/json"

HttpFunction = Callable[[func.HttpRequest], func.HttpResponse]
AsyncHttpFunction = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


@dataclass(frozen=True)
class Reply:
    """What a route answers.

    Args:
        body: A model or an object, sent as JSON, or a text of `media_type`.
        status: Its status.
        headers: Headers beside the usual ones.
        media_type: Type of a text.
    """

    body: BaseModel | JsonObject | str
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON_MEDIA_TYPE


@dataclass(frozen=True)
class Contract(Generic[Q]):
    """What a route takes and answers.

    Args:
        query: Its query parameters.
        answers: Model of the body by status; None where the body is described by its media type.
        problems: Statuses of the problems that it answers beside 400, 500 and 503.
        level: The key that it needs.
        takes_parameters: Whether the body is a job type's parameters.
        media_type: Type of what it answers.
    """

    query: type[Q]
    answers: Mapping[HTTPStatus, type[BaseModel] | None]
    problems: tuple[HTTPStatus, ...] = ()
    level: func.AuthLevel = func.AuthLevel.FUNCTION
    takes_parameters: bool = False
    media_type: str = JSON_MEDIA_TYPE


@dataclass(frozen=True)
class Endpoint:
    """A route with its contract and its function's name and documentation."""

    method: str
    path: str
    name: str
    documentation: str
    contract: Contract[Any]


class Resource:
    """The routes of one module.

    Args:
        name: Heading under which the documentation shows them.
        about: What they are about.
    """

    def __init__(self, name: str, about: str) -> None:
        self.name = name
        self.about = about
        self.blueprint = func.Blueprint()
        self.endpoints: list[Endpoint] = []

    def route(
        self, method: str, path: str, contract: Contract[Q]
    ) -> Callable[[Callable[[Call[Q]], Reply]], HttpFunction]:
        """Declare a route whose function may block."""

        def declare(function: Callable[[Call[Q]], Reply]) -> HttpFunction:
            def serve(req: func.HttpRequest) -> func.HttpResponse:
                with problems_as_json(req, path) as outcome:
                    outcome.response = _response(function(_call(req, path, contract)))
                return outcome.answer()

            self._register(method, path, contract, _named_after(serve, function))
            return serve

        return declare

    def route_async(
        self, method: str, path: str, contract: Contract[Q]
    ) -> Callable[[Callable[[Call[Q]], Awaitable[Reply]]], AsyncHttpFunction]:
        """Declare a route whose function waits, and must not block."""

        def declare(function: Callable[[Call[Q]], Awaitable[Reply]]) -> AsyncHttpFunction:
            async def serve(req: func.HttpRequest) -> func.HttpResponse:
                with problems_as_json(req, path) as outcome:
                    outcome.response = _response(await function(_call(req, path, contract)))
                return outcome.answer()

            self._register(method, path, contract, _named_after(serve, function))
            return serve

        return declare

    def _register(self, method: str, path: str, contract: Contract[Any], serve: Callable[..., Any]) -> None:
        documentation = inspect.getdoc(serve) or ""
        self.endpoints.append(Endpoint(method, path, serve.__name__, documentation, contract))
        self.blueprint.route(path, methods=[method], auth_level=contract.level)(serve)


def _call(req: func.HttpRequest, path: str, contract: Contract[Q]) -> Call[Q]:
    return Call(req, parse_query(contract.query, req.params), prefix_of(req, path))


def _named_after(serve: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    # The host indexes the function by its name and reads its signature, which must stay its own:
    # `functools.wraps` would show it the wrapped one's.
    serve.__name__ = function.__name__
    serve.__qualname__ = function.__qualname__
    serve.__module__ = function.__module__
    serve.__doc__ = function.__doc__
    return serve


def _response(reply: Reply) -> func.HttpResponse:
    body = reply.body
    if isinstance(body, BaseModel):
        body = body.model_dump(by_alias=True)
    text = body if isinstance(body, str) else dumps(body)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers}
    return func.HttpResponse(text, status_code=reply.status, headers=headers, mimetype=reply.media_type)
