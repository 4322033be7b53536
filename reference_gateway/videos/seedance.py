"""Seedance on Volcengine Ark: a task of the vendor's own, asked after until it has ended. No sockets here.

Source: Ark's video generation API (`/contents/generations/tasks`): queued, running, then succeeded, failed, cancelled or expired.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reference_gateway.images.seedream import SAFETY_WORDS
from reference_gateway.images.vendor import Blocked, VendorError, as_object, as_text, decoded
from reference_gateway.videos.request import VideoRequest

PATH: Final = b"/contents/generations/tasks"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")  # it becomes part of a path
UNDER_WAY: Final = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The vendor is at it; `id` is its task's."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`url` is where the vendor keeps the video; `seconds` is None where it does not say how long it is."""

    url: str
    seconds: int | None


State = Working | Rendered | Blocked | VendorError


def submission(request: VideoRequest, upstream_id: str) -> bytes:
    content: list[dict[str, Any]] = [{"type": "text", "text": request.prompt}]
    if request.image is not None:
        content.append({"type": "image_url", "image_url": {"url": request.image}})
    return msgspec.json.encode({"model": upstream_id, "content": content, "duration": request.seconds, **request.options})


def read_submitted(status: int, body: bytes) -> State:
    answer = decoded(body)
    task_id = as_text(answer.get("id"))
    if status >= 400 or task_id is None or _ID.fullmatch(task_id) is None:
        return _error(status, answer)
    return Working(id=task_id)


def read_state(task_id: str, status: int, body: bytes) -> State:
    answer = decoded(body)
    state = answer.get("status")
    if status >= 400 or state in ("failed", "cancelled", "expired"):
        return _error(status, answer)
    if state in UNDER_WAY:
        return Working(id=task_id)
    url = as_text(as_object(answer.get("content")).get("video_url"))
    if state != "succeeded" or url is None:
        return VendorError(status=502, message="The upstream's answer names no video.")
    return Rendered(url=url, seconds=_seconds(answer.get("duration")))


def _seconds(value: object) -> int | None:
    return math.ceil(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 10_000 else None


def _error(status: int, answer: dict[str, Any]) -> Blocked | VendorError:
    error = as_object(answer.get("error"))
    code, message = as_text(error.get("code")) or "", as_text(error.get("message"))
    if any(word in code for word in SAFETY_WORDS):
        return Blocked(message="The prompt or the video was refused by the vendor's safety rules.")
    return VendorError(status=status if status >= 400 else 502, message=message or "The upstream made no video.")
