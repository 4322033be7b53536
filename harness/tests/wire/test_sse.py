import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import sse

TORTURE = (
    b"\xef\xbb\xbf: hello\n\n"
    b"event: ping\r\ndata: {}\r\n\r\n"
    b"data:one\rdata: two\r\r"
    b"id: 7\nretry: 250\n\n"
    b"\n"
    b"data: \xe2\x80\xa8\xc3\xa9\nnew-field: x\n\n"
    b"data: \xff\xfe\n\n"
    b"event\ndata\n\n"
)


def told(frame: sse.Frame) -> tuple[object, ...]:
    """What a frame says, whatever the bytes were cut into."""
    return frame.event, frame.data, frame.id, frame.retry_ms, frame.lines, frame.bom, frame.invalid_utf8


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_frames_do_not_depend_on_how_the_bytes_were_cut(end: bytes) -> None:
    body = b"event: ping" + end + b'data: {"a": "\xe2\x80\xa8"}' + end + end
    for cut in range(len(body) + 1):
        reader = sse.Reader()
        frames = [*reader.feed(body[:cut]), *reader.feed(body[cut:])]
        assert [(f.event, f.data) for f in frames] == [("ping", '{"a": "\u2028"}')]
        assert reader.close() is None


def test_every_split_position_of_a_torture_body() -> None:
    whole = [told(frame) for frame in sse.frames(TORTURE)]
    for first in range(len(TORTURE) + 1):
        for second in (first, first + 1, len(TORTURE)):
            reader = sse.Reader()
            frames = [*reader.feed(TORTURE[:first]), *reader.feed(TORTURE[first:second]), *reader.feed(TORTURE[second:])]
            assert [told(frame) for frame in frames] == whole
            assert b"".join(frame.raw for frame in frames) == TORTURE
            assert reader.close() is None


def test_one_byte_at_a_time() -> None:
    reader = sse.Reader()
    frames = [frame for at in range(len(TORTURE)) for frame in reader.feed(TORTURE[at : at + 1])]
    assert [told(frame) for frame in frames] == [told(frame) for frame in sse.frames(TORTURE)]
    assert b"".join(frame.raw for frame in frames) == TORTURE


def test_what_each_torture_frame_shows() -> None:
    comment, crlf, cr, only_ids, blank, fields, bad, bare = sse.frames(TORTURE)
    assert comment.bom
    assert comment.comments == ("hello",)
    assert not comment.dispatches
    assert (crlf.event, crlf.data, crlf.line_ends) == ("ping", "{}", ("\r\n",))
    assert (cr.data, cr.line_ends, [line.separator for line in cr.lines]) == ("one\ntwo", ("\r",), [":", ": "])
    assert (only_ids.id, only_ids.retry_ms, only_ids.data) == ("7", 250, None)
    assert blank.is_blank
    assert blank.raw == b"\n"
    assert (fields.data, fields.unknown_fields) == ("\u2028é", ("new-field",))
    assert bad.invalid_utf8
    assert bad.raw == b"data: \xff\xfe\n\n"
    assert (bare.event, bare.data) == ("", "")


def test_a_frame_is_there_at_its_blank_line_though_half_a_crlf_is_still_on_its_way() -> None:
    reader = sse.Reader()
    assert [frame.data for frame in reader.feed(b"data: 1\r\n\r")] == ["1"]
    (second,) = reader.feed(b"\ndata: 2\r\n\r\n")
    assert (second.data, second.raw, second.offset) == ("2", b"\ndata: 2\r\n\r\n", 10)
    assert reader.close() is None


def test_the_lf_of_a_crlf_that_came_last_is_no_tail() -> None:
    reader = sse.Reader()
    assert len(reader.feed(b"data: 1\r\n\r")) == 1
    assert reader.feed(b"\n") == []
    assert reader.close() is None


@pytest.mark.parametrize(("rest", "line_ended"), [(b"data: cut", False), (b"data: cut\n", True), (b"data: cut\r\n", True)])
def test_a_missing_last_blank_line_is_reported_and_its_content_can_be_read(rest: bytes, line_ended: bool) -> None:
    frames, tail = sse.split(b"data: whole\n\n" + rest)
    assert [frame.data for frame in frames] == ["whole"]
    assert tail is not None
    assert (tail.frame.data, tail.frame.raw, tail.frame.offset, tail.line_ended) == ("cut", rest, 13, line_ended)


