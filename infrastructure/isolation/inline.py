"""Isolated functions without a child: for simulations and tests."""

import json

from core.isolation import Child
from core.json import JsonObject, dumps
from core.ports.isolation import ChildProgress, IsolatedCall, Watch
from infrastructure.isolation.errors import translate
from infrastructure.isolation.invocation import RateLimited, invoke


class InlineRunner:
    """`core.ports.isolation.IsolatedRunner` in the calling thread.

    It isolates nothing, kills nothing and limits nothing, and calls `watch` only before and
    after the function and where the function reports progress. A process may run calls of one
    kind only, for the kinds carry libraries that do not live together.
    """

    def run(self, call: IsolatedCall, watch: Watch) -> JsonObject:
        """Run `call` here and return the function's result.

        Raises:
            TerraneError: As a child's errors would cross.
        """
        stops: list[BaseException] = []

        def report(fraction: float, message: str) -> None:
            try:
                watch(ChildProgress(fraction, message))
            except BaseException as stop:
                stops.append(stop)
                raise

        watch(None)
        child = Child(call.workspace, RateLimited(report), call.read_url)
        result = self._result(call, child, stops)
        watch(None)
        return result

    def close(self) -> None:
        """Do nothing: there is no child."""

    def _result(self, call: IsolatedCall, child: Child, stops: list[BaseException]) -> JsonObject:
        try:
            text = dumps(invoke(call.target, call.parameters, child))
        except Exception as error:
            # The function may have wrapped what `watch` raised, which is to come out as it was.
            if stops:
                raise stops[0] from error
            raise translate(error) from error
        if stops:
            raise stops[0]
        result: JsonObject = json.loads(text)
        return result
