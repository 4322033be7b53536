"""Bytes set beside bytes, and where they first differ."""

from typing import Final

from harness.exchange import Response, Undecodable
from harness.verdict import Finding
from harness.wire import sse

_AROUND: Final = 24  # bytes shown before and after a difference


def excerpt(data: bytes, place: int) -> str:
    """The bytes around `place`, as Python writes them: line ends and what is no UTF-8 stay visible."""
    start = max(0, place - _AROUND)
    end = place + _AROUND
    return f"{'…' if start else ''}{repr(data[start:end])[1:]}{'…' if end < len(data) else ''}"


def first_difference(expected: bytes, got: bytes) -> int | None:
    """The offset of the first byte in which they differ; None where they are equal."""
    if expected == got:
        return None
    low, high = 0, min(len(expected), len(got))
    while low < high:  # the longest common prefix, by halves: bodies may be megabytes
        middle = (low + high + 1) // 2
        if expected[low:middle] == got[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def finding(expected: bytes, got: bytes, *, streamed: bool) -> Finding | None:
    """Where `got` leaves `expected`, with the frame that holds the place; None where the two are equal."""
    place = first_difference(expected, got)
    if place is None:
        return None
    frame = None
    if streamed:
        frame = sum(found.offset + len(found.raw) <= place for found in sse.frames(expected))
    return Finding(
        expected=f"{excerpt(expected, place)} ({len(expected)} bytes)",
        got=f"{excerpt(got, place)} ({len(got)} bytes)",
        frame=frame,
        offset=place,
    )


def decoded(response: Response) -> bytes | str:
    """The body after content-decoding, or why it does not decode."""
    try:
        return response.body
    except Undecodable as error:
        return str(error)
