"""Catalogue, blobs and tables are compared both ways; seeded drift is found n of n."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.test_unpublish_raster import catalogue, publish, run
from tests.acceptance.test_unpublish_vector import named
from tests.acceptance.test_unpublish_vector import publish as publish_table
from tests.factories.local_system import RunningSystem


def findings(terrane: RunningSystem, result: dict[str, Any]) -> set[tuple[str, str]]:
    """Return code and subject of every finding of an audit's details."""
    if result["details"] is None:
        return set()
    with terrane.blobs as service:
        container, _, name = result["details"].partition("devstoreaccount1/")[2].partition("/")
        text = service.get_blob_client(container, name).download_blob().readall().decode()
    found = [json.loads(line) for line in text.splitlines()]
    assert len(found) == sum(result["findings"].values())
    return {(finding["code"], finding["subject"]) for finding in found}


def blob(terrane: RunningSystem, name: str, content: bytes | None, container: str = "silver-cogs") -> None:
    with terrane.blobs as service:
        client = service.get_blob_client(container, name)
        if content is None:
            client.delete_blob()
        else:
            client.upload_blob(content, overwrite=True)


@pytest.fixture
def drifting(terrane: RunningSystem) -> Iterator[RunningSystem]:
    """Give the system to a test that breaks what is published, and remove all of that afterwards."""
    yield terrane
    for collection in ("audited", "audited-wide"):
        run(
            terrane,
            "unpublish_raster",
            collection_id=collection,
            all_items=True,
            dry_run=False,
            grace_days=0,
        )
    tables = terrane.query("SELECT id FROM pgstac.items WHERE content::text ~ 'postgis://geo.audit_'")
    run(
        terrane,
        "unpublish_vector",
        collection_id="system-vectors",
        item_ids=tables,
        dry_run=False,
        grace_days=0,
    )
    blob(terrane, "audit-nobody_cog.tif", None)
    terrane.execute("DROP TABLE geo.audit_unnamed")


def test_every_seeded_drift_is_found_and_nothing_else(drifting: RunningSystem) -> None:
    terrane = drifting
    for name in ("whole", "gone", "grown", "flipped"):
        publish(terrane, f"audit-{name}", "audited")
    publish(terrane, "audit-wide", "audited-wide")
    for table in ("audit_whole", "audit_gone", "audit_rows", "audit_unnamed"):
        publish_table(terrane, table)
    before = findings(terrane, run(terrane, "audit_catalog", checksums=True)["result"])
    blob(terrane, "audit-gone_cog.tif", None)
    blob(terrane, "audit-grown_cog.tif", b"something else")
    with terrane.blobs as service:
        client = service.get_blob_client("silver-cogs", "audit-flipped_cog.tif")
        content = bytearray(client.download_blob().readall())
    content[-1] ^= 1
    blob(terrane, "audit-flipped_cog.tif", bytes(content))
    blob(terrane, "audit-nobody_cog.tif", b"nobody names this")
    terrane.execute("DROP TABLE geo.audit_gone")
    terrane.execute("DELETE FROM geo.audit_rows WHERE id = 1")
    unnamed = named(terrane, "audit_unnamed")
    terrane.query("DELETE FROM pgstac.items WHERE id = %s RETURNING id", unnamed["stac_item_id"])
    terrane.execute(
        "UPDATE pgstac.collections SET content ="
        " jsonb_set(content, '{extent,spatial,bbox,0}', '[0, 0, 1, 1]') WHERE id = 'audited'"
    )
    terrane.execute(
        "UPDATE pgstac.collections SET content ="
        " jsonb_set(content, '{extent,spatial,bbox,0}', '[-90, -45, 90, 45]') WHERE id = 'audited-wide'"
    )
    stored = catalogue(terrane)

    result = run(terrane, "audit_catalog", checksums=True)["result"]

    found = findings(terrane, result) - before
    seeded = {
        ("asset_missing", "silver-cogs/audit-gone_cog.tif"),
        ("asset_size_differs", "silver-cogs/audit-grown_cog.tif"),
        ("asset_changed", "silver-cogs/audit-grown_cog.tif"),
        ("asset_checksum_differs", "silver-cogs/audit-grown_cog.tif"),
        ("asset_changed", "silver-cogs/audit-flipped_cog.tif"),
        ("asset_checksum_differs", "silver-cogs/audit-flipped_cog.tif"),
        ("blob_unnamed", "silver-cogs/audit-nobody_cog.tif"),
        ("table_missing", "geo.audit_gone"),
        ("table_rows_differ", "geo.audit_rows"),
        ("table_unnamed", "geo.audit_unnamed"),
        ("extent_too_small", "audited"),
        ("extent_too_large", "audited-wide"),
    }
    assert found >= seeded
    # The thumbnail of the item that is gone is named by nobody either, and it may have been the latest.
    followed = {finding for finding in found - seeded if "audit_unnamed" in finding[1]}
    assert {code for code, _ in followed} <= {"blob_unnamed"}
    assert found - seeded - followed <= {("extent_too_large", "system-vectors")}
    assert not result["agrees"]
    assert result["scanned"]["collection"] >= 7
    assert catalogue(terrane) == stored


def test_some_collections_can_be_audited_alone(terrane: RunningSystem) -> None:
    publish(terrane, "alone", "audited-alone")

    result = run(terrane, "audit_catalog", collections=["audited-alone"])["result"]

    assert result == {"scanned": {"collection": 1}, "findings": {}, "agrees": True, "details": None}
