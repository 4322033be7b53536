from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from harness.wire import WireError, chat, gemini, json_text, messages, responses, sse, typed
from harness.wire.json_text import Json
from harness.wire.typed import Wire


class Cat(Wire, frozen=True, kw_only=True):
    type: Literal["cat"] = "cat"
    lives: int


class Dog(Wire, frozen=True, kw_only=True):
    name: str | UnsetType | None = UNSET
    type: Literal["dog"] = "dog"


class OtherPet(Wire, frozen=True, kw_only=True):
    type: str


class Home(Wire, frozen=True, kw_only=True):
    pets: tuple[Cat | Dog | OtherPet, ...]
    rooms: int | UnsetType | None = UNSET
    size: float | UnsetType = UNSET
    kind: str | UnsetType = "flat"
    anything: Json | UnsetType = UNSET


def round_trip(text: str) -> tuple[Home, str]:
    home = typed.read(Home, json_text.read(text))
    return home, json_text.write(typed.plain(home))


@pytest.mark.parametrize(
    "text",
    [
        '{"pets":[]}',
        '{"rooms":null,"pets":[],"kind":"house"}',
        '{"pets":[{"type":"cat","lives":9},{"type":"dog","name":null},{"type":"newt","x":1.50}],"size":1,"new":{"b":1,"a":2}}',
        '{"new":1,"pets":[{"lives":9,"type":"cat"}]}',
        '{"pets":[],"anything":{"z":1,"z":2},"size":1.0}',
        '{"pets":[],"rooms":"many","kind":null}',
    ],
)
def test_nothing_is_lost(text: str) -> None:
    assert round_trip(text)[1] == text


def test_absent_null_and_present_differ() -> None:
    assert round_trip('{"pets":[]}')[0].rooms is UNSET
    assert round_trip('{"pets":[],"rooms":null}')[0].rooms is None
    assert round_trip('{"pets":[],"rooms":2}')[0].rooms == 2


def test_a_default_is_for_new_values_not_for_what_was_read() -> None:
    assert Home(pets=()).kind == "flat"
    assert round_trip('{"pets":[]}')[0].kind is UNSET


def test_a_union_is_read_by_tag() -> None:
    home, _ = round_trip('{"pets":[{"type":"cat","lives":9},{"type":"dog"},{"type":"newt","legs":4}]}')
    assert home.pets == (Cat(lives=9), Dog(), OtherPet(type="newt", extra_fields={"legs": 4}))


def test_declared_order_is_not_remembered_and_any_other_is() -> None:
    assert round_trip('{"pets":[],"size":1,"new":2}')[0].key_order == ()
    home, _ = round_trip('{"size":1,"pets":[{"type":"dog","name":"Rex"}]}')
    assert home.key_order == ("size", "pets")
    assert json_text.write(typed.plain(typed.in_declared_order(home))) == '{"pets":[{"name":"Rex","type":"dog"}],"size":1}'


def test_a_misfit_inside_an_optional_field_is_reported_where_it_is() -> None:
    delta = typed.read(chat.Delta, {"tool_calls": [{"index": 0}, {"index": 1, "id": "c"}, 5]})
    assert delta.tool_calls is UNSET
    assert list(typed.misfits(delta)) == [("/tool_calls/2", "expected an object, got an integer")]


