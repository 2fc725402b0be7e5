"""Vectors in a real child: its drivers, its environment, and chunks that appear while it works."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.errors import TaskFailed
from core.ports.isolation import ChildProgress, IsolatedCall
from infrastructure.isolation.runner import ForkServerRunner
from services.vector.models import PreparedVector, PrepareVector
from triggers.bootstrap import NATIVE_MODULES

TARGET = "services.vector.native.preparation:prepare_vector"


@pytest.fixture(scope="module")
def runner() -> Iterator[ForkServerRunner]:
    """A runner with the modules that the product preloads."""
    runner = ForkServerRunner(preload={"vector": NATIVE_MODULES["vector"]})
    yield runner
    runner.close()


def points(count: int) -> str:
    features = (
        {
            "type": "Feature",
            "properties": {"n": n},
            "geometry": {"type": "Point", "coordinates": [n % 180, n % 90]},
        }
        for n in range(count)
    )
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def prepare(runner: ForkServerRunner, workspace: Path, watch: Any, **options: Any) -> PreparedVector:
    request = PrepareVector.model_validate(options)
    call = IsolatedCall("vector", TARGET, request.model_dump(mode="json"), workspace)
    return PreparedVector.model_validate(runner.run(call, watch))


def test_a_file_is_prepared_in_a_child(runner: ForkServerRunner, tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text(points(1_000))
    reports: list[ChildProgress | None] = []

    result = prepare(
        runner, tmp_path, reports.append, path="a.geojson", file_extension="geojson", chunk_size=400
    )

    assert [chunk.rows for chunk in result.chunks] == [400, 400, 200]
    assert sum(pq.read_metadata(tmp_path / chunk.name).num_rows for chunk in result.chunks) == 1_000
    assert any(report is not None for report in reports)


def test_a_chunk_with_its_name_is_complete_whenever_it_is_seen(
    runner: ForkServerRunner, tmp_path: Path
) -> None:
    (tmp_path / "a.geojson").write_text(points(60_000))
    seen: set[str] = set()

    def look(_: ChildProgress | None) -> None:
        for path in tmp_path.glob("chunk_*.parquet"):
            seen.add(path.name)
            assert pq.read_metadata(path).num_rows > 0

    result = prepare(runner, tmp_path, look, path="a.geojson", file_extension="geojson", chunk_size=100)

    assert len(result.chunks) == 600
    assert seen <= {chunk.name for chunk in result.chunks}
    assert not list(tmp_path.glob("*.part"))


def test_a_refusal_crosses_the_pipe_with_its_code(runner: ForkServerRunner, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")

    with pytest.raises(TaskFailed) as caught:
        prepare(runner, tmp_path, lambda _: None, path="a.csv", file_extension="csv")

    assert caught.value.code.code == "vector.csv_columns_missing"
    assert caught.value.details["header"] == ["a", "b"]
