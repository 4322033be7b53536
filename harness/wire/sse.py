"""Server-sent events: bytes to frames and back, every byte kept.

Source: WHATWG HTML, 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
A dispatching client skips blocks without data; a judge wants to see them, so here each block is a Frame, and so is a stray blank line.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

BOM: Final = b"\xef\xbb\xbf"

# A line end directly followed by another: the end of a block. `\r(?!\n)` keeps CRLF from being read as two line ends.
_BLOCK_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NOT_CLOSED: Final = 2  # how far before the end of what was scanned a block end may have begun


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a block. A comment has the name `""`; a line without a colon has the separator `""`."""

    name: str
    separator: str  # ": ", ":" or ""; of further spaces only the first is the separator's
    value: str


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One block as it stood, with its blank line.

    Where the cut between two reads fell inside the CRLF of the blank line, the LF stands at the head of the next frame's raw, and
    this frame shows its last line end as a CR. So judge line ends on the frames of a whole body, not on those of single reads.
    """

    raw: bytes
    offset: int  # of raw[0], in bytes from the start of the body
    event: str | None = None  # the last event field; None: there is none
    data: str | None = None  # all data fields, joined by \n; None: there is none
    id: str | None = None  # the last id field without a NUL
    retry_ms: int | None = None  # the last retry field that is all digits
    lines: tuple[Line, ...] = ()
    line_ends: tuple[str, ...] = ()  # which of \n, \r, \r\n were used, each once, in order of first use
    bom: bool = False  # a byte-order mark stands before the block
    invalid_utf8: bool = False  # what could not be read became U+FFFD in the text fields; raw has the bytes

    @property
    def comments(self) -> tuple[str, ...]:
        """Each comment line, without its colon and one space after it."""
        return tuple(line.value for line in self.lines if line.separator and not line.name)

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        return tuple(line.name for line in self.lines if line.name and line.name not in ("event", "data", "id", "retry"))

    @property
    def is_blank(self) -> bool:
        """A blank line with no block before it."""
        return not self.lines

    @property
    def dispatches(self) -> bool:
        """A client that follows the specification makes an event of it."""
        return self.data is not None


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """How a sender frames its events, apart from what they say."""

    names: bool = True  # an `event:` line stands before the data where the protocol has names
    newline: str = "\n"
    space: bool = True  # after the colon


def framing(frame: Frame) -> Framing:
    """The framing that one frame shows."""
    return Framing(
        names=frame.event is not None,
        newline=frame.line_ends[0] if frame.line_ends else "\n",
        space=all(line.separator == ": " for line in frame.lines),
    )


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """What stood after the last blank line when the body ended. A client that follows the specification drops it."""

    frame: Frame
    line_ended: bool  # only the blank line is missing; False: the last line was cut as well


class Reader:
    """Bytes in, frames out as soon as their blank line is there, however the bytes were cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of _buffer[0] in the body
        self._scanned = 0  # bytes of _buffer known to hold no block end
        self._after_cr = False  # the last frame ended in a CR that may be half a CRLF
        self._cr_seen = False  # while there is none, the end of a block is quicker to find

    def feed(self, data: bytes) -> list[Frame]:
        self._buffer += data
        self._cr_seen = self._cr_seen or b"\r" in data
        frames: list[Frame] = []
        start = 0
        while (end := self._block_end(start)) is not None:
            frames.append(self._frame(start, end))
            self._after_cr = end == len(self._buffer) and self._buffer[end - 1] == 0x0D
            start = self._scanned = end
        if start:
            del self._buffer[:start]
            self._offset += start
            self._scanned = 0
        else:
            self._scanned = max(0, len(self._buffer) - _NOT_CLOSED)
        return frames

    def close(self) -> Tail | None:
        """The peer closed. A body that ended in a blank line leaves None."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if not rest or (self._after_cr and rest == b"\n"):
            return None
        frame = parse(rest, offset=self._offset, skip=self._head(rest))
        self._offset += len(rest)
        return Tail(frame=frame, line_ended=rest[-1:] in (b"\n", b"\r"))

    def _head(self, block: bytes | bytearray, start: int = 0) -> int:
        """Bytes before the block's first line: a byte-order mark, or the LF of the CRLF that closed the frame before."""
        if self._offset + start == 0:
            return len(BOM) if block.startswith(BOM) else 0
        return 1 if self._after_cr and block[start : start + 1] == b"\n" else 0

    def _block_end(self, start: int) -> int | None:
        buffer = self._buffer
        first = start + self._head(buffer, start)
        if first >= len(buffer):
            return None
        if buffer[first] == 0x0A:
            return first + 1
        if buffer[first] == 0x0D:
            return first + 2 if buffer[first + 1 : first + 2] == b"\n" else first + 1
        if not self._cr_seen:
            found_at = buffer.find(b"\n\n", max(first, self._scanned))
            return None if found_at < 0 else found_at + 2
        found = _BLOCK_END.search(buffer, max(first, self._scanned))
        return None if found is None else found.end()

    def _frame(self, start: int, end: int) -> Frame:
        head = self._head(self._buffer, start)
        return parse(bytes(self._buffer[start:end]), offset=self._offset + start, skip=head)


