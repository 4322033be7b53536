import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Fault, FaultKind, Framing, Play
from harness.recording.format import End, Recording, Surface
from harness.tests.upstream.support import BODY, CHAT_FRAMES, GEMINI_FRAMES, JSON_HEADERS, body_recording, recording
from harness.upstream.answer import Ending
from harness.upstream.plan import PlayError, gzip_offered, plan
from harness.wire import sse

STREAM = b"".join(CHAT_FRAMES)


def test_a_stream_goes_out_as_recorded() -> None:
    answer = plan(recording(), Play(recording="r"), gzip_offered=True)
    assert [(piece.at_ms, piece.data) for piece in answer.pieces] == [(number * 10, frame) for number, frame in enumerate(CHAT_FRAMES)]
    assert answer.chunked
    assert answer.ending is Ending.COMPLETE
    assert answer.sent_headers(close=False) == (
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("X-Request-Id", "req_1"),
        ("transfer-encoding", "chunked"),
    )


def test_a_body_gets_its_own_length() -> None:
    answer = plan(body_recording(), Play(recording="r"), gzip_offered=True)
    assert answer.body == BODY
    assert answer.sent_headers(close=True) == (*JSON_HEADERS[:2], ("content-length", str(len(BODY))), ("connection", "close"))


def test_an_error_to_a_stream_comes_as_one_body() -> None:
    """Gemini even calls it text/event-stream (spec: what a strict harness must not flag)."""
    error = recording(
        surface=Surface.GEMINI, reads=[b'{\n  "error": {}\n}\n'], status=404, headers=(("content-type", "text/event-stream"),)
    )
    answer = plan(error, Play(recording="r", framing=Framing.CRLF), gzip_offered=True)
    assert not answer.chunked
    assert not answer.is_sse
    assert answer.body == b'{\n  "error": {}\n}\n'


@pytest.mark.parametrize(
    ("surface", "stream", "content_type"),
    [
        (Surface.CHAT, True, "text/event-stream; charset=utf-8"),
        (Surface.GEMINI, True, "text/event-stream"),
        (Surface.CHAT, False, "application/json"),
        (Surface.GEMINI, False, "application/json; charset=UTF-8"),
    ],
)
def test_a_recording_without_headers_gets_the_content_type_of_its_vendor(surface: Surface, stream: bool, content_type: str) -> None:
    made = recording(surface=surface, stream=stream, reads=[STREAM if stream else BODY], headers=())
    assert plan(made, Play(recording="r"), gzip_offered=True).headers == (("content-type", content_type),)


def test_a_recording_that_was_cut_is_cut_again() -> None:
    for made in (recording(end=End.RESET), recording(reads=[BODY[:50]], stream=False, headers=JSON_HEADERS, end=End.CLIENT_ABORT)):
        answer = plan(made, Play(recording="r"), gzip_offered=True)
        assert answer.ending is Ending.RESET
        assert answer.body == made.body
        assert answer.content_length > len(answer.body)


@given(st.integers(1, 400), st.sets(st.integers(0, 400)))
def test_splits_change_where_writes_end_and_nothing_else(every: int, at: set[int]) -> None:
    answer = plan(recording(), Play(recording="r", split_every=every, split_at=tuple(at)), gzip_offered=True)
    assert answer.body == STREAM
    ends = {sum(len(piece.data) for piece in answer.pieces[: number + 1]) for number in range(len(answer.pieces))}
    assert ends == {end for end in (*range(every, len(STREAM), every), *at, len(STREAM)) if 0 < end <= len(STREAM)}


def test_split_at_adds_to_the_recorded_ends() -> None:
    inside = STREAM.index("界".encode()) + 1
    answer = plan(recording(), Play(recording="r", split_at=(inside,)), gzip_offered=True)
    assert len(answer.pieces) == len(CHAT_FRAMES) + 1
    with pytest.raises(UnicodeDecodeError):
        answer.pieces[1].data.decode()


def test_a_piece_cut_anew_is_due_when_its_last_byte_was() -> None:
    answer = plan(recording(reads=[b"aaa", b"bbb", b"ccc"], headers=()), Play(recording="r", split_every=4), gzip_offered=True)
    assert [(piece.at_ms, piece.data) for piece in answer.pieces] == [(10, b"aaab"), (20, b"bbcc"), (20, b"c")]


