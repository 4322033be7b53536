from dataclasses import replace
from typing import Any

import pytest

from harness.case import Surface
from harness.exchange import Exchange, SdkError, SdkReading
from harness.verdict import Failed, Inconclusive, Passed
from suites.responses import content, items, sdk, stream, tools, usage
from suites.tests.traffic import made, named_frames


def response(status: str = "in_progress", *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status}
    return {**head, "error": None, "incomplete_details": None, "output": list(output), "usage": None, **more}


CREATED = {"type": "response.created", "response": response()}
IN_PROGRESS = {"type": "response.in_progress", "response": response()}


def added(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def ended(status: str, *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": response(status, *output, **more)}


def streamed(*values: dict[str, Any], asked: dict[str, Any] | None = None) -> Exchange:
    return made(Surface.RESPONSES, named_frames(*values), asked=asked)


def test_a_keepalive_is_counted_and_may_come_anywhere() -> None:
    exchange = streamed(CREATED, {"type": "keepalive"}, IN_PROGRESS, {"type": "response.new_thing"}, ended("completed"))
    for check in (stream.check_created_first, stream.check_sequence, stream.check_terminal_last, stream.check_event_is_type):
        assert isinstance(check(exchange), Passed), check


def test_a_queued_response_may_come_before_one_in_progress() -> None:
    queued = {"type": "response.queued", "response": response("queued")}
    assert isinstance(stream.check_created_first(streamed(CREATED, queued, IN_PROGRESS, ended("completed"))), Passed)


def test_a_gap_in_the_sequence_is_found_where_it_is() -> None:
    exchange = streamed(CREATED, {**IN_PROGRESS, "sequence_number": 2}, {**ended("completed"), "sequence_number": 2})
    verdict = stream.check_sequence(exchange)
    assert isinstance(verdict, Failed)
    assert [(finding.frame, finding.expected, finding.got) for finding in verdict.findings] == [(1, "1", "2")]


@pytest.mark.parametrize(
    ("end", "right"),
    [
        (ended("completed"), True),
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), True),
        (ended("incomplete"), False),
        (ended("failed", error={"code": "server_error", "message": "no"}), True),
        (ended("failed"), False),
        (ended("completed", error={"code": "server_error", "message": "no"}), False),
        ({"type": "response.completed", "response": response("in_progress")}, False),
    ],
)
def test_a_terminal_event_and_its_response_say_the_same(end: dict[str, Any], right: bool) -> None:
    assert isinstance(stream.check_status_follows(streamed(CREATED, end)), Passed if right else Failed)


def test_what_failed_in_the_middle_leaves_its_item_open() -> None:
    message = {"id": "msg_1", "type": "message", "content": []}
    failed = streamed(CREATED, IN_PROGRESS, added(0, message), ended("failed", error={"code": "server_error"}))
    assert isinstance(items.check_paired(failed), Passed)
    assert isinstance(items.check_paired(streamed(CREATED, IN_PROGRESS, added(0, message), ended("completed", message))), Failed)


def test_a_sealed_item_is_sealed_anew_but_never_opened() -> None:
    sealed = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA1"}
    again = {**sealed, "encrypted_content": "gAAA2"}
    missing = {key: value for key, value in sealed.items() if key != "encrypted_content"}
    for last, verdict in ((again, Passed), (missing, Failed)):
        exchange = streamed(CREATED, IN_PROGRESS, added(0, sealed), done(0, sealed), ended("completed", last))
        assert isinstance(items.check_listed_in_the_end(exchange), verdict)


def test_summaries_are_joined_each_by_its_own_index() -> None:
    def says(index: int, kind: str, **more: str) -> dict[str, Any]:
        name = f"response.reasoning_summary_text.{kind}"
        return {"type": name, "item_id": "rs_1", "output_index": 0, "summary_index": index, **more}

    told = (says(0, "delta", delta="a"), says(0, "done", text="a"), says(1, "delta", delta="b"), says(1, "delta", delta="c"))
    assert isinstance(items.check_reasoning_joins(streamed(CREATED, *told, says(1, "done", text="bc"))), Passed)
    verdict = items.check_reasoning_joins(streamed(CREATED, *told, says(1, "done", text="abc")))
    assert isinstance(verdict, Failed)
    assert verdict.findings[0].frame == 5


