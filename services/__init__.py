"""Task handlers and the pure functions below them; nothing that this module reaches imports GDAL."""

from core.registry import AnyHandler
from services.audit_catalog import audit_part, list_audit_parts, report_audit
from services.hello import say_greeting, say_reply
from services.raster.create_cog import create_cog
from services.raster.extract_stac_metadata import extract_stac_metadata
from services.raster.validate_raster import validate_raster
from services.restore_handlers import check_restorable, restore_blobs, restore_item
from services.unpublish_handlers import (
    delete_blob,
    delete_stac_and_audit,
    drop_postgis_table,
    inventory_raster_item,
    inventory_vector_item,
)
from services.vector.create_vector_stac import create_vector_stac
from services.vector.process_vector_prepare import process_vector_prepare
from services.vector.process_vector_upload import process_vector_upload

#: Every handler, by its own declaration.
ALL_HANDLERS: tuple[AnyHandler, ...] = (
    say_greeting,
    say_reply,
    validate_raster,
    create_cog,
    extract_stac_metadata,
    process_vector_prepare,
    process_vector_upload,
    create_vector_stac,
    inventory_raster_item,
    inventory_vector_item,
    delete_blob,
    drop_postgis_table,
    delete_stac_and_audit,
    check_restorable,
    restore_blobs,
    restore_item,
    list_audit_parts,
    audit_part,
    report_audit,
)
