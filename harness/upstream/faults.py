"""What each FaultKind does to an answer that was good.

Two steps, since content-coding lies between them: `break_content` changes what the body says, `break_off` what the bytes do.
"""

from dataclasses import replace
from typing import Final

from harness.case import Fault, FaultKind, Surface
from harness.exchange import value
from harness.recording.format import Read
from harness.upstream import vendor_errors
from harness.upstream.answer import Answer, Ending, take
from harness.wire import sse

_HTML: Final = (
    b"<!DOCTYPE html>\n<html>\n<head><title>Service unavailable</title></head>\n"
    b"<body><center><h1>Service unavailable</h1></center><hr><center>proxy</center></body>\n</html>\n"
)
_TOLD_AGAIN: Final = 2  # events: the usage and the end
_GZIP_HEAD: Final = 10  # bytes before the deflate data (RFC 1952 2.3; no name, no comment)
_GZIP_END: Final = 8  # CRC and length


def break_content(answer: Answer, fault: Fault, surface: Surface) -> Answer:
    answer = replace(answer, headers=(*answer.headers, *fault.headers), ending=Ending.COMPLETE)
    family = vendor_errors.family_of(surface)
    json_type = vendor_errors.json_type(family)
    match fault.kind:
        case FaultKind.STATUS:
            return _instead(answer, fault.status, json_type, _error_body(answer, fault, surface))
        case FaultKind.ERROR_IN_OK:
            return _instead(answer, 200, json_type, _error_body(answer, fault, surface))
        case FaultKind.HTML:
            return _instead(answer, 200, "text/html; charset=utf-8", _HTML)
        case FaultKind.HTML_ERROR:
            return _instead(answer, fault.status, "text/html; charset=utf-8", _HTML)
        case FaultKind.WRONG_CONTENT_TYPE:
            return answer.with_header("content-type", "text/plain; charset=utf-8")
        case FaultKind.EMPTY:
            return answer.with_pieces(())
        case FaultKind.STALL_IN if answer.is_sse:
            return replace(_after_frames(answer, fault.after_frames), ending=Ending.STALL)
        case FaultKind.NO_TERMINAL if answer.is_sse:
            return _after_frames(answer, fault.after_frames)
        case FaultKind.NO_TERMINAL:  # a body without frames: half the JSON, under its own, true length
            return answer.with_pieces(take(answer.pieces, len(answer.body) // 2))
        case FaultKind.TERMINAL_TWICE if answer.is_sse and answer.pieces:
            again = b"".join(frame.raw for frame in sse.frames(answer.body)[-_TOLD_AGAIN:])
            return answer.with_pieces((*answer.pieces, Read(at_ms=answer.pieces[-1].at_ms, data=again)))
        case FaultKind.ERROR_EVENT if answer.is_sse:
            kept = _after_frames(answer, fault.after_frames)
            error = vendor_errors.events(surface, fault.status, sse.frames(kept.body))
            return kept.with_pieces((*kept.pieces, Read(at_ms=kept.pieces[-1].at_ms if kept.pieces else 0, data=error)))
        case FaultKind.ERROR_EVENT:  # no stream to put an event into
            return _instead(answer, 200, json_type, _error_body(answer, fault, surface))
        case _:
            return answer


def break_off(answer: Answer, fault: Fault) -> Answer:
    size = len(answer.body)
    match fault.kind:
        case FaultKind.STALL_BEFORE:
            return replace(answer, silent=True, pieces=(), ending=Ending.STALL)
        case FaultKind.REFUSE_CONNECT:
            return replace(answer, silent=True, pieces=(), ending=Ending.RESET)
        case FaultKind.CUT_FIN:
            return _cut_off(answer, min(fault.after_bytes, size - 1), Ending.FIN)
        case FaultKind.CUT_RST:
            return _cut_off(answer, min(fault.after_bytes, size - 1), Ending.RESET)
        case FaultKind.STALL_IN if not answer.is_sse:
            return _cut_off(answer, size // 2, Ending.STALL)
        case FaultKind.TRUNCATED_GZIP:  # the HTTP body is whole, so only its content-coding tells
            return answer.with_pieces(take(answer.pieces, _GZIP_HEAD + max(1, (size - _GZIP_HEAD - _GZIP_END) // 2)))
        case _:
            return answer


def _cut_off(answer: Answer, size_bytes: int, ending: Ending) -> Answer:
    """Announced in full, and ended early."""
    return replace(answer, pieces=tuple(take(answer.pieces, size_bytes)), ending=ending)


def _instead(answer: Answer, status: int, content_type: str, body: bytes) -> Answer:
    """Another body at the time of the first piece."""
    at_ms = answer.pieces[0].at_ms if answer.pieces else 0
    return replace(
        answer.with_header("content-type", content_type).with_pieces([Read(at_ms=at_ms, data=body)]), status=status, chunked=False
    )


def _error_body(answer: Answer, fault: Fault, surface: Surface) -> bytes:
    return vendor_errors.body(vendor_errors.family_of(surface), fault.status, request_id=value(answer.headers, "request-id"))


def _after_frames(answer: Answer, count: int) -> Answer:
    """The first `count` frames, but never the last one: it may be the protocol's end."""
    frames = sse.frames(answer.body)
    kept = frames[: min(count, max(0, len(frames) - 1))]
    return answer.with_pieces(take(answer.pieces, kept[-1].offset + len(kept[-1].raw) if kept else 0))
