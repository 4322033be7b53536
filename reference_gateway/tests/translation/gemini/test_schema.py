"""Schemas on their way to Gemini and from its clients."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from reference_gateway.translation.gemini.schema import Inexpressible, from_openapi, native, to_openapi


@pytest.mark.parametrize(
    ("schema", "made", "changes"),
    [
        ({"type": "string"}, {"type": "STRING"}, ()),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}, ()),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}, ()),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}, ()),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}, ()),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"]}, ()),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}, ()),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER", "description": "One of [1, 2]."}, ("$: enum",)),
        ({"type": "string", "format": "email"}, {"type": "STRING"}, ("$: format",)),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}, ()),
        ({"type": "array"}, {"type": "ARRAY", "items": {}}, ()),
        (
            {"items": {"type": "integer", "exclusiveMinimum": 1}},
            {"type": "ARRAY", "items": {"type": "INTEGER"}},
            ("$[]: exclusiveMinimum",),
        ),
        ({"type": "object", "additionalProperties": False}, {"type": "OBJECT"}, ()),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}, ("$: additionalProperties",)),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "minLength": 2}}}, {"type": "STRING", "minLength": 2}, ()),
        ({"allOf": [{"type": "string"}]}, {"type": "STRING"}, ()),
        ({"$schema": "x", "description": "d", "title": "t", "type": "boolean"}, {"type": "BOOLEAN", "title": "t", "description": "d"}, ()),
    ],
)
def test_to_the_subset_of_openapi(schema: dict[str, Any], made: dict[str, Any], changes: tuple[str, ...]) -> None:
    found = to_openapi(schema)
    assert (found.schema, found.changes) == (made, changes)
    types.Schema.model_validate(found.schema)


def test_properties_keep_their_order() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "null"}}, "required": ["b", "c"]}
    with pytest.raises(Inexpressible):
        to_openapi(schema)
    del schema["properties"]["a"]  # type: ignore[attr-defined]  # a literal of mixed values
    assert to_openapi(schema).schema == {
        "type": "OBJECT",
        "properties": {"b": {"type": "STRING"}},
        "propertyOrdering": ["b"],
        "required": ["b"],
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"$ref": "other.json"},
        {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        {"type": "date"},
        {"type": "null"},
        {"properties": []},
        {"items": 7},
    ],
)
def test_what_cannot_be_said_in_it(schema: dict[str, Any]) -> None:
    with pytest.raises(Inexpressible):
        to_openapi(schema)


def test_the_vendor_s_part_of_json_schema() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {"const": {"const": 1}, "list": {"type": "array", "items": {"$ref": "#/definitions/a"}, "uniqueItems": True}},
        "definitions": {"a": {"type": "string", "pattern": "x"}},
        "additionalProperties": {"minLength": 1},
    }
    found = native(schema)
    assert found.schema == {
        "type": "object",
        "properties": {"const": {"enum": [1]}, "list": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        "$defs": {"a": {"type": "string"}},
        "additionalProperties": {},
    }
    assert found.changes == ("$.list: uniqueItems", "$.definitions.a: pattern", "$.*: minLength")


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "enum": ["a"], "format": "enum", "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"any_of": [{"type": "STRING"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "ARRAY", "min_items": "2", "items": {"type": "NUMBER"}}, {"type": "array", "minItems": 2, "items": {"type": "number"}}),
        ({"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}, {"type": "object", "properties": {"a_b": {"type": "string"}}}),
        ({"type": "TYPE_UNSPECIFIED", "example": 1}, {"examples": [1]}),
        ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
    ],
)
def test_from_the_subset_of_openapi(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert from_openapi(schema) == made
    jsonschema_rs.validator_for(made)


schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from(
        [{"type": kind} for kind in ("string", "integer", "number", "boolean")]
        + [{"type": "string", "enum": ["a", "b"]}, {"type": ["integer", "null"]}, {"const": "a"}, {"type": "number", "minimum": 2}]
    ),
    lambda inner: (
        inner.map(lambda items: {"type": "array", "items": items, "maxItems": 2})
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=2).map(
            lambda members: {"type": "object", "properties": members, "required": list(members)}
        )
        | st.lists(inner, min_size=2, max_size=2).map(lambda choices: {"anyOf": choices})
    ),
    max_leaves=5,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "x"]) | st.floats(-3, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=5,
)


@given(schema=schemas, value=values)
def test_there_and_back_a_schema_allows_the_same(schema: dict[str, Any], value: Any) -> None:
    there = to_openapi(schema)
    assert there.changes == ()
    types.Schema.model_validate(there.schema)
    back = from_openapi(there.schema)
    assert jsonschema_rs.is_valid(schema, value) == jsonschema_rs.is_valid(back, value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 1.5},
        {"type": {"a": 1}},
        {"allOf": [{"properties": {}}], "properties": 5},
        {"$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}, "$ref": "#/$defs/d0"},  # doubles each time
    ],
)
def test_what_is_no_schema_or_too_much_of_one_is_said_so(schema: dict[str, Any]) -> None:
    with pytest.raises(Inexpressible):
        to_openapi(schema)


def test_members_that_are_no_names_are_passed_over() -> None:
    assert to_openapi({"properties": {"a": {}}, "required": [["a"], {}, "a"]}).schema["required"] == ["a"]
    assert to_openapi({"allOf": [{"required": ["a"]}], "required": 5, "properties": {"a": {}}}).schema["required"] == ["a"]
    assert from_openapi({"properties": {"a": {}}, "propertyOrdering": [["a"], {}, "a"]})["properties"] == {"a": {}}
