"""Chunks on their way into the store while the child still prepares the next ones."""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from core.handler import TaskContext

#: How the names of chunks begin in the workspace.
CHUNK_PREFIX: Final = "chunk_"
_CHUNK = re.compile(CHUNK_PREFIX + r"\d{5,}\.parquet")
_LOOK_EVERY_SECONDS = 0.1


class ChunkUploads:
    """Uploads what appears in the workspace, in a thread, and removes it there.

    A chunk is complete as soon as it is there under its name.

    Args:
        context: The task's world.
        prefix: Of the blobs' names.
    """

    def __init__(self, context: TaskContext, prefix: str) -> None:
        self._context = context
        self._prefix = prefix
        self._workspace = context.workspace
        self._stop = threading.Event()
        self._abandoned = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chunk uploads", daemon=True)
        self.uploaded: list[str] = []

    def __enter__(self) -> "ChunkUploads":
        """Begin to look for chunks."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Upload what is left, unless the preparation failed.

        Raises:
            BaseException: What stopped an upload.
        """
        self._abandoned = error is not None
        self._stop.set()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(_LOOK_EVERY_SECONDS):
                self._upload(self._complete())
            self._upload(self._complete())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error

    def _complete(self) -> Sequence[Path]:
        return sorted(path for path in self._workspace.iterdir() if _CHUNK.fullmatch(path.name))

    def _upload(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if self._abandoned:
                return
            self._context.stage_blob(path, self._prefix + path.name)
            path.unlink()
            self.uploaded.append(path.name)
