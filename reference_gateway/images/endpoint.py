"""POST /v1/images/generations and /v1/images/edits, and GET of a stored image by its link. Always OpenAI's shape (contract:200).

An answer with fewer images than were asked for says so: `errors` beside `data` has one entry for each that is missing, with the reason,
and the headers `x-images-requested` and `x-images-delivered` say the same in numbers. Only what was delivered is billed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reference_gateway import errors, headers
from reference_gateway.billing.interface import Hold, Treasury
from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.calls import MediaCall
from reference_gateway.catalog import Model
from reference_gateway.errors import Family, Refusal
from reference_gateway.forward import Forwarder
from reference_gateway.images import prices as image_prices
from reference_gateway.images.job import Job
from reference_gateway.images.links import PATH, Name, Signer, read_name
from reference_gateway.images.request import Delivery, ImageRequest, read_form, read_json
from reference_gateway.images.store import ImageStore
from reference_gateway.images.studio import Delivered, Made, Studio, VendorRefused
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.routes import Surface

JSON: Final = (b"content-type", b"application/json")
INPUT_IMAGE_TOKENS: Final = 2048


def served_model(find: Callable[[str], Model], name: str) -> Model:
    """Raises Refusal for a model that the key cannot call, or that makes no images."""
    model = find(name)
    if Surface.IMAGES not in model.surfaces:
        raise Refusal(errors.UNSUPPORTED, f"The model {model.id} makes no images.", param="model")
    return model


def hold_amount(request: ImageRequest, model: Model, prices: Prices) -> int:
    """The most that the images can cost, in micro-USD; by tokens where the price table has no price for an image."""
    if prices.images:
        return request.n * prices.image(image_prices.asked_class(request, prices))
    input_tokens = len(request.prompt) // 3 + 1 + INPUT_IMAGE_TOKENS * len(request.images)
    return prices.cost(Usage(input_tokens=input_tokens, output_tokens=request.n * model.max_output_tokens))


def usage_of(request: ImageRequest, made: Made, prices: Prices) -> Usage:
    """What is billed: each delivered image, or the vendor's tokens where that is how the model is priced."""
    count = len(made.delivered)
    if prices.images:
        return Usage(images=count, image_class=image_prices.made_class(request, made.details))
    reported = made.details.get("usage")
    tokens = reported if isinstance(reported, dict) else {}
    input_tokens, output_tokens = (_count(tokens.get(name)) for name in ("input_tokens", "output_tokens"))
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, images=count)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def link_base(head: RequestHead, public_url: str) -> str:
    """Where the caller finds this gateway: as configured, else by the name it used itself."""
    return public_url or f"http://{head.header.get(b'host', b'localhost').decode('latin-1')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    treasury: Treasury
    forwarder: Forwarder
    studio: Studio
    store: ImageStore
    signer: Signer
    public_url: str = ""

    async def create(self, call: MediaCall, *, edit: bool) -> None:
        """Raises Refusal; whatever is not settled by then costs nothing."""
        content_type = call.head.header.get(b"content-type", b"")
        request = read_form(content_type, call.request) if edit else read_json(call.request)
        model = served_model(call.find, request.model)
        self.studio.check(request, model)
        prices = self.treasury.prices.at(model.priced_as, self.treasury.clock() * 1000)
        job: Job[Made] = Job(call.key)
        self.forwarder.under_way.add(job)
        try:
            hold = await self.treasury.hold(call.key, call.request_id, hold_amount(request, model, prices), prices)
            try:
                await self._make(call, job, hold, request, model)
            finally:
                if self.treasury.is_open(hold):
                    await self.treasury.release(hold)
        finally:
            self.forwarder.under_way.discard(job)

    async def _make(self, call: MediaCall, job: Job[Made], hold: Hold, request: ImageRequest, model: Model) -> None:
        call.answer.on_gone = job.cancel
        if call.answer.gone:
            job.cancel()
        try:
            made = await job.result(self.studio.make(request, call.key.group, model))
        except VendorRefused as refused:
            await self.treasury.release(hold)
            call.answer.send(refused.status, [JSON, *refused.headers, *self._own(call)], refused.body)
            return
        finally:
            call.answer.on_gone = None
        if made is None:
            return
        await self.treasury.settle(
            hold,
            usage_of(request, made, hold.prices),
            model=model.id,
            surface=Surface.IMAGES,
            provider=made.channel.kind,
            channel=made.channel.name,
        )
        self._send(call, request, made)

    def _own(self, call: MediaCall) -> Headers:
        return headers.own(call.request_id, Family.OPENAI, self.treasury.standing(call.key))

    def _send(self, call: MediaCall, request: ImageRequest, made: Made) -> None:
        own = [
            JSON,
            *self._own(call),
            (b"x-images-requested", b"%d" % request.n),
            (b"x-images-delivered", b"%d" % len(made.delivered)),
        ]
        own += made.headers
        if made.native is not None:
            call.answer.send(200, own, made.native)
            return
        base = link_base(call.head, self.public_url)
        document: dict[str, Any] = {
            "created": int(self.treasury.clock()),
            "data": [self.item(image, request.delivery, base) for image in made.delivered],
            **made.details,
        }
        if made.shortfalls:
            document["errors"] = [{"code": shortfall.code, "message": shortfall.message} for shortfall in made.shortfalls]
        call.answer.send(200, own, msgspec.json.encode(document))

    def item(self, image: Delivered, delivery: Delivery, base: str) -> dict[str, Any]:
        """One image of `data`."""
        if delivery is Delivery.URL and image.name is not None:
            return {"url": self.link(image.name, base), "revised_prompt": image.revised_prompt}
        return {"b64_json": base64.b64encode(image.data).decode(), "revised_prompt": image.revised_prompt}

    def link(self, name: Name, base: str) -> str:
        return f"{base}{PATH.decode()}{name.text}?{self.signer.query(name)}"

    async def file(self, file_name: str, query: bytes, request_id: str, answer: Answer) -> None:
        """Raises Refusal: 403 for a link that is not ours or has expired, 404 for an image that is not here."""
        name = read_name(file_name)
        if name is None or not self.signer.accepts(name, query):
            raise Refusal(errors.LINK_REFUSED, "This link is not valid.")
        if self.treasury.clock() >= name.expires_at:
            raise Refusal(errors.LINK_REFUSED, "This link has expired: links to images last 24 hours.")
        data = await self.store.load(name)
        if data is None:
            raise Refusal(errors.NOT_FOUND, "This image is not stored here.")
        own: Headers = [
            (b"content-type", name.format.content_type),
            (b"x-request-id", request_id.encode()),
            (b"cache-control", b"private, max-age=3600, immutable"),
            (b"x-content-type-options", b"nosniff"),
        ]
        answer.send(200, own, data)
