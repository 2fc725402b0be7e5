"""A vector file goes in through HTTP and comes out as a table with a STAC item."""

import json
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import DictRow, dict_row

from local.binaries import CHECKOUT
from tests.stac_validation import assert_valid_item

if TYPE_CHECKING:
    from tests.acceptance.conftest import RunningSystem

COUNTRIES = CHECKOUT / "samples" / "countries.zip"


def rows_of(terrane: "RunningSystem", query: str, parameters: Any = None) -> list[DictRow]:
    with psycopg.connect(terrane.variables["DATABASE_URL"], row_factory=dict_row) as connection:
        return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def publish(terrane: "RunningSystem", name: str, content: bytes, **parameters: Any) -> dict[str, Any]:
    """Upload a file, submit it and wait for the job's end."""
    terrane.upload(name, content, "bronze-vectors")
    answer = terrane.submit("process_vector", blob_name=name, **parameters)
    assert answer.status == 202, answer.body
    return terrane.ended(answer.body["job_id"])


def test_a_zipped_shapefile_becomes_a_table_with_an_item(terrane: "RunningSystem") -> None:
    job = publish(
        terrane,
        "acceptance/countries.zip",
        COUNTRIES.read_bytes(),
        file_extension="zip",
        table_name="countries",
        indexes={"attributes": ["name"]},
    )

    assert job["status"] == "completed", json.dumps(job["error"])
    result = job["result"]
    assert (result["rows_read"], result["rows_loaded"], result["rows_dropped"]) == (177, 177, 0)
    assert rows_of(
        terrane, "SELECT count(*) AS n, bool_and(ST_IsValid(geom)) AS valid FROM geo.countries"
    ) == [{"n": 177, "valid": True}]
    assert rows_of(terrane, "SELECT id, name FROM geo.countries WHERE name = 'Norway'") == [
        {"id": 22, "name": "Norway"}
    ]
    [item] = rows_of(terrane, "SELECT pgstac.get_item(%s, %s) AS item", [result["item_id"], "system-vectors"])
    assert_valid_item(item["item"])
    properties = item["item"]["properties"]
    assert (properties["app:job_id"], properties["app:job_type"]) == (job["job_id"], "process_vector")
    assert properties["table:row_count"] == 177
    assert item["item"]["assets"]["data"]["href"] == "postgis://geo.countries"
    with terrane.blobs as service:
        picture = service.get_blob_client("silver-vectors", "geo/countries_thumbnail.png")
        assert picture.download_blob().readall()[:8] == b"\x89PNG\r\n\x1a\n"
