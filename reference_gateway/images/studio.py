"""Images made: the vendor asked, what it gave read, fetched, judged and kept. Who asks and what it costs is decided elsewhere.

Each image stands for itself: what came is delivered, and what did not come is declared (`Shortfall`), never silently missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reference_gateway import errors
from reference_gateway.catalog import Model, Upstream, UpstreamKind
from reference_gateway.errors import Refusal
from reference_gateway.images.formats import ImageFormat, recognised
from reference_gateway.images.links import Name
from reference_gateway.images.nano_banana import NanoBanana
from reference_gateway.images.openai_images import OpenAIImages
from reference_gateway.images.request import Delivery, ImageRequest
from reference_gateway.images.seedream import Seedream
from reference_gateway.images.store import ImageStore
from reference_gateway.images.vendor import Blocked, Picture, Produced, Shortfall, Vendor, VendorError
from reference_gateway.images.wire import Heard, Wire

VENDORS: Final[Mapping[UpstreamKind, Vendor]] = {
    UpstreamKind.OPENAI_IMAGES: OpenAIImages(),
    UpstreamKind.SEEDREAM: Seedream(),
    UpstreamKind.GEMINI: NanoBanana(),
}
UNDELIVERABLE: Final = "undeliverable"
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One upstream that serves the model, and what it calls it there."""

    upstream: Upstream
    upstream_id: str


Channels = Callable[[Model], Sequence[Channel]]  # in the order in which they are to be tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """`name` is where it is kept, if a link was asked for."""

    data: bytes
    format: ImageFormat
    revised_prompt: str | None
    name: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """At least one image. `native` is the vendor's answer as it stood, where the caller may have it so."""

    delivered: tuple[Delivered, ...]
    shortfalls: tuple[Shortfall, ...]
    details: Mapping[str, Any]
    channel: Channel
    native: bytes | None = None
    upstream_request_id: bytes | None = None


class VendorRefused(Exception):
    """The vendor's own error, which is the caller's to see as it stands (contract:207)."""

    def __init__(self, status: int, body: bytes, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


@dataclass(slots=True)
class _Taken:
    """What the calls of one channel came to, all together."""

    pictures: list[Picture] = field(default_factory=list)
    shortfalls: list[Shortfall] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)
    errors: list[VendorError] = field(default_factory=list)


class Studio:
    def __init__(self, wire: Wire, store: ImageStore, channels: Channels) -> None:
        self._wire = wire
        self._store = store
        self._channels = channels

    def check(self, request: ImageRequest, model: Model) -> None:
        """Raises Refusal (400) for what the model's vendor has no words for; nothing is sent."""
        for channel in self._channels(model)[:1]:
            VENDORS[channel.upstream.kind].calls(request, channel.upstream_id)

    async def make(self, request: ImageRequest, model: Model) -> Made:
        """Raises Refusal or VendorRefused where not one image was delivered; cancelling it breaks off the calls under way."""
        failed: VendorError | None = None
        for channel in self._channels(model):
            taken, heard = await self._ask(request, channel)
            if not taken.pictures and taken.errors and all(error.elsewhere for error in taken.errors):
                failed = taken.errors[0]
                continue  # the channel's own fault: another one may do better (contract:064)
            return await self._deliver(request, channel, taken, heard)
        if failed is None:
            raise Refusal(errors.UNAVAILABLE, "No channel serves this model at the moment; try again later.")
        raise _refusal(failed)

    async def _ask(self, request: ImageRequest, channel: Channel) -> tuple[_Taken, list[Heard]]:
        vendor = VENDORS[channel.upstream.kind]
        calls = vendor.calls(request, channel.upstream_id)
        heard = await asyncio.gather(*(self._wire.call(channel.upstream, vendor, call) for call in calls))
        taken = _Taken()
        for call, one in zip(calls, heard, strict=True):
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
        return taken, heard

    async def _deliver(self, request: ImageRequest, channel: Channel, taken: _Taken, heard: list[Heard]) -> Made:
        results = await asyncio.gather(*(self._delivered(request, channel, picture) for picture in taken.pictures))
        delivered = tuple(result for result in results if isinstance(result, Delivered))
        shortfalls = (*taken.shortfalls, *(result for result in results if isinstance(result, Shortfall)))
        if not delivered:
            if taken.blocked:
                raise Refusal(errors.CONTENT_BLOCKED, taken.blocked[0].message, param="prompt")
            if taken.errors:
                raise _refusal(taken.errors[0])
            raise Refusal(errors.BAD_UPSTREAM, shortfalls[0].message if shortfalls else "The upstream gave no image.")
        only = heard[0].outcome if len(heard) == 1 else None
        native = only.native if isinstance(only, Produced) and request.delivery is Delivery.B64_JSON and not shortfalls else None
        return Made(
            delivered=delivered,
            shortfalls=shortfalls,
            details=taken.details,
            channel=channel,
            native=native,
            upstream_request_id=heard[0].request_id,
        )

    async def _delivered(self, request: ImageRequest, channel: Channel, picture: Picture) -> Delivered | Shortfall:
        data = picture.source if isinstance(picture.source, bytes) else await self._wire.fetch(channel.upstream, picture.source)
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


def _refusal(error: VendorError) -> Refusal | VendorRefused:
    if error.native is not None:
        return VendorRefused(error.status, error.native, error.message)
    if error.status == 504:
        return Refusal(errors.UPSTREAM_TIMEOUT, error.message)
    if error.status == 502:
        return Refusal(errors.BAD_UPSTREAM, error.message)
    return Refusal(errors.upstream_status(error.status), error.message)
