"""Transactions of the catalogue in memory; what it answers is held to in `tests/contract`."""

import pytest

from core.errors import NotFound
from infrastructure.memory.catalogue import InMemoryCatalogue
from tests.factories.stac import collection, item


def test_a_rollback_forgets_every_change() -> None:
    catalogue = InMemoryCatalogue()
    writer = catalogue.writer()
    writer.ensure_collection(collection())
    writer.upsert_items([item()])

    writer.rollback()
    writer.commit()

    assert catalogue.collections() == []
    assert writer.ensure_collection(collection()) is True


def test_a_commit_that_meets_another_state_changes_all_or_nothing() -> None:
    catalogue = InMemoryCatalogue()
    first = catalogue.writer()
    first.ensure_collection(collection())
    first.commit()
    second = catalogue.writer()
    second.ensure_collection(collection("other"))
    second.upsert_items([item()])
    third = catalogue.writer()
    third.delete_collection_if_empty("dem")
    third.commit()

    with pytest.raises(NotFound):
        second.commit()

    assert catalogue.collections() == []


def test_two_writers_that_make_one_collection_both_succeed() -> None:
    catalogue = InMemoryCatalogue()
    first, second = catalogue.writer(), catalogue.writer()
    for number, writer in enumerate((first, second)):
        writer.ensure_collection(collection())
        writer.upsert_items([item(f"item-{number}")])

    first.commit()
    second.commit()

    assert catalogue.count_items("dem") == 2
