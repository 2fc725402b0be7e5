"""The catalogue port: what every adapter does alike."""

import pytest

from core import codes
from core.errors import NotFound, TaskFailed
from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT, CatalogueWriter
from tests.factories.catalogue import SYSTEM, Catalogue, memory_catalogue, pgstac_catalogue
from tests.factories.stac import collection, item


@pytest.fixture(params=["memory", "pgstac"])
def catalogue(request: pytest.FixtureRequest) -> Catalogue:
    if request.param == "memory":
        return memory_catalogue()
    return pgstac_catalogue(request.getfixturevalue("database"))


def test_what_was_written_is_read_back(catalogue: Catalogue) -> None:
    written = item(properties={"title": "A tile", "app:job_id": "0" * 64})

    created = catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([written]))

    assert created is True
    assert catalogue.reader.get_item("dem", "tile") == written
    assert catalogue.reader.get_collection("dem") == collection(
        extent={
            "spatial": {"bbox": [[10, 50, 11, 51]]},
            "temporal": {"interval": [["2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"]]},
        }
    )


def test_what_is_not_there_is_none(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))

    assert catalogue.reader.get_collection("nothing") is None
    assert catalogue.reader.get_item("dem", "nothing") is None
    assert catalogue.reader.get_item("nothing", "tile") is None
    assert catalogue.reader.count_items("nothing") == 0
    assert list(catalogue.reader.items("nothing")) == []


def test_a_collection_and_its_items_come_in_one_transaction(catalogue: Catalogue) -> None:
    with catalogue.transaction() as writer:
        created = writer.ensure_collection(collection())
        writer.upsert_items([item()])
        seen_before = catalogue.reader.get_collection("dem")

    assert created is True
    assert seen_before is None
    assert catalogue.reader.count_items("dem") == 1


def test_nothing_of_a_transaction_that_fails_stays(catalogue: Catalogue) -> None:
    def change(writer: CatalogueWriter) -> None:
        writer.ensure_collection(collection())
        writer.upsert_items([item()])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        catalogue.write(change)

    assert catalogue.reader.get_collection("dem") is None
    assert catalogue.reader.get_item("dem", "tile") is None


def test_an_existing_collection_is_left_as_it_is(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))

    created = catalogue.write(lambda writer: writer.ensure_collection(collection(description="Other.")))

    found = catalogue.reader.get_collection("dem")
    assert created is False
    assert found is not None
    assert found["description"] == "Elevation."


def test_an_item_replaces_the_one_of_its_id(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item(properties={"title": "first", "note": "gone"})]))

    catalogue.write(lambda writer: writer.upsert_items([item(properties={"title": "second"})]))

    assert catalogue.reader.get_item("dem", "tile") == item(properties={"title": "second"})
    assert catalogue.reader.count_items("dem") == 1


def test_one_id_may_be_in_two_collections(catalogue: Catalogue) -> None:
    with catalogue.transaction() as writer:
        writer.ensure_collection(collection("a"))
        writer.ensure_collection(collection("b"))
        writer.upsert_items([item("tile", "b"), item("tile", "a")])

    catalogue.write(lambda writer: writer.delete_items("a", ["tile"]))

    assert catalogue.reader.get_item("a", "tile") is None
    assert catalogue.reader.get_item("b", "tile") == item("tile", "b")


def test_a_time_range_keeps_its_null_datetime(catalogue: Catalogue) -> None:
    times: JsonObject = {"start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-12-31T00:00:00Z"}
    ranged = item(properties={"datetime": None} | times)
    catalogue.write(lambda writer: writer.ensure_collection(collection()))

    catalogue.write(lambda writer: writer.upsert_items([ranged]))

    found = catalogue.reader.get_collection("dem")
    assert catalogue.reader.get_item("dem", "tile") == ranged
    assert found is not None
    assert found["extent"]["temporal"] == {"interval": [list(times.values())]}


def test_item_assets_add_nothing_to_an_item_that_lacks_them(catalogue: Catalogue) -> None:
    assets = {"data": {"roles": ["data"]}, "thumbnail": {"type": "image/png", "roles": ["thumbnail"]}}
    catalogue.write(lambda writer: writer.ensure_collection(collection(item_assets=assets)))

    catalogue.write(lambda writer: writer.upsert_items([item()]))

    assert catalogue.reader.get_item("dem", "tile") == item()


