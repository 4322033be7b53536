"""Other spellings of the same SSE events. Source: WHATWG HTML 9.2.6, by which a client may not tell them apart."""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, assert_never

from harness.case import Framing
from harness.recording.format import Read
from harness.wire import sse

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_LAST_LINE_END: Final = re.compile(rb"(?:\r\n|\n|\r)\Z")
# Of several spaces after the colon only the first is the separator's: taking it away would make the next one the separator.
_SPACE: Final = re.compile(rb"(?:(?<=[\r\n])|\A)(data|event|id|retry): (?! )")


def respell(pieces: tuple[Read, ...], framing: Framing) -> Iterator[Read]:
    """The pieces of an SSE body with its frames spelled anew; each piece ends at the same frame, or at the same byte inside it."""
    if framing is Framing.AS_RECORDED:
        yield from pieces
        return
    body = b"".join(piece.data for piece in pieces)
    frames, tail = sse.split(body)
    old = [frame.raw for frame in frames] + ([tail.frame.raw] if tail else [])
    new = [_spelled(raw, framing, last=number == len(old) - 1) for number, raw in enumerate(old)]
    ends = _ends_after(old, new, list(accumulate(len(piece.data) for piece in pieces)))
    respelled = b"".join(new)
    start = 0
    for piece, end in zip(pieces, ends, strict=True):
        yield Read(at_ms=piece.at_ms, data=respelled[start:end])
        start = end


def _spelled(raw: bytes, framing: Framing, *, last: bool) -> bytes:
    match framing:
        case Framing.AS_RECORDED:
            return raw
        case Framing.CRLF:
            return _LINE_END.sub(b"\r\n", raw)
        case Framing.NO_SPACE:
            return _SPACE.sub(rb"\1:", raw)
        case Framing.COMMENTS:
            end = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
            return raw if last else b"%b: keep-alive%b%b" % (raw, end, end)
        case Framing.NO_LAST_BLANK:
            return _LAST_LINE_END.sub(b"", raw) if last else raw
        case _:
            assert_never(framing)


def _ends_after(old: list[bytes], new: list[bytes], ends: list[int]) -> Iterator[int]:
    """Where each of `ends`, offsets in the joined `old`, comes to stand in the joined `new`. `ends` rise."""
    frame = old_start = new_start = 0
    for end in ends:
        while frame < len(old) and old_start + len(old[frame]) <= end:
            old_start += len(old[frame])
            new_start += len(new[frame])
            frame += 1
        inside = min(end - old_start, len(new[frame])) if frame < len(old) else 0
        yield new_start + inside
