"""Values made to fit a JSON Schema: arguments of tool calls and structured outputs.

Knows what structured outputs of the vendors may hold (objects, arrays, enums, unions, local references, bounds), in JSON Schema's
spelling and in Gemini's (types in capitals, `nullable`).
"""

from __future__ import annotations

import re
from typing import Any, Final

_DEPTH: Final = 12
_FORMATS: Final = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NAME: Final = re.compile(r"\b[A-Z]\w+")


def value(schema: dict[str, Any], prompt: str) -> Any:
    return _Maker(schema, prompt).make(schema, "value", _DEPTH)


def arguments(schema: dict[str, Any], prompt: str) -> dict[str, Any]:
    made = value(schema, prompt) if schema else {}
    return made if isinstance(made, dict) else {}


class _Maker:
    def __init__(self, root: dict[str, Any], prompt: str) -> None:
        self._root = root
        names = _NAME.findall(prompt)
        self._noun = names[-1] if names else ""  # "weather in Tokyo?" asks about Tokyo

    def make(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict):
            return self._string({}, name)
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        for union in ("anyOf", "oneOf"):
            if isinstance(schema.get(union), list) and schema[union]:
                return self.make(self._leaf(schema[union], depth), name, depth - 1)
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            merged = {key: item for part in schema["allOf"] if isinstance(part, dict) for key, item in self._resolved(part).items()}
            return self.make(merged, name, depth - 1)
        match self._type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                count = max(int(schema.get("minItems", 1) or 0), 0) if depth > 0 else int(schema.get("minItems", 0) or 0)
                return [self.make(schema.get("items", {}), name, depth - 1) for _ in range(count)]
            case "integer":
                return int(self._number(schema, whole=True))
            case "number":
                return self._number(schema, whole=False)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        for _ in range(_DEPTH):
            pointer = schema.get("$ref")
            if not isinstance(pointer, str) or not pointer.startswith("#"):
                return schema
            found: Any = self._root
            for part in pointer.lstrip("#").split("/"):
                if part:
                    found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
            schema = found if isinstance(found, dict) else {}
        return {}

    def _leaf(self, options: list[Any], depth: int) -> Any:
        """The first choice; near the bound of a recursive schema, one that goes no deeper."""
        if depth > _DEPTH // 2:
            return options[0]
        flat = [option for option in options if isinstance(option, dict) and self._type(self._resolved(option)) not in ("object", "array")]
        return flat[0] if flat else options[0]

    @staticmethod
    def _type(schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((item for item in kind if item != "null"), "null")
        if isinstance(kind, str):
            return kind.lower()
        return "object" if "properties" in schema else "string"

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        required = schema.get("required", ())
        wanted = required if depth <= _DEPTH // 2 and isinstance(required, list) else properties
        return {name: self.make(properties.get(name, {}), name, depth - 1) for name in wanted}

    @staticmethod
    def _number(schema: dict[str, Any], *, whole: bool) -> float:
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is None and schema.get("exclusiveMinimum") is not None:
            low = schema["exclusiveMinimum"] + (1 if whole else 0.5)
        if high is None and schema.get("exclusiveMaximum") is not None:
            high = schema["exclusiveMaximum"] - (1 if whole else 0.5)
        step = schema.get("multipleOf")
        number = low if low is not None else min(1, high) if high is not None else 1
        if step:
            number = -(-number // step) * step
        return float(number)

    def _string(self, schema: dict[str, Any], name: str) -> str:
        text = _FORMATS.get(schema.get("format", "")) or self._noun or name
        shortest, longest = int(schema.get("minLength", 0)), schema.get("maxLength")
        text = text.ljust(shortest, ".")
        return text[: int(longest)] if longest is not None else text
