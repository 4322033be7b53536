"""Server-sent events as vendors really send them, from bytes that are split anywhere.

Source: WHATWG HTML, server-sent events. Lines end by LF, CR or CRLF; a byte order mark may come first; a colon may have no space
after it; comments are skipped; several data lines are one text. Beyond the standard, a last event without its blank line counts.
"""

from __future__ import annotations

from typing import Final

Frame = tuple[bytes, bytes]  # the event's name, empty where it has none, and its data

_BOM: Final = b"\xef\xbb\xbf"


class Reader:
    """What is kept between two reads is the unfinished event as it stood."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._begun = False
        self._after_cr = False  # a LF that comes first in the next read belongs to this CR

    def feed(self, data: bytes) -> list[Frame]:
        if not self._begun:
            data = b"".join((*self._rest, data))
            self._rest.clear()
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._rest.append(data)
                return []
            self._begun = True
            data = data.removeprefix(_BOM)
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._rest.append(data)
        if b"\n" not in data:  # no line has ended: a long one is put together once, when it has
            return []
        blocks = b"".join(self._rest).split(b"\n\n")
        self._rest = [blocks.pop()]
        return _frames(blocks)

    def close(self) -> list[Frame]:
        """The event that had no blank line after it, if there is one."""
        rest = b"".join(self._rest)
        self._rest.clear()
        return _frames([rest])


def _frames(blocks: list[bytes]) -> list[Frame]:
    frames: list[Frame] = []
    for block in blocks:
        if block.startswith(b"data: ") and b"\n" not in block:  # as nearly all are
            frames.append((b"", block[6:]))
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
