"""What a child prints, forwarded to the log line by line."""

import logging
import os

from core.ports.isolation import IsolationKind

logger = logging.getLogger(__name__)

# A file can make a library print without end.
_MOST_LINES = 200
_LONGEST_LINE = 2000


class OutputLog:
    """The reading end of a child's standard output and standard error.

    Args:
        descriptor: The pipe's reading end, which this object owns.
        kind: Logged with every line.
        secret: An address that no log may show, if there is one.
    """

    def __init__(self, descriptor: int, kind: IsolationKind, secret: str | None) -> None:
        self._descriptor = descriptor
        self._kind = kind
        self._secret = secret
        self._lines = 0
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._descriptor

    def forward(self, nbytes: int) -> bool:
        """Read what is there and log its whole lines; return False at the end."""
        chunk = os.read(self._descriptor, nbytes)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._log(line)
        if len(self._rest) > _LONGEST_LINE:
            self._log(self._rest)
            self._rest = b""
        return bool(chunk)

    def close(self) -> None:
        """Log the last line and close the pipe."""
        self._log(self._rest)
        os.close(self._descriptor)

    def redact(self, text: str) -> str:
        """Return `text` without the secret: neither the address nor its signature."""
        if self._secret is None:
            return text
        _, _, query = self._secret.partition("?")
        text = text.replace(self._secret, "<read_url>")
        return text.replace(query, "<query>") if query else text

    def _log(self, line: bytes) -> None:
        text = self.redact(line[:_LONGEST_LINE].decode(errors="replace")).rstrip()
        if not text or self._lines > _MOST_LINES:
            return
        self._lines += 1
        if self._lines > _MOST_LINES:
            text = "further lines are left out"
        logger.info("child output", extra={"kind": self._kind, "line": text})
