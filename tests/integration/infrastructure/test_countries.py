"""In which countries items lie."""

import random

from core.json import JsonObject
from infrastructure.countries import CountryFinder
from infrastructure.database import Database
from infrastructure.pgstac_repository import PgStacRepository
from tests.factories.stac import item
from tests.stac_validation import assert_valid_collection


def publish(database: Database, *items: JsonObject, table: str = "app.countries") -> PgStacRepository:
    repository = PgStacRepository(database, countries=CountryFinder(table))
    with database.transaction() as connection:
        repository.within(connection).upsert_items(list(items))
    return repository


def countries(repository: PgStacRepository, item_id: str = "tile") -> tuple[list[str] | None, str | None]:
    found = repository.get_item("system-rasters", item_id)
    assert found is not None
    return found["properties"].get("geo:iso3"), found["properties"].get("geo:primary_iso3")


def tile(item_id: str, *bbox: float) -> JsonObject:
    return item(item_id, "system-rasters", bbox=bbox)


def test_the_primary_country_has_the_largest_part(database: Database) -> None:
    # The border runs near 7 degrees west.
    repository = publish(database, tile("east", -8.0, 38.5, -4.0, 39.5), tile("west", -9.0, 38.5, -6.5, 39.5))

    assert countries(repository, "east") == (["ESP", "PRT"], "ESP")
    assert countries(repository, "west") == (["ESP", "PRT"], "PRT")


def test_a_country_is_not_large_because_it_is_near_a_pole(database: Database) -> None:
    found, primary = countries(publish(database, tile("tile", -180.0, -90.0, 180.0, 90.0)))

    assert found is not None
    assert {"ATA", "RUS"} <= set(found)
    assert primary == "RUS"


def test_a_line_and_a_point_have_countries_too(database: Database) -> None:
    road, well = tile("road", -8.0, 39.0, -3.0, 39.0), tile("well", -3.0, 40.0, -3.0, 40.0)
    road["geometry"] = {"type": "LineString", "coordinates": [[-8.0, 39.0], [-3.0, 39.0]]}
    well["geometry"] = {"type": "Point", "coordinates": [-3.0, 40.0]}

    repository = publish(database, road, well)

    assert countries(repository, "road") == (["ESP", "PRT"], "ESP")
    assert countries(repository, "well") == (["ESP"], "ESP")


def test_the_ocean_is_no_country(database: Database) -> None:
    assert countries(publish(database, tile("tile", -40.0, 20.0, -39.0, 21.0))) == (None, None)


def test_an_item_across_the_antimeridian_has_the_countries_of_both_sides(database: Database) -> None:
    fiji_and_more = tile("tile", 170.0, -20.0, -170.0, 72.0)
    east = [[[170.0, 60.0], [180.0, 60.0], [180.0, 72.0], [170.0, 72.0], [170.0, 60.0]]]
    west = [[[-180.0, 60.0], [-160.0, 60.0], [-160.0, 72.0], [-180.0, 72.0], [-180.0, 60.0]]]
    fiji_and_more["geometry"] = {"type": "MultiPolygon", "coordinates": [east, west]}

    assert countries(publish(database, fiji_and_more))[0] == ["RUS", "USA"]


def test_items_of_one_call_keep_their_own_countries(database: Database) -> None:
    repository = publish(
        database,
        tile("a", 2.0, 47.0, 2.5, 47.5),
        tile("b", -40, 20, -39, 21),
        tile("c", 140, 36, 140.5, 36.5),
    )

    assert [countries(repository, name)[1] for name in "abc"] == ["FRA", None, "JPN"]


def test_a_collection_knows_the_countries_of_its_items(database: Database) -> None:
    publish(database, tile("a", 2.0, 47.0, 2.5, 47.5))
    repository = publish(database, tile("b", 140, 36, 140.5, 36.5))

    collection = repository.get_collection("system-rasters")

    assert collection is not None
    assert collection["summaries"]["geo:iso3"] == ["FRA", "JPN"]


