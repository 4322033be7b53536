"""A head that comes again on its connection is not parsed again: what is seen must be what the parser would have seen."""

import asyncio

import pytest

from reference_gateway.proxy.server import RequestHead, repeatable
from reference_gateway.tests.proxy.test_server import LIMIT, one, serving

HEAD = b"POST /a?x HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\nauthorization: Bearer k\r\n\r\n"
BODIES = (b"hello", b"", b"POST /b HTTP/1.1\r\n\r\n", b"x" * 700, b"hello again")


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
async def test_bodies_of_every_length_however_they_were_cut(size: int) -> None:
    async with serving() as (echo, reader, writer):
        raw = b"".join(HEAD % len(body) + body for body in BODIES)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await asyncio.sleep(0)
        for body in BODIES:
            assert (await one(reader))[2] == b"POST /a?x " + body
        assert [body for _, body in echo.seen] == list(BODIES)


async def test_the_application_is_handed_the_same_head_until_another_comes() -> None:
    async with serving() as (echo, reader, writer):
        for body in BODIES[:3]:
            writer.write(HEAD % len(body) + body)
            assert (await one(reader))[2] == b"POST /a?x " + body
        writer.write((HEAD % 2).replace(b"Bearer k", b"Bearer l") + b"hi")
        await one(reader)
        heads = [head for head, _ in echo.seen]
        assert heads[0] is heads[1] is heads[2]
        assert heads[3].header[b"authorization"] == b"Bearer l"


async def test_a_body_in_pieces_with_the_next_request_behind_it() -> None:
    async with serving() as (_, reader, writer):
        writer.write(HEAD % 2 + b"hi")
        await one(reader)
        writer.write(HEAD % 10)
        await asyncio.sleep(0.01)
        writer.write(b"01234")
        await asyncio.sleep(0.01)
        writer.write(b"56789" + HEAD % 3 + b"abcGET /b HTTP/1.1\r\nhost: t\r\n\r\n")
        assert [(await one(reader))[2] for _ in range(3)] == [b"POST /a?x 0123456789", b"POST /a?x abc", b"GET /b? "]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Content-Length: 2", b"Content-Length: +2"), 400),
        ((b"Content-Length: 2", b"Content-Length: 2, 2"), 400),
        ((b"Content-Length: 2", b"Content-Length: 2\r\ncontent-length: 3"), 400),
        ((b"Content-Length: 2", b"Content-Length: 2\r\ntransfer-encoding: chunked"), 400),
        ((b"Content-Length: 2", b"Content-Length: %d" % (LIMIT + 1)), 413),
    ],
)
async def test_a_known_head_lends_nothing_to_a_bad_one(change: tuple[bytes, bytes], status: int) -> None:
    async with serving() as (echo, reader, writer):
        for _ in range(2):
            writer.write(HEAD % 2 + b"hi")
            await one(reader)
        writer.write((HEAD % 2).replace(*change) + b"hi")
        assert (await one(reader))[0] == status
        assert len(echo.seen) == 2


def head(*names: bytes) -> RequestHead:
    headers = [(name.lower(), b"keep-alive" if name == b"connection" else b"5") for name in names]
    return RequestHead(b"POST", b"/", b"", headers, dict(headers))


USUAL = b"POST / HTTP/1.1\r\nhost: 5\r\nContent-length:\t5 \r\n\r\nhello"


def test_the_head_is_cut_at_the_digits() -> None:
    known = repeatable(USUAL, head(b"host", b"content-length"), 100)
    assert known is not None
    assert (known.before, known.after) == (b"POST / HTTP/1.1\r\nhost: 5\r\nContent-length:\t", b" \r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (USUAL.replace(b"host: 5\r\n", b"host: 5\n"), (b"host", b"content-length")),
        (USUAL.replace(b"host: 5\r\n", b"host: 5\r\n folded\r\n"), (b"host", b"content-length")),
        (USUAL.replace(b"host: 5\r\n", b"host: 5\r\ncontent-length: 5\r\n"), (b"host", b"content-length", b"content-length")),
        (USUAL.replace(b"host: 5\r\n", b"host: 5\r\nexpect: 5\r\n"), (b"host", b"expect", b"content-length")),
        (USUAL.replace(b"host: 5\r\n", b"host: 5\r\nupgrade: 5\r\n"), (b"host", b"upgrade", b"content-length")),
        (USUAL.replace(b"host: 5\r\n", b"host: 5\r\ntransfer-encoding: 5\r\n"), (b"host", b"transfer-encoding", b"content-length")),
        (b"\r\n" + USUAL, (b"host", b"content-length")),
        (b"GET / HTTP/1.1\r\nhost: 5\r\n\r\n", (b"host",)),
        (USUAL[:-8], (b"host", b"content-length")),
    ],
)
def test_a_head_with_any_doubt_about_its_framing_is_parsed_each_time(raw: bytes, names: tuple[bytes, ...]) -> None:
    assert repeatable(raw, head(*names), 100) is None
