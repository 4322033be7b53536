"""Requests to addresses that somebody else chose: a callback URL of a caller, an image URL of a vendor.

The name is resolved here, every address it has must be a public one, and the connection is made to the address that was checked, so
that no second look-up can lead elsewhere. Redirects are not followed: whoever asks sees the status. HTTP/1.1, one exchange a connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from reference_gateway.catalog import Endpoint
from reference_gateway.proxy.server import Headers
from reference_gateway.proxy.upstream import Gather, Pool, ResponseHead, UpstreamBroken, UpstreamTimeout

Resolve = Callable[[str, int], Awaitable[list[str]]]
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(Exception):
    """The address is not one that this gateway calls; the text says why without naming the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a URL leads; `target` is path and query as HTTP sends them."""

    tls: bool
    host: str
    port: int
    target: bytes

    @property
    def host_header(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host.encode() if self.port == (443 if self.tls else 80) else f"{host}:{self.port}".encode()


def destination(url: str) -> Destination:
    """Raises Forbidden for what is no http or https URL, or carries credentials."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("It is not a URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise Forbidden("It must be an http or https URL without credentials.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise Forbidden("It holds characters that no URL may hold.")
    tls = parts.scheme == "https"
    return Destination(tls=tls, host=parts.hostname, port=port or (443 if tls else 80), target=target.encode())


def is_public(address: str) -> bool:
    """Whether anybody on the internet might reach it: not private, loopback, link-local (where clouds keep their metadata) or reserved."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ipaddress.ip_address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the resolver's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Egress:
    """`allow_private`: addresses are not judged (a test, or a network of one's own)."""

    def __init__(self, *, allow_private: bool = False, timeout_s: float = 10.0, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._resolve = resolve

    async def exchange(
        self, method: bytes, where: Destination, headers: Headers, body: bytes, *, limit_bytes: int, private: bool = False
    ) -> tuple[ResponseHead, bytes]:
        """One request and its whole answer. Raises Forbidden, UpstreamBroken, UpstreamTimeout.

        `private`: this one destination may be anywhere, since the configuration names it.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                address = await self._address(where, private=private or self._allow_private)
                endpoint = Endpoint(host=where.host, port=where.port, tls=_tls() if where.tls else None, base_path=b"")
                pool = Pool(endpoint, self._timeout_s, address)
                connection = await pool.get()
                try:
                    head = await connection.request(_head(method, where, headers, body), body, self._timeout_s)
                    return head, await Gather(connection, limit_bytes, self._timeout_s).body()
                finally:
                    connection.release()
                    pool.close()
        except TimeoutError:
            raise UpstreamTimeout("It did not answer in time.") from None
        except OSError:
            raise UpstreamBroken("It could not be reached.") from None

    async def _address(self, where: Destination, *, private: bool) -> str:
        addresses = await self._resolve(where.host, where.port)
        if not addresses:
            raise UpstreamBroken("Its name has no address.")
        if not private and not all(map(is_public, addresses)):
            raise Forbidden("It leads to an address that is not public.")
        return addresses[0]


@cache
def _tls() -> ssl.SSLContext:
    """Made when it is first needed: the system's certificates are tens of milliseconds of start."""
    return ssl.create_default_context()


def _head(method: bytes, where: Destination, headers: Headers, body: bytes) -> bytes:
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, where.target, where.host_header)]
    lines += [b"%b: %b\r\n" % header for header in headers]
    if body or method == b"POST":
        lines.append(b"content-length: %d\r\n" % len(body))
    return b"".join([*lines, b"\r\n"])
