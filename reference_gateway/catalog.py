"""Models, groups, upstreams and prices, as the configuration declares them (contract:042 to contract:069, C22, C29)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reference_gateway.billing.prices import MILLION as MILLION
from reference_gateway.billing.prices import Prices as Prices
from reference_gateway.billing.prices import Usage as Usage
from reference_gateway.routes import Surface


class UpstreamKind(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    OPENAI_IMAGES = "openai-images"
    SEEDREAM = "seedream"


SURFACES = {
    UpstreamKind.OPENAI: (Surface.CHAT, Surface.RESPONSES),
    UpstreamKind.ANTHROPIC: (Surface.MESSAGES, Surface.COUNT_TOKENS),
    UpstreamKind.GEMINI: (Surface.GEMINI, Surface.IMAGES),
    UpstreamKind.OPENAI_IMAGES: (Surface.IMAGES,),
    UpstreamKind.SEEDREAM: (Surface.IMAGES,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Milliseconds.

    `first_byte_ms` bounds the wait for a stream's first byte, `answer_ms` that for the head of an answer that is no stream (it comes
    only when the model is done: C40), `idle_ms` the silence between two reads.
    """

    connect_ms: int = 5_000
    first_byte_ms: int = 30_000
    answer_ms: int = 600_000
    idle_ms: int = 300_000
    client_stall_ms: int = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One vendor base URL. `secret` is put where the vendor wants it and is never shown."""

    name: str
    kind: UpstreamKind
    host: str
    port: int
    tls: ssl.SSLContext | None
    base_path: bytes  # without a slash at its end
    secret: bytes = field(repr=False)

    @property
    def host_header(self) -> bytes:
        default = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host.encode() if self.port == default else f"{host}:{self.port}".encode()

    @property
    def auth_header(self) -> tuple[bytes, bytes]:
        match self.kind:
            case UpstreamKind.OPENAI | UpstreamKind.OPENAI_IMAGES | UpstreamKind.SEEDREAM:
                return b"authorization", b"Bearer " + self.secret
            case UpstreamKind.ANTHROPIC:
                return b"x-api-key", self.secret
            case UpstreamKind.GEMINI:
                return b"x-goog-api-key", self.secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`upstream_id` is what the vendor calls it; where it equals `id` the request body is not touched at all."""

    id: str
    upstream: Upstream
    upstream_id: str
    surfaces: frozenset[Surface]
    prices: Prices
    max_output_tokens: int
    context_window: int
    owned_by: str
    family: str
    capabilities: tuple[str, ...] = ()
    created: int = 0  # Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    upstreams: Mapping[str, Upstream]
    models: Mapping[str, Model]
    groups: Mapping[str, Mapping[str, Model]]  # group name -> model id -> model
