"""multipart/form-data, read in place (RFC 7578, RFC 2046 5.1): parts with the spans they fill, so that one can be replaced or left out.

The body is in memory already (its size was capped while it came in), and images are not copied before somebody wants one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reference_gateway.errors import INVALID_REQUEST, Refusal

MAX_PARTS: Final = 64
MAX_PART_HEAD_BYTES: Final = 8 * 1024
_BOUNDARY: Final = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(rb'\b(name|filename)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`span` is of the value in the body, `whole` from the part's boundary line to the next one."""

    name: str
    filename: str | None
    content_type: str
    span: tuple[int, int]
    whole: tuple[int, int]


def boundary(content_type: bytes) -> bytes | None:
    """None for what is no multipart/form-data."""
    if not content_type.lower().startswith(b"multipart/form-data"):
        return None
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]) if match is not None else None


def parts(body: bytes, delimiter: bytes) -> list[Part]:
    """Raises Refusal (400) for a body that is not what its boundary says."""
    line = b"--" + delimiter
    start = 0 if body.startswith(line) else body.find(b"\r\n" + line) + 2
    if not body.startswith(line, start):
        raise _bad("its boundary does not stand in it")
    found: list[Part] = []
    while not body.startswith(line + b"--", start):
        head_start = start + len(line) + 2
        head_end = body.find(b"\r\n\r\n", head_start - 2, head_start + MAX_PART_HEAD_BYTES)
        if body[head_start - 2 : head_start] != b"\r\n" or head_end < 0:
            raise _bad("a part has no headers")
        end = body.find(b"\r\n" + line, head_end + 2)
        if end < 0:
            raise _bad("its last boundary is missing")
        if len(found) == MAX_PARTS:
            raise _bad(f"it has over {MAX_PARTS} parts")
        found.append(_part(body[head_start:head_end], (head_end + 4, end), (start, end + 2)))
        start = end + 2
    return found


def _part(head: bytes, span: tuple[int, int], whole: tuple[int, int]) -> Part:
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        headers.setdefault(name.strip().lower(), value.strip())
    parameters = {match[1]: match[2] for match in _PARAMETER.finditer(headers.get(b"content-disposition", b""))}
    if b"name" not in parameters:
        raise _bad("a part has no name")
    filename = parameters.get(b"filename")
    return Part(
        name=parameters[b"name"].decode("utf-8", "replace"),
        filename=None if filename is None else filename.decode("utf-8", "replace"),
        content_type=headers.get(b"content-type", b"").decode("latin-1"),
        span=span,
        whole=whole,
    )


def edited(body: bytes, fields: Iterable[Part], *, values: Mapping[str, bytes], without: Iterable[str]) -> bytes:
    """The same bytes but for the values of some fields, and without others."""
    dropped = frozenset(without)
    pieces, at = [], 0
    for part in fields:
        if part.name in dropped:
            pieces.append(body[at : part.whole[0]])
            at = part.whole[1]
        elif part.name in values:
            pieces += [body[at : part.span[0]], values[part.name]]
            at = part.span[1]
    return b"".join([*pieces, body[at:]])


def _bad(why: str) -> Refusal:
    return Refusal(INVALID_REQUEST, f"The request body is not multipart/form-data: {why}.")
