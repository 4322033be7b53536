"""A recording and a Play, made into the Answer that the witness sends. Pure: the same two give the same bytes."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from harness.case import FaultKind, Framing, Play
from harness.exchange import Headers, value, values
from harness.recording.format import End, Read, Recording, Surface
from harness.upstream.answer import Answer, Ending, cut, recut, without_connection
from harness.upstream.faults import break_content, break_off
from harness.upstream.framing import respell

_WINDOW: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits for each content-coding
_GZIP: Final = 31
_REFUSED: Final = re.compile(r"q=0(\.0*)?")


class PlayError(Exception):
    """A recording cannot be played as asked: the case, or the recording, must be mended."""


def plan(recording: Recording, play: Play, *, gzip_offered: bool) -> Answer:
    """`gzip_offered`: the gateway's request accepts gzip; vendors send none unasked."""
    altered = play.framing is not Framing.AS_RECORDED or play.gzip or play.fault is not None
    answer = _as_recorded(recording, decoded=altered or not gzip_offered)
    if altered and (coding := value(answer.headers, "content-encoding")):
        raise PlayError(f"recording {recording.id} has content-encoding {coding}, which cannot be undone here: record it again without")
    if answer.is_sse:
        answer = answer.with_pieces(respell(answer.pieces, play.framing))
    if play.fault is not None:
        answer = break_content(answer, play.fault, recording.surface)
    if (play.gzip and gzip_offered) or (play.fault is not None and play.fault.kind is FaultKind.TRUNCATED_GZIP):
        answer = _gzipped(answer)
    if play.split_every is not None:
        answer = answer.with_pieces(recut(answer.pieces, play.split_every))
    answer = answer.with_pieces(cut(answer.pieces, play.split_at))
    if play.fault is not None:
        answer = break_off(answer, play.fault)
    if answer.ending is not Ending.COMPLETE:  # what is broken off announced more than it sent
        answer = replace(answer, content_length=max(answer.content_length, len(answer.body) + 1))
    return answer


def gzip_offered(headers: Headers) -> bool:
    """RFC 9110 12.5.3, but an absent Accept-Encoding offers nothing: that is how vendors take it."""
    offers = [part.strip() for line in values(headers, "accept-encoding") for part in line.lower().split(",")]
    weights = {coding.strip(): parameter.replace(" ", "") for coding, _, parameter in (offer.partition(";") for offer in offers)}
    weight = weights.get("gzip", weights.get("*"))
    return weight is not None and not _REFUSED.fullmatch(weight)


def _as_recorded(recording: Recording, *, decoded: bool) -> Answer:
    headers = without_connection(recording.headers)
    reads = recording.reads
    coding = (value(headers, "content-encoding") or "").strip().lower()
    if decoded and coding in _WINDOW:
        reads = tuple(_decoded(recording, zlib.decompressobj(_WINDOW[coding])))
        headers = tuple((name, text) for name, text in headers if name.lower() != "content-encoding")
    headers = with_content_type(recording, headers)
    sse = (value(headers, "content-type") or "").startswith("text/event-stream")
    return Answer(
        status=recording.status,
        headers=headers,
        pieces=(),
        chunked=(recording.stream or sse) and 200 <= recording.status < 300,  # an error comes as one body, whatever was asked for
        content_length=0,
        ending=Ending.COMPLETE if recording.end is End.EOF else Ending.RESET,
    ).with_pieces(reads)


def _decoded(recording: Recording, decoder: Any) -> Iterator[Read]:
    try:
        for read in recording.reads:
            yield Read(at_ms=read.at_ms, data=decoder.decompress(read.data))
        yield Read(at_ms=recording.reads[-1].at_ms if recording.reads else 0, data=decoder.flush())
    except zlib.error as error:
        raise PlayError(f"recording {recording.id} is not in its own content-encoding ({error}): record or import it again") from error


def _gzipped(answer: Answer) -> Answer:
    """Each piece compressed so far that the reader can decode it at once."""
    encoder = zlib.compressobj(wbits=_GZIP)
    pieces = [Read(at_ms=piece.at_ms, data=encoder.compress(piece.data) + encoder.flush(zlib.Z_SYNC_FLUSH)) for piece in answer.pieces]
    if answer.ending is Ending.COMPLETE and pieces:
        pieces[-1] = replace(pieces[-1], data=pieces[-1].data + encoder.flush())
    return answer.with_header("content-encoding", "gzip").with_pieces(pieces)


def with_content_type(recording: Recording, headers: Headers) -> Headers:
    """The headers, with what the vendor sends where the recorder kept no content-type or wrote REDACTED in its place."""
    if not recording.body or "/" in (value(headers, "content-type") or ""):
        return headers
    kept = tuple(pair for pair in headers if pair[0].lower() != "content-type")
    return (*kept, ("content-type", _content_type(recording)))


def _content_type(recording: Recording) -> str:
    """What the vendor sends with such a body (spec: wire layout by vendor)."""
    google = recording.surface is Surface.GEMINI
    body = recording.body
    if recording.stream and body.lstrip()[:1] not in (b"{", b"["):
        return "text/event-stream" if google else "text/event-stream; charset=utf-8"
    return "application/json; charset=UTF-8" if google else "application/json"