def test_a_byte_order_mark_counts_only_at_the_start_of_the_body() -> None:
    first, second = sse.frames(b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n")
    assert (first.bom, first.data) == (True, "1")
    assert (second.bom, second.data, second.unknown_fields) == (False, None, ("\ufeffdata",))


def test_a_byte_order_mark_before_a_blank_line() -> None:
    (only,) = sse.frames(b"\xef\xbb\xbf\n")
    assert only.bom
    assert only.is_blank


def test_only_one_space_belongs_to_the_separator() -> None:
    (frame,) = sse.frames(b"data:   x \n\n")
    assert frame.data == "  x "


def test_the_last_event_and_id_count_and_an_id_with_nul_does_not() -> None:
    (frame,) = sse.frames(b"event: a\nevent: b\nid: 1\nid: 2\0\nretry: soon\n\n")
    assert (frame.event, frame.id, frame.retry_ms) == ("b", "1", None)


def test_a_16_mb_event_in_64_kb_reads() -> None:
    body = b'data: {"x":"' + b"a" * (16 << 20) + b'"}\r\n\r\n'
    reader = sse.Reader()
    frames = [frame for at in range(0, len(body), 1 << 16) for frame in reader.feed(body[at : at + (1 << 16)])]
    assert [len(frame.data or "") for frame in frames] == [len(body) - 10]
    assert frames[0].raw == body


def test_many_small_frames_in_one_read() -> None:
    body = b"data: x\n\n" * 50_000
    assert len(sse.frames(body)) == 50_000


lines = st.lists(
    st.sampled_from([b"data: a", b"data:b", b"event: e", b": c", b"id: 1", b"", b"\xff", b"\xef\xbb\xbf", b"data"]), max_size=12
)
bodies = st.one_of(
    st.binary(max_size=60),
    st.tuples(lines, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=12, max_size=12)).map(
        lambda pair: b"".join(line + end for line, end in zip(pair[0], pair[1], strict=False))
    ),
)


@given(bodies)
def test_raws_and_tail_are_the_body_again(body: bytes) -> None:
    frames, tail = sse.split(body)
    assert b"".join(frame.raw for frame in frames) + (tail.frame.raw if tail else b"") == body
    at = 0
    for frame in frames:
        assert frame.offset == at
        at += len(frame.raw)


@given(bodies, st.lists(st.integers(0, 60), max_size=5))
def test_any_cut_says_the_same(body: bytes, cuts: list[int]) -> None:
    frames, tail = sse.split(body)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    reader = sse.Reader()
    found = [frame for start, end in itertools.pairwise(edges) for frame in reader.feed(body[start:end])]
    rest = reader.close()
    assert [told(frame) for frame in found] == [told(frame) for frame in frames]
    assert (rest and told(rest.frame)) == (tail and told(tail.frame))


names = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=10)


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.none() | names, st.none() | texts, st.sampled_from(["\n", "\r", "\r\n"]))
def test_what_was_written_reads_back(event: str | None, data: str | None, newline: str) -> None:
    raw = sse.write(event=event, data=data, newline=newline)
    frames, tail = sse.split(raw)
    assert tail is None
    (frame,) = frames
    assert (frame.event, frame.raw) == (event, raw)
    assert frame.data == (None if data is None else data.replace("\r\n", "\n").replace("\r", "\n"))


def test_writing_all_fields() -> None:
    raw = sse.write(comments=["keep-alive"], event="ping", id="7", retry_ms=10, data="a\nb")
    assert raw == b": keep-alive\nevent: ping\nid: 7\nretry: 10\ndata: a\ndata: b\n\n"


def test_a_line_end_in_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="cut it out"):
        sse.write(event="a\nb")


def test_the_framing_of_a_frame() -> None:
    (named,) = sse.frames(b"event:ping\r\ndata:{}\r\n\r\n")
    assert sse.framing(named) == sse.Framing(names=True, newline="\r\n", space=False)
    (plain,) = sse.frames(b"data: {}\n\n")
    assert sse.framing(plain) == sse.Framing(names=False)
