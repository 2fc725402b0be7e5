"""What tests of vector jobs do with a running system."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from tests.factories.local_system import Answer, RunningSystem
from tests.fixtures.processes import wait_until

CONTAINER = "bronze-vectors"


def points(count: int, **properties: Any) -> bytes:
    """Return newline-delimited GeoJSON of points along a line, numbered."""
    features = (
        {
            "type": "Feature",
            "properties": {"number": number, "name": f"O'Point {number}"} | properties,
            "geometry": {"type": "Point", "coordinates": [number % 360 - 180, number % 90]},
        }
        for number in range(count)
    )
    return "\n".join(json.dumps(feature) for feature in features).encode()


def squares(count: int, others: Mapping[int, Any]) -> bytes:
    """Return newline-delimited GeoJSON of several chunks, some of their squares replaced."""
    features = (
        {
            "type": "Feature",
            "properties": {"number": number, "text": "x" * 2_000},
            "geometry": others[number] if number in others else square(number),
        }
        for number in range(count)
    )
    return "\n".join(json.dumps(feature) for feature in features).encode()


def square(number: int, kind: str = "Polygon", height: Sequence[int] = ()) -> Any:
    """Return one of many squares, as a polygon or as a multi polygon."""
    west, south = number % 350 - 180, number % 170 - 90
    corners = ((west, south), (west + 1, south), (west + 1, south + 1), (west, south))
    rings = [[[*corner, *height] for corner in corners]]
    return {"type": kind, "coordinates": rings if kind == "Polygon" else [rings]}


def submit(terrane: RunningSystem, content: bytes | None, **parameters: Any) -> Answer:
    """Upload a file under a name of the table's, and submit it."""
    given = {"file_extension": "geojsonl", "table_name": "refused"} | parameters
    name = f"vectors/{given['table_name']}.{given['file_extension']}"
    if content is not None:
        terrane.upload(name, content, CONTAINER)
    query = "?rerun=true" if given.pop("rerun", False) else ""
    return terrane.request("POST", f"/api/jobs/submit/process_vector{query}", {"blob_name": name} | given)


def publish(terrane: RunningSystem, content: bytes, **parameters: Any) -> dict[str, Any]:
    """Submit a file and wait for the job's end."""
    answer = submit(terrane, content, **parameters)
    assert answer.status == 202, answer.body
    return terrane.ended(answer.body["job_id"])


def rows_of(terrane: RunningSystem, query: LiteralString | sql.Composed, *values: Any) -> list[DictRow]:
    """Return what a statement finds in the app database."""
    with psycopg.connect(terrane.variables["DATABASE_URL"], row_factory=dict_row) as connection:
        return connection.execute(query, values or None).fetchall()


def checksum(terrane: RunningSystem, table: str) -> str:
    """Return a digest of every value of every row."""
    query = sql.SQL("SELECT md5(string_agg(t::text, ',' ORDER BY id)) AS sum FROM geo.{} AS t")
    [row] = rows_of(terrane, query.format(sql.Identifier(table)))
    return str(row["sum"])


def item_of(terrane: RunningSystem, result: dict[str, Any]) -> dict[str, Any]:
    """Return an item as pgSTAC gives it back."""
    ids = (result["item_id"], result["collection_id"])
    [row] = rows_of(terrane, "SELECT pgstac.get_item(%s, %s) AS item", *ids)
    item: dict[str, Any] = row["item"]
    return item


def wait_until_clean(terrane: RunningSystem, job_id: str) -> None:
    """Wait until a job that has ended has been cleaned up after, and may be run again."""
    wait_until(lambda: terrane.request("GET", f"/api/jobs/{job_id}").body["cleanup"] != "pending", 60)


def assert_nothing_is_left(terrane: RunningSystem, job_id: str) -> None:
    """Hold the whole system to have forgotten all but the record of a job."""
    wait_until_clean(terrane, job_id)
    with terrane.blobs as service:
        written = [
            blob.name
            for container in service.list_containers()
            for blob in service.get_container_client(container.name).list_blobs(include=["metadata"])
            if (blob.metadata or {}).get("terrane_job") == job_id
        ]
    staged = terrane.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'vector_staging' AND tablename LIKE %s",
        f"v_{job_id[:32]}%",
    )
    items = terrane.query(
        "SELECT id FROM pgstac.items WHERE content #>> '{properties,app:job_id}' = %s", job_id
    )
    kept = terrane.query(
        "SELECT location FROM app.artifacts WHERE job_id = %s AND state NOT IN ('deleted', 'released')",
        job_id,
    )
    assert (written, staged, items, kept, terrane.children(job_id)) == ([], [], [], [], [])
    assert terrane.request("GET", f"/api/jobs/{job_id}").body["cleanup"] in ("none", "done")
