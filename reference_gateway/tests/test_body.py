import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from reference_gateway import body
from reference_gateway.errors import Refusal
from reference_gateway.routes import Surface

NAMES = st.sampled_from(["model", "modem", "x", "mo\\del", "messages"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["gpt-5-5", '"model"', "a\\", "{", "é\u2028"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES.filter(lambda name: name != "model"), VALUES, max_size=4), st.booleans(), st.integers(0, 3), st.data())
def test_the_model_is_replaced_in_place_and_nothing_else(
    rest: dict[str, object], ascii_only: bool, indent: int, data: st.DataObject
) -> None:
    names = [*rest, "model"]
    order = data.draw(st.permutations(names))
    value = {name: "gpt-5-5" if name == "model" else rest[name] for name in order}
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent or None).encode()
    facts = body.read(raw, Surface.CHAT)
    assert facts.model == "gpt-5-5"
    assert body.with_model(raw, facts, "gpt-5-5") is raw
    changed = body.with_model(raw, facts, 'o"x')
    assert json.loads(changed) == {**value, "model": 'o"x'}
    start, end = facts.model_span
    assert changed == raw[:start] + b'"o\\"x"' + raw[end:]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","\\u006dodel":"b"}',
        b'{"\\u006dodel":"a","model":"b"}',
        b'{"model":"a","x":{"model":"c"},"model":"a"}',
        b'{"model":null}',
        b'{"model":""}',
        b'{"model":["a"]}',
        b"{}",
        b"[" * 100_000,
    ],
)
def test_a_request_that_names_no_model_or_two_is_refused(raw: bytes) -> None:
    """Two names could be two models: one that the gateway checks and prices, one that the vendor runs."""
    with pytest.raises(Refusal) as refused:
        body.read(raw, Surface.CHAT)
    assert refused.value.fault.status == 400


def test_a_key_spelled_with_escapes_is_found() -> None:
    raw = b'{"a":{"model":"no"},"\\u006d\\u006Fdel" : "gpt"}'
    facts = body.read(raw, Surface.CHAT)
    assert body.with_model(raw, facts, "x") == b'{"a":{"model":"no"},"\\u006d\\u006Fdel" : "x"}'


@pytest.mark.parametrize(
    ("surface", "raw", "cap", "choices"),
    [
        (Surface.CHAT, b'{"model":"m","max_tokens":7}', 7, 1),
        (Surface.CHAT, b'{"model":"m","max_tokens":7,"max_completion_tokens":9,"n":3}', 9, 3),
        (Surface.CHAT, b'{"model":"m","max_tokens":"many","n":true}', None, 1),
        (Surface.RESPONSES, b'{"model":"m","max_output_tokens":5,"n":3}', 5, 1),
        (Surface.MESSAGES, b'{"model":"m","max_tokens":11}', 11, 1),
        (Surface.GEMINI, b'{"generationConfig":{"maxOutputTokens":13,"candidateCount":2}}', 13, 2),
        (Surface.GEMINI, b"{}", None, 1),
    ],
)
def test_the_output_cap(surface: Surface, raw: bytes, cap: int | None, choices: int) -> None:
    facts = body.read(raw, surface)
    assert (facts.output_cap, facts.choices) == (cap, choices)


def test_the_estimate_counts_texts_only() -> None:
    raw = json.dumps({"model": "a-very-long-model-name", "messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 41}]}]})
    assert body.estimate_input_tokens(raw.encode()) == 10
    assert body.estimate_input_tokens(b"nonsense") == 0


LONG = [{"role": "user", "content": 'x "model": {' * 3000}]
NESTED = [{"role": "user", "model": "other", "content": "y" * 40_000}]


@pytest.mark.parametrize("messages", [LONG, NESTED])
@pytest.mark.parametrize("place", ["first", "last", "middle"])
def test_the_model_of_a_long_body_wherever_it_stands(messages: list[object], place: str) -> None:
    given_first: dict[str, object] = {"model": "gpt-5-5"} if place == "first" else {}
    rest: dict[str, object] = {"user": "z" * 5000, "tools": [{"model": "t"}]} if place == "middle" else {"tools": [{"model": "t"}]}
    value = {**given_first, "messages": messages, "model": "gpt-5-5", **(rest if place != "last" else {})}
    raw = json.dumps(value).encode()
    facts = body.read(raw, Surface.CHAT)
    assert json.loads(body.with_model(raw, facts, "other-name")) == {**value, "model": "other-name"}


@pytest.mark.parametrize("second", [b'"model"', b'"mod\\u0065l"', b'"\\u006dodel"'])
@pytest.mark.parametrize("in_front", [True, False])
def test_a_second_model_in_a_long_body_is_refused(second: bytes, in_front: bool) -> None:
    raw = json.dumps({"model": "a", "messages": LONG}).encode()
    member = second + b':"b"'
    raw = b"{" + member + b"," + raw[1:] if in_front else raw[:-1] + b"," + member + b"}"
    with pytest.raises(Refusal, match="once"):
        body.read(raw, Surface.CHAT)


MESSAGES = json.dumps([{"role": "user", "content": '"model": 1 ' * 3000}]).encode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"model":"a","messages":%b}',
        b'{"messages": %b, "n":1, "model" : "a"}',
        b'{"messages":[1],"model":"a","messages":%b}',
        b'{"x":{"messages":[]},"model":"a","messages":%b}',
        b'{"messages":%b,"x":{"model":2},"model":"a"}',
        b'{"messages":%b,"tools":[{"model":"b"}],"model":"a"}',
        b'{"x":"messages","model":"a","messages":%b}',
    ],
)
def test_the_model_of_a_long_request_is_found_beside_its_messages(data: bytes) -> None:
    data %= MESSAGES
    found = body.usual(data)
    assert found is not None
    members, (start, end) = found
    assert (members.model, data[start:end]) == ("a", b'"a"')
    assert body.read(data, Surface.CHAT).model_span == (start, end)
    assert json.loads(body.renamed(data, (start, end), "b")) == {**json.loads(data), "model": "b"}


@pytest.mark.parametrize(
    "data",
    [
        b'{"model":"a","messages":%b,"model":"b"}',
        b'{"messages":%b,"mod\\u0065l":"b","model":"a"}',
        b'{"model":"a","messages":[],"model":"b","messages":%b}',
    ],
)
def test_a_long_request_with_two_models_is_not_usual(data: bytes) -> None:
    assert body.usual(data % MESSAGES) is None


@pytest.mark.parametrize(
    "more",
    [{"max_tokens": True}, {"n": "1"}, {"prompt_cache_key": "k"}, {"logprobs": True}, {"top_logprobs": 2}, {"stream": 1}, {"model": 3}],
)
def test_what_must_be_looked_at_is_not_usual(more: dict[str, object]) -> None:
    assert body.usual(json.dumps({"model": "a", "messages": [], **more}).encode()) is None