def test_an_event_about_an_item_that_was_never_added_is_found() -> None:
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Hi"}
    exchange = streamed(CREATED, IN_PROGRESS, delta, ended("completed"))
    assert isinstance(items.check_named_by_id(exchange), Failed)
    assert isinstance(items.check_while_open(exchange), Failed)
    assert isinstance(items.check_parts_paired(exchange), Failed)


def function_call(arguments: str) -> dict[str, Any]:
    return {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "one", "arguments": arguments}


STRICT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
ASKED = {"tools": [{"type": "function", "name": "one", "parameters": STRICT, "strict": True}]}


@pytest.mark.parametrize(("arguments", "right"), [('{"a": 1}', True), ('"{\\"a\\": 1}"', False), ('{"a": 1, "b": 2}', False)])
def test_arguments_follow_a_strict_functions_schema(arguments: str, right: bool) -> None:
    exchange = streamed(CREATED, ended("completed", function_call(arguments)), asked=ASKED)
    assert isinstance(tools.check_arguments_by_schema(exchange), Passed if right else Failed)
    assert isinstance(tools.check_arguments_are_json(exchange), Passed)
    assert isinstance(tools.check_offered(exchange), Passed)


def test_a_tool_that_brings_others_makes_no_call_a_stranger() -> None:
    asked = {"tools": [{"type": "tool_search"}]}
    assert isinstance(tools.check_offered(streamed(CREATED, ended("completed", function_call("{}")), asked=asked)), Inconclusive)


def test_a_program_goes_on_without_asking_the_model_and_counts_nothing() -> None:
    counts = {"input_tokens": 0, "input_tokens_details": {}, "output_tokens": 0, "output_tokens_details": {}, "total_tokens": 0}
    program = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "one", "arguments": "{}"}
    message = {"id": "msg_1", "type": "message", "content": []}
    assert isinstance(usage.check_counts(streamed(CREATED, ended("completed", program, usage=counts))), Inconclusive)
    assert isinstance(usage.check_counts(streamed(CREATED, ended("completed", message, usage=counts))), Failed)


def test_an_item_that_differs_only_while_it_streams_is_found_too() -> None:
    sealed = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA1"}
    sent = named_frames(CREATED, added(0, sealed), done(0, sealed), ended("completed", sealed))
    got = named_frames(CREATED, added(0, sealed), done(0, {**sealed, "encrypted_content": "gAAA"}), ended("completed", sealed))
    assert isinstance(content.check_sealed_kept(made(Surface.RESPONSES, got, upstream=sent)), Failed)
    assert isinstance(content.check_sealed_kept(made(Surface.RESPONSES, sent)), Passed)


def test_the_sdk_has_to_yield_every_event_and_the_helper_the_last_response() -> None:
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    values = (CREATED, IN_PROGRESS, added(0, message), done(0, message), ended("completed", message))
    exchange = streamed(*values)

    def read(**more: Any) -> Exchange:
        return replace(exchange, sdk=SdkReading(sdk="openai 3.54.0", **more))

    error = SdkError(type="RuntimeError", message="Expected to have received `response.created` before", official=False)
    assert isinstance(sdk.check_yields_every_event(read(call="responses.create", events=values)), Passed)
    assert isinstance(sdk.check_yields_every_event(read(call="responses.create", events=values[1:])), Failed)
    assert isinstance(sdk.check_yields_every_event(read(call="responses.create", error=error)), Failed)
    assert isinstance(sdk.check_helper_assembles(read(call="responses.stream", final=response("completed", message))), Passed)
    assert isinstance(sdk.check_helper_assembles(read(call="responses.stream", final=response("completed"))), Failed)
    assert isinstance(sdk.check_helper_assembles(read(call="responses.stream", error=error)), Failed)
