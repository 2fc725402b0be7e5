"""``python -m benchmarks.vector_alone HOW PATH URL``: one way to load a file, without the job around it.

``geopandas`` reads, repairs, reprojects and loads as people do; ``load`` prepares chunks first and
then loads them as the job's tasks do. Prints the seconds that it took, without imports.
"""

import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import geopandas
import psycopg
import shapely
import sqlalchemy
from psycopg.rows import dict_row

from core.isolation import Child
from core.models.tables import Chunk, Indexes, NewTable, TableColumn, TableName
from infrastructure.vector_store import PostgisVectorTransaction
from services.vector.models import PreparedVector, PrepareVector
from services.vector.native.preparation import prepare_vector
from services.vector.wkb import conform

_TABLE = TableName("geo", "bench_alone")


def main(arguments: list[str]) -> None:
    """Print how long it took."""
    how, path, url = arguments
    seconds = with_geopandas(Path(path), url) if how == "geopandas" else load_alone(Path(path), url)
    print(f"{seconds:.3f}")


def with_geopandas(path: Path, url: str) -> float:
    """Read, repair and reproject everything in memory, then load and index."""
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    began = time.perf_counter()
    frame = geopandas.read_file(path)
    frame.geometry = shapely.make_valid(frame.geometry.values)
    frame = frame.to_crs("EPSG:4326")
    frame.to_postgis("bench_geopandas", engine, schema="geo", if_exists="replace", index=False)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("ANALYZE geo.bench_geopandas"))
    return time.perf_counter() - began


def load_alone(path: Path, url: str) -> float:
    """Load chunks that lie on this disk, one after the other, and index them."""
    with tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder:
        workspace = Path(folder)
        shutil.copy(path, workspace)
        request = PrepareVector.model_validate(
            {"path": path.name, "file_extension": path.suffix.removeprefix(".")}
        )
        prepared = prepare_vector(request, Child(workspace))
        began = time.perf_counter()
        _load(prepared, workspace, url)
        return time.perf_counter() - began


def _load(prepared: PreparedVector, workspace: Path, url: str) -> None:
    columns = [TableColumn(column.name, str(column.type)) for column in prepared.columns]
    definition = NewTable(columns, prepared.geometry_type, prepared.target_srid)
    fit = partial(conform, geometry_type=prepared.geometry_type)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        tables = PostgisVectorTransaction(connection)
        tables.create(_TABLE, definition)
        connection.commit()
        first_id = 1
        for chunk in prepared.chunks:
            tables.load(_TABLE, Chunk(workspace / chunk.name, first_id, chunk.rows, None, fit))
            connection.commit()
            first_id += chunk.rows
        tables.index(_TABLE, Indexes())


if __name__ == "__main__":
    main(sys.argv[1:])
