"""How much work it is to judge a value by a client's JSON schema, before it is done.

A schema of a few lines may refer to itself in several ways at once, and then what has to be looked at doubles with each level, of the
schema or of the value: minutes of a process that serves others meanwhile. Here each pair of a schema and a value is counted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_BESIDE: Final = ("allOf", "anyOf", "oneOf")
_ALONE: Final = ("not", "if", "then", "else")
_OF_MEMBERS: Final = ("additionalProperties", "unevaluatedProperties")
_OF_ELEMENTS: Final = ("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems")


class TooMuch(Exception):
    pass


def work(schema: Mapping[str, Any], value: object, most: int) -> int:
    """Schemas that are looked at, each as often as it is. Raises TooMuch above `most`."""
    try:
        return _Work(schema, most).of(schema, value)
    except RecursionError:
        raise TooMuch from None


class _Work:
    def __init__(self, root: Mapping[str, Any], most: int) -> None:
        self._root = root
        self._most = most
        self._known: dict[tuple[int, int], int] = {}

    def of(self, schema: object, value: object) -> int:
        if not isinstance(schema, Mapping):
            return 1
        pair = (id(schema), id(value))
        if pair in self._known:
            return self._known[pair]
        self._known[pair] = 0  # it comes back to itself without having moved: judges end there
        total = 1
        for inner, at in self._inner(schema, value):
            total += self.of(inner, at)
            if total > self._most or len(self._known) > self._most:
                raise TooMuch
        self._known[pair] = total
        return total

    def _inner(self, schema: Mapping[str, Any], value: object) -> Iterator[tuple[object, object]]:
        for name in _BESIDE:
            for each in _list(schema.get(name)):
                yield each, value
        for name in _ALONE:
            if name in schema:
                yield schema[name], value
        for each in _object(schema.get("dependentSchemas")).values():
            yield each, value
        if isinstance(schema.get("$ref"), str):
            yield self._target(schema["$ref"]), value
        if isinstance(value, Mapping):
            named, patterns = _object(schema.get("properties")), _object(schema.get("patternProperties"))
            for name, member in value.items():
                if name in named:
                    yield named[name], member
                for each in patterns.values():
                    yield each, member
                for word in _OF_MEMBERS:
                    if word in schema:
                        yield schema[word], member
        elif isinstance(value, list):
            for word in _OF_ELEMENTS:
                if word in schema:
                    for each in _list(schema[word]) or [schema[word]]:
                        for element in value:
                            yield each, element

    def _target(self, reference: str) -> object:
        """What is not found is believed to be the whole."""
        found: object = self._root
        if reference.startswith("#/"):
            for step in reference[2:].split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        return self._root if found is None else found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
