"""What differs between a client's request and a vendor's is found, aspect by aspect; what is declared or told is not."""

from typing import Any

import pytest

from harness.asked import Kind, read, spelled
from harness.case import Dialect, Surface
from harness.request_oracle import Aspect, compare, form
from harness.route_losses import OnRoute

NONE = OnRoute.of({}, Surface.MESSAGES, Surface.CHAT)
DECLARED = OnRoute.of(
    {
        "losses": {
            "warning_header": "x-losses",
            "request_in": {"speed": "dropped"},
            "request_out": {"top_k": "dropped", "tools[].cache": "silent", "turns[].items[ToolResult].is_error": "dropped"},
        }
    },
    Surface.MESSAGES,
    Surface.CHAT,
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKED: dict[str, Any] = {
    "max_tokens": 99,
    "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image", "source": {"type": "base64", "data": "AAAA"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Oslo is what they want to know of.", "signature": "c2lnbmF0dXJlLW9mLWEtdGhvdWdodA=="},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "t2", "name": "clock", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t2", "content": "10:00", "is_error": True},
                {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
            ],
        },
    ],
    "tools": [{"name": "weather", "input_schema": SCHEMA}, {"name": "clock", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "temperature": 0.5,
    "top_k": 5,
    "speed": "fast",
    "stop_sequences": ["x"],
    "thinking": {"type": "disabled"},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}
TOLD = "top_k (no such thing); speed (one speed); messages[2] (not told that it is an error); thinking (it never thinks)"


def call(name: str, call_id: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def sent(**changed: Any) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "Be brief.\n\nBe kind."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call("weather", "t1", '{"city":"Oslo"}'), call("clock", "t2", "{}")]},
            {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "t2", "content": "10:00"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
            {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}},
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_completion_tokens": 99,
        "temperature": 0.5,
        "stop": ["x"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
        **changed,
    }


def broken(body: dict[str, Any], losses: OnRoute = DECLARED, warning: str = TOLD) -> set[str]:
    seen = compare(Surface.MESSAGES, ASKED, Dialect.OPENAI_CHAT, body, losses=losses, warning=warning)
    return {str(aspect) for aspect, found in seen.items() if found.findings}


def test_the_same_in_another_protocol_is_the_same() -> None:
    assert broken(sent()) == set()


def test_what_is_neither_declared_nor_told_is_found() -> None:
    assert broken(sent(), NONE, "") == {"results", "sampling"}
    assert broken(sent(), DECLARED, "") == {"warned"}
    found = compare(Surface.MESSAGES, ASKED, Dialect.OPENAI_CHAT, sent(), losses=DECLARED)[Aspect.WARNED].findings
    assert sorted(each.pointer or "" for each in found) == ["/messages[2].content[0]", "/speed", "/top_k"]
    assert broken(sent(), DECLARED, "and 7 more") == set()  # a header that was cut may have named it


def changed(place: int, **members: Any) -> dict[str, Any]:
    body = sent()
    body["messages"][place] |= members
    return body


@pytest.mark.parametrize(
    ("body", "aspects"),
    [
        (changed(0, content="Be kind.\n\nBe brief."), {"system"}),
        (changed(0, content="Be brief. Be kind. Obey."), {"system"}),
        (changed(1, content=[{"type": "text", "text": "Look"}]), {"images", "order"}),
        (changed(1, content=list(reversed(sent()["messages"][1]["content"]))), {"order"}),
        (changed(2, content="Oslo is what they want to know of."), {"texts", "reasoning"}),
        (changed(2, tool_calls=[call("weather", "t1", "{}"), call("clock", "t2", "{}")]), {"calls"}),
        (changed(3, tool_call_id="t2"), {"results"}),
        (changed(4, content="11:00"), {"results"}),
        (sent(tools=sent()["tools"][:1]), {"tools"}),
        (sent(tools=[*sent()["tools"][:1], {"type": "function", "function": {"name": "clock", "parameters": SCHEMA}}]), {"tools"}),
        (sent(tool_choice="auto"), {"choice"}),
        (sent(parallel_tool_calls=True), {"parallel"}),
        (sent(max_completion_tokens=100), {"limit"}),
        (sent(temperature=1), {"sampling"}),
        (sent(seed=7), {"sampling"}),
        (sent(stop=[]), {"stop"}),
        (sent(response_format={"type": "json_object"}), {"output"}),
    ],
)
def test_each_change_is_found_by_its_aspect(body: dict[str, Any], aspects: set[str]) -> None:
    assert broken(body) == aspects


def test_an_image_of_a_result_may_follow_the_results() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "image", "source": {"data": "AAAA"}}]}
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    asked = {"messages": [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result, {"type": "text", "text": "And?"}]}]}
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    made = {
        "messages": [
            {"role": "assistant", "tool_calls": [call("f", "t1", "{}")]},
            {"role": "tool", "tool_call_id": "t1", "content": ""},
            {"role": "user", "content": [{"type": "text", "text": "Of the result of t1:"}, shown]},
            {"role": "user", "content": "And?"},
        ]
    }
    seen = compare(Surface.MESSAGES, asked, Dialect.OPENAI_CHAT, made, losses=NONE)
    assert [found.findings for found in seen.values() if found.findings] == []
    assert seen[Aspect.IMAGES].what == "1 images"


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI])
@pytest.mark.parametrize(
    "body", [None, [], "x", {"messages": 3, "input": {}, "contents": 3, "tools": "x"}, {"messages": [3], "input": [3]}]
)
def test_nothing_raises(surface: Surface, body: Any) -> None:
    assert read(surface, body).tools == ()
    compare(surface, body, Dialect.OPENAI_CHAT, body, losses=NONE)


