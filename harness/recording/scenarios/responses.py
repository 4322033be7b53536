"""Responses, as OpenAI serves it."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios import content, errors
from harness.recording.scenarios.build import STREAM_ONLY, Place, Plan, said, traits
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import CustomCall, Refusal, Scenario, Text, Thinking, WebSearch
from harness.recording.scenarios.writers import responses

MODEL: Final = "gpt-5.4"
ANSWERED: Final = "gpt-5.4-2026-03-05"
_PLACE: Final = Place(prefix="responses", surface=Surface.RESPONSES, vendor="openai")
_ENCRYPTED: Final = {"include": ["reasoning.encrypted_content"], "store": False}
_FAILED: Final = {"code": "server_error", "message": "The model failed to generate a response. Please try again."}
_REASONS: Final = {"length": "max_output_tokens", "incomplete": "content_filter"}


def asks(name: str, **more: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": content.PROMPTS[name]}]}], **more}


def tools(*names: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "name": name,
            "description": content.TOOLS[name][0],
            "parameters": content.TOOLS[name][1],
            "strict": True,
        }
        for name in names
    ]


def _thinking(scenario: str, text: str, length: int = 700) -> Thinking:
    return Thinking(text=text, signature=Names(f"responses/{scenario}/encrypted").base64url(length - 2, "gAAAAABqaR3-") + "==")


def _plans() -> Iterator[Plan]:
    yield Plan(
        name="text",
        model=MODEL,
        traits=traits("text"),
        request={"input": content.PROMPTS["text"], "instructions": content.SYSTEM},
        answer=said(Text(text=content.TEXT), stop="completed"),
    )
    yield Plan(
        name="blocks",
        model=MODEL,
        traits=traits("text", "blocks"),
        request=asks("blocks"),
        answer=said(*(Text(text=text) for text in content.BLOCKS), stop="completed"),
    )
    yield Plan(
        name="tools",
        model=MODEL,
        traits=traits("tools"),
        request=asks("tools", tools=tools("get_weather")),
        answer=said(content.WEATHER, stop="completed", prompt=88),
    )
    yield Plan(
        name="parallel-tools",
        model=MODEL,
        traits=traits("tools", "parallel-tools"),
        request=asks("parallel-tools", tools=tools("save_note", "find_order", "current_time"), parallel_tool_calls=True),
        answer=said(content.NOTE, content.ORDER, content.NOW, stop="completed", prompt=231),
    )
    yield Plan(
        name="thinking",
        model=MODEL,
        traits=traits("text", "thinking", "signature"),
        request=asks("thinking", reasoning={"effort": "medium", "summary": "auto"}, **_ENCRYPTED),
        answer=said(_thinking("thinking", content.THOUGHT), Text(text=content.THOUGHT_ANSWER), stop="completed", reasoning=64),
    )
    yield Plan(
        name="thinking-tools",
        model=MODEL,
        traits=traits("tools", "thinking", "signature"),
        request=asks("thinking-tools", tools=tools("get_weather"), reasoning={"effort": "medium"}, **_ENCRYPTED),
        answer=said(_thinking("thinking-tools", ""), content.WEATHER, stop="completed", prompt=96, reasoning=64),
    )
    yield Plan(
        name="cache-write",
        model=MODEL,
        traits=traits("text", "cache-write"),
        request=asks("cache-write", instructions=content.RULE_BOOK, prompt_cache_key="rule-book"),
        answer=said(Text(text=content.CACHED), stop="completed", prompt=1420, written_5m=1408),
    )
    yield Plan(
        name="cache-read",
        model=MODEL,
        traits=traits("text", "cache-read"),
        request=asks("cache-read", instructions=content.RULE_BOOK, prompt_cache_key="rule-book"),
        answer=said(Text(text=content.CACHED), stop="completed", prompt=1420, cached=1408),
    )
    yield Plan(
        name="structured",
        model=MODEL,
        traits=traits("text", "structured"),
        request=asks("structured", text={"format": {"type": "json_schema", "name": "city", "schema": content.SCHEMA, "strict": True}}),
        answer=said(Text(text=content.STRUCTURED), stop="completed", prompt=96),
    )
    yield Plan(
        name="refusal",
        model=MODEL,
        traits=traits("refusal"),
        request=asks("refusal"),
        answer=said(Refusal(text=content.REFUSAL), stop="completed"),
        live=False,
    )
    yield Plan(
        name="length",
        model=MODEL,
        traits=traits("text", "length", "incomplete"),
        request=asks("length", max_output_tokens=24),
        answer=said(Text(text=content.LENGTH), stop="incomplete"),
    )
    yield Plan(
        name="incomplete",
        model=MODEL,
        traits=traits("text", "incomplete", "content-filter"),
        request=asks("incomplete"),
        answer=said(Text(text=content.TEXT[:60]), stop="incomplete"),
        live=False,
    )
    yield Plan(
        name="failed",
        model=MODEL,
        traits=traits("failed"),
        request=asks("failed"),
        answer=said(stop="failed"),
        live=False,
    )
    yield Plan(
        name="usage",
        model=MODEL,
        traits=traits("text", "usage", "cache-read", "thinking-tokens"),
        request=asks("usage", reasoning={"effort": "low"}),
        answer=said(Text(text=content.TEXT), stop="completed", prompt=1200, cached=1024, reasoning=64),
    )
    yield Plan(
        name="unicode",
        model=MODEL,
        traits=traits("text", "unicode"),
        request=asks("unicode"),
        answer=said(Text(text=content.UNICODE), stop="completed"),
    )
    yield Plan(
        name="long",
        model=MODEL,
        traits=traits("text", "long"),
        request=asks("long"),
        answer=said(Text(text="".join(content.long_text(200, 48)), pieces=content.long_text(200, 48)), stop="completed"),
        streams=STREAM_ONLY,
        between_ms=20,
    )
    yield Plan(
        name="big-frame",
        model=MODEL,
        traits=traits("text", "thinking", "signature", "big-frame"),
        request=asks("big-frame", reasoning={"effort": "high"}, **_ENCRYPTED),
        answer=said(_thinking("big-frame", "", 132_000), Text(text=content.THOUGHT_ANSWER), stop="completed", reasoning=30_000),
        streams=STREAM_ONLY,
        live=False,
    )
    yield Plan(
        name="empty",
        model=MODEL,
        traits=traits("empty"),
        request=asks("empty"),
        answer=said(Text(text="", pieces=()), stop="completed"),
        live=False,
    )
    yield Plan(
        name="web-search",
        model=MODEL,
        traits=traits("text", "web-search", "citations"),
        request=asks("web-search", tools=[{"type": "web_search"}]),
        answer=said(
            WebSearch(query=content.SEARCH_QUERY, found=content.FOUND),
            Text(text=content.CITED[0] + " " + content.CITED[1], citations=content.FOUND),
            stop="completed",
            prompt=8200,
        ),
    )
    yield Plan(
        name="custom-tool",
        model=MODEL,
        traits=traits("tools", "custom-tool"),
        request=asks("custom-tool", tools=[{"type": "custom", "name": "run_python", "description": "Runs Python code"}]),
        answer=said(CustomCall(name="run_python", input=content.CODE), stop="completed", prompt=70),
    )


def scenarios() -> Iterator[Scenario]:
    for plan in _plans():
        for stream in plan.streams:
            writer = responses.Writer(Names(_PLACE.scenario_id(plan.name, stream=stream)), ANSWERED, plan.request)
            error = _FAILED if plan.name == "failed" else None
            reason = _REASONS.get(plan.name)
            answered = (
                writer.stream(plan.answer, reason=reason, error=error) if stream else [writer.body(plan.answer, reason=reason, error=error)]
            )
            yield _PLACE.scenario(plan, answered, stream=stream)
    yield from _PLACE.failures(MODEL, {failure.status: _failing(failure) for failure in errors.failures(Surface.RESPONSES)})
    yield _error_event()


def _failing(failure: errors.Failure) -> dict[str, Any]:
    prompt = {"input": f"Answer with status {failure.status}."}
    match failure.status:
        case 400:
            return {**prompt, "temperature": 7}
        case 404:
            return {**prompt, "previous_response_id": "resp_0000"}
        case _:
            return prompt


def _error_event() -> Scenario:
    plan = Plan(
        name="error-event",
        model=MODEL,
        traits=traits("error-event"),
        request=asks("error-event"),
        answer=said(Text(text=content.TEXT[:60]), stop="failed"),
        live=False,
    )
    error = {"type": "server_error", **_FAILED}
    writer = responses.Writer(Names("responses/error-event.stream"), ANSWERED, plan.request)
    return _PLACE.scenario(plan, writer.broken_stream(plan.answer, error), stream=True)
