from dataclasses import replace
from typing import Any

import pytest

from harness.case import Surface
from harness.exchange import Exchange, SdkError, SdkReading
from harness.verdict import Failed, Inconclusive, Passed
from suites.chat import content, sdk, stream, tools, usage
from suites.chat.reading import client_choices
from suites.tests.traffic import data_frames, made

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
COUNTS = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def chunk(delta: dict[str, Any], finish: str | None = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def call(index: int, arguments: str, **first: Any) -> dict[str, Any]:
    named = {"id": first["id"], "type": "function"} if first else {}
    name = {"name": first["name"]} if first else {}
    return {"tool_calls": [{"index": index, **named, "function": {**name, "arguments": arguments}}]}


def streamed(*values: Any, asked: dict[str, Any] | None = None) -> Exchange:
    return made(Surface.CHAT, data_frames(*values, "[DONE]"), asked=asked)


INTERLEAVED = (
    chunk({"role": "assistant", "content": None}),
    chunk(call(0, "", id="call_a", name="one")),
    chunk(call(1, "", id="call_b", name="two")),
    chunk(call(1, '{"b":')),
    chunk(call(0, '{"a": 9007199254740993')),
    chunk(call(1, " 2}")),
    chunk(call(0, "}")),
    chunk({}, "tool_calls"),
)


def test_interleaved_fragments_are_joined_by_their_index() -> None:
    exchange = streamed(*INTERLEAVED, asked={"tools": []})
    calls = client_choices(exchange)[0].calls
    assert [(one.id, one.name, one.text) for one in calls.values()] == [
        ("call_a", "one", '{"a": 9007199254740993}'),
        ("call_b", "two", '{"b": 2}'),
    ]
    for check in (
        tools.check_index_present,
        tools.check_indexes_in_order,
        tools.check_named_once,
        tools.check_own_ids,
        tools.check_arguments_are_json,
        tools.check_finish_tells_of_calls,
    ):
        assert isinstance(check(exchange), Passed), check


def test_a_big_integer_in_arguments_is_compared_by_its_digits() -> None:
    rounded = data_frames(*INTERLEAVED, "[DONE]").replace(b"9007199254740993", b"9007199254740992")
    exchange = made(Surface.CHAT, rounded, upstream=data_frames(*INTERLEAVED, "[DONE]"))
    verdict = tools.check_arguments_kept(exchange)
    assert isinstance(verdict, Failed)
    assert "differing at character 21 of 23" in verdict.findings[0].got


@pytest.mark.parametrize(("choice", "right"), [("auto", False), ({"type": "function", "function": {"name": "one"}}, True)])
def test_stop_is_right_only_where_the_client_named_the_function(choice: object, right: bool) -> None:
    asked = {"tool_choice": choice, "tools": [{"type": "function", "function": {"name": "one"}}]}
    exchange = streamed(chunk({"role": "assistant"}), chunk(call(0, "{}", id="call_a", name="one")), chunk({}, "stop"), asked=asked)
    assert isinstance(tools.check_finish_tells_of_calls(exchange), Passed) is right
    assert isinstance(tools.check_offered(exchange), Passed)


def test_arguments_that_were_cut_by_the_length_need_not_be_json() -> None:
    exchange = streamed(chunk({"role": "assistant"}), chunk(call(0, '{"a', id="call_a", name="one")), chunk({}, "length"))
    assert isinstance(tools.check_arguments_are_json(exchange), Inconclusive)


def test_azures_first_chunk_has_no_id_and_that_is_no_fault() -> None:
    filtered = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []}
    exchange = streamed(filtered, chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}), chunk({}, "stop"))
    for check in (stream.check_one_id, stream.check_one_created, stream.check_one_model, stream.check_role_first, stream.check_only_chunks):
        assert isinstance(check(exchange), Passed), check


def test_a_keep_alive_comment_is_no_event() -> None:
    body = b": keep-alive\n\n" + data_frames(chunk({"role": "assistant"}), chunk({}, "stop"), "[DONE]")
    exchange = made(Surface.CHAT, body)
    assert stream.check_only_chunks(exchange) == Passed("3 events, each a chunk or [DONE]")
    assert isinstance(stream.check_done_last(exchange), Passed)


