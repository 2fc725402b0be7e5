"""Fetching a raster and the files beside it into a workspace."""

from pathlib import PurePosixPath

from core import codes
from core.errors import TransientError
from core.handler import TaskContext
from core.ports.blobs import BlobProperties, BlobRef, PreconditionFailed
from services.raster.handover import RasterSource

# What GDAL and vendors lay beside a raster; all of it is small.
_SIDECARS = (".tfw", ".tifw", ".wld", ".prj", ".aux.xml", ".imd", ".rpb")
_LARGEST_SIDECAR = 64 * 1024 * 1024
_MOST_SIDECARS = 16


def find_source(context: TaskContext, source: RasterSource) -> RasterSource:
    """Return the source with its ETag, and with the sidecars that lie beside it."""
    properties = context.blobs.properties(source.ref)
    beside = [name for name in _siblings(context, source.ref) if name not in source.sidecars]
    return source.model_copy(
        update={
            "sidecars": [*source.sidecars, *beside][:_MOST_SIDECARS],
            "etag": properties.etag,
            "nbytes": properties.nbytes,
            "last_modified": properties.last_modified,
        }
    )


def fetch(context: TaskContext, source: RasterSource) -> tuple[str, list[str]]:
    """Download a source and its sidecars; return their names in the workspace.

    Files keep their base names, because formats place rasters by them (SRTM) and find sidecars so.

    Raises:
        TransientError: The source is no longer the one that was looked at first (``blob.changed``).
    """
    name = PurePosixPath(source.name).name
    try:
        context.download(source.ref, name, if_match=source.etag)
    except PreconditionFailed as error:
        raise TransientError(
            codes.BLOB_CHANGED, f"{source.ref} changed since the job looked at it."
        ) from error
    sidecars: list[str] = []
    for sidecar in source.sidecars:
        base = PurePosixPath(sidecar).name
        if base != name and base not in sidecars:
            context.download(BlobRef(source.container, sidecar), base)
            sidecars.append(base)
    return name, sidecars


def _siblings(context: TaskContext, ref: BlobRef) -> list[str]:
    """List the blobs of the same stem in the same folder that are sidecars by their ending."""
    path = PurePosixPath(ref.name)
    prefix = str(path.with_name(path.stem))
    allowed = {f"{path.stem}{ending}".lower() for ending in _SIDECARS}
    allowed |= {f"{path.name}.aux.xml".lower()}
    return [
        blob.ref.name
        for blob in context.blobs.list_blobs(ref.container, prefix)
        if _belongs(blob, path, allowed)
    ]


def _belongs(blob: BlobProperties, path: PurePosixPath, allowed: set[str]) -> bool:
    other = PurePosixPath(blob.ref.name)
    return other.parent == path.parent and other.name.lower() in allowed and blob.nbytes <= _LARGEST_SIDECAR
