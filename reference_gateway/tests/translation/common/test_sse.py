"""Events do not depend on how their bytes were cut, on which line end the vendor uses, or on what stands between them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_gateway.translation.common import sse


def frames(*reads: bytes) -> list[sse.Frame]:
    reader = sse.Reader()
    return [frame for read in reads for frame in reader.feed(read)] + reader.close()


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_frames_do_not_depend_on_how_the_bytes_were_cut(end: bytes) -> None:
    lines = [
        b"\xef\xbb\xbf: hello",
        b"event: ping",
        b'data: {"a": "\xe2\x80\xa8"}',
        b"",
        b"",
        b"data:1",
        b"data: 2",
        b"",
        b": quiet",
        b"",
        b"data: [DONE]",
    ]
    body = end.join(lines)
    expected = [(b"ping", b'{"a": "\xe2\x80\xa8"}'), (b"", b"1\n2"), (b"", b"[DONE]")]
    for cut in range(len(body) + 1):
        assert frames(body[:cut], body[cut:]) == expected
    assert frames(*(body[at : at + 1] for at in range(len(body)))) == expected


@given(
    body=st.lists(
        st.sampled_from(
            [b"data", b":", b" ", b"\r", b"\n", b"x", b"event", b"\xef\xbb\xbf", b"\n\n", b"event: a\ndata: b\n\n", b"data: c\n\n"]
        )
    ),
    cuts=st.lists(st.integers(0, 60)),
)
def test_any_split_gives_the_same_frames(body: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(body)
    at = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    assert frames(*(whole[a:b] for a, b in itertools.pairwise(at))) == frames(whole)


@given(st.lists(st.sampled_from([b"event: a\n", b"data: b\n", b"data: c\n", b"\n", b"x\n", b"event: a\ndata: b\n\n"]), max_size=12))
def test_what_is_seen_at_once_is_what_is_read_line_by_line(body: list[bytes]) -> None:
    """A comment first keeps the usual forms from being seen."""
    whole = b"".join(body)
    assert frames(whole) == frames(b":\n\n" + whole)


def test_a_long_line_is_put_together_once() -> None:
    assert frames(b"data: ", *[b"x" * 1000] * 500, b"\n\n") == [(b"", b"x" * 500_000)]
