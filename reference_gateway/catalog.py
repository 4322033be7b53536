"""Models, groups, channels and prices, as the configuration declares them (contract:042 to contract:069, C22, C29)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from reference_gateway.billing.prices import MILLION as MILLION
from reference_gateway.billing.prices import PriceChange as PriceChange
from reference_gateway.billing.prices import Prices as Prices
from reference_gateway.billing.prices import Usage as Usage
from reference_gateway.routes import Surface


class UpstreamKind(StrEnum):
    """What a channel's vendor speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    DEEPSEEK = "deepseek"
    OPENAI_IMAGES = "openai-images"
    SEEDREAM = "seedream"
    SEEDANCE = "seedance"


# What goes to the vendor as it stands. DeepSeek speaks both vendors' protocols, each at a base URL of its own (contract:066).
SURFACES: Final[Mapping[UpstreamKind, tuple[Surface, ...]]] = {
    UpstreamKind.OPENAI: (Surface.CHAT, Surface.RESPONSES),
    UpstreamKind.ANTHROPIC: (Surface.MESSAGES, Surface.COUNT_TOKENS),
    UpstreamKind.GEMINI: (Surface.GEMINI, Surface.IMAGES),
    UpstreamKind.DEEPSEEK: (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES),
    UpstreamKind.OPENAI_IMAGES: (Surface.IMAGES,),
    UpstreamKind.SEEDREAM: (Surface.IMAGES,),
    UpstreamKind.SEEDANCE: (Surface.VIDEOS,),
}
TRANSLATED: Final = frozenset({Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI})  # what translation knows as a caller's
# What translation speaks to a vendor, the first that its channel knows.
LANGUAGES: Final[Mapping[UpstreamKind, tuple[Surface, ...]]] = {
    UpstreamKind.OPENAI: (Surface.CHAT, Surface.RESPONSES),
    UpstreamKind.ANTHROPIC: (Surface.MESSAGES,),
    UpstreamKind.GEMINI: (Surface.GEMINI,),
    UpstreamKind.DEEPSEEK: (Surface.CHAT, Surface.MESSAGES),
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
class Endpoint:
    """One base URL."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    base_path: bytes  # without a slash at its end
    ca_file: str = ""

    @property
    def host_header(self) -> bytes:
        default = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host.encode() if self.port == default else f"{host}:{self.port}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One account at a vendor. `secret` is put where the vendor wants it and is never shown.

    A lower `priority` is tried first; among equals `weight` says how often. One that is not `schedulable` gets no traffic.
    """

    name: str
    kind: UpstreamKind
    endpoint: Endpoint
    messages_endpoint: Endpoint | None = None  # deepseek only
    secret: bytes = field(repr=False)
    priority: int = 1
    weight: int = 1
    schedulable: bool = True

    def endpoint_for(self, surface: Surface) -> Endpoint:
        """contract:066: the request path picks the base URL."""
        if self.messages_endpoint is not None and surface is Surface.MESSAGES:
            return self.messages_endpoint
        return self.endpoint

    def auth(self, surface: Surface) -> tuple[bytes, bytes]:
        """The header that carries the secret, in the manner of the protocol spoken there."""
        match self.kind:
            case UpstreamKind.ANTHROPIC:
                return b"x-api-key", self.secret
            case UpstreamKind.GEMINI:
                return b"x-goog-api-key", self.secret
            case UpstreamKind.DEEPSEEK if surface is Surface.MESSAGES:
                return b"x-api-key", self.secret
            case _:
                return b"authorization", b"Bearer " + self.secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A channel serves a model. `upstream_id` is what its vendor calls it."""

    channel: Channel
    upstream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`offers` stand in the order of their priority; `surfaces` are those that at least one of them speaks natively.

    On the surfaces in `translated`, its channels are spoken to in words of their own, out of those in `spoken`.

    In a group, a model has that group's offers only. `prices` are those from ever on, until one of `later_prices` is in force; they stand
    in the price table under `priced_as`, which is the id but where a group has prices of its own (contract:167).
    """

    id: str
    priced_as: str
    offers: tuple[Offer, ...]
    surfaces: frozenset[Surface]
    spoken: frozenset[Surface] = frozenset()
    translated: frozenset[Surface] = frozenset()
    prices: Prices
    max_output_tokens: int
    context_window: int
    owned_by: str
    family: str
    capabilities: tuple[str, ...] = ()
    lacking: frozenset[str] = frozenset()  # of what features.py looks for in requests
    created: int = 0  # Unix seconds
    later_prices: tuple[PriceChange, ...] = ()

    def offers_on(self, surface: Surface) -> tuple[Offer, ...]:
        """Those that speak the surface natively."""
        if surface not in self.surfaces:
            return ()
        return tuple(offer for offer in self.offers if surface in SURFACES[offer.channel.kind])

    def ways_on(self, surface: Surface) -> tuple[tuple[Offer, Surface], ...]:
        """The channels that can serve the surface, each with what is spoken to it; native ones first."""
        native = self.offers_on(surface)
        ways = [(offer, surface) for offer in native]
        if surface in TRANSLATED and surface in self.surfaces | self.translated:
            others = ((offer, self._language(offer)) for offer in self.offers if offer not in native)
            ways += [(offer, language) for offer, language in others if language is not None]
        return tuple(ways)

    def _language(self, offer: Offer) -> Surface | None:
        """What a channel is spoken to where the caller's own surface is not known there; None where it speaks no text.

        A model of OpenAI's that thinks is asked on Responses, where its thoughts can be kept from turn to turn; chat has more parameters.
        """
        known = self.spoken & set(SURFACES[offer.channel.kind])
        wanted = LANGUAGES.get(offer.channel.kind, ())
        if offer.channel.kind is UpstreamKind.OPENAI and "thinking" in self.capabilities:
            wanted = wanted[::-1]
        return next((surface for surface in wanted if surface in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name that stands for a model until a day (contract:055); after it the name answers 400.

    `thinking` switches the model's thinking on or off where the request does not say; None leaves it alone.
    """

    name: str
    model: str
    until_ms: int | None = None  # Unix milliseconds
    thinking: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    channels: Mapping[str, Channel]
    models: Mapping[str, Model]
    groups: Mapping[str, Mapping[str, Model]]  # group name -> model id -> model
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)  # a name that is no model -> what to ask for instead (contract:056)

    @property
    def price_changes(self) -> tuple[PriceChange, ...]:
        """What each model costs from ever on, and its announced changes."""
        in_groups = (model for group in self.groups.values() for model in group.values() if model.priced_as != model.id)
        always = tuple(
            PriceChange(model=model.priced_as, valid_from_ms=0, prices=model.prices) for model in (*self.models.values(), *in_groups)
        )
        return always + tuple(change for model in self.models.values() for change in model.later_prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """How channels are tried. `failures` in a row close a channel for `cooldown_ms`, doubled each time up to `max_cooldown_ms`; 0 never.

    `attempts` bounds the channels that one request is sent to. `channel_header` shows the serving channel to callers (C14).
    """

    attempts: int = 3
    failures: int = 5
    cooldown_ms: int = 2_000
    max_cooldown_ms: int = 300_000
    session_ttl_s: int = 3_600
    response_ttl_s: int = 30 * 86_400  # how long a vendor keeps a response that may be continued
    channel_header: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """Whether URLs in requests may be fetched for vendors that take none: off unless the operator wants it."""

    enabled: bool = False
    max_bytes: int = 20 * 1024 * 1024
    timeout_ms: int = 10_000
