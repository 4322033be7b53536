import json
from typing import Any

import pytest

from harness.case import FORCED_TOOL
from harness.recording.format import Read
from harness.upstream.answer import whole
from harness.upstream.forced import calling, forced_tool

ONE: list[dict[str, Any]] = [{"type": "function", "function": {"name": "give"}}]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"tool_choice": {"type": "function", "function": {"name": "give"}}}, "give"),
        ({"tool_choice": {"type": "function", "name": "give"}}, "give"),
        ({"tool_choice": {"type": "tool", "name": "give"}}, "give"),
        ({"tool_choice": "required", "tools": ONE}, "give"),
        ({"tool_choice": {"type": "any"}, "tools": [{"name": "give"}]}, "give"),
        ({"tool_choice": "required", "tools": ONE * 2}, None),
        ({"tool_choice": "auto", "tools": ONE}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_tool_that_a_request_forces_is_found_in_each_protocol(asked: Any, expected: str | None) -> None:
    assert forced_tool(json.dumps(asked).encode()) == expected


def test_what_is_no_json_forces_nothing() -> None:
    assert forced_tool(b"{") is None


def test_the_answer_calls_the_tool_by_its_name() -> None:
    answer = whole(200, "application/json", b'{"name": "' + FORCED_TOOL.encode() + b'"}')
    called = calling(answer.with_pieces([Read(at_ms=0, data=answer.body)]), 'give "it"')
    assert json.loads(called.body) == {"name": 'give "it"'}
    assert called.content_length == len(called.body)