def test_items_keep_their_assets_when_the_collection_changes_its_own(catalogue: Catalogue) -> None:
    before, after = {"data": {"roles": ["data"]}}, {"data": {"roles": ["data", "other"], "title": "New"}}
    catalogue.write(lambda writer: writer.ensure_collection(collection(item_assets=before)))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    catalogue.write(lambda writer: writer.upsert_collection(collection(item_assets=after)))

    assert catalogue.reader.get_item("dem", "tile") == item()


def test_a_replaced_collection_keeps_the_extent_of_its_items(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.upsert_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    catalogue.write(lambda writer: writer.upsert_collection(collection(description="Better.")))

    found = catalogue.reader.get_collection("dem")
    assert found is not None
    assert found["description"] == "Better."
    assert found["extent"]["spatial"] == {"bbox": [[10, 50, 11, 51]]}


def test_the_extent_holds_all_items_and_no_more(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item("a"), item("b", bbox=(9, 50.5, 9.5, 52))]))
    catalogue.write(
        lambda writer: writer.upsert_items([item("c", properties={"datetime": "2025-01-01T00:00:00Z"})])
    )

    catalogue.write(lambda writer: writer.delete_items("dem", ["b"]))

    found = catalogue.reader.get_collection("dem")
    assert found is not None
    assert found["extent"] == {
        "spatial": {"bbox": [[10, 50, 11, 51]]},
        "temporal": {"interval": [["2024-05-01T10:00:00Z", "2025-01-01T00:00:00Z"]]},
    }


def test_a_missing_collection_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound, match="collection nowhere does not exist") as raised:
        catalogue.write(lambda writer: writer.upsert_items([item("tile", "nowhere")]))

    assert raised.value.code == codes.CATALOGUE_COLLECTION_MISSING


@pytest.mark.parametrize(
    "broken",
    [
        item() | {"geometry": None},
        item(properties={"datetime": None}),
        item(properties={"datetime": "yesterday"}),
        item(properties={"start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2020-01-01T00:00:00Z"}),
        {key: value for key, value in item().items() if key != "bbox"},
    ],
    ids=["no geometry", "no time", "malformed time", "ends before it starts", "no bbox"],
)
def test_an_item_that_is_none_is_refused(catalogue: Catalogue, broken: JsonObject) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))

    with pytest.raises(TaskFailed, match="tile") as raised:
        catalogue.write(lambda writer: writer.upsert_items([item("good"), broken]))

    assert raised.value.code == codes.CATALOGUE_ITEM_INVALID
    assert catalogue.reader.count_items("dem") == 0


def test_deletion_says_whether_there_was_something(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    first = catalogue.write(lambda writer: writer.delete_items("dem", ["tile"]))
    second = catalogue.write(lambda writer: writer.delete_items("dem", ["tile"]))

    assert (first, second) == (["tile"], [])
    assert catalogue.reader.count_items("dem") == 0


def test_only_an_empty_collection_is_deleted(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    full = catalogue.write(lambda writer: writer.delete_collection_if_empty("dem"))
    catalogue.write(lambda writer: writer.delete_items("dem", ["tile"]))
    empty = catalogue.write(lambda writer: writer.delete_collection_if_empty("dem"))
    gone = catalogue.write(lambda writer: writer.delete_collection_if_empty("dem"))

    assert (full, empty, gone) == (False, True, False)
    assert catalogue.reader.get_collection("dem") is None


def test_a_deleted_collection_can_come_again(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.delete_collection_if_empty("dem"))

    created = catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    assert created is True
    assert catalogue.reader.count_items("dem") == 1


def test_a_system_collection_is_never_deleted(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection(SYSTEM)))

    deleted = catalogue.write(lambda writer: writer.delete_collection_if_empty(SYSTEM))

    assert deleted is False
    assert catalogue.reader.get_collection(SYSTEM) is not None


def test_all_items_are_listed_in_pages_by_id(catalogue: Catalogue) -> None:
    ids = [f"tile-{number:04}" for number in range(450)]
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item(item_id) for item_id in reversed(ids)]))

    assert [found["id"] for found in catalogue.reader.items("dem")] == ids
    assert catalogue.reader.count_items("dem") == len(ids)