def test_each_of_n_choices_has_to_answer() -> None:
    first, second = (chunk({"role": "assistant", "content": ""}, index=index) for index in (0, 1))
    both = streamed(first, second, asked={"n": 2})
    one = streamed(first, asked={"n": 2})
    assert isinstance(stream.check_choice_index(both), Passed)
    assert isinstance(stream.check_choice_index(one), Failed)
    assert isinstance(stream.check_choice_index(streamed(first)), Inconclusive)


def test_usage_may_come_with_the_choice_that_finishes_but_not_before() -> None:
    role = chunk({"role": "assistant", "content": ""})
    assert isinstance(usage.check_once_all_is_said(streamed(role, chunk({"content": ""}, "stop", usage=COUNTS))), Passed)
    assert isinstance(usage.check_once_all_is_said(streamed(chunk({"role": "assistant"}, usage=COUNTS), chunk({}, "stop"))), Failed)


def test_a_moderation_chunk_may_follow_usage() -> None:
    exchange = streamed(
        chunk({"role": "assistant"}), chunk({}, "stop"), {**HEAD, "choices": [], "usage": COUNTS}, {**HEAD, "choices": [], "moderation": {}}
    )
    assert isinstance(usage.check_once_all_is_said(exchange), Passed)


@pytest.mark.parametrize(
    ("said", "right"), [('{"city": "Graz"}', True), ('{"city": 7}', False), ('```json\n{"city": "Graz"}\n```', False), ("", False)]
)
def test_structured_output_is_judged_by_the_requests_own_schema(said: str, right: bool) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    asked = {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}}
    exchange = streamed(chunk({"role": "assistant", "content": ""}), chunk({"content": said}), chunk({}, "stop"), asked=asked)
    assert isinstance(content.check_structured(exchange), Passed if right else Failed)


def test_a_refusal_need_not_be_json() -> None:
    asked = {"response_format": {"type": "json_object"}}
    exchange = streamed(chunk({"role": "assistant", "content": None}), chunk({"refusal": "No."}), chunk({}, "stop"), asked=asked)
    assert isinstance(content.check_structured(exchange), Inconclusive)
    assert isinstance(content.check_refusal_apart(exchange), Passed)


def test_null_is_not_absent() -> None:
    sent = data_frames(chunk({"role": "assistant", "content": None, "refusal": None}), "[DONE]")
    got = data_frames(chunk({"role": "assistant", "content": None}), "[DONE]")
    verdict = content.check_fields_kept(made(Surface.CHAT, got, upstream=sent))
    assert isinstance(verdict, Failed)
    assert verdict.findings[0].pointer == "/choices/-/delta/refusal"


def reading(call_name: str, **more: Any) -> SdkReading:
    return SdkReading(sdk="openai 3.54.0", call=call_name, **more)


def test_the_sdk_has_to_yield_every_chunk() -> None:
    values = (chunk({"role": "assistant"}), chunk({"content": "Hi"}), chunk({}, "stop"))
    exchange = streamed(*values)
    whole = reading("chat.completions.create", events=values)
    short = reading("chat.completions.create", events=values[1:])
    broken = reading("chat.completions.create", error=SdkError(type="JSONDecodeError", message="Expecting value", official=False))
    assert isinstance(sdk.check_yields_every_chunk(replace(exchange, sdk=whole)), Passed)
    assert isinstance(sdk.check_yields_every_chunk(replace(exchange, sdk=short)), Failed)
    assert isinstance(sdk.check_yields_every_chunk(replace(exchange, sdk=broken)), Failed)


def test_the_helper_has_to_assemble_what_the_chunks_say() -> None:
    exchange = streamed(*INTERLEAVED)
    calls = [{"id": "call_a", "function": {"name": "one"}}, {"id": "call_b", "function": {"name": "two"}}]
    right = {"choices": [{"index": 0, "message": {"content": None, "tool_calls": calls}}]}
    wrong = {"choices": [{"index": 0, "message": {"content": None, "tool_calls": calls[:1]}}]}
    for final, verdict in ((right, Passed), (wrong, Failed), (None, Failed)):
        assert isinstance(sdk.check_helper_assembles(replace(exchange, sdk=reading("chat.completions.stream", final=final))), verdict)