def test_a_collection_forgets_the_countries_of_items_that_have_gone(database: Database) -> None:
    first, second, third = (
        tile("a", 2.0, 47.0, 2.5, 47.5),
        tile("b", 140, 36, 140.5, 36.5),
        tile("c", 2.6, 47.0, 2.9, 47.5),
    )
    repository = publish(database, first, second, third)

    def summary() -> JsonObject:
        collection = repository.get_collection("system-rasters")
        assert collection is not None
        assert_valid_collection(collection)
        summaries: JsonObject = collection["summaries"]
        return summaries

    def delete(item_id: str) -> None:
        with database.transaction() as connection:
            repository.within(connection).delete_items("system-rasters", [item_id])

    delete("a")
    assert summary() == {"geo:iso3": ["FRA", "JPN"]}
    publish(database, tile("b", -40.0, 20.0, -39.0, 21.0))
    assert summary() == {"geo:iso3": ["FRA"]}
    delete("c")
    assert summary() == {}


def test_a_deployment_may_have_a_table_of_its_own(database: Database) -> None:
    database.execute("CREATE TABLE geo.lands (iso3 text, geom geometry(Polygon, 4326))")
    database.execute("INSERT INTO geo.lands VALUES ('XXA', ST_MakeEnvelope(0, 0, 10, 10, 4326))")

    assert countries(publish(database, tile("tile", 1, 1, 2, 2), table="geo.lands")) == (["XXA"], "XXA")


def test_a_table_that_is_not_there_keeps_nothing_from_being_published(database: Database) -> None:
    assert countries(publish(database, tile("tile", 1, 1, 2, 2), table="geo.nowhere")) == (None, None)


def test_many_items_at_once_have_the_countries_that_each_has_alone(database: Database) -> None:
    chance = random.Random(3)  # noqa: S311 - the same places in every run
    corners = [(chance.uniform(-20, 40), chance.uniform(30, 65), chance.uniform(0.1, 6)) for _ in range(60)]
    several = [
        tile(f"t{number}", west, south, west + size, south + size)
        for number, (west, south, size) in enumerate(corners)
    ]
    several[0]["geometry"] = {"type": "Point", "coordinates": [-3.0, 40.0]}
    # A bow tie over the border of Spain and Portugal, which is not valid.
    bow = [[-8.0, 38.5], [-5.0, 39.5], [-5.0, 38.5], [-8.0, 39.5], [-8.0, 38.5]]
    several[1]["geometry"] = {"type": "Polygon", "coordinates": [bow]}
    finder = CountryFinder()

    with database.transaction() as connection:
        together = finder.with_countries(connection, several)
        alone = [finder.with_countries(connection, [one])[0] for one in several]

    assert together == alone
    assert together[1]["properties"]["geo:iso3"] == ["ESP", "PRT"]
    assert {len(one["properties"].get("geo:iso3", ())) for one in together} >= {0, 1, 2}


def test_many_items_are_published_where_no_table_tells_their_countries(database: Database) -> None:
    several = [tile(f"t{number}", 1, 1, 2, 2) for number in range(30)]

    assert countries(publish(database, *several, table="geo.nowhere"), "t3") == (None, None)


def test_a_table_may_have_outlines_of_arcs(database: Database) -> None:
    database.execute("CREATE TABLE geo.curved (iso3 text, geom geometry(CurvePolygon, 4326))")
    arcs = "SRID=4326;CURVEPOLYGON(CIRCULARSTRING(0 0, 4 4, 8 0, 4 -4, 0 0))"
    database.execute("INSERT INTO geo.curved VALUES ('XXA', ST_GeomFromEWKT(%(arcs)s))", {"arcs": arcs})
    several = [tile(f"t{number}", 3, 3, 5, 3.9) for number in range(30)]

    repository = publish(database, *several, table="geo.curved")

    assert countries(repository, "t3") == (["XXA"], "XXA")
