import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Framing
from harness.recording.format import Read
from harness.tests.upstream.support import FRAMES
from harness.upstream.framing import respell
from harness.wire import sse

BODIES = [b"".join(frames) for frames in FRAMES.values()]


def spelled(body: bytes, framing: Framing) -> bytes:
    return b"".join(read.data for read in respell((Read(at_ms=0, data=body),), framing))


def events(body: bytes) -> list[tuple[str | None, str | None]]:
    frames, tail = sse.split(body)
    return [(frame.event, frame.data) for frame in [*frames, *([tail.frame] if tail else [])] if frame.data is not None]


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("body", BODIES)
def test_the_events_stay_the_same(body: bytes, framing: Framing) -> None:
    new = spelled(body, framing)
    assert events(new) == events(body)
    assert (new == body) is (framing is Framing.AS_RECORDED or (framing is Framing.CRLF and b"\r\n" in body))


def test_each_spelling_is_what_it_says() -> None:
    body = b"event: a\ndata: {}\n\ndata: {}\n\n"
    assert spelled(body, Framing.CRLF) == b"event: a\r\ndata: {}\r\n\r\ndata: {}\r\n\r\n"
    assert spelled(body, Framing.NO_SPACE) == b"event:a\ndata:{}\n\ndata:{}\n\n"
    assert spelled(body, Framing.COMMENTS) == b"event: a\ndata: {}\n\n: keep-alive\n\ndata: {}\n\n"
    assert spelled(body, Framing.NO_LAST_BLANK) == b"event: a\ndata: {}\n\ndata: {}\n"


def test_a_space_that_belongs_to_the_value_stays() -> None:
    body = b"data:  indented\n\ndata: \n\n"
    assert spelled(body, Framing.NO_SPACE) == b"data:  indented\n\ndata:\n\n"
    assert events(spelled(body, Framing.NO_SPACE)) == events(body)


@given(st.sampled_from(BODIES), st.sampled_from(list(Framing)), st.sets(st.integers(1, 200)))
def test_pieces_keep_their_number_their_times_and_the_frames_they_end_with(body: bytes, framing: Framing, cuts: set[int]) -> None:
    ends = [*sorted(cut for cut in cuts if cut < len(body)), len(body)]
    starts = [0, *ends[:-1]]
    pieces = tuple(Read(at_ms=end, data=body[start:end]) for start, end in zip(starts, ends, strict=True))
    new = tuple(respell(pieces, framing))
    assert [piece.at_ms for piece in new] == ends
    assert b"".join(piece.data for piece in new) == spelled(body, framing)
    for number in range(len(pieces)):
        before = b"".join(piece.data for piece in pieces[: number + 1])
        after = b"".join(piece.data for piece in new[: number + 1])
        if before.endswith((b"\n\n", b"\r\n\r\n")) and framing is not Framing.NO_LAST_BLANK:
            assert events(after) == events(before)
