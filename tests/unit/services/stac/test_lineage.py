"""The history of an item as a graph."""

from core.json import JsonObject
from services.stac.items import build_raster_item
from services.stac.lineage import lineage
from tests.factories.raster_items import raster_item
from tests.factories.stac import item


def relations(document: JsonObject, name: str) -> list[tuple[str, ...]]:
    """Return the labels of what a relation binds together."""
    labels = {
        key: thing["prov:label"]
        for kind in ("entity", "activity", "agent")
        for key, thing in document[kind].items()
    }
    return [tuple(labels[member] for member in relation.values()) for relation in document[name].values()]


def test_the_steps_of_an_item_become_a_graph() -> None:
    document = lineage(build_raster_item(raster_item()))

    [(step, source)] = relations(document, "used")
    assert step == "create_cog"
    assert source.endswith("tile%2017.tif")
    assert [pair[1] for pair in relations(document, "wasGeneratedBy")] == ["create_cog"]
    [(made, of)] = relations(document, "wasDerivedFrom")
    assert made.endswith("tile_17_cog.tif")
    assert of == source
    assert {pair[1] for pair in relations(document, "wasAssociatedWith")} == set(
        raster_item().provenance.software
    )


def test_every_name_that_a_relation_uses_is_declared() -> None:
    document = lineage(build_raster_item(raster_item()))

    declared = {key for kind in ("entity", "activity", "agent") for key in document[kind]}
    for name in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith"):
        for relation in document[name].values():
            assert set(relation.values()) <= declared
    prefixes = {key.partition(":")[0] for key in declared}
    assert prefixes <= set(document["prefix"])


def test_an_item_without_a_history_comes_from_what_it_links_to() -> None:
    tile = item()
    tile["links"] = [{"rel": "derived_from", "href": "https://example.com/source.tif"}]

    document = lineage(tile)

    assert relations(document, "wasDerivedFrom") == [("tile", "https://example.com/source.tif")]
    assert document["activity"] == {}
