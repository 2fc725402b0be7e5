"""What the job types that take published data back have in common."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from core.declaration import Location
from core.json import JsonObject
from jobs.mixins import JobParameters

Identifier = Annotated[str, Field(min_length=1, max_length=500)]


class UnpublishParameters(JobParameters):
    """Which items, and how."""

    collection_id: Identifier | None = Field(
        default=None, description="The items' collection.", examples=["system-rasters"]
    )
    stac_item_id: Identifier | None = Field(default=None, description="One item.", examples=["my-cog-item"])
    item_ids: list[Identifier] | None = Field(
        default=None, min_length=1, max_length=1_000, description="Several items of the collection."
    )
    all_items: bool = Field(default=False, description="Every item of the collection.")
    search: JsonObject | None = Field(
        default=None,
        description="What a STAC search of the collection finds: bbox, datetime, ids, filter (CQL2 JSON).",
        examples=[{"bbox": [-10, 35, 5, 45], "datetime": "../2020-01-01T00:00:00Z"}],
    )
    limit: int = Field(
        default=500, ge=1, le=1_000, description="Most items that one job takes of a collection or a search."
    )
    dry_run: bool = Field(default=True, description="Only list what would go. Set to false to remove it.")
    grace_days: int = Field(
        default=7,
        ge=0,
        le=3_650,
        description="Days for which `restore_unpublished` can put it back; 0: it goes at once.",
    )

    @property
    def ids(self) -> list[str] | None:
        """Return the items that are named one by one."""
        return [self.stac_item_id] if self.stac_item_id is not None else self.item_ids

    @property
    def selection(self) -> JsonObject:
        """Return the parameters of the inventory that say which items."""
        return {
            "collection_id": self.collection_id,
            "item_ids": self.ids,
            "all_items": self.all_items,
            "search": self.search,
            "limit": self.limit,
        }

    @model_validator(mode="after")
    def _one_selection(self) -> "UnpublishParameters":
        given = [name for name, is_given in self.ways().items() if is_given]
        if len(given) != 1:
            named = f"these are given: {', '.join(given)}" if given else "none is given"
            raise ValueError(f"exactly one of {', '.join(self.ways())} is needed, and {named}")
        if self.collection_id is None and given != ["table_name"]:
            raise ValueError(f"{given[0]} needs collection_id beside it")
        unknown = (self.search or {}).keys() - {"bbox", "datetime", "ids", "filter"}
        if unknown:
            raise ValueError(f"search has unknown members: {', '.join(sorted(unknown))}")
        return self

    def ways(self) -> dict[str, bool]:
        """Return the ways to say what is to go, and which of them are used."""
        return {
            "stac_item_id": self.stac_item_id is not None,
            "item_ids": self.item_ids is not None,
            "all_items": self.all_items,
            "search": self.search is not None,
        }


def reserved_items(parameters: UnpublishParameters) -> Sequence[Location]:
    """Return the items that nobody may publish while a real run is under way."""
    if parameters.dry_run:
        return ()
    return tuple(
        Location("item", f"{parameters.collection_id}/{name}") for name in dict.fromkeys(parameters.ids or ())
    )
