import pytest

from harness.wire import responses, sse
from harness.wire.errors import ErrorInfo
from harness.wire.usage import Usage


def decode(raw: bytes) -> responses.Event:
    return responses.decode_event(sse.frames(raw)[0])


def test_events_from_scratch_have_their_keys_by_the_alphabet_after_type() -> None:
    delta = responses.OutputTextDelta(
        content_index=0, delta="é", item_id="msg_1", logprobs=[], obfuscation="q", output_index=0, sequence_number=4
    )
    assert responses.encode_event(delta).decode() == (
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","content_index":0,"delta":"é","item_id":"msg_1",'
        '"logprobs":[],"obfuscation":"q","output_index":0,"sequence_number":4}\n\n'
    )
    assert decode(responses.encode_event(delta)) == delta


@pytest.mark.parametrize(
    "event",
    [
        responses.OutputItemAdded(item=responses.MessageItem(id="msg_1", status="in_progress", content=()), output_index=0),
        responses.OutputItemAdded(item=responses.ReasoningItem(id="rs_1", summary=()), output_index=0),
        responses.OutputItemDone(item=responses.FunctionCallItem(id="fc_1", arguments="{}", call_id="call_1", name="get"), output_index=1),
        responses.OutputItemDone(item=responses.CustomToolCallItem(id="c", call_id="call_1", input="x", name="get"), output_index=1),
        responses.OutputItemDone(item=responses.OtherItem(id="ws_1", type="web_search_call", extra_fields={"action": {}}), output_index=1),
        responses.ContentPartAdded(content_index=0, output_index=0, part=responses.OutputText(annotations=[], text="")),
        responses.ContentPartAdded(content_index=0, output_index=0, part=responses.Refusal(refusal="")),
        responses.ReasoningSummaryPartAdded(output_index=0, summary_index=0, part=responses.SummaryText(text="")),
        responses.ItemProgress(type="response.web_search_call.searching", item_id="ws_1", output_index=0, sequence_number=3),
        responses.Keepalive(sequence_number=2),
    ],
)
def test_events_come_back(event: responses.Event) -> None:
    assert decode(responses.encode_event(event)) == event


@pytest.mark.parametrize(
    ("name", "terminal"),
    [("created", False), ("queued", False), ("in_progress", False), ("completed", True), ("incomplete", True), ("failed", True)],
)
def test_three_events_end_a_stream(name: str, terminal: bool) -> None:
    raw = f'event: response.{name}\ndata: {{"type":"response.{name}","response":{{"id":"r","output":[]}},"sequence_number":0}}\n\n'.encode()
    event = decode(raw)
    assert not isinstance(event, responses.Unknown)
    assert responses.is_terminal(event) is terminal
    assert responses.encode_event(event) == raw


def test_an_unknown_event_is_kept() -> None:
    raw = b'event: response.shell_call_command.delta\ndata: {"type":"response.shell_call_command.delta","delta":"ls"}\n\n'
    event = decode(raw)
    assert isinstance(event, responses.Unknown)
    assert event.type == "response.shell_call_command.delta"
    assert responses.encode_event(event) == raw


def test_errors_nested_flat_and_in_a_failed_response() -> None:
    nested = decode(b'event: error\ndata: {"type":"error","error":{"type":"server_error","code":"x","message":"m","param":null}}\n\n')
    flat = decode(b'event: error\ndata: {"type":"error","code":"x","message":"m","param":null}\n\n')
    failed = decode(
        b"event: response.failed\n"
        b'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"m"},"output":[]}}\n\n'
    )
    assert responses.error_of(nested) == ErrorInfo(type="server_error", code="x", message="m")
    assert responses.error_of(flat) == ErrorInfo(code="x", message="m")
    assert responses.error_of(failed) == ErrorInfo(code="server_error", message="m")
    assert not responses.is_terminal(nested)


def test_usage_stands_in_the_terminal_response() -> None:
    usage = responses.ResponseUsage(
        input_tokens=100,
        input_tokens_details=responses.InputDetails(cache_write_tokens=10, cached_tokens=60),
        output_tokens=9,
        output_tokens_details=responses.OutputDetails(reasoning_tokens=5),
        total_tokens=109,
    )
    event = responses.Completed(response=responses.Response(output=(), usage=usage))
    assert responses.usage_of(event) == Usage(
        input_tokens=30, cache_read_tokens=60, cache_write_tokens=10, output_tokens=9, reasoning_tokens=5, total_tokens=109
    )
    assert responses.usage_of(responses.Created(response=responses.Response(output=(), usage=None))) is None


def test_a_body_is_pretty_ascii_without_a_final_newline() -> None:
    item = responses.MessageItem(id="msg_1", status="completed", content=(responses.OutputText(text="\u2019"),))
    body = responses.encode_body(responses.Response(id="resp_1", output=(item,), temperature=1.0))
    assert body.startswith(
        b'{\n  "id": "resp_1",\n  "object": "response",\n  "output": [\n    {\n      "id": "msg_1",\n      "type": "message"'
    )
    assert b'"text": "\\u2019"' in body
    assert body.endswith(b'"temperature": 1.0\n}')
    assert responses.encode_body(responses.decode_body(body)) == body
