"""A vendor's calls over the wire: one POST each, whole answers, and an asset where a vendor answers with a URL after all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reference_gateway.catalog import Timeouts, Upstream
from reference_gateway.egress import Destination, Egress, Forbidden, destination
from reference_gateway.images.vendor import Outcome, Vendor, VendorCall, VendorError
from reference_gateway.proxy.upstream import Gather, Pool, UpstreamBroken, UpstreamTimeout

MAX_ANSWER_MS: Final = 300_000  # contract:205: five minutes for an image
REFUSES_US: Final = (401, 402, 403)
OUR_CREDENTIALS: Final = "The upstream refused the gateway's own credentials."


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a call came to, and the vendor's own id of it."""

    outcome: Outcome
    request_id: bytes | None = None


class Wire:
    def __init__(self, pools: Mapping[str, Pool], timeouts: Timeouts, max_answer_bytes: int, egress: Egress) -> None:
        self._pools = pools
        self._timeouts = timeouts
        self._max_answer_bytes = max_answer_bytes
        self._egress = egress

    async def call(self, upstream: Upstream, vendor: Vendor, call: VendorCall) -> Heard:
        """Every failure of the upstream is an outcome; nothing is raised but cancellation, which breaks the call off."""
        try:
            connection = await self._pools[upstream.name].get()
            try:
                wait_ms = min(self._timeouts.answer_ms, MAX_ANSWER_MS)
                head = await connection.request(_head(upstream, call), call.body, wait_ms / 1000)
                body = await Gather(connection, self._max_answer_bytes, self._timeouts.idle_ms / 1000).body()
            finally:
                connection.release()
        except UpstreamBroken as broken:
            return Heard(outcome=VendorError(status=504 if isinstance(broken, UpstreamTimeout) else 502, message=str(broken)))
        request_id = head.header.get(b"x-request-id")
        if head.header.get(b"content-encoding", b"identity") != b"identity":
            return Heard(outcome=VendorError(status=502, message="The upstream's answer cannot be decoded."), request_id=request_id)
        if head.status in REFUSES_US or upstream.secret in body:
            return Heard(outcome=VendorError(status=502, message=OUR_CREDENTIALS), request_id=request_id)
        if 300 <= head.status < 400:
            return Heard(
                outcome=VendorError(status=502, message=f"The upstream answered with status {head.status}."), request_id=request_id
            )
        return Heard(outcome=vendor.read(call, head.status, body), request_id=request_id)

    async def fetch(self, upstream: Upstream, url: str) -> bytes | None:
        """An asset of a vendor; None where it cannot be had (contract:159).

        From the vendor's own host wherever that is, and from any public address; never from elsewhere in our network.
        """
        try:
            where = destination(url)
            if upstream.tls is not None and not where.tls:
                return None
            head, body = await self._egress.exchange(
                b"GET", where, [(b"accept", b"image/*")], b"", limit_bytes=self._max_answer_bytes, private=_is_own(where, upstream)
            )
        except (Forbidden, UpstreamBroken):
            return None
        return body if head.status == 200 else None


def _is_own(where: Destination, upstream: Upstream) -> bool:
    return (where.host, where.port) == (upstream.host, upstream.port)


def _head(upstream: Upstream, call: VendorCall) -> bytes:
    return b"POST %b%b HTTP/1.1\r\nhost: %b\r\ncontent-type: %b\r\naccept: application/json\r\n%b: %b\r\ncontent-length: %d\r\n\r\n" % (
        upstream.base_path,
        call.path,
        upstream.host_header,
        call.content_type,
        *upstream.auth_header,
        len(call.body),
    )
