"""Where chunks go while the child still prepares the next ones: into the table, or into the store."""

import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow.parquet as pq

from core.errors import TransientError
from core.handler import TaskContext
from services.vector.handover import LoadedChunk
from services.vector.models import FOOTER_KEY, OUTLINE, ChunkFooter, VectorOutline
from services.vector.staged_table import StagedTable

#: How the names of chunks begin in the workspace.
CHUNK_PREFIX: Final = "chunk_"
_CHUNK = re.compile(CHUNK_PREFIX + r"(?P<number>\d{5,})\.parquet")
_LOOK_EVERY_SECONDS: Final = 0.05
# What a small worker has processors for, beside a child that is reading.
_LOADERS: Final = 2
# Chunks that wait for a loader; what comes on top of them is for other workers.
_MOST_WAITING: Final = 6


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
            BaseException: What stopped a load or an upload.
        """
        self._abandoned = error is not None
        self._stop.set()
        self._thread.join()
        if error is None and self._error is not None:
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
        return sorted(path for path in there if path not in self._loading)

    def _take(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if self._abandoned:
                return
            if self._table is None or not self._begin_to_load(self._table, path):
                self._stage(path)
        self._collect()

    def _stage(self, path: Path) -> None:
        self._context.stage_blob(path, self._prefix + path.name)
        path.unlink()
        self.staged.append(path.name)

    def _begin_to_load(self, table: StagedTable, path: Path) -> bool:
        """Hand a chunk to a loader; return False if it has to go to the store."""
        metadata = pq.read_metadata(path)
        footer = ChunkFooter.model_validate_json(metadata.metadata[FOOTER_KEY])
        first_id = self._first_ids.of(path, metadata.num_rows)
        self._collect()
        needs_postgis = footer.sql_path or footer.geometry_type.endswith("M")
        if first_id is None or needs_postgis or len(self._loading) >= _MOST_WAITING:
            return False
        if footer.geometry_type != table.geometry_type:
            self._wait_for_loads()
            try:
                table.take(self._outline(), footer.geometry_type)
            except TransientError:
                self._table = None
        if self._table is None:
            return False
        self._loading[path] = self._loaders.submit(table.load, path, first_id, metadata.num_rows)
        return True

    def _outline(self) -> VectorOutline:
        return VectorOutline.model_validate_json((self._workspace / OUTLINE).read_bytes())

    def _wait_for_loads(self) -> None:
        wait(self._loading.values())
        self._collect()

    def _collect(self) -> None:
        """Note what the loaders have done; raise what they raised."""
        for path, load in [(path, load) for path, load in self._loading.items() if load.done()]:
            del self._loading[path]
            try:
                self.loaded[path.name] = load.result()
            except TransientError:
                self._table = None
                self._stage(path)


class _FirstIds:
    """Numbers the rows of all chunks through, whatever the order in which chunks come."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._next = 0
        self._first_id = 1

    def of(self, path: Path, rows: int) -> int | None:
        """Return the id of a chunk's first row; None while a chunk before it is missing."""
        found = _CHUNK.fullmatch(path.name)
        assert found is not None  # noqa: S101 - only chunks are asked for
        number = int(found["number"])
        self._rows[number] = rows
        first_id = self._first_id if number == self._next else None
        while self._next in self._rows:
            self._first_id += self._rows.pop(self._next)
            self._next += 1
        return first_id
