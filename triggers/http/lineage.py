"""Where an item comes from."""

from http import HTTPStatus

from core import codes
from core.errors import NotFound
from services.stac.lineage import lineage
from triggers.bootstrap import app
from triggers.http.endpoints import JSON_MEDIA_TYPE, Contract, Reply, Resource
from triggers.http.requests import Call, Query

resource = Resource("Lineage", "What an item was made of, by which steps and which software.")


@resource.route(
    "GET",
    "lineage/{collection_id}/{item_id}",
    Contract(query=Query, answers={HTTPStatus.OK: None}, problems=(HTTPStatus.NOT_FOUND,)),
)
def get_lineage(call: Call[Query]) -> Reply:
    """Return the history of an item as W3C PROV-JSON."""
    collection_id, item_id = (call.http.route_params[name] for name in ("collection_id", "item_id"))
    item = app().catalogue.get_item(collection_id, item_id)
    if item is None:
        raise NotFound(
            codes.CATALOGUE_ITEM_MISSING, f"There is no item {item_id!r} in collection {collection_id!r}."
        )
    return Reply(lineage(item), media_type=JSON_MEDIA_TYPE)
