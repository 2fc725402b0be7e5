"""A desk to prepare vector files at, and ways to make them."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from core.errors import TaskFailed
from core.isolation import Child
from services.vector.models import PreparedVector, PrepareVector
from services.vector.native.preparation import prepare_vector

SQUARE = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"
BOWTIE = "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """Make a GeoJSON feature of WKT, a dictionary or None."""
    shape = (
        json.loads(shapely.to_geojson(shapely.from_wkt(geometry))) if isinstance(geometry, str) else geometry
    )
    return {"type": "Feature", "properties": properties, "geometry": shape}


def collection(*features: Any) -> str:
    """Make a GeoJSON feature collection."""
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


@dataclass(frozen=True)
class Outcome:
    """What came out, and the rows of every chunk in order."""

    result: PreparedVector
    table: pa.Table

    @property
    def wkt(self) -> list[str | None]:
        """Return the geometries, rounded."""
        shapes = shapely.from_wkb(self.table["geom"].to_numpy(zero_copy_only=False))
        return [None if each is None else shapely.to_wkt(each, rounding_precision=6) for each in shapes]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        return self.table[name].to_pylist()

    @property
    def types(self) -> dict[str, str]:
        """Return the columns' types by sanitised name."""
        return {column.name: column.type for column in self.result.columns}

    @property
    def dropped(self) -> dict[str, list[int]]:
        """Return the first feature ids by code."""
        return {reason.code: reason.feature_ids for reason in self.result.dropped}

    @property
    def codes(self) -> set[str]:
        """Return the codes of the findings."""
        return {finding.code for finding in self.result.findings}


@dataclass(frozen=True)
class Desk:
    """A workspace, and the isolated function at work in it."""

    workspace: Path
    reports: list[tuple[float, str]] = field(default_factory=list)

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file."""
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_layer(
        self,
        name: str,
        geometries: Sequence[str | bytes | None],
        columns: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Path:
        """Write a layer through OGR; geometries are WKT or WKB."""
        wkb = [_as_wkb(each) for each in geometries]
        arrays = {
            key: value if isinstance(value, pa.Array) else pa.array(value)
            for key, value in (columns or {}).items()
        }
        table = pa.table({**arrays, "geometry": pa.array(wkb, pa.binary())})
        options = {"crs": "EPSG:4326", "geometry_type": "Unknown", "geometry_name": "geometry"} | options
        path = self.workspace / name
        pyogrio.write_arrow(table, path, **options)
        return path

    def zip(self, name: str, paths: Iterable[Path], prefix: str = "") -> Path:
        """Pack files and directories into an archive, and remove them."""
        archive = self.workspace / name
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in sorted(paths):
                for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
                    opened.write(each, prefix + str(each.relative_to(path.parent)))
        return archive

    def prepare(self, name: str, file_extension: str | None = None, **options: Any) -> Outcome:
        """Prepare a file, of which a tenth of the rows may be bad unless the options say otherwise."""
        extension = file_extension or name.rsplit(".", 1)[1]
        options["converter"] = {"max_bad_rows_percent": 10} | options.get("converter", {})
        request = PrepareVector.model_validate({"path": name, "file_extension": extension} | options)
        child = Child(self.workspace, lambda fraction, message: self.reports.append((fraction, message)))
        result = prepare_vector(request, child)
        result = PreparedVector.model_validate_json(result.model_dump_json())
        tables = [pq.read_table(self.workspace / chunk.name) for chunk in result.chunks]
        return Outcome(result, pa.concat_tables(tables) if tables else pa.table({}))

    def refusal(self, name: str, file_extension: str | None = None, **options: Any) -> TaskFailed:
        """Return the error with which a file is refused."""
        with pytest.raises(TaskFailed) as caught:
            self.prepare(name, file_extension, **options)
        return caught.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty workspace."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Desk(workspace)


def points(count: int, seed: int = 1) -> list[str]:
    """Make points in longitude and latitude."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(5, 15, count), random.uniform(45, 55, count)
    return [f"POINT ({east:.6f} {north:.6f})" for east, north in zip(x, y, strict=True)]


def _as_wkb(geometry: str | bytes | None) -> bytes | None:
    if geometry is None or isinstance(geometry, bytes):
        return geometry
    wkb: bytes = shapely.to_wkb(shapely.from_wkt(geometry), flavor="iso", output_dimension=4)
    return wkb
