"""Server-sent events as vendors really send them, from bytes that are split anywhere.

Source: WHATWG HTML, server-sent events. Lines end by LF, CR or CRLF; a byte order mark may come first; a colon may have no space
after it; comments are skipped; several data lines are one text. Beyond the standard, a last event without its blank line counts.
"""

from __future__ import annotations

from typing import Final

Frame = tuple[bytes, bytes]  # the event's name, empty where it has none, and its data

_BOM: Final = b"\xef\xbb\xbf"
_DATA: Final = b"data: "
_NEXT_DATA: Final = b"\n\ndata: "
_EVENT: Final = b"event: "
_THEN_DATA: Final = b"\ndata: "


class Reader:
    """What is kept between two reads is the unfinished event as it stood."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._begun = False
        self._after_cr = False  # a LF that comes first in the next read belongs to this CR

    def feed(self, data: bytes) -> list[Frame]:
        if not self._begun or self._after_cr or b"\r" in data:
            data = self._plain(data)
        # A read is often one event with its name, and nothing else.
        if data.startswith(_EVENT) and data.endswith(b"\n\n") and data.count(b"\n") == 3 and not self._rest:
            name, found, only = data[7:-2].partition(_THEN_DATA)
            if found:
                return [(name, only)]
        if b"\n" not in data:  # no line has ended: a long one is put together once, when it has
            self._rest.append(data)
            return []
        if self._rest:
            data = b"".join((*self._rest, data))
            self._rest.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._rest.append(rest)
            data = data[: -len(rest)]
        # Nearly all streams are events of one data line each, which is seen at once: no other line end, each block begins with it.
        events = len(blocks)
        if data.count(b"\n") == 2 * events and data.startswith(_DATA) and data.count(_NEXT_DATA) == events - 1:
            return [(b"", block[6:]) for block in blocks]
        return _frames(blocks)

    def _plain(self, data: bytes) -> bytes:
        """Without the byte order mark, and with LF for every line end."""
        if not self._begun:
            data = b"".join((*self._rest, data))
            self._rest.clear()
            if len(data) < len(_BOM) and _BOM.startswith(data):
                return data
            self._begun = True
            data = data.removeprefix(_BOM)
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def close(self) -> list[Frame]:
        """The event that had no blank line after it, if there is one."""
        rest = b"".join(self._rest)
        self._rest.clear()
        return _frames([rest])


def _frames(blocks: list[bytes]) -> list[Frame]:
    frames: list[Frame] = []
    for block in blocks:
        if block.startswith(_EVENT) and block.count(b"\n") == 1:  # the other usual form
            name, found, only = block[7:].partition(_THEN_DATA)
            if found:
                frames.append((name, only))
                continue
        name, data = b"", []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value
        if data:
            frames.append((name, b"\n".join(data)))
    return frames
