"""When the data were taken, from the tags that sensors and their software leave."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rasterio.io import DatasetReader

from core.json import rfc3339
from services.raster.models import AcquisitionTime

# Most telling first: the moment of acquisition before the moment at which a program wrote the file.
_TAGS: Final = (
    ("IMAGERY", "ACQUISITIONDATETIME"),
    (None, "ACQUISITIONDATETIME"),
    (None, "ACQUISITION_DATETIME"),
    (None, "ACQUISITION_DATE"),
    (None, "DATE_ACQUIRED"),
    (None, "SENSING_TIME"),
    (None, "DATATAKE_1_DATATAKE_SENSING_START"),
    ("IMD", "IMAGE_1.firstLineTime"),
    ("IMD", "MAP_PROJECTED_PRODUCT.earliestAcqTime"),
    (None, "EXIF_DateTimeOriginal"),
    (None, "TIFFTAG_DATETIME"),
)
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
# TIFF and Exif write dates with colons, and TIFF knows no zone.
_TIFF_DATE: Final = re.compile(r"(\d{4}):(\d{2}):(\d{2})(.*)", re.DOTALL)


def acquisition_time(dataset: DatasetReader) -> AcquisitionTime | None:
    """Return the first usable time among the known tags."""
    for name, value in _values(dataset):
        moment = parse_time(value)
        if moment is None:
            continue
        aware = moment.tzinfo is not None
        utc = moment if aware else moment.replace(tzinfo=UTC)
        if _EARLIEST <= utc <= datetime.now(UTC):
            return AcquisitionTime(datetime=rfc3339(utc), source=name, assumed_utc=not aware)
    return None


def parse_time(text: str) -> datetime | None:
    """Parse ISO 8601 or TIFF's ``YYYY:MM:DD HH:MM:SS``; naive if it names no zone."""
    cleaned = text.strip().strip("\x00\"';").strip()
    if match := _TIFF_DATE.fullmatch(cleaned):
        cleaned = "-".join(match.groups()[:3]) + match.group(4)
    try:
        return datetime.fromisoformat(cleaned)
    except ValueError:
        return None


def _values(dataset: DatasetReader) -> Iterator[tuple[str, str]]:
    for domain, key in _TAGS:
        tags = dataset.tags(ns=domain) if domain else dataset.tags()
        if value := tags.get(key):
            yield key, value