def test_each_gzipped_piece_can_be_read_at_once() -> None:
    answer = plan(recording(), Play(recording="r", gzip=True), gzip_offered=True)
    assert ("content-encoding", "gzip") in answer.headers
    decoder = zlib.decompressobj(31)
    assert [decoder.decompress(piece.data) for piece in answer.pieces] == list(CHAT_FRAMES)
    assert decoder.eof


def test_gzip_is_sent_only_to_who_offered_it() -> None:
    for made in (recording(), body_recording()):
        answer = plan(made, Play(recording="r", gzip=True), gzip_offered=False)
        assert answer.body == made.body
        assert "content-encoding" not in dict(answer.headers)


def test_a_recorded_content_coding_stays_where_nothing_is_changed() -> None:
    packed = recording(reads=[gzip.compress(BODY)], stream=False, headers=(*JSON_HEADERS, ("Content-Encoding", "gzip")))
    assert plan(packed, Play(recording="r"), gzip_offered=True).body == packed.body
    for play, offered in ((Play(recording="r"), False), (Play(recording="r", fault=Fault(kind=FaultKind.CUT_FIN)), True)):
        answer = plan(packed, play, gzip_offered=offered)
        assert BODY.startswith(answer.body)
        assert "Content-Encoding" not in dict(answer.headers)


def test_a_coding_that_cannot_be_undone_is_our_fault_and_said() -> None:
    brotli = recording(headers=(("content-encoding", "br"),))
    assert plan(brotli, Play(recording="r"), gzip_offered=True).body == STREAM
    with pytest.raises(PlayError, match="recording r has content-encoding br"):
        plan(brotli, Play(recording="r", framing=Framing.CRLF), gzip_offered=True)
    with pytest.raises(PlayError, match="not in its own content-encoding"):
        plan(recording(headers=(("content-encoding", "gzip"),)), Play(recording="r", gzip=True), gzip_offered=True)


@pytest.mark.parametrize(
    ("offer", "taken"),
    [
        (None, False),
        ("identity", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0, *", False),
        ("gzip; q=0.0", False),
        ("*", True),
        ("x-gzip", False),
    ],
)
def test_what_offers_gzip(offer: str | None, taken: bool) -> None:
    assert gzip_offered(() if offer is None else (("accept-encoding", offer),)) is taken


def test_a_stream_fault_never_lets_the_last_frame_out() -> None:
    for kind in (FaultKind.NO_TERMINAL, FaultKind.STALL_IN):
        answer = plan(recording(), Play(recording="r", fault=Fault(kind=kind, after_frames=99)), gzip_offered=True)
        assert answer.body == b"".join(CHAT_FRAMES[:-1])


def test_frames_are_counted_however_the_reads_lay() -> None:
    body = b"".join(GEMINI_FRAMES)
    lumps = recording(surface=Surface.GEMINI, reads=[body[:7], body[7:100], body[100:]])
    answer = plan(lumps, Play(recording="r", fault=Fault(kind=FaultKind.NO_TERMINAL, after_frames=2)), gzip_offered=True)
    assert answer.body == b"".join(GEMINI_FRAMES[:2])
    assert len(sse.frames(answer.body)) == 2


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("made", [recording(), body_recording(), recording(reads=[]), body_recording(body=b"")])
@pytest.mark.parametrize("gzipped", [False, True])
def test_every_fault_fits_every_answer(kind: FaultKind, made: Recording, gzipped: bool) -> None:
    play = Play(recording="r", gzip=gzipped, split_every=3, fault=Fault(kind=kind, headers=(("retry-after", "7"),)))
    answer = plan(made, play, gzip_offered=True)
    assert all(piece.data for piece in answer.pieces)
    assert ("retry-after", "7") in answer.headers
    broken_off = answer.ending is not Ending.COMPLETE
    assert broken_off is (kind in {"stall-before", "stall-in", "cut-fin", "cut-rst", "refuse-connect"})
    assert (answer.content_length > len(answer.body)) is broken_off
