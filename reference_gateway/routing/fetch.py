"""A document behind a URL that a caller wrote, for a route whose vendor takes no URLs; only where the configuration allows it.

Native routes never fetch: their vendors do. Here each address is judged and pinned by `egress`, and again after each redirect, since a
redirect may lead from a public address to a private one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from reference_gateway.catalog import Fetching
from reference_gateway.egress import Egress, Forbidden, destination
from reference_gateway.errors import INVALID_REQUEST, UNSUPPORTED, Refusal
from reference_gateway.proxy.server import Headers
from reference_gateway.proxy.upstream import UpstreamBroken

MAX_REDIRECTS: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
HEADERS: Final[Headers] = [(b"accept", b"*/*"), (b"accept-encoding", b"identity")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    content_type: str
    data: bytes


class Fetcher:
    def __init__(self, rule: Fetching, egress: Egress | None = None) -> None:
        self._rule = rule
        self._egress = egress or Egress(timeout_s=rule.timeout_ms / 1000)

    async def get(self, url: str, param: str) -> Document:
        """Raises Refusal (400) that names `param`, the place in the request where the URL stands, and never where it leads."""
        if not self._rule.enabled:
            raise Refusal(UNSUPPORTED, "This gateway fetches no URLs for this model; send the data itself as a data URL.", param=param)
        try:
            return await self._follow(url)
        except Forbidden as forbidden:
            raise Refusal(INVALID_REQUEST, f"The URL was not fetched. {forbidden}", param=param) from None
        except UpstreamBroken as broken:
            raise Refusal(INVALID_REQUEST, f"The URL could not be fetched. {broken}", param=param) from None

    async def _follow(self, url: str) -> Document:
        for _ in range(MAX_REDIRECTS + 1):
            head, data = await self._egress.exchange(b"GET", destination(url), HEADERS, b"", limit_bytes=self._rule.max_bytes)
            location = head.header.get(b"location")
            if head.status in REDIRECTS and location is not None:
                url = urljoin(url, location.decode("latin-1"))
                continue
            if head.status != 200:
                raise UpstreamBroken(f"It answered with status {head.status}.")
            return Document(content_type=head.header.get(b"content-type", b"").decode("latin-1"), data=data)
        raise UpstreamBroken(f"It redirects more than {MAX_REDIRECTS} times.")
