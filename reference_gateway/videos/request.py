"""What a caller asks of a model that makes videos: the `params` of a task.

Judged here is what money depends on: how many seconds. Everything else is the vendor's to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reference_gateway.billing.prices import Prices, Usage
from reference_gateway.errors import INVALID_REQUEST, UNSUPPORTED, Refusal

USUAL_SECONDS: Final = 5
MAX_SECONDS: Final = 60
MAX_PROMPT_CHARACTERS: Final = 32_000
# What the vendor has words for; `image` is the URL of the first frame, which is the vendor's to fetch.
OPTIONS: Final = ("resolution", "ratio", "seed", "camera_fixed", "watermark", "generate_audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    model: str
    prompt: str
    seconds: int
    image: str | None
    options: Mapping[str, Any]

    def usage(self, seconds: int | None = None) -> Usage:
        """Of what was asked for, or of what was made; a vendor that makes more than it was asked for does so at the operator's cost."""
        return Usage(video_seconds=self.seconds if seconds is None else min(seconds, self.seconds))

    def hold_amount(self, prices: Prices) -> int:
        """The most that it can cost, in micro-USD."""
        return prices.cost(self.usage())


def read(body: bytes) -> VideoRequest:
    """Raises Refusal (400) with the member's name."""
    values: dict[str, Any] = msgspec.json.decode(body)  # tasks have made sure that it is an object
    model, prompt = values.pop("model"), values.pop("prompt", None)
    if not isinstance(prompt, str) or not prompt or len(prompt) > MAX_PROMPT_CHARACTERS:
        raise _invalid("prompt", f"must be a text of 1 to {MAX_PROMPT_CHARACTERS} characters")
    seconds = values.pop("duration", None)
    seconds = USUAL_SECONDS if seconds is None else seconds
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= MAX_SECONDS:
        raise _invalid("duration", f"must be a whole number of seconds from 1 to {MAX_SECONDS}")
    if values.pop("n", None) not in (None, 1):
        raise _invalid("n", "must be 1: a task makes one video")
    image = values.pop("image", None)
    if image is not None and not (isinstance(image, str) and image.startswith(("https://", "data:image/"))):
        raise _invalid("image", "must be an https or data URL")
    values.pop("user", None)
    for name in values:
        if name not in OPTIONS:
            raise Refusal(UNSUPPORTED, f"{model} does not support {name}: leave it out.", param=name)
    return VideoRequest(model=model, prompt=prompt, seconds=seconds, image=image, options=values)


def _invalid(name: str, must: str) -> Refusal:
    return Refusal(INVALID_REQUEST, f"{name} {must}.", param=name)
