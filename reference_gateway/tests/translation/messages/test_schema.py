"""A client's JSON schema, as far as the vendor can be held to it."""

from typing import Any

import pytest

from reference_gateway.translation.messages.schema import native


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        closed(a={"type": "string", "format": "date", "description": "x", "title": "A", "default": "y"}),
        closed(a={"type": ["string", "null"]}, b={"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        closed(a={"enum": ["x", 1, None]}, b={"const": True}, c={"anyOf": [{"type": "null"}, closed()]}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b={"type": "number"})}},
        {"type": "array", "items": {"type": "string"}},
    ],
)
def test_what_the_vendor_knows_stays_as_it_is(schema: dict[str, Any]) -> None:
    made = native(schema)
    assert made is not None
    assert made.schema == schema
    assert made.changes == ()


@pytest.mark.parametrize(
    ("given", "made", "changes"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "integer", "description": "{minimum: 1}"}, ("$.a: minimum",)),
        (
            {"type": "string", "pattern": "^é$", "description": "x"},
            {"type": "string", "description": 'x\n\n{pattern: "^é$"}'},
            ("$.a: pattern",),
        ),
        ({"type": "string", "format": "color"}, {"type": "string", "description": '{format: "color"}'}, ("$.a: format",)),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 2},
            {"type": "array", "items": {"type": "string"}, "description": "{minItems: 2}"},
            ("$.a: minItems",),
        ),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, ("$.a: oneOf",)),
        (
            {"type": "object", "properties": {"b": {"type": "null"}}},
            {"type": "object", "properties": {"b": {"type": "null"}}, "required": [], "additionalProperties": False},
            ("$.a: additionalProperties",),
        ),
    ],
)
def test_what_it_does_not_know_is_moved_and_told(given: dict[str, Any], made: dict[str, Any], changes: tuple[str, ...]) -> None:
    found = native(closed(a=given))
    assert found is not None
    assert found.schema == closed(a=made)
    assert found.changes == changes


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {},
        closed(a={}),
        closed(a=True),
        closed(a={"type": "array"}),
        closed(a={"type": "object", "additionalProperties": {"type": "string"}}),
        closed(a={"type": "object", "properties": {"b": {"type": "null"}}, "additionalProperties": True}),
        closed(a={"type": "object", "patternProperties": {"x": {}}, "additionalProperties": False}),
        closed(a={"$ref": "https://x/y.json"}),
        closed(a={"$ref": "#"}),
        closed(a={"type": "tuple"}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b={"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]})}},
        {**closed(**{f"a{i}": {"type": "string"} for i in range(25)}), "required": []},
        closed(**{f"a{i}": {"type": ["string", "null"]} for i in range(17)}),
    ],
)
def test_what_the_vendor_cannot_make(schema: dict[str, Any]) -> None:
    assert native(schema) is None


def test_the_clients_schema_is_not_touched() -> None:
    schema = closed(a={"type": "integer", "minimum": 1})
    before = repr(schema)
    native(schema)
    assert repr(schema) == before


def test_what_is_required_is_a_list() -> None:
    for required in (True, 1.5, {"a": 1}, "a"):
        assert native({**closed(a={"type": "string"}), "required": required}) is None


def test_many_ways_to_one_definition_are_followed_once() -> None:
    step = [closed(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"}) for n in range(60)]
    definitions = {f"d{n}": each for n, each in enumerate([*step, {"type": "string"}])}
    assert native({**closed(a={"$ref": "#/$defs/d0"}), "$defs": definitions}) is not None
    definitions["d60"] = closed(a={"$ref": "#/$defs/d0"})
    assert native({**closed(a={"$ref": "#/$defs/d0"}), "$defs": definitions}) is None
