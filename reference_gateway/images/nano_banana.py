"""Gemini's image models through generateContent: one image a call, so each image asked for is a call of its own.

Lost on the way: nothing; what generateContent has no words for is refused. Exact pixel sizes become an aspect ratio and a class of
resolution, which is all the vendor lets one choose.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import quote

import msgspec

from reference_gateway.errors import INVALID_REQUEST, Refusal
from reference_gateway.images.request import ImageRequest, pixels
from reference_gateway.images.vendor import (
    JSON,
    Blocked,
    Outcome,
    Picture,
    Produced,
    VendorCall,
    VendorError,
    as_object,
    as_text,
    decoded,
    missing,
    refuse_unknown,
)

RATIOS: Final = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9))
TOLERANCE: Final = 0.02  # of the ratio: 1792x1024 is asked for as 16:9
LONGEST_OF_1K: Final = 1536
LONGEST_OF_2K: Final = 2752
SAFETY_REASONS: Final = frozenset(
    {"SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION", "IMAGE_RECITATION"}
)


class NanoBanana:
    def calls(self, request: ImageRequest, upstream_id: str) -> tuple[VendorCall, ...]:
        refuse_unknown(request, ())
        parts: list[dict[str, Any]] = [{"text": request.prompt}]
        parts += [
            {"inlineData": {"mimeType": image.content_type, "data": base64.b64encode(image.data).decode()}} for image in request.images
        ]
        config: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
        if shape := _shape(request.size):
            config["imageConfig"] = shape
        body = msgspec.json.encode({"contents": [{"role": "user", "parts": parts}], "generationConfig": config})
        path = b"/v1beta/models/%b:generateContent" % quote(upstream_id, safe="").encode()
        return (VendorCall(path=path, content_type=JSON, body=body, images=1),) * request.n

    def read(self, call: VendorCall, status: int, body: bytes) -> Outcome:
        answer = decoded(body)
        if status >= 400 or "error" in answer:
            message = as_text(as_object(answer.get("error")).get("message")) or f"The upstream answered with status {status}."
            return VendorError(status=status if status >= 400 else 502, message=message)
        candidates = answer.get("candidates")
        candidate = as_object(candidates[0]) if isinstance(candidates, list) and candidates else {}
        texts: list[str] = []
        for part in map(as_object, as_object(candidate.get("content")).get("parts") or ()):
            inline = as_object(part.get("inlineData") or part.get("inline_data"))
            if (data := _image(inline)) is not None and not part.get("thought"):
                return Produced(pictures=(Picture(source=data),))
            if (text := as_text(part.get("text"))) is not None:
                texts.append(text)
        return _imageless(answer, candidate, texts)


def _image(inline: dict[str, Any]) -> bytes | None:
    encoded = as_text(inline.get("data"))
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _imageless(answer: dict[str, Any], candidate: dict[str, Any], texts: list[str]) -> Outcome:
    blocked = as_text(as_object(answer.get("promptFeedback")).get("blockReason"))
    reason = blocked or as_text(candidate.get("finishReason"))
    if blocked or reason in SAFETY_REASONS:
        return Blocked(message=as_text(candidate.get("finishMessage")) or f"The upstream's safety system refused this prompt ({reason}).")
    if not candidate:
        return VendorError(status=502, message="The upstream's answer has no candidates.")
    return Produced(pictures=(), shortfalls=missing(1, 0, ()))


def _shape(size: str | None) -> dict[str, str]:
    area = pixels(size)
    if area is None:
        return {} if size in (None, "auto") else {"imageSize": str(size)}
    width, height = area
    wanted = width / height
    across, down = min(RATIOS, key=lambda ratio: abs(ratio[0] / ratio[1] / wanted - 1))
    if abs(across / down / wanted - 1) > TOLERANCE:
        known = ", ".join(f"{wide}:{high}" for wide, high in RATIOS)
        raise Refusal(INVALID_REQUEST, f"size must have one of the ratios {known}.", param="size")
    shape = {"aspectRatio": f"{across}:{down}"}
    longest = max(area)
    if longest > LONGEST_OF_1K:
        shape["imageSize"] = "2K" if longest <= LONGEST_OF_2K else "4K"
    return shape
