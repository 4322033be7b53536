import pytest

from harness.upstream.requests import Arrived, RequestReader

ODD = (
    b"POST /v1/messages?beta=true&x=%2F HTTP/1.1\r\nHOST: a\r\nX-aPi-kEy: k\r\nanthropic-beta: one\r\nAnthropic-Beta: two\r\n"
    b"content-LENGTH: 5\r\n\r\nhello"
)
CHUNKED = b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"


def read(data: bytes, cut: int) -> list[Arrived]:
    reader = RequestReader()
    return [*reader.feed(data[:cut], 1.0), *reader.feed(data[cut:], 2.0)]


@pytest.mark.parametrize("cut", range(len(ODD + CHUNKED + GET) + 1))
def test_requests_do_not_depend_on_how_the_bytes_were_cut(cut: int) -> None:
    odd, chunked, get = read(ODD + CHUNKED + GET, cut)
    assert (odd.method, odd.target, odd.body, odd.error) == ("POST", "/v1/messages?beta=true&x=%2F", b"hello", None)
    assert odd.headers == (
        ("HOST", "a"),
        ("X-aPi-kEy", "k"),
        ("anthropic-beta", "one"),
        ("Anthropic-Beta", "two"),
        ("content-LENGTH", "5"),
    )
    assert (chunked.target, chunked.body) == ("/b", b"abcdefg")
    assert (get.method, get.target, get.body) == ("GET", "/v1/models", b"")


def test_a_request_began_with_its_first_byte() -> None:
    assert [arrived.began for arrived in read(ODD + GET, 3)] == [1.0, 2.0]


def test_who_expects_100_continue_is_told_only_while_it_waits() -> None:
    reader = RequestReader()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    waits = [(reader.feed(data, 1.0), reader.wants_continue)[1] for data in (head, b"o", b"k")]
    assert waits == [True, False, False]
    eager = RequestReader()
    assert eager.feed(head + b"ok", 1.0)
    assert not eager.wants_continue


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00 not http\r\n\r\n", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_http_1_1_is_kept_with_the_reason(data: bytes) -> None:
    reader = RequestReader()
    (arrived,) = reader.feed(data, 1.0)
    assert "not HTTP/1.1" in (arrived.error or "")
    assert arrived.close
    assert not reader.feed(GET, 2.0)
    assert reader.partial() is None


def test_half_a_request_is_there_when_its_sender_left() -> None:
    reader = RequestReader()
    assert reader.partial() is None
    reader.feed(ODD[:-2], 1.0)
    partial = reader.partial()
    assert partial is not None
    assert (partial.target, partial.body) == ("/v1/messages?beta=true&x=%2F", b"hel")
    assert partial.error == "the gateway left before its request was whole"


@pytest.mark.parametrize(("text", "close"), [("close", True), ("Keep-Alive, Close", True), ("keep-alive", False)])
def test_connection_close_is_heard(text: str, close: bool) -> None:
    (arrived,) = RequestReader().feed(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: {text}\r\n\r\n".encode(), 1.0)
    assert arrived.close is close
