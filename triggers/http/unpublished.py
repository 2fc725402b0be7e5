"""The audit of what was taken out of publication."""

from http import HTTPStatus

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from core.json import JsonObject
from core.models.unpublished import UnpublishedJob
from core.ports.unpublishing import UnpublishedFilter
from triggers.bootstrap import app
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.paging import PageQuery, page, start
from triggers.http.requests import Call
from triggers.http.schemas import Page

resource = Resource("Unpublished", "What was taken out of publication, and whether it can be put back.")

_CURSOR: TypeAdapter[tuple[AwareDatetime, str]] = TypeAdapter(tuple[AwareDatetime, str])


class UnpublishedQuery(PageQuery):
    """Which records a list has."""

    collection_id: str | None = Field(default=None, max_length=500, description="Items of this collection.")
    stac_item_id: str | None = Field(default=None, max_length=500, description="Records of this item.")
    unpublish_job_id: str | None = Field(default=None, max_length=64, description="Records of this job.")
    restorable: bool | None = Field(default=None, description="Whether it can still be put back.")


class Unpublished(BaseModel):
    """A record."""

    id: str
    original_job_id: str | None
    original_job_type: str | None
    original_parameters: JsonObject | None
    unpublish_job_id: str
    stac_item_id: str | None
    collection_id: str | None
    artifacts_deleted: JsonObject
    collection_deleted: bool
    unpublished_at: AwareDatetime
    purge_after: AwareDatetime | None
    restored_at: AwareDatetime | None
    restored_by: str | None
    purged_at: AwareDatetime | None


@resource.route(
    "GET",
    "dbadmin/unpublished",
    Contract(query=UnpublishedQuery, answers={HTTPStatus.OK: Page[Unpublished]}),
)
def list_unpublished(call: Call[UnpublishedQuery]) -> Reply:
    """List what was unpublished, newest first."""
    query = call.query
    names = ("collection_id", "stac_item_id", "unpublish_job_id", "restorable")
    where = UnpublishedFilter(**{name: getattr(query, name) for name in names})
    found = app().unpublishing.list_unpublished(where, query.limit + 1, start(query, _CURSOR))
    return Reply(page(call, found, _shown, lambda record: (record.unpublished_at, record.id)))


def _shown(record: UnpublishedJob) -> Unpublished:
    return Unpublished.model_validate(record, from_attributes=True)
