"""Images as OpenAI (`/v1/images/*`) and Volcengine's Ark (`/api/v3/images/generations`) answer with them; the pictures are made in code."""

from __future__ import annotations

import base64
import re
import time
from typing import Any, Final
from urllib.parse import quote, unquote

from reference_gateway.operations.vendor import picture
from reference_gateway.operations.vendor.script import tokens
from reference_gateway.operations.vendor.wire import Unreadable, count

MAX_SIDE: Final = 4096
_SIZE: Final = re.compile(r"(\d{2,4})x(\d{2,4})")
_FIELD: Final = re.compile(rb'name="([^"]+)"(?:\r\n[^\r\n]+)*\r\n\r\n(.*?)\r\n--', re.DOTALL)
PICTURE_PATH: Final = b"/pictures/"


def form(body: bytes) -> dict[str, Any]:
    """The text fields of a multipart form; a file's field is there too, without its bytes."""
    fields: dict[str, Any] = {}
    for match in _FIELD.finditer(body):
        file = b"filename=" in match[0].split(b"\r\n\r\n", 1)[0]
        fields[match[1].decode()] = "" if file else match[2].decode(errors="replace")
    if isinstance(fields.get("n"), str) and fields["n"].isdigit():
        fields["n"] = int(fields["n"])
    return fields


def _wanted(body: dict[str, Any]) -> tuple[str, int, tuple[int, int]]:
    """Prompt, how many, width and height."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Unreadable("Missing required parameter: 'prompt'.")
    number = count(body.get("n", 1))
    if number is None or not 1 <= number <= 10:
        raise Unreadable("'n' must be from 1 to 10.")
    match = _SIZE.fullmatch(str(body.get("size", "")))
    size = (int(match[1]), int(match[2])) if match else (1024, 1024)
    if max(size) > MAX_SIDE:
        raise Unreadable(f"'size' is over {MAX_SIDE}x{MAX_SIDE}.")
    return prompt, number, size


def openai(body: dict[str, Any]) -> dict[str, Any]:
    prompt, number, size = _wanted(body)
    data = [{"b64_json": base64.b64encode(picture.png(prompt, *size, variant)).decode()} for variant in range(number)]
    text = tokens(prompt)
    return {
        "created": int(time.time()),
        "background": "opaque",
        "data": data,
        "output_format": "png",
        "quality": body.get("quality", "medium"),
        "size": f"{size[0]}x{size[1]}",
        "usage": {
            "input_tokens": text,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": text},
            "output_tokens": 1056 * number,
            "total_tokens": text + 1056 * number,
        },
    }


def ark(body: dict[str, Any], base_url: str) -> dict[str, Any]:
    """One picture, or, with sequential generation, as many as `max_images` says."""
    prompt, number, size = _wanted(body)
    options = body.get("sequential_image_generation_options")
    if body.get("sequential_image_generation") == "auto" and isinstance(options, dict):
        number = count(options.get("max_images")) or 1
    shown = f"{size[0]}x{size[1]}"
    data = []
    for variant in range(number):
        if body.get("response_format", "url") == "b64_json":
            data.append({"b64_json": base64.b64encode(picture.png(prompt, *size, variant)).decode(), "size": shown})
        else:
            data.append({"url": f"{base_url}{PICTURE_PATH.decode()}{shown}/{variant}/{quote(prompt[:200], safe='')}.png", "size": shown})
    usage = {"generated_images": number, "output_tokens": 4096 * number, "total_tokens": 4096 * number}
    return {"model": body.get("model"), "created": int(time.time()), "data": data, "usage": usage}


def fetched(path: bytes) -> bytes | None:
    """The picture that a URL of `ark` names."""
    shown, _, rest = path.removeprefix(PICTURE_PATH).decode("latin-1").partition("/")
    variant, _, name = rest.partition("/")
    match = _SIZE.fullmatch(shown)
    if match is None or not variant.isdigit() or max(int(match[1]), int(match[2])) > MAX_SIDE:
        return None
    return picture.png(unquote(name.removesuffix(".png")), int(match[1]), int(match[2]), int(variant))
