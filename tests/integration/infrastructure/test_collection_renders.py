"""A collection says how all of its items can be drawn, as they come and go."""

from core.json import JsonObject
from infrastructure.database import Database
from infrastructure.pgstac_repository import PgStacRepository
from tests.factories.stac import collection, item
from tests.stac_validation import assert_valid_collection

NDVI: JsonObject = {"title": "NDVI", "assets": ["data"], "expression": "(b4-b3)/(b4+b3)"}
RENDER = "https://stac-extensions.github.io/render/v2.0.0/schema.json"


def described() -> JsonObject:
    return collection() | {"item_assets": {"data": {"roles": ["data"], "title": "Data"}}}


def rgb(*rescale: int) -> JsonObject:
    return {"title": "Natural colour", "assets": ["data"], "bidx": [3, 2, 1], "rescale": [list(rescale)]}


def write(database: Database, **renders: JsonObject) -> None:
    """Write an item for each name."""
    with database.transaction() as connection:
        writer = PgStacRepository(database).within(connection)
        writer.ensure_collection(described())
        writer.upsert_items([item(name, properties={"renders": value}) for name, value in renders.items()])


def delete(database: Database, *names: str) -> None:
    with database.transaction() as connection:
        PgStacRepository(database).within(connection).delete_items("dem", names)


def drawn(database: Database) -> JsonObject | None:
    found = PgStacRepository(database).get_collection("dem")
    assert found is not None
    assert_valid_collection(found)
    assert (RENDER in found.get("stac_extensions", [])) == ("renders" in found)
    return found.get("renders")


def test_it_has_what_all_items_have_in_common(database: Database) -> None:
    write(database, a={"ndvi": NDVI, "rgb": rgb(0, 5)}, b={"ndvi": NDVI, "rgb": rgb(1, 9)})
    assert drawn(database) == {"ndvi": NDVI, "rgb": rgb(0, 9)}

    write(database, c={"rgb": rgb(2, 3)})
    assert drawn(database) == {"rgb": rgb(0, 9)}

    write(database, d={})
    assert drawn(database) is None


def test_what_only_a_gone_item_lacked_is_common_again(database: Database) -> None:
    write(database, a={"ndvi": NDVI, "rgb": rgb(0, 5)}, b={"rgb": rgb(1, 9)}, c={"ndvi": NDVI})

    delete(database, "c")
    assert drawn(database) == {"rgb": rgb(0, 9)}
    delete(database, "b")
    assert drawn(database) == {"ndvi": NDVI, "rgb": rgb(0, 5)}
    delete(database, "a")
    assert drawn(database) is None
    write(database, e={"ndvi": NDVI})
    assert drawn(database) == {"ndvi": NDVI}


def test_an_item_that_is_written_anew_counts_as_it_is_now(database: Database) -> None:
    write(database, a={"ndvi": NDVI, "rgb": rgb(0, 5)}, b={"rgb": rgb(1, 9)})

    write(database, b={"ndvi": NDVI})

    assert drawn(database) == {"ndvi": NDVI}


def test_what_a_collection_brought_itself_stays(database: Database) -> None:
    own = {"mine": {"title": "Mine", "assets": ["data"]}}
    with database.transaction() as connection:
        given = described() | {"renders": own, "stac_extensions": [RENDER]}
        PgStacRepository(database).within(connection).ensure_collection(given)

    write(database, a={"ndvi": NDVI})
    write(database, b={"ndvi": NDVI})
    delete(database, "a")

    assert drawn(database) == own


def test_a_collection_that_says_nothing_of_assets_stays_as_it_is(database: Database) -> None:
    with database.transaction() as connection:
        PgStacRepository(database).within(connection).ensure_collection(collection())

    write(database, a={"ndvi": NDVI})

    assert drawn(database) is None
