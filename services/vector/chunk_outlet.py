"""Where chunks go while the child still prepares the next ones: into the table, or into the store."""

import logging
import re
import stat
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow.parquet as pq

from core.errors import Stopped, TransientError
from core.handler import TaskContext
from services.vector.handover import LoadedChunk
from services.vector.models import FOOTER_KEY, OUTLINE, ChunkFooter, VectorOutline
from services.vector.staged_table import StagedTable

logger = logging.getLogger(__name__)

#: How the names of chunks begin in the workspace.
CHUNK_PREFIX: Final = "chunk_"
_CHUNK = re.compile(CHUNK_PREFIX + r"(?P<number>\d{5,})\.parquet")
_LOOK_EVERY_SECONDS: Final = 0.05
# What a small worker has processors for, beside a child that is reading.
_LOADERS: Final = 2
# Chunks that are being loaded or wait for it; what comes on top of them is for other workers.
_MOST_LOADING: Final = 6
# Rows that are written anew for a wider type while chunks come; more wait for the last row.
_MOST_REWRITTEN: Final = 1_000_000


@dataclass(frozen=True)
class _Chunk:
    """A chunk that has come.

    Args:
        first_id: Id of its first row; None while a chunk before it is missing.
    """

    path: Path
    rows: int
    first_id: int | None
    footer: ChunkFooter


class ChunkOutlet:
    """Takes what appears in the workspace out of it, in threads.

    A chunk is complete as soon as it is there under its name. It is loaded at once if that needs
    nothing that only the last row tells, and as long as the loaders keep up; others go to the store,
    for tasks of their own. A database that does not answer is left to those as well.

    Args:
        context: The task's world.
        prefix: Of the blobs' names.
        table: Takes chunks at once; None to let every chunk be a task.
    """

    def __init__(self, context: TaskContext, prefix: str, table: StagedTable | None) -> None:
        self._context = context
        self._prefix = prefix
        self._table = table
        self._workspace = context.workspace
        self._stop = threading.Event()
        self._abandoned = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chunk outlet", daemon=True)
        self._loaders = ThreadPoolExecutor(_LOADERS, thread_name_prefix="chunk-loads")
        self._loading: dict[Path, Future[LoadedChunk]] = {}
        self._first_ids = _FirstIds()
        self.staged: list[str] = []
        self.loaded: dict[str, LoadedChunk] = {}

    def __enter__(self) -> "ChunkOutlet":
        """Begin to look for chunks."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take what is left, unless the preparation failed.

        Raises:
            BaseException: What stopped a load or an upload; it may be why the preparation failed.
        """
        self._abandoned = error is not None
        self._stop.set()
        self._thread.join()
        passes = error is not None and (isinstance(error, Stopped) or not isinstance(error, Exception))
        if self._error is not None and self._error is not error and not passes:
            raise self._error from error

    def check(self) -> None:
        """Raise what stopped a load or an upload, so that nobody goes on preparing for nothing."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(_LOOK_EVERY_SECONDS):
                self._take(self._complete())
            self._take(self._complete())
            if not self._abandoned:
                self._wait_for_loads()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        finally:
            self._loaders.shutdown(cancel_futures=True)

    def _complete(self) -> Sequence[Path]:
        there = (path for path in self._workspace.iterdir() if _CHUNK.fullmatch(path.name))
        return sorted((path for path in there if path not in self._loading), key=_number)

    def _take(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if self._abandoned:
                return
            self._collect()
            _refuse_special(path)
            if not self._load(path):
                self._stage(path)
        self._collect()

    def _stage(self, path: Path) -> None:
        self._context.stage_blob(path, self._prefix + path.name)
        path.unlink()
        self.staged.append(path.name)

    def _load(self, path: Path) -> bool:
        """Hand a chunk to a loader; return False if it has to go to the store."""
        if self._table is None:
            return False
        chunk = self._read(path)
        if chunk.first_id is None or not self._may_load(self._table, chunk):
            return False
        if chunk.footer.geometry_type != self._table.geometry_type and not self._widened(self._table, chunk):
            return False
        self._loading[path] = self._loaders.submit(self._table.load, path, chunk.first_id, chunk.rows)
        return True

    def _read(self, path: Path) -> _Chunk:
        metadata = pq.read_metadata(path)
        footer = ChunkFooter.model_validate_json(metadata.metadata[FOOTER_KEY])
        rows = metadata.num_rows
        return _Chunk(path, rows, self._first_ids.of(_number(path), rows), footer)

    def _may_load(self, table: StagedTable, chunk: _Chunk) -> bool:
        kind = chunk.footer.geometry_type
        needs_postgis = chunk.footer.sql_path or kind.endswith("M")
        there = chunk.first_id or 0
        is_rewriting = table.geometry_type not in (None, kind) and there > _MOST_REWRITTEN
        return not needs_postgis and not is_rewriting and len(self._loading) < _MOST_LOADING

    def _widened(self, table: StagedTable, chunk: _Chunk) -> bool:
        """Let the table take the type of a chunk; return False if the database does not answer."""
        self._wait_for_loads()
        if self._table is None:
            return False
        try:
            table.admit(self._outline(), chunk.footer.geometry_type)
        except TransientError as error:
            self._give_up(chunk.path, error)
            return False
        return True

    def _outline(self) -> VectorOutline:
        path = self._workspace / OUTLINE
        _refuse_special(path)
        return VectorOutline.model_validate_json(path.read_bytes())

    def _wait_for_loads(self) -> None:
        wait(self._loading.values())
        self._collect()

    def _collect(self) -> None:
        """Note what the loaders have done; raise what they raised."""
        for path, load in [(path, load) for path, load in self._loading.items() if load.done()]:
            del self._loading[path]
            try:
                self.loaded[path.name] = load.result()
            except TransientError as error:
                self._give_up(path, error)
                self._stage(path)

    def _give_up(self, path: Path, error: TransientError) -> None:
        """Leave this chunk and all later ones to the next stage."""
        self._table = None
        details = {"chunk": path.name, "code": error.code.code, "reason": error.message}
        logger.warning("chunks are no longer loaded at once", extra=details)


class _FirstIds:
    """Numbers the rows of all chunks through, whatever the order in which chunks come."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._next = 0
        self._first_id = 1

    def of(self, number: int, rows: int) -> int | None:
        """Return the id of a chunk's first row; None while a chunk before it is missing."""
        self._rows[number] = rows
        first_id = self._first_id if number == self._next else None
        while self._next in self._rows:
            self._first_id += self._rows.pop(self._next)
            self._next += 1
        return first_id


def _number(path: Path) -> int:
    found = _CHUNK.fullmatch(path.name)
    assert found is not None  # noqa: S101 - only chunks are asked for
    return int(found["number"])


def _refuse_special(path: Path) -> None:
    """Open no link or pipe that a file which took the child over may have left.

    Raises:
        ValueError: It is one.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path.name} is no file")
