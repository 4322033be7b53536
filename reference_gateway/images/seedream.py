"""Seedream on Volcengine Ark: one image a call, so that each image asked for is a call of its own with its own fate.

(Ark's `sequential_image_generation` makes up to so many related images, as many as it thinks fit: that is not what `n` promises.)
Image bytes are asked for, so that nothing needs to be fetched. Source: Ark's image generation API, which answers in OpenAI's layout.
Lost on the way: nothing; members that Ark has no words for are refused.
"""

from __future__ import annotations

import base64
import math
from typing import Any, Final

import msgspec

from reference_gateway.errors import INVALID_REQUEST, Refusal
from reference_gateway.images.openai_images import image_of, shortfall
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

MEMBERS: Final = ("seed", "negative_prompt", "guidance_scale", "watermark", "image", "optimize_prompt_options")  # contract:214
SEEDS: Final = 2**31
# Ark's words: InputTextSensitiveContentDetected, OutputImageSensitiveContentDetected, ...PolicyViolation and the like.
SAFETY_WORDS: Final = ("SensitiveContentDetected", "RiskDetection", "PolicyViolation")
# 4.5 takes no fewer pixels than 2560x1440: a smaller size is the same shape, enlarged to what it takes.
MIN_PIXELS: Final = {"4-5": 2560 * 1440}
MAX_RATIO: Final = 16


class Seedream:
    def calls(self, request: ImageRequest, upstream_id: str) -> tuple[VendorCall, ...]:
        refuse_unknown(request, MEMBERS)
        if request.is_edit and "image" in request.others:
            raise Refusal(INVALID_REQUEST, "image must be a file.", param="image")
        body: dict[str, Any] = {
            "model": upstream_id,
            "prompt": request.prompt,
            "response_format": "b64_json",
            "sequential_image_generation": "disabled",
            **{name: value for name, value in request.others.items() if name in MEMBERS},
        }
        size = _size(request.size, request.model)
        if size is not None:
            body["size"] = size
        if request.images:
            urls = [f"data:{image.content_type};base64,{base64.b64encode(image.data).decode()}" for image in request.images]
            body["image"] = urls[0] if len(urls) == 1 else urls
        return tuple(
            VendorCall(path=b"/images/generations", content_type=JSON, body=msgspec.json.encode(_seeded(body, index)), images=1)
            for index in range(request.n)
        )

    def read(self, call: VendorCall, status: int, body: bytes) -> Outcome:
        answer = decoded(body)
        items = answer.get("data")
        item = as_object(items[0]) if isinstance(items, list) and items else {}
        error = answer.get("error") or item.get("error")
        if status >= 400 or error:
            return _error(status, as_object(error))
        source = image_of(item)
        details = {"size": item["size"]} if as_text(item.get("size")) else {}
        if source is None:
            return Produced(pictures=(), shortfalls=missing(1, 0, ()))
        return Produced(pictures=(Picture(source=source),), details=details)


def _seeded(body: dict[str, Any], index: int) -> dict[str, Any]:
    """The images of one request differ, and the same request gives the same ones again."""
    seed = body.get("seed")
    if seed is None or index == 0:
        return body
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise Refusal(INVALID_REQUEST, "seed must be a whole number.", param="seed")
    return {**body, "seed": (seed + index) % SEEDS if seed >= 0 else seed}


def _size(size: str | None, model: str) -> str | None:
    area = pixels(size)
    if area is None:
        return None if size == "auto" else size
    width, height = area
    if max(area) > MAX_RATIO * min(area):
        raise Refusal(INVALID_REQUEST, f"size must be at most {MAX_RATIO} times as long as wide.", param="size")
    least = next((count for version, count in MIN_PIXELS.items() if version in model), 0)
    if width * height < least:
        scale = math.sqrt(least / (width * height))
        width, height = math.ceil(width * scale), math.ceil(height * scale)
    return f"{width}x{height}"


def _error(status: int, error: dict[str, Any]) -> Blocked | VendorError:
    code = as_text(error.get("code")) or ""
    safe = not any(word in code for word in SAFETY_WORDS)
    message = shortfall(error, safe=safe).message
    if not safe:
        return Blocked(message=message)
    return VendorError(status=status if status >= 400 else 502, message=message)
