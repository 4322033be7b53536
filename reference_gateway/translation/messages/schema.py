"""What a JSON schema has to become for Claude's own structured output, which holds the model to a part of JSON schema only.

What the vendor does not check is moved into the description beside it, where the model may read it; each such change is told. The answer
is judged against the client's own schema in any case (translation.md 3.9).

Source: anthropic-structured-outputs "JSON Schema limitations"; the vendor's refusals of 25 optional members, 17 unions and recursion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_LITERALS: Final = (str, int, float, bool, type(None))
_FORMATS: Final = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_TYPES: Final = {"object", "array", "string", "integer", "number", "boolean", "null"}
_DEFINITIONS: Final = ("$defs", "definitions")
_IGNORED: Final = {"$schema", "$id", "$comment", "examples"}  # they ask nothing of a value
_MOST_OPTIONAL: Final = 24
_MOST_UNIONS: Final = 16
_DEEPEST: Final = 64


class _Inexpressible(Exception):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The schema that the vendor takes. `changes` says of each keyword that it is not held to, and where: "$.size: minimum"."""

    schema: dict[str, Any]
    changes: tuple[str, ...]


def native(schema: Mapping[str, Any]) -> Native | None:
    """None where the vendor could not produce what the schema wants: maps of any names, values of any type, recursion, too many choices."""
    maker = _Maker()
    try:
        made = maker.make(schema, "$", 0)
        if maker.optional > _MOST_OPTIONAL or maker.unions > _MOST_UNIONS or _recursive(made):
            return None
    except _Inexpressible:
        return None
    return Native(schema=made, changes=tuple(maker.changes))


class _Maker:
    def __init__(self) -> None:
        self.changes: list[str] = []
        self.optional = 0
        self.unions = 0

    def make(self, schema: object, at: str, depth: int) -> dict[str, Any]:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            raise _Inexpressible
        left = {name: value for name, value in schema.items() if name not in _IGNORED}
        made: dict[str, Any] = {}
        for name in _DEFINITIONS:
            if name in left:
                definitions = _mapping(left.pop(name))
                made[name] = {key: self.make(value, f"{at}.{name}.{key}", depth + 1) for key, value in definitions.items()}
        if "$ref" in left:
            made["$ref"] = left.pop("$ref")
            if not str(made["$ref"]).startswith("#"):
                raise _Inexpressible
            self.changes += [f"{at}: {name}" for name in left if name not in ("title", "description")]
            return made
        self._kinds(left, made, at, depth)
        for name in ("title", "description", "default"):
            if name in left:
                made[name] = left.pop(name)
        if left:
            self.changes += [f"{at}: {name}" for name in left]
            told = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in left.items())
            made["description"] = f"{made['description']}\n\n{{{told}}}" if made.get("description") else f"{{{told}}}"
        return made

    def _kinds(self, left: dict[str, Any], made: dict[str, Any], at: str, depth: int) -> None:
        """What kind of value it is: literals, one of several, or a type with its members."""
        enum = left.get("enum")
        if isinstance(enum, list) and enum and all(isinstance(value, _LITERALS) for value in enum):
            made["enum"] = left.pop("enum")
        if "const" in left and isinstance(left["const"], _LITERALS):
            made["const"] = left.pop("const")
        for name, new in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
            choices = left.get(name)
            if new in made or not isinstance(choices, list) or not choices:
                continue
            made[new] = [self.make(choice, f"{at}.{name}[{number}]", depth + 1) for number, choice in enumerate(choices)]
            del left[name]
            if name != "allOf":
                self.unions += 1
            if name != new:
                self.changes.append(f"{at}: {name}")
        kinds = left.pop("type", None)
        if kinds is None:
            if not made.keys() & {"enum", "const", "anyOf", "allOf"}:
                raise _Inexpressible
            return
        if made.keys() & {"enum", "const"}:
            return  # the literals have their types
        named = kinds if isinstance(kinds, list) else [kinds]
        if not named or not _TYPES.issuperset(map(str, named)):
            raise _Inexpressible
        self.unions += len(named) > 1
        made["type"] = kinds
        if "object" in named and "anyOf" not in made and "allOf" not in made:
            self._object(left, made, at, depth)
        if "array" in named:
            self._array(left, made, at, depth)
        if "string" in named and left.get("format") in _FORMATS:
            made["format"] = left.pop("format")

    def _object(self, left: dict[str, Any], made: dict[str, Any], at: str, depth: int) -> None:
        properties, required = _mapping(left.pop("properties", {})), left.pop("required", [])
        if not isinstance(required, list):
            raise _Inexpressible
        more = left.pop("additionalProperties", None)
        if more not in (None, False) or "patternProperties" in left or (not properties and more is None):
            raise _Inexpressible  # an object of any members: the vendor only makes those that are named
        if more is None:
            self.changes.append(f"{at}: additionalProperties")
        made["properties"] = {name: self.make(value, f"{at}.{name}", depth + 1) for name, value in properties.items()}
        made["required"] = required
        made["additionalProperties"] = False
        self.optional += sum(name not in required for name in properties)

    def _array(self, left: dict[str, Any], made: dict[str, Any], at: str, depth: int) -> None:
        if "items" not in left:
            raise _Inexpressible
        made["items"] = self.make(left.pop("items"), f"{at}[]", depth + 1)
        if left.get("minItems") in (0, 1):
            made["minItems"] = left.pop("minItems")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Inexpressible
    return value


def _recursive(schema: Mapping[str, Any]) -> bool:
    """A definition that comes back to itself, or a reference to the whole."""
    uses = {f"#/{name}/{key}": _references(value) for name in _DEFINITIONS for key, value in schema.get(name, {}).items()}
    if "#" in _references(schema):
        return True

    straight: set[str] = set()  # known not to come back: each is followed once, however many ways lead there

    def comes_back(name: str, way: frozenset[str]) -> bool:
        if name in straight:
            return False
        if name in way or any(comes_back(used, way | {name}) for used in uses.get(name, ())):
            return True
        straight.add(name)
        return False

    return any(comes_back(start, frozenset()) for start in uses)


def _references(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, Mapping):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(_references, value.values()))
