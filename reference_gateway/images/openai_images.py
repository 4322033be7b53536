"""Vendors that speak OpenAI's own images API: the request goes on as it stands, but for the model's name there and `response_format`.

`response_format` is the gateway's promise to keep (contract:211), and gpt-image models do not take it: they always answer in base64.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

from reference_gateway.images import multipart
from reference_gateway.images.request import Delivery, Form, ImageRequest, Json
from reference_gateway.images.vendor import (
    JSON,
    Blocked,
    Outcome,
    Picture,
    Produced,
    Shortfall,
    VendorCall,
    VendorError,
    as_object,
    as_text,
    decoded,
    missing,
)

# OpenAI's own, and Azure's.
SAFETY_CODES: Final = frozenset({"moderation_blocked", "content_policy_violation", "safety_violation", "content_filter", "contentFilter"})
DETAILS: Final = ("background", "output_format", "quality", "size", "usage")


class OpenAIImages:
    def calls(self, request: ImageRequest, upstream_id: str) -> tuple[VendorCall, ...]:
        match request.source:
            case Form(content_type=content_type, body=body, parts=parts):
                values = {} if upstream_id == request.model else {"model": upstream_id.encode()}
                path, body = b"/images/edits", multipart.edited(body, parts, values=values, without=("response_format",))
            case Json(body=body, members=members):
                path, content_type, body = b"/images/generations", JSON, _generation(body, dict(members), request.model, upstream_id)
        return (VendorCall(path=path, content_type=content_type, body=body, images=request.n),)

    def read(self, call: VendorCall, status: int, body: bytes) -> Outcome:
        answer = decoded(body)
        error = answer.get("error")
        if status >= 400 or error is not None:
            return _error(status, as_object(error), body if answer else None)
        items = answer.get("data")
        if not isinstance(items, list):
            return VendorError(status=502, message="The upstream's answer has no data.")
        return _produced(call, answer, items, body)


def _generation(body: bytes, members: dict[str, msgspec.Raw], model: str, upstream_id: str) -> bytes:
    if model == upstream_id and "response_format" not in members:
        return body
    members.pop("response_format", None)
    members["model"] = msgspec.Raw(msgspec.json.encode(upstream_id))
    return msgspec.json.encode(members)


def _produced(call: VendorCall, answer: dict[str, Any], items: list[Any], body: bytes) -> Outcome:
    pictures: list[Picture] = []
    shortfalls: list[Shortfall] = []
    for item in map(as_object, items[: call.images]):
        source = image_of(item)
        if source is None:
            error = as_object(item.get("error"))
            shortfalls.append(shortfall(error, safe=error.get("code") not in SAFETY_CODES))
        else:
            pictures.append(Picture(source=source, revised_prompt=as_text(item.get("revised_prompt"))))
    if not pictures:
        blocked = next((one for one in shortfalls if one.code == "content_policy_violation"), None)
        if blocked is not None:
            return Blocked(message=blocked.message)
    whole = len(pictures) == len(items) == call.images and all(isinstance(picture.source, bytes) for picture in pictures)
    return Produced(
        pictures=tuple(pictures),
        shortfalls=missing(call.images, len(pictures), tuple(shortfalls)),
        details={name: answer[name] for name in DETAILS if name in answer},
        native=body if whole else None,
    )


def image_of(item: dict[str, Any]) -> bytes | str | None:
    """The image of one item of `data`; None where there is none, or it cannot be read."""
    encoded = as_text(item.get(Delivery.B64_JSON))
    if encoded is None:
        return as_text(item.get(Delivery.URL))
    try:
        return base64.b64decode(encoded, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def shortfall(error: dict[str, Any], *, safe: bool) -> Shortfall:
    message = as_text(error.get("message"))
    if not safe:
        return Shortfall(code="content_policy_violation", message=message or "The upstream's safety system refused this image.")
    return Shortfall(code="upstream_error", message=message or "The upstream did not give this image.")


def _error(status: int, error: dict[str, Any], body: bytes | None) -> Blocked | VendorError:
    message = as_text(error.get("message")) or f"The upstream answered with status {status}."
    if error.get("code") in SAFETY_CODES:
        return Blocked(message=message)
    if status < 400:  # contract:158
        return VendorError(status=502, message="The upstream answered 200 with an error.")
    return VendorError(status=status, message=message, native=body if error else None)
