"""What a model cannot do is refused by name, before a vendor is asked (contract:084, contract:085, contract:086, contract:136).

A model can do what its capability tags say. Only requests for models that lack one of these tags are looked into.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NoReturn

import msgspec

from reference_gateway.body import Facts
from reference_gateway.catalog import Model
from reference_gateway.errors import UNSUPPORTED, Refusal
from reference_gateway.routes import Surface

TOOLS: Final = "tool_use"
IMAGES: Final = "vision"
SCHEMA: Final = "json_schema"
LOGPROBS: Final = "logprobs"
LOOKED_FOR: Final = (TOOLS, IMAGES, SCHEMA)

_CONVERSATION: Final = {Surface.CHAT: "messages", Surface.RESPONSES: "input", Surface.MESSAGES: "messages", Surface.GEMINI: "contents"}
_IMAGE_PART: Final = {Surface.CHAT: "image_url", Surface.RESPONSES: "input_image", Surface.MESSAGES: "image"}
_INSIDE: Final = ("content", "parts", "output")  # where parts stand in turns and results; a tool's arguments are nobody's parts
_BLOBS: Final = ("inlineData", "inline_data", "fileData", "file_data")
_SCHEMAS: Final = ("responseSchema", "response_schema", "responseJsonSchema", "response_json_schema")


def lacking(capabilities: Collection[str]) -> frozenset[str]:
    return frozenset(LOOKED_FOR) - frozenset(capabilities)


def check(model: Model, surface: Surface, facts: Facts, request: bytes) -> None:
    """Raises Refusal: 400 `unsupported_feature`. The request is known to be a JSON object."""
    if facts.logprobs and LOGPROBS not in model.capabilities:
        _refuse(model, "gives no logprobs", LOGPROBS, "logprobs")
    if not model.lacking or surface not in _CONVERSATION:
        return
    # A search first: where none of these words stands, nothing need be decoded.
    tools = TOOLS in model.lacking and (b'"tools"' in request or b'"functions"' in request)
    images = IMAGES in model.lacking and b"image" in request
    schema = SCHEMA in model.lacking and surface is Surface.GEMINI and b"chema" in request
    if not (tools or images or schema):
        return
    members: dict[str, Any] = msgspec.json.decode(request)
    for name in ("tools", "functions"):
        if tools and members.get(name):
            _refuse(model, "takes no tools", TOOLS, name)
    conversation = _CONVERSATION[surface]
    if images and _has_image(surface, members.get(conversation)):
        _refuse(model, "takes no images", IMAGES, conversation)
    config = members.get("generationConfig") or members.get("generation_config")
    if schema and isinstance(config, dict):
        for name in _SCHEMAS:
            if config.get(name):
                _refuse(model, "keeps to no schema", SCHEMA, f"generationConfig.{name}")


def _has_image(surface: Surface, value: object) -> bool:
    if isinstance(value, list):
        return any(_has_image(surface, item) for item in value)
    if not isinstance(value, dict):
        return False
    if surface is Surface.GEMINI:
        blobs = [blob for name in _BLOBS if isinstance(blob := value.get(name), dict)]
        here = any(str(blob.get("mimeType") or blob.get("mime_type")).startswith("image/") for blob in blobs)
    else:
        here = value.get("type") == _IMAGE_PART[surface]
    return here or any(_has_image(surface, value.get(name)) for name in _INSIDE)


def _refuse(model: Model, cannot: str, tag: str, param: str) -> NoReturn:
    raise Refusal(
        UNSUPPORTED,
        f"The model {model.id} {cannot}: leave {param} out, or ask a model that /v1/models?capability={tag} lists.",
        param=param,
    )
