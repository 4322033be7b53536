"""The JSON Schemas of `schemas/`: whether a value has the shape a vendor's client relies on, and where each rule comes from.

A schema's name is its path without `.json`: `chat/chunk`, `messages/event`. In answers, unknown fields, events,
blocks and enum words pass; a request (`chat/request`) is closed, since a vendor refuses what it does not know, or takes no notice.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind

from harness.data import data_dir

_SHOWN: Final = 80  # characters of a value that a violation shows
_TYPES: Final = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place where a value is not what its schema says."""

    pointer: str  # JSON pointer (RFC 6901) into the value, "" for the whole
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that a rule rests on, as `schemas/sources.toml` has it."""

    key: str
    url: str
    title: str
    read: date
    hash: str  # "sha256:..." of what `hash_of` names
    hash_of: str
    rests: str  # which schemas and suites rest on it
    says: str  # the passage that was hashed, "" where a file was


def names() -> tuple[str, ...]:
    """Every schema's name, sorted."""
    root = data_dir("schemas")
    return tuple(sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.json")))


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema as it stands; a name that is not there is a KeyError that lists those that are."""
    path = data_dir("schemas") / f"{name}.json"
    if name not in names():
        raise KeyError(f"no schema is called {name!r}; there are {', '.join(names())}")
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """A compiled validator; `validator(name).is_valid(value)` is the cheap question."""
    return jsonschema_rs.Draft202012Validator(schema(name), registry=_registry())


def findings(name: str, value: object) -> tuple[Violation, ...]:
    """What is wrong with a parsed JSON value, in document order; empty when nothing is."""
    seen = dict.fromkeys(_violation(leaf) for error in validator(name).iter_errors(value) for leaf in _leaves(error))
    return tuple(sorted(seen, key=lambda violation: violation.pointer))


def source(key: str) -> Source:
    """A source by its key; an unknown key is a KeyError that says where to add it."""
    try:
        return sources()[key]
    except KeyError:
        raise KeyError(f"no source is called {key!r}; add it to schemas/sources.toml") from None


@cache
def sources() -> dict[str, Source]:
    """Every source by its key, in the order of the file."""
    table = tomllib.loads((data_dir("schemas") / "sources.toml").read_text(encoding="utf-8"))
    return {key: Source(key=key, **{"says": "", **fields}) for key, fields in table.items()}


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([(body["$id"], body) for body in map(schema, names()) if "$id" in body])


def _leaves(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    """The errors to show: of an anyOf, the branch that came nearest, which is the one with the fewest complaints."""
    match error.kind:
        case ValidationErrorKind.AnyOf(context=branches) | ValidationErrorKind.OneOfNotValid(context=branches) if any(branches):
            for nearest in min((branch for branch in branches if branch), key=len):
                yield from _leaves(nearest)
        case _:
            yield error


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error.instance_path)
    return Violation(pointer=pointer, expected=_expected(error), got=_got(error))


def _expected(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case ValidationErrorKind.Required(property=key):
            return f"the key {key}"
        case ValidationErrorKind.AdditionalProperties(unexpected=keys):
            return f"no key {', '.join(keys)}"
        case ValidationErrorKind.Type(types=types):
            return " or ".join(types)
        case ValidationErrorKind.Constant(expected_value=value):
            return json.dumps(value)
        case ValidationErrorKind.Enum(options=options):
            return "one of " + ", ".join(json.dumps(option) for option in options)
        case ValidationErrorKind.Pattern(pattern=pattern):
            return f"text matching {pattern}"
        case ValidationErrorKind.Minimum(limit=limit):
            return f"at least {limit}"
        case ValidationErrorKind.Maximum(limit=limit):
            return f"at most {limit}"
        case ValidationErrorKind.MinLength():
            return "text that is not empty"
        case ValidationErrorKind.MinItems(limit=limit):
            return f"at least {limit} item"
        case ValidationErrorKind.MaxItems(limit=limit):
            return f"at most {limit} items"
        case _:
            return error.message


def _got(error: jsonschema_rs.ValidationError) -> str:
    if isinstance(error.kind, ValidationErrorKind.Required):
        return "an object without it"
    value = error.instance
    kind = next((name for kind, name in _TYPES if isinstance(value, kind)), "null")
    text = json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return "null" if value is None else f"{kind} {shown}"
