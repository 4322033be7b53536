"""The usual answer's head, read by one pattern: the same as the parser makes of it, or left to the parser."""

import httptools
import hypothesis.strategies as st
import pytest
from hypothesis import given

from reference_gateway.proxy.upstream import sized_head

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nset-cookie: a\r\nSet-Cookie: b\r\nx:\r\nCONTENT-LENGTH:  2\r\n\r\n{}"


def test_names_in_lower_case_and_the_first_of_each() -> None:
    found = sized_head(ANSWER)
    assert found is not None
    response, body_at, size = found
    assert (response.status, ANSWER[body_at:], size) == (200, b"{}", 2)
    assert response.headers == [
        (b"content-type", b"application/json"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"x", b""),
        (b"content-length", b"2"),
    ]
    assert response.header[b"set-cookie"] == b"a"


@pytest.mark.parametrize(
    "change",
    [
        (b"200 OK", b"100 Continue"),
        (b"200 OK", b"204 No Content"),
        (b"200 OK", b"304 Not Modified"),
        (b"200 OK", b"2000 OK"),
        (b"200 OK", b"20"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"x:\r\n", b"x: a\n"),
        (b"x:\r\n", b"x: a\rb\r\n"),
        (b"x:\r\n", b"x: a\r\n b\r\n"),
        (b"x:\r\n", b"x\r\n"),
        (b"x:\r\n", b": a\r\n"),
        (b"x:\r\n", b"x : a\r\n"),
        (b"x:\r\n", b"content-length: 2\r\n"),
        (b"x:\r\n", b"transfer-encoding: chunked\r\n"),
        (b"x:\r\n", b"upgrade: h2c\r\n"),
        (b"LENGTH:  2", b"LENGTH: -2"),
        (b"LENGTH:  2", b"LENGTH: "),
        (b"LENGTH:  2", b"LENGTHS: 2"),
        (b"\r\n\r\n{}", b"\r\n"),
    ],
)
def test_anything_unusual_is_the_parsers(change: tuple[bytes, bytes]) -> None:
    assert change[0] in ANSWER
    assert sized_head(ANSWER.replace(*change)) is None


class Parsed:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True


PIECES = st.sampled_from([b"a", b"Content-Length", b"transfer-encoding", b"chunked", b":", b" ", b"\r\n", b"\n", b"2", b"x-y", b"\t"])


@given(st.lists(PIECES, max_size=14))
def test_what_is_read_is_what_the_parser_reads(pieces: list[bytes]) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + b"".join(pieces) + b"\r\n\r\n{}"
    found = sized_head(raw)
    if found is None:
        return
    parsed = Parsed()
    response, body_at, size = found
    httptools.HttpResponseParser(parsed).feed_data(raw[: body_at + size])
    assert response.headers == parsed.headers
    assert raw[body_at : body_at + size] == parsed.body
    assert parsed.complete
