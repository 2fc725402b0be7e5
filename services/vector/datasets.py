"""Find the data set in what a caller sent: a file, or one of the files of an archive."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import TaskFailed
from core.vector_options import ConverterOptions, FileExtension
from services.vector.archives import unpack
from services.vector.codes import (
    EXTERNAL_REFERENCE,
    PART_MISSING,
    SHAPEFILE_LOOSE,
    UNSUPPORTED_FORMAT,
    ZIP_AMBIGUOUS,
    ZIP_WITHOUT_DATA,
)
from services.vector.completeness import refuse_cut_parts
from services.vector.models import Driver, PrepareVector
from services.vector.sniffing import EXPECTED, PACKED, check_extension, driver_of, is_archive, mismatch

_UNPACKED: Final = "unpacked"
# By ending, in the order of preference: a table beside a shapefile is an extra, not a rival.
_ENDINGS: Final[tuple[dict[str, Driver], ...]] = (
    {
        ".shp": "ESRI Shapefile",
        ".gdb": "OpenFileGDB",
        ".tab": "MapInfo File",
        ".mif": "MapInfo File",
        ".gpkg": "GPKG",
        ".fgb": "FlatGeobuf",
        ".parquet": "Parquet",
        ".geojson": "GeoJSON",
        ".geojsonl": "GeoJSONSeq",
        ".ndjson": "GeoJSONSeq",
        ".topojson": "TopoJSON",
        ".kml": "LIBKML",
        ".gpx": "GPX",
    },
    {".json": "GeoJSON"},
    {".csv": "CSV"},
)
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    ".shp": (".shx", ".dbf"),
    ".tab": (".dat",),
    ".mif": (".mid",),
}
# Of a loose file of these, the part that is missing is told by name.
_TOLD_BY_PARTS: Final[frozenset[FileExtension]] = frozenset({"mif", "tab"})
_SIDECARS: Final = (".shx", ".dbf", ".prj", ".cpg", ".dat", ".map", ".id", ".ind", ".mid")
# Statements of a .tab file that make MapInfo, and OGR, open other files.
_TAB_REFERENCE: Final = re.compile(
    rb'open\s+table|create\s+view|isseamless"\s*=\s*"true|^\s*file\s+"|^\s*type\s+(?!native|dbf)\w+',
    re.IGNORECASE | re.MULTILINE,
)
_PLAIN_NAME: Final = re.compile(r"[\w.+\- ()]+")


@dataclass(frozen=True)
class Dataset:
    """What is to be opened, and by which driver."""

    path: Path
    driver: Driver


def locate(request: PrepareVector, workspace: Path) -> Dataset:
    """Return the data set that a request means, unpacked if need be.

    Raises:
        TaskFailed: It is not what the extension says, not safe, not whole or not one; see the code.
    """
    path = workspace_file(workspace, request.path)
    if is_archive(path):
        if request.file_extension not in PACKED:
            raise mismatch(path, request.file_extension, "a ZIP archive")
        found = _in_archive(request, path, workspace)
    else:
        found = _single(path, request.file_extension)
    if found.path.suffix.lower() == ".tab":
        _refuse_tab_references(found.path)
    refuse_cut_parts(found.path)
    return Dataset(_plainly_named(found.path), found.driver)


def workspace_file(workspace: Path, name: str) -> Path:
    """Return a file of the workspace.

    Raises:
        TaskFailed: ``vector.external_reference``: the name leads out of the workspace, or to a link.
    """
    path = workspace / name
    if path.is_symlink() or path.resolve().parent != workspace.resolve():
        raise TaskFailed(EXTERNAL_REFERENCE, f"{name} is not a file of the workspace", file=name)
    return path


def _single(path: Path, extension: FileExtension) -> Dataset:
    driver = driver_of(path)
    if extension == "shp" and driver == "ESRI Shapefile":
        raise TaskFailed(SHAPEFILE_LOOSE, f"{path.name} came without its .shx, .dbf and .prj", file=path.name)
    if extension in PACKED and extension not in _TOLD_BY_PARTS:
        raise mismatch(path, extension, f"{driver}, not an archive")
    check_extension(path, extension, driver)
    _require_parts(path)
    return Dataset(path, driver)


def _in_archive(request: PrepareVector, archive: Path, workspace: Path) -> Dataset:
    # A second call in the same workspace begins anew.
    shutil.rmtree(workspace / _UNPACKED, ignore_errors=True)
    files = unpack(archive, workspace / _UNPACKED)
    candidates = _candidates(files, request.file_extension)
    wanted = _wanted(request.converter)
    if wanted:
        candidates = [each for each in candidates if _is_wanted(each, request.converter)]
    elif request.file_extension == "kmz":
        candidates = _root_documents(candidates)
    relative = sorted(str(each.relative_to(workspace / _UNPACKED)) for each in candidates)
    if not candidates:
        raise TaskFailed(ZIP_WITHOUT_DATA, _without_data(archive, files, wanted), file=archive.name)
    if len(candidates) > 1:
        listed = ", ".join(relative[:20])
        raise TaskFailed(
            ZIP_AMBIGUOUS, f"{archive.name} holds {listed}", file=archive.name, found=relative[:100]
        )
    return _opened(_with_lower_endings(candidates[0]), request.file_extension)


def _candidates(files: Iterable[Path], extension: FileExtension) -> list[Path]:
    tops = {_top(each) for each in files}
    for endings in _ENDINGS:
        found = [
            each
            for each in tops
            if (driver := endings.get(each.suffix.lower())) and driver in EXPECTED[extension]
        ]
        if found:
            return sorted(found)
    return []


def _top(path: Path) -> Path:
    """Return the geodatabase that a file is part of, or the file."""
    return next((each for each in path.parents if each.suffix.lower() == ".gdb"), path)


def _wanted(options: ConverterOptions) -> str:
    return " and no ".join(repr(name) for name in (options.shp_name, options.kml_name) if name)


def _is_wanted(path: Path, options: ConverterOptions) -> bool:
    """Tell whether a data set is one that the caller names; ``kml_name`` names KML only."""
    if options.kml_name and path.suffix.lower() == ".kml" and _is_named(path, options.kml_name):
        return True
    return bool(options.shp_name and _is_named(path, options.shp_name))


def _is_named(path: Path, wanted: str) -> bool:
    asked = wanted.replace("\\", "/").casefold()
    return asked in (path.name.casefold(), path.stem.casefold()) or str(path).casefold().endswith(f"/{asked}")


def _root_documents(candidates: list[Path]) -> list[Path]:
    """Return the document that viewers open first: by rule the first .kml at the archive's root."""
    highest = min((len(each.parts) for each in candidates), default=0)
    at_root = [each for each in candidates if len(each.parts) == highest]
    return [each for each in at_root if each.name.lower() == "doc.kml"] or at_root[:1]


