import pytest

from harness.case import Surface
from harness.recording.library import SHIPPED, Library
from harness.replay import without_gateway
from harness.transcript import ToolCall, canonical, of_upstream, of_values

TEXT = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)


@pytest.mark.parametrize("surface", TEXT)
def test_a_stream_says_what_the_whole_answer_says(surface: Surface) -> None:
    """The shipped recordings tell each scenario both ways."""
    library = Library.open(SHIPPED)
    for name in ("text", "tools", "parallel-tools", "thinking", "refusal", "length"):
        whole, streamed = (of_upstream(without_gateway(library.load(f"{surface}/{name}{dot}"))) for dot in ("", ".stream"))
        assert whole is not None
        assert streamed is not None
        assert (streamed.text, streamed.reasoning, streamed.refusal, streamed.stop) == (
            whole.text,
            whole.reasoning,
            whole.refusal,
            whole.stop,
        ), name
        assert [(call.name, canonical(call.arguments)) for call in streamed.calls] == [
            (call.name, canonical(call.arguments)) for call in whole.calls
        ], name


def test_a_call_is_put_together_from_its_fragments() -> None:
    first = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": ""}}
    chunks = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]} for part in (first, {"index": 0, "function": {"arguments": "{}"}})
    ]
    found = of_values(Surface.CHAT, [*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}])
    assert found.calls == (ToolCall(id="call_1", name="look", arguments="{}"),)
    assert found.stop == "tools"


@pytest.mark.parametrize("value", [None, 3, [], {"choices": 3}, {"choices": [{"delta": [1]}]}, {"usage": {"prompt_tokens": "x"}}])
def test_what_has_the_wrong_type_counts_as_not_there(value: object) -> None:
    for surface in TEXT:
        assert of_values(surface, [value]).text == ""


@pytest.mark.parametrize(("arguments", "spelled"), [("", "{}"), ('{"b": 1, "a": 2}', '{"a":2,"b":1}'), ("{no", "{no")])
def test_arguments_in_one_spelling(arguments: str, spelled: str) -> None:
    assert canonical(arguments) == spelled
