"""The item of a published table."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.stac.collections import vector_collection
from services.stac.models import FileInfo, Provenance, SourceBlob, TableColumn, VectorItem
from services.stac.vector_items import build_vector_item
from services.vector.models import TemporalExtent
from services.vector.published_item import acquisition
from tests.stac_validation import assert_valid_collection, assert_valid_item

CHECKSUM = "1220" + "ab" * 32
MODIFIED = datetime(2024, 3, 1, 12, tzinfo=UTC)


def vector(**fields: Any) -> VectorItem:
    given = {
        "collection_id": "system-vectors",
        "item_id": "postgis-geo-parcels",
        "table": "geo.parcels",
        "title": "parcels",
        "geometry": {"type": "Point", "coordinates": [10.0, 50.0]},
        "bbox": (10.0, 50.0, 10.0, 50.0),
        "proj_code": "EPSG:25832",
        "proj_bbox": (500_000.0, 5_500_000.0, 500_000.0, 5_500_000.0),
        "columns": (
            TableColumn(name="id", type="bigint"),
            TableColumn(name="geom", type="geometry(Point,25832)"),
            TableColumn(name="f_order", type="text", description="Order"),
        ),
        "rows": 3,
        "thumbnail": FileInfo(
            href="https://a.test/silver-vectors/geo/parcels.png", nbytes=5, checksum=CHECKSUM
        ),
        "source": SourceBlob(
            href="https://a.test/b/p.gpkg", last_modified=MODIFIED, nbytes=9, checksum=CHECKSUM
        ),
        "provenance": Provenance(
            job_id="j" * 64, job_type="process_vector", software={"pyogrio": "1"}, processed_at=MODIFIED
        ),
    }
    return VectorItem.model_validate(given | fields)


def test_an_item_is_valid_and_says_what_the_table_is() -> None:
    item = build_vector_item(vector())

    assert_valid_item(item)
    assert item["assets"]["data"] == {
        "href": "postgis://geo.parcels",
        "title": "geo.parcels",
        "description": "Table in PostGIS.",
        "roles": ["data"],
        "proj:code": "EPSG:25832",
        "proj:bbox": [500_000.0, 5_500_000.0, 500_000.0, 5_500_000.0],
    }
    properties = item["properties"]
    assert properties["table:row_count"] == 3
    assert properties["table:primary_geometry"] == "geom"
    assert properties["table:columns"][2] == {"name": "f_order", "type": "text", "description": "Order"}
    assert (properties["app:job_id"], properties["app:job_type"]) == ("j" * 64, "process_vector")
    assert (properties["datetime"], properties["app:datetime_source"]) == (
        "2024-03-01T12:00:00Z",
        "source_last_modified",
    )
    [derived_from] = [link for link in item["links"] if link["rel"] == "derived_from"]
    assert (derived_from["file:size"], derived_from["file:checksum"]) == (9, CHECKSUM)


def test_an_item_without_thumbnail_bounds_or_checksum_is_valid() -> None:
    source = SourceBlob(href="https://a.test/b/p.gpkg", last_modified=MODIFIED)

    item = build_vector_item(vector(thumbnail=None, proj_bbox=None, source=source, rows=0, columns=()))

    assert_valid_item(item)
    assert list(item["assets"]) == ["data"]


def test_the_range_of_the_columns_of_time_is_the_items() -> None:
    extents = [
        TemporalExtent(column="surveyed", start="2020-05-01", end="2021-01-01"),
        TemporalExtent(column="changed", start="2020-06-01T10:00:00+02:00", end="2023-01-01T00:00:00"),
    ]

    item = build_vector_item(vector(acquired=acquisition(extents)))

    assert_valid_item(item)
    properties = item["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2020-05-01T00:00:00Z"
    assert properties["end_datetime"] == "2023-01-01T00:00:00Z"
    assert properties["app:datetime_source"] == "columns: surveyed, changed"


def test_no_column_of_time_is_no_time() -> None:
    assert acquisition([]) is None


def test_a_bound_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        build_vector_item(vector(bbox=(0.0, 0.0, float("inf"), 1.0)))


def test_a_collection_for_tables_is_valid() -> None:
    assert_valid_collection(vector_collection("survey"))