def test_a_call_of_gemini_is_answered_by_name_and_order() -> None:
    parts = [{"functionCall": {"name": "f", "args": {}}}, {"function_call": {"name": "f", "args": {"a": 1}}}]
    answers = [{"functionResponse": {"name": "f", "response": {"error": "no"}}}, {"functionResponse": {"name": "f", "response": {"a": 1}}}]
    pieces = read(Surface.GEMINI, {"contents": [{"role": "model", "parts": parts}, {"parts": answers}]}).pieces
    calls, results = pieces[:2], pieces[2:]
    assert [piece.id for piece in calls] == [piece.id for piece in results]
    assert [(piece.is_error, piece.parts[0].text) for piece in results] == [(True, "no"), (False, '{"a": 1}')]
    assert all(piece.kind is Kind.CALL for piece in calls)


def test_schemas_in_several_spellings_are_one() -> None:
    assert form({"const": 1, "title": "x"}) == form({"enum": [1]})
    assert form({"type": "object", "oneOf": [{}]}) == form({"type": ["object"], "anyOf": [{}]})
    assert form({"type": "object", "minProperties": 2}, loose=True) == form({"type": "object"}, loose=True)
    assert form(SCHEMA) != form({**SCHEMA, "required": []})
    assert spelled('{ "b": 1, "a": 2 }') == '{"a":2,"b":1}'


def asked_of(upstream: Dialect, asked: dict[str, Any], made: dict[str, Any], client: Surface = Surface.CHAT) -> set[str]:
    seen = compare(client, {"messages": [{"role": "user", "content": "Hm?"}], **asked}, upstream, made, losses=NONE)
    return {str(aspect) for aspect, found in seen.items() if found.findings}


ONE: dict[str, Any] = {"messages": [{"role": "user", "content": "Hm?"}]}
STRICT = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}}


@pytest.mark.parametrize(
    ("upstream", "made", "aspects"),
    [
        (Dialect.OPENAI_RESPONSES, {"input": "Hm?"}, set()),
        (Dialect.OPENAI_RESPONSES, {"input": "Hm?", "max_output_tokens": 4096}, {"limit"}),
        (Dialect.ANTHROPIC, {**ONE, "max_tokens": 4096}, set()),
        (Dialect.ANTHROPIC, {**ONE, "max_tokens": 256}, {"limit"}),
    ],
)
def test_a_limit_is_made_up_where_there_has_to_be_one(upstream: Dialect, made: dict[str, Any], aspects: set[str]) -> None:
    assert asked_of(upstream, {}, made) == aspects


@pytest.mark.parametrize(("budget", "aspects"), [(1024, set()), (2047, set()), (2048, {"effort"}), (512, {"effort"})])
def test_a_budget_leaves_room_for_the_answer(budget: int, aspects: set[str]) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert asked_of(Dialect.ANTHROPIC, {"reasoning_effort": "low"}, {**ONE, "max_tokens": 2048, "thinking": thinking}) == aspects


@pytest.mark.parametrize(("effort", "aspects"), [("medium", set()), ("high", set()), ("low", {"effort"}), ("minimal", {"effort"})])
def test_a_large_budget_is_no_little_effort(effort: str, aspects: set[str]) -> None:
    asked = {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 8000}}
    made = {"input": "Hm?", "max_output_tokens": 9000, "reasoning": {"effort": effort}}
    assert asked_of(Dialect.OPENAI_RESPONSES, asked, made, Surface.MESSAGES) == aspects


@pytest.mark.parametrize(("strict", "aspects"), [(True, set()), (False, {"output"})])
def test_a_schema_that_has_to_be_kept_to_stays_one(strict: bool, aspects: set[str]) -> None:
    form = {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": strict}
    assert asked_of(Dialect.OPENAI_RESPONSES, STRICT, {"input": "Hm?", "text": {"format": form}}) == aspects


@pytest.mark.parametrize(("name", "aspects"), [("f", set()), ("t1", {"results"})])
def test_a_result_has_the_name_of_its_call(name: str, aspects: set[str]) -> None:
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [call("f", "t1", "{}")]},
        {"role": "tool", "tool_call_id": "t1", "content": "done"},
    ]
    made = [
        {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "t1", "name": name, "response": {"output": "done"}}}]},
    ]
    assert asked_of(Dialect.GEMINI, {"messages": turns}, {"contents": made}) == aspects


@pytest.mark.parametrize(("media_type", "aspects"), [("image/png", set()), ("image/jpeg", {"images"})])
def test_an_image_keeps_its_type(media_type: str, aspects: set[str]) -> None:
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    source = {"type": "base64", "media_type": media_type, "data": "AAAA"}
    made = {"max_tokens": 4096, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    assert asked_of(Dialect.ANTHROPIC, {"messages": [{"role": "user", "content": [shown]}]}, made) == aspects


@pytest.mark.parametrize(
    ("title", "name", "aspects"),
    [("Tides", "Tides", set()), ("Tides", "document.pdf", {"titles"}), ("Tides", None, {"titles"}), (None, "document.pdf", set())],
)
def test_a_document_keeps_its_title(title: str | None, name: str | None, aspects: set[str]) -> None:
    block = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}, "title": title}
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": name}}
    asked = {"max_tokens": 99, "messages": [{"role": "user", "content": [block]}]}
    made = {"max_completion_tokens": 99, "messages": [{"role": "user", "content": [file]}]}
    seen = compare(Surface.MESSAGES, asked, Dialect.OPENAI_CHAT, made, losses=NONE)
    assert {str(aspect) for aspect, found in seen.items() if found.findings} == aspects
    told = compare(Surface.MESSAGES, asked, Dialect.OPENAI_CHAT, made, losses=NONE, warning="messages[0].content[0].title (dropped)")
    assert not told[Aspect.TITLES].findings
