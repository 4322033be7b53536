"""The objects of an upstream's answer, from bytes that are split anywhere: events, one JSON array of them, or one object alone.

Source: gemini-generate-content: `alt=sse` gives events, streamGenerateContent without it an array; an error may come alone in either's
place. The first byte says which it is.
"""

from __future__ import annotations

import re
from typing import Final

from reference_gateway.translation.common import sse

_BLANK: Final = b" \t\r\n"
_MARKS: Final = re.compile(rb'["\\{}\[\]]')
_STRING_MARKS: Final = re.compile(rb'["\\]')
_OUTSIDE: Final = re.compile(rb"[^ \t\r\n,]")  # what has no place between the objects of an array


class Reader:
    """`complete` is False, after `close`, where an array or an object was not, or there was more than that."""

    def __init__(self) -> None:
        self._inner: sse.Reader | _Objects | None = None
        self._begin = b""

    def feed(self, data: bytes) -> list[bytes]:
        inner = self._inner
        if inner is None:
            self._begin += data
            first = self._begin.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
            if not first or b"\xef\xbb\xbf".startswith(self._begin):
                return []
            inner = self._inner = _Objects() if first[:1] in b"[{" else sse.Reader()
            data, self._begin = (self._begin if isinstance(inner, sse.Reader) else first), b""
        if isinstance(inner, sse.Reader):
            only = inner.only(data)
            return [frame for _, frame in inner.feed(data)] if only is None else [only]
        return inner.feed(data)

    def close(self) -> list[bytes]:
        return [frame for _, frame in self._inner.close()] if isinstance(self._inner, sse.Reader) else []

    @property
    def between_events(self) -> bool:
        """What is read next begins an event; an array has none."""
        return not self._begin if self._inner is None else isinstance(self._inner, sse.Reader) and self._inner.between_events

    @property
    def complete(self) -> bool:
        return not isinstance(self._inner, _Objects) or self._inner.complete


class _Objects:
    """Those of an array, or one alone: a bracket ends what it began, but in a string."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._at = 0  # up to here the rest has been read
        self._start: int | None = None  # of the open object in the rest
        self._depth = 0  # of objects and arrays, in the outermost object
        self._array: bool | None = None  # None: nothing has come yet
        self._in_string = False
        self._ended = False
        self._odd = False  # something stands where nothing may

    @property
    def complete(self) -> bool:
        return self._ended and not self._odd

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        found: list[bytes] = []
        while mark := (_STRING_MARKS if self._in_string else _MARKS).search(self._rest, self._at):
            byte, at = mark[0], mark.start()
            if not self._depth:
                self._judge(byte, at)
            if byte == b"\\":
                if at + 1 == len(self._rest):  # what is escaped has not come yet
                    self._at = at
                    return found
                self._at = at + 2
                continue
            self._at = at + 1
            if byte == b'"':
                self._in_string = not self._in_string
            elif byte in b"{[":
                self._open(byte, at)
            elif self._depth:
                self._depth -= 1
                if not self._depth and self._start is not None:
                    found.append(bytes(self._rest[self._start : self._at]))
                    self._start = None
                    self._ended = not self._array
            elif byte == b"]" and self._array:
                self._ended = True
        if self._start is None and _OUTSIDE.search(self._rest, self._at):
            self._odd = True
        done = len(self._rest) if self._start is None else self._start
        self._at = len(self._rest) - done
        if self._start is not None:
            self._start = 0
        del self._rest[:done]
        return found

    def _judge(self, byte: bytes, at: int) -> None:
        """Between objects there is nothing but commas; each begins the same way, and nothing follows the end."""
        if byte == b"[":
            fits = self._array is None
        elif byte == b"]":
            fits = self._array is True
        else:
            fits = byte == b"{"
        if not fits or self._ended or _OUTSIDE.search(self._rest, self._at, at):
            self._odd = True

    def _open(self, byte: bytes, at: int) -> None:
        if self._array is None:
            self._array = byte == b"["
            if self._array:
                return
        if not self._depth:
            self._start = at
        self._depth += 1
