"""What the two protocols of OpenAI, chat and Responses, have in common as upstreams."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from reference_gateway.translation.items import Ask, Inline, Malformed, Text

LONGEST_NAME: Final = 64  # of a tool, a schema, and of a safety_identifier
SERVICE_TIERS: Final = {name: name for name in ("auto", "default", "flex", "scale", "priority", "fast")} | {"standard_only": "default"}
ONLY_JSON: Final = "Answer with one JSON object, and nothing else."

# Source: OpenAI, "Structured Outputs", supported schemas: with any other keyword a strict schema is refused.
_STRICT_KEYWORDS: Final = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "definitions"),
    *("description", "title", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}
_STRICT_DEPTH: Final = 10


def strict_clean(schema: Mapping[str, Any]) -> bool:
    """A strict vendor takes it as it is: objects are closed and all their properties required. Made strict, any other would change."""
    return schema.get("type") == "object" and _strict_clean(schema)


def _strict_clean(schema: object, depth: int = 0) -> bool:
    if depth > _STRICT_DEPTH or not isinstance(schema, Mapping) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    inner: list[object] = [schema["items"]] if "items" in schema else []
    any_of = schema.get("anyOf", [])
    named = [schema.get(name, {}) for name in ("properties", "$defs", "definitions")]
    if not isinstance(any_of, list) or not all(isinstance(each, Mapping) for each in named):
        return False
    inner += any_of
    for each in named:
        inner += each.values()
    properties, required, kinds = named[0], schema.get("required", []), schema.get("type", [])
    if properties or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if len(required) != len(properties) or any(name not in required for name in properties):
            return False
    return all(_strict_clean(each, depth + 1) for each in inner)


def says_json(ask: Ask) -> bool:
    """The word is in the prompt, without which json_object is refused."""
    items = (*ask.system, *(item for turn in ask.turns for item in turn.items))
    return any(isinstance(item, Text) and "json" in item.text.lower() for item in items)


def safety_identifier(user: str) -> str:
    return user if len(user) <= LONGEST_NAME else sha256(user.encode("utf-8", "surrogatepass")).hexdigest()


def data_uri(source: Inline) -> str:
    return f"data:{source.media_type};base64,{source.base64}"


def text_of(source: Inline, path: str) -> str:
    """A document of text. Raises Malformed."""
    try:
        return base64.b64decode(source.base64, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise Malformed(path, f"Send the text of {path} as UTF-8 in base64.") from problem
