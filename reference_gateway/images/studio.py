"""Images made: the vendor asked, what it gave read, fetched, judged and kept. Who asks and what it costs is decided elsewhere.

Each image stands for itself: what came is delivered, and what did not come is declared (`Shortfall`), never silently missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reference_gateway import errors
from reference_gateway.catalog import Channel, Model, UpstreamKind
from reference_gateway.errors import Refusal
from reference_gateway.forward import Forwarder
from reference_gateway.images.formats import ImageFormat, recognised
from reference_gateway.images.links import Name
from reference_gateway.images.nano_banana import NanoBanana
from reference_gateway.images.openai_images import OpenAIImages
from reference_gateway.images.request import Delivery, ImageRequest
from reference_gateway.images.seedream import Seedream
from reference_gateway.images.store import ImageStore
from reference_gateway.images.vendor import Blocked, Picture, Produced, Shortfall, Vendor, VendorError
from reference_gateway.images.wire import Heard, Wire
from reference_gateway.proxy.server import Headers
from reference_gateway.routes import Surface
from reference_gateway.routing.router import Lane

VENDORS: Final[Mapping[UpstreamKind, Vendor]] = {
    UpstreamKind.OPENAI_IMAGES: OpenAIImages(),
    UpstreamKind.SEEDREAM: Seedream(),
    UpstreamKind.GEMINI: NanoBanana(),
}
UNDELIVERABLE: Final = "undeliverable"
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """`name` is where it is kept, if a link was asked for."""

    data: bytes
    format: ImageFormat
    revised_prompt: str | None
    name: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """At least one image. `native` is the vendor's answer as it stood, where the caller may have it so; `headers` go along."""

    delivered: tuple[Delivered, ...]
    shortfalls: tuple[Shortfall, ...]
    details: Mapping[str, Any]
    channel: Channel
    headers: Headers
    native: bytes | None = None


class VendorRefused(Exception):
    """The vendor's own error, which is the caller's to see as it stands (contract:207)."""

    def __init__(self, status: int, headers: Headers, body: bytes, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = body


@dataclass(slots=True)
class _Taken:
    """What the calls of one channel came to, all together."""

    heard: list[Heard]
    pictures: list[Picture] = field(default_factory=list)
    shortfalls: list[Shortfall] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)
    errors: list[VendorError] = field(default_factory=list)

    @property
    def is_elsewhere(self) -> bool:
        """Nothing came, and the channel alone is to blame."""
        return not self.pictures and bool(self.errors) and all(error.elsewhere for error in self.errors)


class Studio:
    def __init__(self, wire: Wire, store: ImageStore, forwarder: Forwarder) -> None:
        self._wire = wire
        self._store = store
        self._forwarder = forwarder

    def check(self, request: ImageRequest, model: Model) -> None:
        """Raises Refusal (400) for what the model's vendor has no words for; nothing is sent."""
        for offer in model.offers_on(Surface.IMAGES)[:1]:
            VENDORS[offer.channel.kind].calls(request, offer.upstream_id)

    async def make(self, request: ImageRequest, group: str, model: Model) -> Made:
        """Raises Refusal or VendorRefused where not one image was delivered; cancelling it breaks off the calls under way.

        A channel that gave nothing by a fault of its own is followed by the next one of the group (contract:064, contract:206).
        """
        router = self._forwarder.router
        lanes = self._forwarder.lanes(group, model, Surface.IMAGES)
        tried: list[Lane] = []
        failed: _Taken | None = None
        while len(tried) < router.routing.attempts and (lane := router.pick(lanes, tried)) is not None:
            tried.append(lane)
            taken = await self._attempt(request, lane)
            if not taken.is_elsewhere:
                return await self._deliver(request, lane.channel, taken)
            failed = failed or taken
        if failed is None:
            raise router.no_channel(lanes)
        raise _refusal(failed)

    async def _attempt(self, request: ImageRequest, lane: Lane) -> _Taken:
        now = self._forwarder.router.now
        lane.begin()
        try:
            taken = await self._ask(request, lane)
        except BaseException:  # a caller who leaves says nothing about the channel
            lane.abandoned()
            raise
        if not taken.is_elsewhere:
            lane.succeeded()
        elif taken.errors[0].status == 429:
            lane.limited(now(), taken.heard[0].retry_after_s)
        else:
            lane.failed(now())
        return taken

    async def _ask(self, request: ImageRequest, lane: Lane) -> _Taken:
        vendor = VENDORS[lane.channel.kind]
        calls = vendor.calls(request, lane.upstream_id)
        taken = _Taken(heard=await asyncio.gather(*(self._wire.call(lane, vendor, call) for call in calls)))
        for call, one in zip(calls, taken.heard, strict=True):
            match one.outcome:
                case Produced() as produced:
                    taken.pictures += produced.pictures
                    taken.shortfalls += produced.shortfalls
                    taken.details |= produced.details
                case Blocked(message=message) as blocked:
                    taken.blocked.append(blocked)
                    taken.shortfalls += [Shortfall(code="content_policy_violation", message=message)] * call.images
                case VendorError(message=message) as error:
                    taken.errors.append(error)
                    taken.shortfalls += [Shortfall(code="upstream_error", message=message)] * call.images
        return taken

    async def _deliver(self, request: ImageRequest, channel: Channel, taken: _Taken) -> Made:
        results = await asyncio.gather(*(self._delivered(request, channel, picture) for picture in taken.pictures))
        delivered = tuple(result for result in results if isinstance(result, Delivered))
        shortfalls = (*taken.shortfalls, *(result for result in results if isinstance(result, Shortfall)))
        if not delivered:
            if taken.blocked:
                raise Refusal(errors.CONTENT_BLOCKED, taken.blocked[0].message, param="prompt")
            if taken.errors:
                raise _refusal(taken)
            raise Refusal(errors.BAD_UPSTREAM, shortfalls[0].message if shortfalls else "The upstream gave no image.")
        only = taken.heard[0].outcome if len(taken.heard) == 1 else None
        native = only.native if isinstance(only, Produced) and request.delivery is Delivery.B64_JSON and not shortfalls else None
        return Made(
            delivered=delivered,
            shortfalls=shortfalls,
            details=taken.details,
            channel=channel,
            headers=taken.heard[0].headers,
            native=native,
        )

    async def _delivered(self, request: ImageRequest, channel: Channel, picture: Picture) -> Delivered | Shortfall:
        data = picture.source if isinstance(picture.source, bytes) else await self._wire.fetch(channel, picture.source)
        format_ = recognised(data) if data is not None else None
        if data is None or format_ is None:
            return Shortfall(code=UNDELIVERABLE, message="The image was made but could not be fetched from the upstream; it is not billed.")
        name: Name | None = None
        if request.delivery is Delivery.URL:
            try:
                name = await self._store.keep(data, format_)
            except OSError as error:
                log.error("an image could not be kept: %s", error)
                return Shortfall(code=UNDELIVERABLE, message="The image was made but could not be kept for its link; it is not billed.")
        return Delivered(data=data, format=format_, revised_prompt=picture.revised_prompt, name=name)


def _refusal(taken: _Taken) -> Refusal | VendorRefused:
    """What the first error says, with the headers that a retry reads (contract:233)."""
    error = taken.errors[0]
    headers = next(heard.headers for heard in taken.heard if heard.outcome is error)
    if error.native is not None:
        return VendorRefused(error.status, headers, error.native, error.message)
    fault = {502: errors.BAD_UPSTREAM, 504: errors.UPSTREAM_TIMEOUT}.get(error.status, errors.upstream_status(error.status))
    return Refusal(fault, error.message, headers=tuple(headers))
