"""A vendor's calls over the wire: one POST each, whole answers, and an asset where a vendor answers with a URL after all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reference_gateway import headers
from reference_gateway.catalog import Channel, Timeouts
from reference_gateway.egress import Destination, Egress, Forbidden, destination
from reference_gateway.forward import KEPT_ON_REWRITE
from reference_gateway.images.vendor import Outcome, Vendor, VendorCall, VendorError
from reference_gateway.proxy.server import Headers
from reference_gateway.proxy.upstream import Gather, UpstreamBroken, UpstreamTimeout
from reference_gateway.routing.router import Lane

MAX_ANSWER_MS: Final = 300_000  # contract:205: five minutes for an image
REFUSES_US: Final = (401, 402, 403)
OUR_CREDENTIALS: Final = "The upstream refused the gateway's own credentials."


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a call came to, and what of the answer's headers the caller may have: the vendor's request id, and what a retry reads."""

    outcome: Outcome
    headers: Headers

    @property
    def retry_after_s(self) -> float | None:
        """How long the vendor wants to be left alone; None where it does not say it in seconds."""
        for name, value in self.headers:
            if name == b"retry-after" and value.isdigit() and len(value) < 10:
                return float(value)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer, decoded and without our secrets; `headers` as `Heard` has them."""

    status: int
    body: bytes
    headers: Headers


class Wire:
    def __init__(self, timeouts: Timeouts, max_answer_bytes: int, egress: Egress) -> None:
        self._timeouts = timeouts
        self._max_answer_bytes = max_answer_bytes
        self._egress = egress

    async def call(self, lane: Lane, vendor: Vendor, call: VendorCall) -> Heard:
        """Every failure of the upstream is an outcome; nothing is raised but cancellation, which breaks the call off."""
        heard = await self._exchange(lane, _head(lane, b"POST", call.path, call.content_type, call.body), call.body)
        if isinstance(heard, Heard):
            return heard
        return Heard(outcome=vendor.read(call, heard.status, heard.body), headers=heard.headers)

    async def ask(self, lane: Lane, method: bytes, path: bytes, content_type: bytes, body: bytes) -> Whole | VendorError:
        """The same in any method, unread."""
        heard = await self._exchange(lane, _head(lane, method, path, content_type, body), body)
        if isinstance(heard, Heard):
            assert isinstance(heard.outcome, VendorError)
            return heard.outcome
        return heard

    async def _exchange(self, lane: Lane, request: bytes, data: bytes) -> Whole | Heard:
        """`Heard` where it failed."""
        try:
            connection = await lane.pool.get()
            try:
                wait_ms = min(self._timeouts.answer_ms, MAX_ANSWER_MS)
                head = await connection.request(request, data, wait_ms / 1000)
                body = await Gather(connection, self._max_answer_bytes, self._timeouts.idle_ms / 1000).body()
            finally:
                connection.release()
        except UpstreamBroken as broken:
            return _failed(504 if isinstance(broken, UpstreamTimeout) else 502, str(broken), unheard=True)
        kept = [header for header in headers.to_caller(head) if header[0] in KEPT_ON_REWRITE]
        if head.header.get(b"content-encoding", b"identity") != b"identity":
            return _failed(502, "The upstream's answer cannot be decoded.", kept)
        if head.status in REFUSES_US or lane.channel.secret in body:
            return _failed(502, OUR_CREDENTIALS, kept)
        if 300 <= head.status < 400:
            return _failed(502, f"The upstream answered with status {head.status}.", kept)
        return Whole(status=head.status, body=body, headers=kept)

    async def fetch(self, channel: Channel, url: str, *, accept: bytes = b"image/*") -> bytes | None:
        """An asset of a vendor; None where it cannot be had (contract:159).

        From the vendor's own host wherever that is, and from any public address; never from elsewhere in our network.
        """
        try:
            where = destination(url)
            if channel.endpoint.tls is not None and not where.tls:
                return None
            head, body = await self._egress.exchange(
                b"GET", where, [(b"accept", accept)], b"", limit_bytes=self._max_answer_bytes, private=_is_own(where, channel)
            )
        except (Forbidden, UpstreamBroken):
            return None
        return body if head.status == 200 else None


def _failed(status: int, message: str, kept: Headers | None = None, *, unheard: bool = False) -> Heard:
    return Heard(outcome=VendorError(status=status, message=message, unheard=unheard), headers=kept or [])


def _is_own(where: Destination, channel: Channel) -> bool:
    return (where.host, where.port) == (channel.endpoint.host, channel.endpoint.port)


def _head(lane: Lane, method: bytes, path: bytes, content_type: bytes, body: bytes) -> bytes:
    return b"%b %b%b HTTP/1.1\r\nhost: %b\r\ncontent-type: %b\r\naccept: application/json\r\n%bcontent-length: %d\r\n\r\n" % (
        method,
        lane.base_path,
        path,
        lane.host_header,
        content_type,
        lane.auth_line,
        len(body),
    )
