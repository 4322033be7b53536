from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from reference_gateway.egress import Egress, Forbidden, destination, is_public
from reference_gateway.proxy.upstream import UpstreamBroken, UpstreamTimeout

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers every request with these bytes; None never answers. Yields its port and what it was sent."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1], seen


def resolver(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::"),
        *("224.0.0.1", "ff02::1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
    ],
)
def test_what_is_not_public_is_known_for_it(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_is_known_for_it(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x/", "file:///etc/passwd", "//x/", "http://", "http://user:pw@x/", "http://x:99999/", "http://[::1", "", "gopher://x"),
        *("http://x/ HTTP/1.1\r\nhost: y", "http://x/\n", "http://ä.example/"),
    ],
)
def test_what_is_no_url_to_call_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        destination(url)


def test_a_url_is_read() -> None:
    where = destination("https://[2606:4700::1111]:8443/a/b?c=d#e")
    assert (where.tls, where.host, where.port, where.target) == (True, "2606:4700::1111", 8443, b"/a/b?c=d")
    assert where.host_header == b"[2606:4700::1111]:8443"
    assert destination("http://example.com").target == b"/"
    assert destination("http://example.com").host_header == b"example.com"


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1",), ("::ffff:169.254.169.254",)])
async def test_no_connection_is_opened_to_an_address_of_our_own_network(addresses: tuple[str, ...]) -> None:
    async with server(b"HTTP/1.1 200 OK\r\n\r\n") as (port, seen):
        where = destination(f"http://somewhere.example:{port}/")
        with pytest.raises(Forbidden) as forbidden:
            await Egress(resolve=resolver(*addresses)).exchange(b"GET", where, [], b"", limit_bytes=100)
        assert "127" not in str(forbidden.value)
        assert seen == []


async def test_the_address_that_was_checked_is_the_one_called_and_the_name_is_sent_along() -> None:
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["203.0.113.1"]

    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as (port, seen):
        where = destination(f"http://somewhere.example:{port}/path?q=1")
        head, body = await Egress(allow_private=True, resolve=resolve).exchange(b"POST", where, [(b"x-a", b"b")], b"hi", limit_bytes=100)
    assert (head.status, body, looked_up) == (200, b"ok", ["somewhere.example"])
    assert seen == [
        f"POST /path?q=1 HTTP/1.1\r\nhost: somewhere.example:{port}\r\nx-a: b\r\ncontent-length: 2\r\n\r\n".encode(),
    ]


async def test_a_redirect_is_not_followed() -> None:
    async with server(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n") as (port, seen):
        where = destination(f"http://127.0.0.1:{port}/")
        head, _ = await Egress().exchange(b"GET", where, [], b"", limit_bytes=100, private=True)
    assert (head.status, len(seen)) == (302, 1)


async def test_an_answer_over_the_limit_and_one_that_never_comes_are_failures() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b"x" * 200) as (port, _):
        with pytest.raises(UpstreamBroken):
            await Egress(allow_private=True).exchange(b"GET", destination(f"http://127.0.0.1:{port}/"), [], b"", limit_bytes=100)
    async with server(None) as (port, _):
        egress = Egress(allow_private=True, timeout_s=0.05)
        with pytest.raises(UpstreamTimeout):
            await egress.exchange(b"GET", destination(f"http://127.0.0.1:{port}/"), [], b"", limit_bytes=100)
    with pytest.raises(UpstreamBroken):
        await Egress(allow_private=True).exchange(b"GET", destination(f"http://127.0.0.1:{port}/"), [], b"", limit_bytes=100)
    with pytest.raises(UpstreamBroken):
        await Egress(resolve=resolver()).exchange(b"GET", destination("http://nowhere.example/"), [], b"", limit_bytes=100)
