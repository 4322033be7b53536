"""URLs of callers: where they may lead, judged anew at each redirect, by a resolver of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from reference_gateway.catalog import Fetching
from reference_gateway.egress import Egress
from reference_gateway.errors import Refusal
from reference_gateway.routing.fetch import Document, Fetcher

ON = Fetching(enabled=True, max_bytes=1000, timeout_ms=2000)
PUBLIC = "93.184.216.34"


class Names:
    """A resolver that answers as it is told and keeps what it was asked."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.addresses.get(host, [host])


@asynccontextmanager
async def site(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


def ok(data: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)


async def message(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(Refusal) as refused:
        await fetcher.get(url, "messages[0].content[1]")
    assert refused.value.fault.status == 400
    assert refused.value.param == "messages[0].content[1]"
    return refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.8", "172.16.4.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1"),
        *("fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
async def test_no_address_within_is_asked(address: str) -> None:
    """Private, loopback, link-local (clouds keep their metadata there) and their disguises; also where one of several is such."""
    resolve = Names(innocent=[PUBLIC, address])
    said = await message(Fetcher(ON, Egress(resolve=resolve)), "http://innocent/cat.png")
    assert said == "The URL was not fetched. It leads to an address that is not public."
    assert resolve.asked == ["innocent"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "http://user:pass@x/", "http:///x", "http://x:99999/", "http://x/ y"])
async def test_what_is_no_plain_url_is_not_looked_up(url: str) -> None:
    resolve = Names()
    assert (await message(Fetcher(ON, Egress(resolve=resolve)), url)).startswith("The URL was not fetched. ")
    assert resolve.asked == []


async def test_a_document_and_what_its_host_is_told() -> None:
    async with site(ok(b"png")) as (port, seen):
        resolve = Names(pictures=["127.0.0.1"])
        fetcher = Fetcher(ON, Egress(resolve=resolve, allow_private=True))
        assert await fetcher.get(f"http://pictures:{port}/a?b=1", "x") == Document(content_type="image/png", data=b"png")
        assert seen[0].startswith(b"GET /a?b=1 HTTP/1.1\r\nhost: pictures:%d\r\n" % port)
        assert b"authorization" not in seen[0].lower()
        assert resolve.asked == ["pictures"]  # once: the address that was judged is the one that is dialled


async def test_a_redirect_is_judged_as_the_first_address_was() -> None:
    class Trusting(Egress):
        """As if the site of the test were public, and nothing else within."""

        async def _address(self, where: object, *, private: bool) -> str:
            return await super()._address(where, private=getattr(where, "host", "") == "pictures")  # type: ignore[arg-type]

    for location in (b"http://metadata/latest", b"//metadata/latest", b"http://[::1]/", b"file:///etc/passwd"):
        async with site(b"HTTP/1.1 302 Found\r\nlocation: " + location + b"\r\ncontent-length: 0\r\n\r\n") as (port, seen):
            resolve = Names(pictures=["127.0.0.1"], metadata=["169.254.169.254"])
            assert (await message(Fetcher(ON, Trusting(resolve=resolve)), f"http://pictures:{port}/a")).startswith(
                "The URL was not fetched. "
            )
            assert len(seen) == 1


async def test_bounds() -> None:
    egress = Egress(resolve=Names(pictures=["127.0.0.1"]), allow_private=True)
    async with site(ok(b"x" * 1001)) as (port, _):
        assert "over 1000 bytes" in await message(Fetcher(ON, egress), f"http://pictures:{port}/")
    async with site(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n") as (port, seen):
        assert "redirects more than 3 times" in await message(Fetcher(ON, egress), f"http://pictures:{port}/")
        assert len(seen) == 4
    async with site(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n") as (port, _):
        assert "status 404" in await message(Fetcher(ON, egress), f"http://pictures:{port}/")


async def test_unless_the_operator_wants_it_nothing_is_fetched() -> None:
    resolve = Names()
    assert "send the data itself" in await message(Fetcher(Fetching(), Egress(resolve=resolve)), "http://pictures/")
    assert resolve.asked == []
