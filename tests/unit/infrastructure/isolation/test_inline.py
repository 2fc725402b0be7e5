from pathlib import Path

import pytest

from core.errors import Stopped
from core.ports.isolation import ChildProgress, IsolatedCall
from infrastructure.isolation import InlineRunner


@pytest.mark.parametrize("function", ["swallow", "wrap"])
def test_what_the_watch_raises_comes_out_though_the_function_hides_it(function: str, tmp_path: Path) -> None:
    def stop(progress: ChildProgress | None) -> None:
        if progress:
            raise Stopped("stopping")

    call = IsolatedCall("raster", f"tests.factories.isolated:{function}_what_progress_raises", {}, tmp_path)

    with pytest.raises(Stopped, match="stopping"):
        InlineRunner().run(call, stop)
