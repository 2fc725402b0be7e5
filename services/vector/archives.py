"""Unpack a stranger's ZIP archive: no links, no way out, and never more than was agreed."""

import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from core.errors import TaskFailed
from services.vector.codes import UNREADABLE, ZIP_UNSAFE

_CHUNK_NBYTES: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1
_ARCHIVES: Final = frozenset({".zip", ".kmz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".tar", ".tgz", ".shz"})
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})


@dataclass(frozen=True)
class UnpackLimits:
    """How much an archive may hold.

    Args:
        nbytes: Uncompressed size of all files.
        ratio: Uncompressed to compressed size of all files, where they are large enough to matter.
        files: Number of entries.
        depth: Folders within folders.
        free_share: Part of the free disk that the files may take.
    """

    nbytes: int = 20 * 1024**3
    ratio: float = 200.0
    files: int = 10_000
    depth: int = 16
    free_share: float = 0.8


# Text of a few kilobytes is often compressed very well, and harmless.
_SMALL_NBYTES: Final = 16 * 1024 * 1024


def unpack(archive: Path, target: Path, limits: UnpackLimits = UnpackLimits()) -> list[Path]:
    """Unpack `archive` into the new directory `target` and return the files, in order of name.

    What macOS and Windows add unasked is left out.

    Raises:
        TaskFailed: ``vector.zip_unsafe`` with what is wrong, before anything of it is written where
            the archive's directory tells; ``vector.unreadable``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not _is_litter(member.filename)]
            _check(archive, members, limits, shutil.disk_usage(archive.parent).free)
            target.mkdir()
            budget = sum(member.file_size for member in members)
            return sorted(_extract(archive, opened, members, target, budget))
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise TaskFailed(
            UNREADABLE, f"{archive.name} is no sound ZIP archive: {error}", file=archive.name
        ) from error


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or bool(parts and (parts[-1].startswith("._") or parts[-1] in _LITTER))


_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def _check(archive: Path, members: list[zipfile.ZipInfo], limits: UnpackLimits, free: int) -> None:
    if len(members) > limits.files:
        raise _unsafe(archive, f"it has {len(members):,} files, more than {limits.files:,}")
    for member in members:
        if fault := _fault(member, limits):
            raise _unsafe(archive, f"{member.filename[:200]!r} {fault}")
    names = [member.filename.casefold() for member in members]
    if len(names) != len(set(names)):
        raise _unsafe(archive, "two of its files have the same name")
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if total > limits.nbytes:
        raise _unsafe(archive, f"its files have {total:,} bytes unpacked, more than {limits.nbytes:,}")
    if total > _SMALL_NBYTES and total / packed > limits.ratio:
        raise _unsafe(archive, f"it grows {total / packed:,.0f} times when unpacked, as bombs do")
    if total > free * limits.free_share:
        raise _unsafe(archive, f"its files have {total:,} bytes unpacked, too many for the worker's disk")


def _fault(member: zipfile.ZipInfo, limits: UnpackLimits) -> str | None:
    """Return what is wrong with an entry, by what the archive's directory says of it."""
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    faults = (
        (_leads_out(member, path), "leads out of the archive"),
        (len(path.parts) > limits.depth, f"lies more than {limits.depth} folders deep"),
        (kind not in (0, stat.S_IFREG, stat.S_IFDIR), "is a link or a device"),
        (member.flag_bits & _ENCRYPTED, "is protected by a password"),
        (path.suffix.lower() in _ARCHIVES and not member.is_dir(), "is an archive within the archive"),
        (member.compress_type not in _METHODS, "is packed by a method that is not known here"),
    )
    return next((fault for is_true, fault in faults if is_true), None)


def _leads_out(member: zipfile.ZipInfo, path: PurePosixPath) -> bool:
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return True
    return "\\" in member.orig_filename or "\x00" in member.orig_filename


def _extract(
    archive: Path, opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], target: Path, budget: int
) -> list[Path]:
    """Write the files; a directory of the archive that lies about sizes ends this in time."""
    files = []
    for member in members:
        path = target / member.filename
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as source, path.open("xb") as output:
            while block := source.read(_CHUNK_NBYTES):
                budget -= len(block)
                if budget < 0:
                    raise _unsafe(archive, f"{member.filename[:200]!r} is larger than the archive says")
                output.write(block)
        files.append(path)
    return files


def _unsafe(archive: Path, reason: str) -> TaskFailed:
    return TaskFailed(ZIP_UNSAFE, f"{archive.name}: {reason}", file=archive.name)
