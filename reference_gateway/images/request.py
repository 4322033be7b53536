"""What a caller asks of the images surface, read from JSON (generations, tasks) or from a form (edits); OpenAI's names throughout.

Judged here is what money and delivery depend on, and what no vendor behind this surface could do. Everything else is the vendor's to
judge: a native vendor gets the request as it stands, a translated one says which members it has no words for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from reference_gateway.errors import INVALID_REQUEST, UNSUPPORTED, Refusal
from reference_gateway.images import multipart

MAX_IMAGES: Final = 4  # contract:212
MAX_PIXELS: Final = 4096 * 4096  # contract:213
MAX_PROMPT_CHARACTERS: Final = 32_000
MAX_INPUT_IMAGES: Final = 16
_SIZE: Final = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")
NAMED_SIZES: Final = ("auto", "1K", "2K", "4K")
_IMAGE_FIELDS: Final = ("image", "image[]")


class Delivery(StrEnum):
    URL = "url"
    B64_JSON = "b64_json"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """The request object, and its members each as it stood."""

    body: bytes
    members: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    content_type: bytes
    body: bytes
    parts: tuple[multipart.Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """`others` are the members that this file does not read, decoded; `source` is the request as it stood."""

    model: str
    prompt: str
    n: int
    size: str | None
    quality: str | None
    delivery: Delivery
    images: tuple[InputImage, ...]
    mask: InputImage | None
    others: Mapping[str, Any]
    source: Json | Form

    @property
    def is_edit(self) -> bool:
        return isinstance(self.source, Form)


def pixels(size: str | None) -> tuple[int, int] | None:
    """Width and height; None where the size is left to the vendor or given by name."""
    match = _SIZE.fullmatch(size or "")
    return (int(match[1]), int(match[2])) if match is not None else None


def read_json(body: bytes) -> ImageRequest:
    """Raises Refusal (400) with the member's name."""
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        values: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(INVALID_REQUEST, f"The request body is not a JSON object: {error}.") from None
    return _request(values, Json(body=body, members=members), (), None)


def read_form(content_type: bytes, body: bytes) -> ImageRequest:
    """Raises Refusal (400) with the field's name."""
    delimiter = multipart.boundary(content_type)
    if delimiter is None:
        raise Refusal(INVALID_REQUEST, "Image edits take multipart/form-data with a boundary.")
    fields = tuple(multipart.parts(body, delimiter))
    values: dict[str, Any] = {}
    images: list[InputImage] = []
    mask: InputImage | None = None
    for part in fields:
        data = body[part.span[0] : part.span[1]]
        if part.name in _IMAGE_FIELDS or part.name == "mask":
            if part.filename is None or not data:
                raise _invalid(part.name.removesuffix("[]"), "must be a file")
            image = InputImage(data=data, content_type=part.content_type or "application/octet-stream")
            if part.name == "mask":
                mask = image
            else:
                images.append(image)
        elif part.name in values:
            raise _invalid(part.name, "must stand in the request once")
        else:
            values[part.name] = _text(part.name, data)
    if not images:
        raise _invalid("image", "must be a file")
    if len(images) > MAX_INPUT_IMAGES:
        raise _invalid("image", f"must be at most {MAX_INPUT_IMAGES} files")
    return _request(values, Form(content_type=content_type, body=body, parts=fields), tuple(images), mask)


def _text(name: str, data: bytes) -> Any:
    """A form knows only texts: whole numbers and booleans are read as what they spell."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _invalid(name, "must be UTF-8 text") from None
    if name in ("prompt", "model", "user"):
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _request(values: dict[str, Any], source: Json | Form, images: tuple[InputImage, ...], mask: InputImage | None) -> ImageRequest:
    model, prompt = values.pop("model", None), values.pop("prompt", None)
    if not isinstance(model, str) or not model:
        raise _invalid("model", "must be a string that names a model")
    if not isinstance(prompt, str) or not prompt or len(prompt) > MAX_PROMPT_CHARACTERS:
        raise _invalid("prompt", f"must be a text of 1 to {MAX_PROMPT_CHARACTERS} characters")
    n = values.pop("n", None)
    n = 1 if n is None else n
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MAX_IMAGES:
        raise _invalid("n", f"must be a whole number from 1 to {MAX_IMAGES}")
    delivery = values.pop("response_format", None) or Delivery.URL
    if delivery not in list(Delivery):
        raise _invalid("response_format", "must be url or b64_json")
    for name in ("stream", "partial_images"):
        if values.pop(name, None):
            raise Refusal(
                UNSUPPORTED, f"{name} is not supported for images: leave it out, or submit a task and stream its state.", param=name
            )
    return ImageRequest(
        model=model,
        prompt=prompt,
        n=n,
        size=_size(values.pop("size", None)),
        quality=_word("quality", values.pop("quality", None)),
        delivery=Delivery(delivery),
        images=images,
        mask=mask,
        others={name: value for name, value in values.items() if value is not None},
        source=source,
    )


def _size(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or (value not in NAMED_SIZES and _SIZE.fullmatch(value) is None):
        raise _invalid("size", "must be WIDTHxHEIGHT, or auto")
    area = pixels(value)
    if area is not None and area[0] * area[1] > MAX_PIXELS:
        raise _invalid("size", "must be at most 4096x4096 pixels")
    return value


def _word(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _invalid(name, "must be a string")
    return value


def _invalid(name: str, must: str) -> Refusal:
    return Refusal(INVALID_REQUEST, f"{name} {must}.", param=name)
