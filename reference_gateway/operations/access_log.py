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
from typing import Final

import msgspec

from reference_gateway.operations.journal import Batch
from reference_gateway.operations.settings import STDOUT

MOST_WAITING_BYTES: Final = 16 * 1024 * 1024


class _Line(msgspec.Struct, gc=False):
    """`status` is null where the caller left before there was one; `ms` to the last byte handed to the socket."""

    time: str
    request_id: str
    method: str
    path: str
    surface: str | None
    model: str | None
    status: int | None
    bytes: int
    ms: float
    key_id: str | None
    cost_micro_usd: int


_encode: Final = msgspec.json.Encoder().encode


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
        second, shown = -1, ""
        for answer in batch.answered:
            whole = int(answer.started)
            if whole != second:
                second, shown = whole, datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            cost = batch.costs.get(answer.request_id)
            line = _Line(
                f"{shown}.{int((answer.started - whole) * 1000):03d}Z",
                answer.request_id,
                _text(answer.method),
                _text(answer.path),
                answer.surface or None,
                answer.model or None,
                answer.status or None,
                answer.size_bytes,
                round(answer.seconds * 1000, 3),
                answer.key_id or None,
                cost.cost_micro_usd if cost is not None else 0,
            )
            lines.append(_encode(line))
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