def parse(raw: bytes, *, offset: int = 0, skip: int = 0) -> Frame:
    """One block, its blank line included or missing. `skip` bytes at its head are not part of its first line."""
    invalid = False
    block = raw[skip:] if skip else raw
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = block.decode(errors="replace")
        invalid = True
    if b"\r" in block:
        texts = _LINE_END.split(text)
        line_ends = tuple(dict.fromkeys(_LINE_END.findall(text)))
    else:
        texts = text.split("\n")
        line_ends = ("\n",) if len(texts) > 1 else ()
    lines: list[Line] = []
    data: list[str] = []
    event = id_ = None
    retry_ms = None
    for content in texts:
        if not content:
            continue
        name, colon, value = content.partition(":")
        separator = colon
        if value[:1] == " ":
            value = value[1:]
            separator = ": "
        lines.append(Line(name, separator, value))
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id":
            id_ = id_ if "\0" in value else value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) < 16:
            retry_ms = int(value)
    return Frame(
        raw=raw,
        offset=offset,
        event=event,
        data="\n".join(data) if data else None,
        id=id_,
        retry_ms=retry_ms,
        lines=tuple(lines),
        line_ends=line_ends,
        bom=skip == len(BOM),
        invalid_utf8=invalid,
    )


def split(body: bytes) -> tuple[tuple[Frame, ...], Tail | None]:
    """A whole body. The raws, then the tail's raw, are the body again."""
    reader = Reader()
    found = tuple(reader.feed(body))
    return found, reader.close()


def frames(body: bytes) -> tuple[Frame, ...]:
    """The frames of a whole body, without what stood after its last blank line (see `split`)."""
    return split(body)[0]


def write(
    *,
    event: str | None = None,
    data: str | None = None,
    id: str | None = None,  # noqa: A002  # the field's own name
    retry_ms: int | None = None,
    comments: Iterable[str] = (),
    newline: str = "\n",
    space: bool = True,
) -> bytes:
    """One block with its blank line. Data that holds line ends takes one data line each."""
    colon = ": " if space else ":"
    lines = [f":{' ' if space else ''}{comment}" for comment in comments]
    if event is not None:
        lines.append(f"event{colon}{event}")
    if id is not None:
        lines.append(f"id{colon}{id}")
    if retry_ms is not None:
        lines.append(f"retry{colon}{retry_ms}")
    for line in lines:
        if _LINE_END.search(line):
            raise ValueError(f"a line end inside an SSE line would start another line: cut it out of {line!r}")
    if data is not None:
        lines += [f"data{colon}{line}" for line in _LINE_END.split(data)]
    return "".join(f"{line}{newline}" for line in [*lines, ""]).encode()
