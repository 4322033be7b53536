"""The access log: one JSON line a request, with no content and no secret.

Lines are made from the journal's batches and written by a thread of its own. Where it cannot keep up (a full pipe, a slow disk), lines are
left out and counted: a log must not stop the gateway.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from reference_gateway.operations.journal import Batch
from reference_gateway.operations.settings import STDOUT

MOST_WAITING_BYTES: Final = 16 * 1024 * 1024


class AccessLog:
    """Raises OSError where the file cannot be opened."""

    def __init__(self, target: str) -> None:
        self._file = sys.stdout.fileno() if target == STDOUT else os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self._owned = target != STDOUT
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._something = threading.Condition()
        self._ended = False
        self.dropped = 0  # lines
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._thread.start()

    def take(self, batch: Batch) -> None:
        if not batch.answered:
            return
        lines = []
        for answer in batch.answered:
            line: dict[str, Any] = {
                "time": datetime.fromtimestamp(answer.started, UTC).isoformat(timespec="milliseconds"),
                "request_id": answer.request_id,
                "method": _text(answer.method),
                "path": _text(answer.path),
                "surface": answer.surface or None,
                "model": answer.model or None,
                "status": answer.status or None,
                "bytes": answer.size_bytes,
                "ms": round(answer.seconds * 1000, 3),
                "key_id": answer.key_id or None,
                "cost_micro_usd": batch.costs[answer.request_id].cost_micro_usd if answer.request_id in batch.costs else 0,
            }
            lines.append(msgspec.json.encode(line))
        lines.append(b"")
        self._put(b"\n".join(lines), len(batch.answered))

    def _put(self, piece: bytes, lines: int) -> None:
        with self._something:
            if self._waiting_bytes > MOST_WAITING_BYTES:
                self.dropped += lines
                return
            self._waiting.append(piece)
            self._waiting_bytes += len(piece)
            self._something.notify()

    def _write(self) -> None:
        while True:
            with self._something:
                while not self._waiting and not self._ended:
                    self._something.wait()
                if not self._waiting:
                    return
                piece = self._waiting.popleft()
            try:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:  # the reader of a pipe is gone, or the disk is full
                self.dropped += piece.count(b"\n")
            with self._something:
                self._waiting_bytes -= len(piece)

    def close(self) -> None:
        """Writes what waits, for at most two seconds."""
        with self._something:
            self._ended = True
            self._something.notify()
        self._thread.join(timeout=2)
        if self._owned and not self._thread.is_alive():
            os.close(self._file)


def _text(raw: bytes) -> str:
    """As it stood, cut to what a line should hold; the path comes without its query, where a key may stand."""
    return raw[:500].decode("latin-1")
