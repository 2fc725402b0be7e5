"""Imports an app and turns what the library says of it into functions, or into a list of problems."""

import functools
import importlib
import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions import meta
from azure.functions.decorators.function_app import Function, FunctionRegister

from local.functions_host.bindings import Binding, BindingContext, read_trigger
from local.functions_host.model import FunctionSpec, HttpTrigger
from local.functions_host.routes import ALL_METHODS
from local.functions_host.settings import SettingsProblem

logger = logging.getLogger(__name__)

_CONTEXT_PARAMETER = "context"


@dataclass
class AppIndex:
    """The app's functions, and everything that keeps it from being served."""

    app: FunctionRegister | None = None
    functions: list[FunctionSpec] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def index_app(directory: Path, context: BindingContext) -> AppIndex:
    """Import ``function_app.py`` in the calling thread and check all that it declares.

    The calling thread must be the main one, because apps install signal handlers when imported.
    """
    problems = list(context.config.problems)
    try:
        app = _import_app(directory)
    except Exception:  # noqa: BLE001 - whatever the app raises is shown to its author as it is.
        return AppIndex(
            problems=[*problems, f"function_app.py cannot be imported:\n{traceback.format_exc()}"]
        )
    index = index_functions(app, context)
    return AppIndex(app, index.functions, problems + index.problems)


def index_functions(app: FunctionRegister, context: BindingContext) -> AppIndex:
    """Check everything that an imported app declares; it can be asked for its functions only once."""
    index = AppIndex(app)
    for function in _functions(app, index.problems):
        _index_function(function, context, index)
    index.problems += _repeated_names(index.functions) + _conflicting_routes(index.functions)
    return index


def _import_app(directory: Path) -> FunctionRegister:
    packages = directory / ".python_packages" / "lib" / "site-packages"
    sys.path[:0] = [str(directory)] + ([str(packages)] if packages.is_dir() else [])
    module = importlib.import_module("function_app")
    apps = {id(value): value for value in vars(module).values() if isinstance(value, FunctionRegister)}
    if len(apps) != 1:
        raise ValueError(f"function_app.py must hold one FunctionApp at its top level; it holds {len(apps)}")
    [app] = apps.values()
    return app


def _functions(app: FunctionRegister, problems: list[str]) -> Sequence[Function]:
    try:
        return list(app.get_functions())
    except ValueError as error:
        problems.append(str(error))
    # The library stops at the first mistake; building one by one shows the others as well.
    functions = []
    for builder in app._function_builders:  # noqa: SLF001 - there is no public way to list them.
        try:
            functions.append(builder.build(app.auth_level))
        except ValueError as error:
            problems.append(str(error))
    return functions


def _index_function(function: Function, context: BindingContext, index: AppIndex) -> None:
    name = str(function.get_function_name())
    bindings: list[Binding] = json.loads(function.get_function_json())["bindings"]
    [trigger] = [binding for binding in bindings if str(binding["type"]).lower().endswith("trigger")]
    others = [binding for binding in bindings if binding is not trigger]
    returns_http = any(b["type"] == "http" and b["name"] == "$return" for b in others)
    problems = [
        f"this host serves no {binding['type']} binding ({binding['name']})"
        for binding in others
        if not (binding["type"] == "http" and binding["name"] == "$return")
    ]
    if function.get_setting("retry_policy") is not None:
        logger.warning("retry policy ignored", extra={"function": name})
    call = function.get_user_function()
    problems += _signature_problems(call, trigger)
    try:
        spec = FunctionSpec(
            name=name,
            call=call,
            trigger=read_trigger(name, trigger, context),
            argument=trigger["name"],
            is_async=_is_async(call),
            wants_context=_CONTEXT_PARAMETER in inspect.signature(call).parameters,
            returns_http=returns_http,
        )
        index.functions.append(spec)
    except (SettingsProblem, ValueError) as error:
        problems.append(str(error))
    index.problems += [f"{name}: {problem}" for problem in problems]


def _is_async(call: Callable[..., Any]) -> bool:
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.iscoroutinefunction(call)


def _signature_problems(call: Callable[..., Any], trigger: Binding) -> list[str]:
    """Check the parameters as the real worker does when it loads a function."""
    parameters = inspect.signature(call).parameters
    problems = []
    if trigger["name"] not in parameters:
        problems.append(f"binding {trigger['name']} has no parameter of that name")
    for name, parameter in parameters.items():
        if name not in {trigger["name"], _CONTEXT_PARAMETER} and parameter.default is inspect.Parameter.empty:
            problems.append(f"parameter {name} has no binding")
    annotation = inspect.get_annotations(call, eval_str=True).get(trigger["name"])
    if annotation is not None and not _accepts(trigger["type"], annotation):
        problems.append(f"parameter {trigger['name']}: {annotation!r} is no type for {trigger['type']}")
    context = inspect.get_annotations(call, eval_str=True).get(_CONTEXT_PARAMETER)
    if context is not None and context is not func.Context:
        problems.append("parameter context must be of type azure.functions.Context")
    return problems


def _accepts(binding_type: str, annotation: Any) -> bool:
    converter = meta.get_binding_registry().get(binding_type)
    if converter is None or not isinstance(annotation, type):
        return True
    return bool(converter.check_input_type_annotation(annotation))


def _repeated_names(functions: Sequence[FunctionSpec]) -> list[str]:
    names = [function.name.lower() for function in functions]
    repeated = sorted({function.name for function in functions if names.count(function.name.lower()) > 1})
    return [f"{name}: more than one function has this name" for name in repeated]


def _conflicting_routes(functions: Sequence[FunctionSpec]) -> list[str]:
    problems, seen = [], list[tuple[str, HttpTrigger]]()
    for function in functions:
        trigger = function.trigger
        if not isinstance(trigger, HttpTrigger):
            continue
        for name, other in seen:
            common = (trigger.methods or ALL_METHODS) & (other.methods or ALL_METHODS)
            if common and trigger.template.shape == other.template.shape:
                methods = ", ".join(sorted(common))
                problems.append(
                    f"{function.name}: route {trigger.template.text!r} is that of {name} ({methods})"
                )
        seen.append((function.name, trigger))
    return problems