def test_a_value_of_another_type_is_kept_and_reported() -> None:
    home, _ = round_trip('{"pets":[{"type":"dog","name":5}],"rooms":true}')
    assert home.rooms is UNSET
    assert dict(typed.misfits(home)) == {
        "/rooms": "expected an integer or null, got a boolean",
        "/pets/0/name": "expected a string or null, got an integer",
    }


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        ("[]", "", "expected an object, got an array"),
        ("{}", "/pets", "expected an array, got nothing"),
        ('{"pets":{}}', "/pets", "expected an array, got an object"),
        ('{"pets":[{"type":"dog"},{"type":"cat"}]}', "/pets/1/lives", "expected an integer, got nothing"),
        ('{"pets":[{"type":"cat","lives":"9"}]}', "/pets/0/lives", "expected an integer, got a string"),
        ('{"pets":[{"lives":9}]}', "/pets/0/type", "expected cat or dog, got nothing"),
        ('{"pets":[{"type":"cat","lives":9,"lives":8}]}', "/pets/0", "expected an object, got the key lives twice"),
        ('{"pets":[7]}', "/pets/0", "expected an object, got an integer"),
    ],
)
def test_what_makes_no_sense_says_where(text: str, pointer: str, message: str) -> None:
    with pytest.raises(WireError) as caught:
        typed.read(Home, json_text.read(text), offset=40)
    assert (caught.value.pointer, caught.value.message, caught.value.offset) == (pointer, message, 40)


def test_a_tag_of_another_class_is_refused() -> None:
    with pytest.raises(WireError, match="expected cat, got 'dog'"):
        typed.read(Cat, {"type": "dog", "lives": 9})


KEYS = [
    "type", "choices", "delta", "index", "content", "tool_calls", "function", "arguments", "usage", "error", "message", "object", "id",
    "content_block", "text", "thinking", "partial_json", "response", "output", "item", "part", "output_index", "content_index",
    "candidates", "parts", "usageMetadata", "promptTokenCount", "finishReason", "finish_reason", "prompt_tokens_details",
]  # fmt: skip
TAGS = [
    "message_start", "content_block_start", "content_block_delta", "message_delta", "error", "ping", "text", "tool_use", "text_delta",
    "response.created", "response.completed", "response.output_item.added", "response.output_text.delta", "message", "output_text",
    "chat.completion.chunk",
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.5, *TAGS]) | st.text(max_size=3)
odd_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner | st.sampled_from(TAGS), max_size=5),
    max_leaves=25,
)
odd_objects = st.dictionaries(st.sampled_from(KEYS), odd_values, max_size=6)


def frame_of(data: str) -> sse.Frame:
    (frame,) = sse.frames(sse.write(event="x", data=data))
    return frame


@given(st.one_of(odd_objects, st.tuples(st.sampled_from(TAGS), odd_objects).map(lambda pair: {"type": pair[0], **pair[1]})))
def test_odd_events_are_kept_whole_or_a_wire_error(value: dict[str, Json]) -> None:
    text = json_text.write(value)
    for protocol in (chat, responses, messages, gemini):
        try:
            event = protocol.decode_event(frame_of(text))
        except WireError:
            continue
        protocol.is_terminal(event)
        protocol.usage_of(event)
        (again,) = sse.frames(protocol.encode_event(event))
        assert json_text.write(json_text.read(again.data or "")) == text


@pytest.mark.parametrize("protocol", [chat, responses, messages, gemini])
@pytest.mark.parametrize("data", ["", "5", "null", "[]", "[DONE]xyz", "<html>", '{"a":', '"x"', "{'type':'ping'}", "[" * 5000])
def test_data_that_is_no_object_is_a_wire_error_at_its_byte(protocol: object, data: str) -> None:
    body = sse.write(data="{}") + sse.write(event="é", data=data)
    frame = sse.frames(body)[1]
    with pytest.raises(WireError) as caught:
        protocol.decode_event(frame)  # type: ignore[attr-defined]
    assert body.index(data.encode(), 12) <= caught.value.offset <= len(body) if data else caught.value.offset <= len(body)


@pytest.mark.parametrize("protocol", [chat, responses, messages, gemini])
def test_a_frame_without_data_is_unknown_and_comes_back(protocol: object) -> None:
    raw = b": keep-alive\n\n"
    event = protocol.decode_event(sse.frames(raw)[0])  # type: ignore[attr-defined]
    assert (event.raw, event.value) == (raw, UNSET)
    assert protocol.encode_event(event) == raw  # type: ignore[attr-defined]
