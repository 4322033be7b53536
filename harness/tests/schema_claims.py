"""What a schema claims about each place of one value: the keys it requires there and the types it takes.

A small walk of our own, so that a rule without effect (a `then` never reached, a reference to nothing) shows as a mutant that passes.
What stands under `anyOf` is left out: a change there may well satisfy another branch.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from referencing import Registry

Step = str | int
Reached = tuple[tuple[Step, ...], dict[str, Any], bool]


@dataclass(slots=True, kw_only=True)
class Claim:
    path: tuple[Step, ...]
    required: set[str] = field(default_factory=set)
    types: set[str] | None = None  # None: any type is taken
    closed: bool = False  # no other key than those that are described

    @property
    def pointer(self) -> str:
        return "/" + "/".join(str(step) for step in self.path)

    def without(self, seed: Any, key: str) -> Any:
        mutant = json.loads(json.dumps(seed))  # a part that stands in several places is changed in one
        del _at(mutant, self.path)[key]
        return mutant

    def added(self, seed: Any, key: str) -> Any:
        mutant = json.loads(json.dumps(seed))  # a part that stands in several places is changed in one
        _at(mutant, self.path)[key] = {"a": [None]}
        return mutant

    def replaced(self, seed: Any, value: Any) -> Any:
        if not self.path:
            return value
        mutant = json.loads(json.dumps(seed))  # a part that stands in several places is changed in one
        _at(mutant, self.path[:-1])[self.path[-1]] = value
        return mutant


def claims(schema: dict[str, Any], seed: Any, registry: "Registry[Any]") -> list[Claim]:
    """One claim for each place of the seed that the schema reaches."""
    found: dict[tuple[Step, ...], Claim] = {}
    validator = jsonschema.Draft202012Validator(schema, registry=registry)
    for path, part, typed in _reached(validator, schema, seed, (), typed=True):
        claim = found.setdefault(path, Claim(path=path))
        if isinstance(place := _at(seed, path), dict):
            claim.required |= set(part.get("required", ())) & place.keys()
            claim.closed = claim.closed or part.get("additionalProperties") is False
        if typed and (types := _types(part)) is not None:
            claim.types = types if claim.types is None else claim.types & types
    return list(found.values())


def _types(part: dict[str, Any]) -> set[str] | None:
    match part:
        case {"const": str()}:
            return {"string"}
        case {"type": str() as one}:
            types = {one}
        case {"type": list() as several}:
            types = set(several)
        case _:
            return None
    return types | {"integer"} if "number" in types else types


def _reached(validator: Any, part: dict[str, Any], value: Any, path: tuple[Step, ...], *, typed: bool) -> Iterator[Reached]:
    """Each subschema that applies to a place of the value.

    `typed` is False where an `if` about the type of this very place led here: another type would have led elsewhere.
    """
    yield path, part, typed
    if "$ref" in part:
        resolved = validator._resolver.lookup(part["$ref"])
        inner = validator.evolve(schema=resolved.contents, _resolver=resolved.resolver)
        yield from _reached(inner, resolved.contents, value, path, typed=typed)
    for member in part.get("allOf", ()):
        yield from _reached(validator, member, value, path, typed=typed)
    if "if" in part:
        branch = part.get("then" if validator.evolve(schema=part["if"]).is_valid(value) else "else", {})
        yield from _reached(validator, branch, value, path, typed=typed and "type" not in part["if"])
    match value:
        case dict():
            described = part.get("properties", {})
            others = part.get("additionalProperties")
            for key, held in value.items():
                if (inner := described.get(key, others)) is not None:
                    yield from _reached(validator, inner, held, (*path, key), typed=True)
        case list() if "items" in part:
            for index, item in enumerate(value):
                yield from _reached(validator, part["items"], item, (*path, index), typed=True)


def _at(value: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
