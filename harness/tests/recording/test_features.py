from dataclasses import replace

import pytest

from harness.recording.features import Feature, features
from harness.recording.format import Read
from harness.tests.recording.test_format import SAMPLE

ANSWERS: list[tuple[str, set[Feature]]] = [
    ('{"choices": [{"message": {"refusal": null, "content": "hi"}, "finish_reason": "stop"}], "usage": {"cached_tokens": 0}}', set()),
    ('{"choices": [{"finish_reason": "length", "message": {"refusal": "No."}}]}', {Feature.TRUNCATED, Feature.REFUSAL}),
    (
        '{\n  "tool_calls": [\n    {\n      "id": "call_1",\n      "type": "function"\n    },\n    {"id": "call_2", "type": "function"}]}',
        {Feature.TOOL_CALL, Feature.PARALLEL_TOOL_CALLS},
    ),
    (
        'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function"}]}}]}\n\n',
        {Feature.STREAM, Feature.TOOL_CALL},
    ),
    (
        'event: content_block_delta\ndata: {"delta":{"type":"signature_delta","signature":"Eq=="},"type":"thinking"}\n\n',
        {Feature.STREAM, Feature.THINKING, Feature.SIGNATURE},
    ),
    ('{"usage":{"cache_creation_input_tokens":5,"cache_read_input_tokens":9}}', {Feature.CACHE_READ, Feature.CACHE_WRITE}),
    ('data: {"candidates": [{"content": {"parts": [{"functionCall": {}}]}, "finishReason": "MAX_TOKENS"}]}\r\n\r\n',
     {Feature.STREAM, Feature.TOOL_CALL, Feature.TRUNCATED}),
    ('event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', {Feature.STREAM, Feature.ERROR_IN_STREAM}),
    ('{"promptFeedback": {"blockReason": "SAFETY"}}', {Feature.REFUSAL}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "shown"), ANSWERS)
def test_what_an_answer_shows(body: str, shown: set[Feature]) -> None:
    assert features(replace(SAMPLE, reads=(Read(at_ms=0, data=body.encode()),))) == shown


def test_what_a_request_asks() -> None:
    asked = replace(SAMPLE.request, body=b'{"tools": [{"name": "t"}], "output_config": {"format": {"type": "json_schema"}}}')
    made = replace(SAMPLE, request=asked, reads=(), status=429)
    assert features(made) == {Feature.TOOLS_OFFERED, Feature.STRUCTURED_OUTPUT, Feature.ERROR}