def test_collections_are_listed_by_id(catalogue: Catalogue) -> None:
    with catalogue.transaction() as writer:
        for collection_id in ("b", "c", "a"):
            writer.ensure_collection(collection(collection_id))

    listed = [found["id"] for found in catalogue.reader.collections()]

    assert [collection_id for collection_id in listed if not collection_id.startswith("system-")] == [
        "a",
        "b",
        "c",
    ]


def test_values_that_are_handed_out_are_the_callers_own(catalogue: Catalogue) -> None:
    mine = item()
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([mine]))
    mine["properties"]["title"] = "changed after it was written"

    found = catalogue.reader.get_item("dem", "tile")
    assert found is not None
    found["properties"]["title"] = "changed after it was read"

    assert catalogue.reader.get_item("dem", "tile") == item()


def extent(west: float, south: float, east: float, north: float, start: str, end: str) -> JsonObject:
    return {
        "spatial": {"bbox": [[west, south, east, north]]},
        "temporal": {"interval": [[f"{start}T00:00:00Z", f"{end}T00:00:00Z"]]},
    }


def row_of_tiles() -> list[JsonObject]:
    return [
        item(
            f"tile-{number}",
            bbox=(number, 0, number + 1, 1),
            properties={"datetime": f"2024-05-0{number + 1}T00:00:00Z"},
        )
        for number in range(5)
    ]


def test_an_extent_shrinks_when_what_reached_its_edge_is_deleted(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items(row_of_tiles()))

    catalogue.write(lambda writer: writer.delete_items("dem", ["tile-2"]))
    middle = catalogue.reader.get_collection("dem")
    catalogue.write(lambda writer: writer.delete_items("dem", ["tile-0", "tile-4"]))
    edges = catalogue.reader.get_collection("dem")
    catalogue.write(lambda writer: writer.delete_items("dem", ["tile-1", "tile-3"]))
    empty = catalogue.reader.get_collection("dem")

    assert middle is not None
    assert edges is not None
    assert empty is not None
    assert middle["extent"] == extent(0, 0, 5, 1, "2024-05-01", "2024-05-05")
    assert edges["extent"] == extent(1, 0, 4, 1, "2024-05-02", "2024-05-04")
    assert empty["extent"] == UNKNOWN_EXTENT


def test_an_extent_follows_an_item_that_moves(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items(row_of_tiles()))
    moved = item("tile-4", bbox=(2, 0, 3, 1), properties={"datetime": "2024-05-02T00:00:00Z"})

    catalogue.write(lambda writer: writer.upsert_items([moved]))

    found = catalogue.reader.get_collection("dem")
    assert found is not None
    assert found["extent"] == extent(0, 0, 4, 1, "2024-05-01", "2024-05-04")


def test_many_items_are_read_back_as_few_are(catalogue: Catalogue) -> None:
    shared = {"data": {"type": "image/tiff", "roles": ["data"], "title": "Data"}, "thumbnail": {"title": "T"}}
    catalogue.write(lambda writer: writer.ensure_collection(collection(item_assets=shared)))
    many = [
        item(
            f"tile-{number:03}",
            bbox=(number, 0, number + 1, 1),
            properties={"title": f"Tile {number}", "gone": None},
        )
        for number in range(60)
    ]
    year = {
        "datetime": None,
        "start_datetime": "2023-01-01T00:00:00Z",
        "end_datetime": "2023-12-31T00:00:00Z",
    }
    many[7] = item("tile-007", bbox=(7, 0, 8, 1), properties=year)
    catalogue.write(lambda writer: writer.upsert_items(many))
    replaced = [item(f"tile-{number:03}", bbox=(number, 0, number + 1, 1)) for number in range(30)]

    catalogue.write(lambda writer: writer.upsert_items(replaced))

    expected = [*replaced, *many[30:]]
    for written in expected:
        written["properties"].pop("gone", None)
    assert list(catalogue.reader.items("dem")) == expected
    found = catalogue.reader.get_collection("dem")
    assert found is not None
    assert found["extent"]["spatial"] == {"bbox": [[0, 0, 60, 1]]}


def test_many_items_are_written_or_none(catalogue: Catalogue) -> None:
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    items = [item(f"tile-{number}") for number in range(30)]
    items[20]["geometry"] = None

    with pytest.raises(TaskFailed):
        catalogue.write(lambda writer: writer.upsert_items(items))

    assert catalogue.reader.count_items("dem") == 0
