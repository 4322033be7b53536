"""Gemini's two kinds of schema: JSON schema of a part of its words, and the subset of OpenAPI 3.0 that older models and clients have.

Each change that a conversion makes is told, with its place: "$.size: minimum". What a structured answer says is judged against the
client's own schema in any case (translation.md 3.9).

Source: gemini-generate-content "Schema", "responseJsonSchema"; translation.md 3.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEEPEST: Final = 64
_MOST: Final = 10_000  # schemas in one, each counted wherever it is put in the place of a reference

# responseJsonSchema: what the vendor says it reads; all else is passed over in silence, so it is left out and told.
_JSON_WORDS: Final = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems"),
    *("maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required", "propertyOrdering"),
}
# Schema: those of one value that are the same in both.
_SAME: Final = ("title", "description", "default", "pattern", "minimum", "maximum")
_COUNTS: Final = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_FORMATS: Final = {"string": {"date-time", "enum"}, "number": {"float", "double"}, "integer": {"int32", "int64"}}
_TYPES: Final = {"object", "array", "string", "integer", "number", "boolean", "null"}
_IGNORED: Final = {"$schema", "$id", "$comment", "$anchor", "$defs", "definitions"}  # they ask nothing of a value here
_TOLD_NOTHING: Final = {"propertyOrdering"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    schema: dict[str, Any]
    changes: tuple[str, ...]


class Inexpressible(Exception):
    """The schema cannot be said to the vendor: `args[0]` says what of it."""


# JSON schema -> the part of it that responseJsonSchema has


def native(schema: Mapping[str, Any]) -> Converted:
    """Raises Inexpressible."""
    changes: list[str] = []
    return Converted(schema=_native(schema, "$", changes, 0), changes=tuple(changes))


def _native(schema: object, at: str, changes: list[str], depth: int) -> dict[str, Any]:
    if isinstance(schema, bool) or not isinstance(schema, Mapping):
        if schema is True:
            return {}
        raise Inexpressible(f"{at} is no object")
    if depth > _DEEPEST:
        raise Inexpressible(f"{at} is too deep")
    made: dict[str, Any] = {}
    for name, value in schema.items():
        match name:
            case "const":
                made["enum"] = [value]
            case "definitions":
                made["$defs"] = {
                    key: _native(inner, f"{at}.{name}.{key}", changes, depth + 1) for key, inner in _mapping(value, at).items()
                }
            case "$ref":
                made[name] = str(value).replace("#/definitions/", "#/$defs/")
            case "$defs" | "properties":
                made[name] = {key: _native(inner, f"{at}.{key}", changes, depth + 1) for key, inner in _mapping(value, at).items()}
            case "items" if isinstance(value, Mapping):
                made[name] = _native(value, f"{at}[]", changes, depth + 1)
            case "additionalProperties" if isinstance(value, Mapping):
                made[name] = _native(value, f"{at}.*", changes, depth + 1)
            case "anyOf" | "oneOf" | "prefixItems" if isinstance(value, list):
                made[name] = [_native(inner, f"{at}.{name}[{i}]", changes, depth + 1) for i, inner in enumerate(value)]
            case "$schema" | "$comment" | "examples":
                pass
            case _ if name in _JSON_WORDS:
                made[name] = value
            case _:
                changes.append(f"{at}: {name}")
    return made


def _mapping(value: object, at: str) -> Mapping[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise Inexpressible(f"{at} has members that are no object")
    return value


# JSON schema -> the subset of OpenAPI


def to_openapi(schema: Mapping[str, Any]) -> Converted:
    """References are put in place, a choice with null is `nullable`, a constant an enum of one. Raises Inexpressible for recursion."""
    maker = _OpenApi(schema)
    return Converted(schema=maker.make(schema, "$", 0), changes=tuple(dict.fromkeys(maker.changes)))


class _OpenApi:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._made = 0  # schemas so far
        self.changes: list[str] = []

    def make(self, schema: object, at: str, depth: int) -> dict[str, Any]:
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            raise Inexpressible(f"{at} is no object")
        self._made += 1
        if depth > _DEEPEST or self._made > _MOST:
            raise Inexpressible(f"{at} refers to itself, or there is too much of it")
        left = {name: value for name, value in schema.items() if name not in _IGNORED}
        if "$ref" in left:
            target = self._resolve(left.pop("$ref"), at)
            return self.make({**target, **left}, at, depth + 1)
        left = self._merged(left, at)
        made: dict[str, Any] = {}
        self._kind(left, made, at, depth)
        for name in _SAME:
            if name in left:
                made[name] = left.pop(name)
        for name in _COUNTS:
            if isinstance(left.get(name), int):
                made[name] = left.pop(name)
        self._literals(left, made, at)
        if left.get("format") in _FORMATS.get(str(made.get("type", "")).lower(), ()):
            made["format"] = left.pop("format")
        self._members(left, made, at, depth)
        if left.pop("additionalProperties", False) is not False:
            self.changes.append(f"{at}: additionalProperties")
        self.changes += [f"{at}: {name}" for name in left if name not in _TOLD_NOTHING]
        return made

    def _resolve(self, reference: object, at: str) -> Mapping[str, Any]:
        value: object = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Inexpressible(f"{at} refers to another document")
        for name in filter(None, reference.removeprefix("#").split("/")):
            value = value.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping):
            raise Inexpressible(f"{at} refers to {reference}, which is not there")
        return value

    def _merged(self, left: dict[str, Any], at: str) -> dict[str, Any]:
        """An allOf of several is one object of all their members, which is not quite the same."""
        parts = left.pop("allOf", None)
        if not isinstance(parts, list) or not parts:
            return left
        if len(parts) > 1 or left.keys() & {"properties", "anyOf"}:
            self.changes.append(f"{at}: allOf")
        for part in parts:
            inner = self._resolve(part["$ref"], at) if isinstance(part, Mapping) and "$ref" in part else part
            for name, value in _mapping(inner, at).items():
                if name == "properties":
                    left["properties"] = {**_mapping(left.get("properties", {}), at), **_mapping(value, at)}
                elif name == "required" and isinstance(value, list):
                    known = left.get("required")
                    left["required"] = [*(known if isinstance(known, list) else ()), *value]
                else:
                    left.setdefault(name, value)
        return left

    def _kind(self, left: dict[str, Any], made: dict[str, Any], at: str, depth: int) -> None:
        kinds = left.pop("type", None)
        named = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else [] if kinds is None else [kinds]
        if not _TYPES.issuperset(map(str, named)):
            raise Inexpressible(f"{at} has a type that is none of JSON's")
        choices = [choice for name in ("anyOf", "oneOf") if isinstance(left.get(name), list) for choice in left.pop(name)]
        if ("null" in named and len(named) > 1) or any(_is_null(choice) for choice in choices):
            made["nullable"] = True
        elif named == ["null"]:
            raise Inexpressible(f"{at} is nothing but null")
        named = [kind for kind in named if kind != "null"]
        choices = [choice for choice in choices if not _is_null(choice)]
        if len(named) > 1:
            choices += [{"type": kind} for kind in named]
        elif named:
            made["type"] = named[0].upper()
        if len(choices) == 1:
            only = self.make(choices[0], at, depth + 1)
            made |= {name: value for name, value in only.items() if name not in left}
        elif choices:
            made["anyOf"] = [self.make(choice, f"{at}.anyOf[{i}]", depth + 1) for i, choice in enumerate(choices)]

    def _literals(self, left: dict[str, Any], made: dict[str, Any], at: str) -> None:
        """The vendor's enum is of strings."""
        values = left.pop("enum", None)
        if "const" in left:
            values = [left.pop("const")]
        if values is None:
            return
        if not isinstance(values, list):
            raise Inexpressible(f"{at} has an enum that is no list")
        if None in values:
            made["nullable"] = True
            values = [value for value in values if value is not None]
        if all(isinstance(value, str) for value in values):
            made["enum"] = values
            made.setdefault("type", "STRING")
            return
        self.changes.append(f"{at}: enum")
        told = f"One of {json.dumps(values, ensure_ascii=False)}."
        made["description"] = f"{made['description']} {told}" if made.get("description") else told

    def _members(self, left: dict[str, Any], made: dict[str, Any], at: str, depth: int) -> None:
        properties = _mapping(left.pop("properties", {}), at)
        required = left.pop("required", None)
        if properties:
            made.setdefault("type", "OBJECT")
            made["properties"] = {name: self.make(value, f"{at}.{name}", depth + 1) for name, value in properties.items()}
            made["propertyOrdering"] = list(properties)
        if isinstance(required, list) and (known := [name for name in properties if name in required]):
            made["required"] = known
        if "items" in left:
            made.setdefault("type", "ARRAY")
            made["items"] = self.make(left.pop("items"), f"{at}[]", depth + 1)
        elif made.get("type") == "ARRAY":
            made["items"] = {}


