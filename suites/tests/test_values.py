"""The parts that suites share: values compared as spelled, fields kept or added, structured output."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verdict import Failed, Inconclusive, Passed
from suites.fields import all_kept, none_added
from suites.structured import obeys
from suites.values import differences, keys_of, plain, spelled

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_differs_from_itself_in_nothing(value: Any) -> None:
    exact = spelled(json.dumps(value))
    assert plain(exact) == value
    assert list(differences(exact, exact)) == []
    if isinstance(value, dict | list):
        assert isinstance(all_kept([(value, value, None)]), Passed)
        assert isinstance(none_added([(value, value, None)]), Passed)


@pytest.mark.parametrize(
    ("one", "other", "pointer"),
    [
        ("1.0", "1", ""),
        ("1e2", "100", ""),
        ("9007199254740993", "9007199254740992", ""),
        ('"1"', "1", ""),
        ("0", "false", ""),
        ('{"a": [1, {"b/c": null}]}', '{"a": [1, {"b/c": 0}]}', "/a/1/b~1c"),
        ('{"a": null}', "{}", "/a"),
        ("[1, 2]", "[1]", ""),
    ],
)
def test_a_difference_is_found_where_it_is(one: str, other: str, pointer: str) -> None:
    for expected, got in ((one, other), (other, one)):
        (found,) = differences(spelled(expected), spelled(got))
        assert found.pointer == pointer


def test_long_texts_show_the_place_where_they_part() -> None:
    (found,) = differences("a" * 500 + "b", "a" * 500 + "c")
    assert "at character 500" in found.got
    assert len(found.got) < 200


def test_text_that_is_no_json_is_none() -> None:
    assert spelled("{") is None


def test_of_a_lost_object_only_itself_is_told() -> None:
    sent = {"a": {"b": {"c": 1}, "d": [{"e": None}]}}
    assert [pointer for pointer, null in keys_of(sent) if null] == ["/a/d/0/e"]
    verdict = all_kept([(sent, {"a": {"d": [{}]}}, None)])
    assert isinstance(verdict, Failed)
    assert [found.pointer for found in verdict.findings] == ["/a/b", "/a/d/0/e"]
    added = none_added([({"a": {"d": [{}]}}, sent, None)])
    assert isinstance(added, Failed)
    assert [found.pointer for found in added.findings] == ["/a/b", "/a/d/0/e"]


def test_null_and_a_value_are_not_the_same_field() -> None:
    assert isinstance(all_kept([({"a": None}, {"a": 1}, None)]), Failed)
    assert isinstance(all_kept([({"a": 1}, {"a": None}, None)]), Failed)
    assert isinstance(all_kept([]), Inconclusive)


def test_structured_output_is_judged_by_the_clients_own_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert isinstance(obeys('{"n": 1}', schema), Passed)
    broken = obeys('{"n": "1"}', schema)
    assert isinstance(broken, Failed)
    assert broken.findings[0].pointer == "/n"
    assert isinstance(obeys('```json\n{"n": 1}\n```', schema), Failed)
    assert isinstance(obeys("{}", {"type": 7}), Inconclusive)
