"""Server-sent events as vendors really send them, from bytes that are split anywhere.

Source: WHATWG HTML, server-sent events. Lines end by LF, CR or CRLF; a byte order mark may come first; a colon may have no space
after it; comments are skipped; several data lines are one text. Beyond the standard, a last event without its blank line counts.
"""

from __future__ import annotations

from typing import Final

Frame = tuple[bytes, bytes]  # the event's name, empty where it has none, and its data

_BOM: Final = b"\xef\xbb\xbf"
_DATA: Final = b"data: "
_CRLF_END: Final = b"\r\n\r\n"
_NEXT_DATA: Final = b"\n\ndata: "
_EVENT: Final = b"event: "
_THEN_DATA: Final = b"\ndata: "
_NEXT_EVENT: Final = b"\n\nevent: "


class Reader:
    """What is kept between two reads is the unfinished event as it stood."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._begun = False
        self._after_cr = False  # a LF that comes first in the next read belongs to this CR

    @property
    def between_events(self) -> bool:
        """What is read next begins an event."""
        return not self._rest and not self._after_cr

    def only(self, data: bytes) -> bytes | None:
        """The data of a read that is one event without a name, with CRLF, as Google's are; None for any other: `feed` takes that."""
        size = len(data)
        if not data.startswith(_DATA) or not data.endswith(_CRLF_END) or data.find(b"\r") != size - 4 or data.find(b"\n") != size - 3:
            return None
        if self._rest or self._after_cr:
            return None
        self._begun = True
        return data[6:-4]

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
        end = data.rfind(b"\n\n")
        rest = data if end < 0 else data[end + 2 :]
        if rest:
            self._rest.append(rest)
        return [] if end < 0 else _frames(data[:end])

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
        return _frames(rest)


def _frames(data: bytes) -> list[Frame]:
    """Those of whole events; the last has no blank line after it."""
    # Nearly all streams are events of one data line each, or of a name and one data line, which is seen at once: every line that shall be
    # blank is, each event begins as it shall, and there are as many data lines as events.
    if data.startswith(_DATA):
        blocks = data.split(b"\n\n")
        if data.count(b"\n") == 2 * (len(blocks) - 1) == 2 * data.count(_NEXT_DATA):
            return [(b"", block[6:]) for block in blocks]
    elif data.startswith(_EVENT):
        lines = data.split(b"\n")
        events, over = divmod(len(lines) + 1, 3)
        if not over and not any(lines[2::3]) and data.count(_NEXT_EVENT) == events - 1 and data.count(_THEN_DATA) == events:
            return [(name[7:], only[6:]) for name, only in zip(lines[::3], lines[1::3], strict=True)]
    frames: list[Frame] = []
    for block in data.split(b"\n\n"):
        name, said = b"", []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                said.append(value)
            elif field == b"event":
                name = value
        if said:
            frames.append((name, b"\n".join(said)))
    return frames