def _is_null(choice: object) -> bool:
    return isinstance(choice, Mapping) and choice.get("type") == "null"


# the subset of OpenAPI -> JSON schema


def from_openapi(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Members in the order that propertyOrdering wants. Raises Inexpressible for what is no schema."""
    return _from_openapi(schema, "$", 0)


def _from_openapi(schema: object, at: str, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict) or depth > _DEEPEST:  # JSON has no other mapping
        raise Inexpressible(f"{at} is no object, or too deep")
    given = schema
    if "_" in "".join(schema):
        given = {camel(name): value for name, value in schema.items() if value is not None}
    nullable = given.get("nullable") is True
    made: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        match name:
            case "type":
                kinds = [str(kind).lower() for kind in value] if isinstance(value, list) else str(value).lower()
                if kinds != "type_unspecified":
                    made["type"] = [kinds, "null"] if nullable and isinstance(kinds, str) and kinds != "null" else kinds
            case "properties":
                inner = {key: _from_openapi(member, f"{at}.{key}", depth + 1) for key, member in _mapping(value, at).items()}
                order = given.get("propertyOrdering")
                first = [key for key in order if isinstance(key, str) and key in inner] if isinstance(order, list) else []
                made["properties"] = {key: inner[key] for key in dict.fromkeys([*first, *inner])} if first else inner
            case "items" if isinstance(value, Mapping):
                made["items"] = _from_openapi(value, f"{at}[]", depth + 1)
            case "anyOf" if isinstance(value, list):
                made["anyOf"] = [_from_openapi(choice, f"{at}.anyOf[{i}]", depth + 1) for i, choice in enumerate(value)]
            case "example":
                made["examples"] = [value]
            case "enum" if nullable and isinstance(value, list) and None not in value:
                made["enum"] = [*value, None]
            case "nullable" | "propertyOrdering":
                pass
            case "format" if value == "enum":
                pass
            case _ if name in _COUNTS and isinstance(value, str) and value.isdecimal():  # int64 is a string in Google's JSON
                made[name] = int(value)
            case _:
                made[name] = value
    if nullable and "type" not in made:
        if "anyOf" in made:
            made["anyOf"] = [*made["anyOf"], {"type": "null"}]
        elif made:
            made = {"anyOf": [made, {"type": "null"}]}
    return made


def camel(name: str) -> str:
    """Google takes either spelling of its own words; `$defs` and what begins with a dash below are not its own."""
    if "_" not in name:
        return name
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest) if first and rest else name
