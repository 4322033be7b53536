import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import WireError, json_text

SPELLED = [
    "1.0",
    "1e-05",
    "5.829126566113866e-6",
    "0.00007096703991005882",
    "1E5",
    "-0",
    "-0.0",
    "0.10",
    "1e400",
    "12345678901234567890",
    "7" * 2000,
]


@pytest.mark.parametrize("number", SPELLED)
def test_numbers_come_back_as_spelled(number: str) -> None:
    text = f'{{"n":{number},"list":[{number}]}}'
    assert json_text.write(json_text.read(text)) == text


def test_a_spelled_number_is_still_a_number() -> None:
    value = json_text.read("1E5")
    assert value == 100000.0
    assert isinstance(value, float)


def test_key_order_and_repeated_keys_are_kept_and_noticed() -> None:
    text = '{"b":1,"a":{"x":1,"x/y":[{"k":1,"k":2}],"x":3},"c":[]}'
    value = json_text.read(text)
    assert json_text.write(value) == text
    assert list(json_text.repeated_keys(value)) == ["/a/x", "/a/x~1y/0/k"]
    assert isinstance(value, dict)
    assert value["a"]["x"] == 3  # type: ignore[index,call-overload]  # the last one counts, as in every JSON reader


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ('{"a":1', 6),
        ('{"é":1}x', 8),
        ("[NaN]", 1),
        ("[1,-Infinity]", 3),
        ('{"a":01}', 6),
        ("\ufeff{}", 0),
        ('"a\nb"', 2),
        ("{'a':1}", 1),
        (b'{"a":"\xff"}', 6),
        ("<html>", 0),
        ("[" * 201, 200),
        ("[" * 100_000, 200),
    ],
)
def test_what_is_not_json_says_where(text: str | bytes, offset: int) -> None:
    with pytest.raises(WireError) as caught:
        json_text.read(text)
    assert caught.value.offset == offset


def test_brackets_inside_strings_are_not_depth() -> None:
    text = json.dumps(["[{" * 500, '\\"[' * 300])
    assert json_text.read(text) == ["[{" * 500, '\\"[' * 300]


def test_two_hundred_levels_are_read_and_written() -> None:
    text = "[" * 200 + "]" * 200
    assert json_text.write(json_text.read(text)) == text


def test_a_lone_surrogate_goes_back_to_its_escape() -> None:
    text = '{"a":"\\ud83d","b":"\u2028"}'
    assert json_text.write_bytes(json_text.read(text)) == text.encode()


VALUE: Any = {"a": "é<>", "b": [1, 2.0, {}], "c": [], "d": None, "e": {"f": True}}


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (json_text.TIGHT, '{"a":"é<>","b":[1,2.0,{}],"c":[],"d":null,"e":{"f":true}}'),
        (json_text.SPACED, '{"a": "é<>", "b": [1, 2.0, {}], "c": [], "d": null, "e": {"f": true}}'),
        (json_text.GEMINI_SSE, '{"a": "é\\u003c\\u003e","b": [1,2.0,{}],"c": [],"d": null,"e": {"f": true}}'),
        (
            json_text.PRETTY_ASCII,
            '{\n  "a": "\\u00e9<>",\n  "b": [\n    1,\n    2.0,\n    {}\n  ],\n  "c": [],\n  "d": null,\n  "e": {\n    "f": true\n  }\n}',
        ),
    ],
)
def test_styles(style: json_text.Style, text: str) -> None:
    assert json_text.write(VALUE, style) == text
    assert json_text.read(text) == VALUE


def test_four_spaces_and_a_newline() -> None:
    assert json_text.write({"a": {"b": 1}}, json_text.PRETTY_4) == '{\n    "a": {\n        "b": 1\n    }\n}\n'


def test_infinity_of_our_own_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        json_text.write(float("inf"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
STYLES = [json_text.TIGHT, json_text.PRETTY, json_text.PRETTY_ASCII, json_text.SPACED, json_text.GEMINI_SSE]


@given(values, st.sampled_from(STYLES))
def test_written_in_any_style_reads_back_the_same(value: Any, style: json_text.Style) -> None:
    read = json_text.read(json_text.write_bytes(value, style))
    assert json_text.write(read) == json_text.write(value)


@given(values)
def test_tight_and_pretty_agree_with_the_standard_library(value: Any) -> None:
    assert json_text.write(value, json_text.TIGHT) == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert json_text.write(value, json_text.PRETTY_ASCII) == json.dumps(value, indent=2)


@given(st.text() | st.binary())
def test_garbage_is_a_wire_error_or_a_value(text: str | bytes) -> None:
    size_bytes = len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    offset = 0
    try:
        json_text.read(text)
    except WireError as wrong:
        offset = wrong.offset
    assert 0 <= offset <= size_bytes