def _without_data(archive: Path, files: list[Path], wanted: str) -> str:
    listed = ", ".join(each.name for each in files[:10]) or "nothing"
    return f"{archive.name} holds {listed}" + (f", and no {wanted}" if wanted else "")


def _opened(path: Path, extension: FileExtension) -> Dataset:
    if path.is_dir():
        return Dataset(path, "OpenFileGDB")
    driver = driver_of(path)
    if driver not in EXPECTED[extension]:
        raise mismatch(path, extension, driver)
    expected = next(endings[path.suffix.lower()] for endings in _ENDINGS if path.suffix.lower() in endings)
    if driver != expected and not {driver, expected} <= {"GeoJSON", "GeoJSONSeq", "TopoJSON"}:
        raise TaskFailed(UNSUPPORTED_FORMAT, f"{path.name} is {driver}", file=path.name, found=driver)
    _require_parts(path)
    return Dataset(path, driver)


def _require_parts(path: Path) -> None:
    missing = [
        ending for ending in _PARTS.get(path.suffix.lower(), ()) if not path.with_suffix(ending).exists()
    ]
    if missing:
        raise TaskFailed(
            PART_MISSING,
            f"{path.name} has no {' and no '.join(missing)} beside it",
            file=path.name,
            missing=missing,
        )


def _with_lower_endings(path: Path) -> Path:
    """Rename a data set's files so that they differ in their ending only, as readers expect."""
    if path.is_dir():
        return path
    for beside in list(path.parent.iterdir()):
        ending = beside.suffix.lower()
        is_part = beside == path or ending in _SIDECARS
        if is_part and beside.stem.casefold() == path.stem.casefold():
            beside.rename(path.with_suffix(ending))
    return path.with_suffix(path.suffix.lower())


def _refuse_tab_references(path: Path) -> None:
    text = path.read_bytes()[: 1024 * 1024]
    if found := _TAB_REFERENCE.search(text):
        statement = found.group().decode("latin-1").strip()
        raise TaskFailed(
            EXTERNAL_REFERENCE,
            f"{path.name} names other tables ({statement!r})",
            file=path.name,
            found=statement,
        )


def _plainly_named(path: Path) -> Path:
    """Return a path in which no reader finds anything but a path.

    Some take parts of a name for an archive, an address or an option.
    """
    if _PLAIN_NAME.fullmatch(path.name):
        return path
    if path.is_dir():
        return path.rename(path.with_name("source.gdb"))
    for each in list(path.parent.iterdir()):
        if each == path or (each.stem == path.stem and each.suffix.lower() in _SIDECARS):
            plain = each.with_name(f"source{each.suffix.lower()}")
            plain.unlink(missing_ok=True)
            plain.hardlink_to(each)
    return path.with_name(f"source{path.suffix.lower()}")
