"""Messages, as Anthropic serves it, and its count of tokens."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios import content, errors
from harness.recording.scenarios.build import STREAM_ONLY, Place, Plan, said, traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Redacted, Scenario, Text, Thinking, WebSearch
from harness.recording.scenarios.writers import messages
from harness.wire.json_text import TIGHT, write_bytes

MODEL: Final = "claude-sonnet-4-6"
_PLACE: Final = Place(prefix="messages", surface=Surface.MESSAGES, vendor="anthropic")
_THINK: Final[dict[str, Any]] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def asks(name: str, *, max_tokens: int = 2048, **more: Any) -> dict[str, Any]:
    return {"max_tokens": max_tokens, "messages": [{"role": "user", "content": content.PROMPTS[name]}], **more}


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "description": content.TOOLS[name][0], "input_schema": content.TOOLS[name][1]} for name in names]


def _system(ttl: str, text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}


_SYSTEMS: Final = [_system("1h", content.RULE_BOOK), _system("5m", content.SYSTEM + " " + content.RULE_BOOK[:2000])]


def _thinking(scenario: str, text: str) -> Thinking:
    return Thinking(text=text, signature=content.signature(Names(f"messages/{scenario}/signature")))


def _redacted(number: int) -> Redacted:
    return Redacted(data=Names(f"messages/redacted-thinking/{number}").base64(400, "EqcCCkYICRgC"))


def _plans() -> Iterator[Plan]:
    yield Plan(
        name="text",
        model=MODEL,
        traits=traits("text", "ping"),
        request=asks("text", system=content.SYSTEM),
        answer=said(Text(text=content.TEXT), stop="end_turn"),
    )
    yield Plan(
        name="blocks",
        model=MODEL,
        traits=traits("text", "blocks", "ping"),
        request=asks("blocks"),
        answer=said(*(Text(text=text) for text in content.BLOCKS), stop="end_turn"),
    )
    yield Plan(
        name="pings",
        model=MODEL,
        traits=traits("text", "ping", "pings"),
        request=asks("text"),
        answer=said(Text(text=content.TEXT + " " + content.THOUGHT), stop="end_turn"),
        streams=STREAM_ONLY,
        live=False,
    )
    yield Plan(
        name="tools",
        model=MODEL,
        traits=traits("tools", "ping"),
        request=asks("tools", tools=tools("get_weather")),
        answer=said(content.WEATHER, stop="tool_use", prompt=460),
    )
    yield Plan(
        name="parallel-tools",
        model=MODEL,
        traits=traits("text", "tools", "parallel-tools", "ping"),
        request=asks("parallel-tools", tools=tools("save_note", "find_order", "current_time")),
        answer=said(Text(text=content.SEARCH_INTRO), content.NOTE, content.ORDER, content.NOW, stop="tool_use", prompt=731),
    )
    yield Plan(
        name="thinking",
        model=MODEL,
        traits=traits("text", "thinking", "signature", "ping"),
        request=asks("thinking", **_THINK),
        answer=said(_thinking("thinking", content.THOUGHT), Text(text=content.THOUGHT_ANSWER), stop="end_turn", prompt=50, reasoning=53),
    )
    yield Plan(
        name="thinking-tools",
        model=MODEL,
        traits=traits("text", "tools", "thinking", "signature", "ping"),
        request=asks("thinking-tools", tools=tools("get_weather"), **_THINK),
        answer=said(
            _thinking("thinking-tools", content.THOUGHT_BEFORE_CALL),
            Text(text=content.SEARCH_INTRO),
            content.WEATHER,
            stop="tool_use",
            prompt=480,
            reasoning=24,
        ),
    )
    yield Plan(
        name="redacted-thinking",
        model=MODEL,
        traits=traits("text", "redacted-thinking", "thinking", "signature", "ping"),
        request=asks("redacted-thinking", **_THINK),
        answer=said(
            _redacted(1),
            _redacted(2),
            _thinking("redacted-thinking", ""),  # signed, with nothing shown
            Text(text=content.THOUGHT_ANSWER),
            stop="end_turn",
            prompt=92,
            reasoning=180,
        ),
        live=False,
    )
    yield Plan(
        name="cache-write",
        model=MODEL,
        traits=traits("text", "cache-write", "cache-write-5m", "cache-write-1h", "ping"),
        request=asks("cache-write", system=_SYSTEMS),
        answer=said(Text(text=content.CACHED), stop="end_turn", prompt=2030, written_5m=560, written_1h=1448),
    )
    yield Plan(
        name="cache-read",
        model=MODEL,
        traits=traits("text", "cache-read", "ping"),
        request=asks("cache-read", system=_SYSTEMS),
        answer=said(Text(text=content.CACHED), stop="end_turn", prompt=2034, cached=2008),
    )
    yield Plan(
        name="structured",
        model=MODEL,
        traits=traits("text", "structured", "ping"),
        request=asks("structured", output_config={"format": {"type": "json_schema", "schema": content.SCHEMA}}),
        answer=said(Text(text=content.STRUCTURED), stop="end_turn", prompt=210),
    )
    yield Plan(
        name="refusal",
        model=MODEL,
        traits=traits("text", "refusal", "ping"),
        request=asks("refusal"),
        answer=said(Text(text=content.REFUSAL), stop="refusal"),
        live=False,
    )
    yield Plan(
        name="length",
        model=MODEL,
        traits=traits("text", "length", "ping"),
        request=asks("length", max_tokens=24),
        answer=said(Text(text=content.LENGTH), stop="max_tokens"),
    )
    yield Plan(
        name="stop-sequence",
        model=MODEL,
        traits=traits("text", "stop-sequence", "ping"),
        request=asks("stop-sequence", stop_sequences=["four", "vier"]),
        answer=said(Text(text=content.STOP_SEQUENCE), stop="stop_sequence", stop_sequence="four"),
    )
    yield Plan(
        name="usage",
        model=MODEL,
        traits=traits("text", "usage", "cache-read", "cache-write", "thinking", "signature", "ping"),
        request=asks("usage", system=_SYSTEMS, **_THINK),
        answer=said(
            _thinking("usage", content.THOUGHT_BEFORE_CALL),
            Text(text=content.TEXT),
            stop="end_turn",
            prompt=2100,
            cached=1448,
            written_5m=560,
            reasoning=40,
        ),
    )
    yield Plan(
        name="unicode",
        model=MODEL,
        traits=traits("text", "unicode", "ping"),
        request=asks("unicode"),
        answer=said(Text(text=content.UNICODE), stop="end_turn"),
    )
    long = content.long_text(200, 230)
    yield Plan(
        name="long",
        model=MODEL,
        traits=traits("text", "long", "ping"),
        request=asks("long", max_tokens=16_000),
        answer=said(Text(text="".join(long), pieces=long), stop="end_turn"),
        streams=STREAM_ONLY,
        between_ms=20,
    )
    big = content.long_text(1, 135_000)
    yield Plan(
        name="big-frame",
        model=MODEL,
        traits=traits("text", "big-frame", "ping"),
        request=asks("big-frame", max_tokens=60_000),
        answer=said(Text(text="".join(big), pieces=big), stop="end_turn"),
        streams=STREAM_ONLY,
        live=False,
    )
    yield Plan(
        name="empty",
        model=MODEL,
        traits=traits("empty", "ping"),
        request=asks("empty"),
        answer=said(stop="end_turn"),
        live=False,
    )
    yield Plan(
        name="web-search",
        model=MODEL,
        traits=traits("text", "web-search", "citations", "ping"),
        request=asks("web-search", tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]),
        answer=said(
            Text(text=content.SEARCH_INTRO),
            WebSearch(query=content.SEARCH_QUERY, found=content.FOUND),
            Text(text=content.CITED[0], citations=content.FOUND[:1]),
            Text(text=content.SEARCH_JOIN),
            Text(text=content.CITED[1], citations=content.FOUND[1:]),
            stop="end_turn",
            prompt=11_665,
        ),
    )


def scenarios() -> Iterator[Scenario]:
    for plan in _plans():
        for stream in plan.streams:
            writer = messages.Writer(Names(_PLACE.scenario_id(plan.name, stream=stream)), MODEL)
            pings = 3 if "pings" in plan.traits else 1
            yield _PLACE.scenario(plan, writer.stream(plan.answer, pings=pings) if stream else [writer.body(plan.answer)], stream=stream)
    yield from _PLACE.failures(MODEL, {failure.status: _failing(failure) for failure in errors.failures(Surface.MESSAGES)})
    yield _error_event()
    yield from _unknown()
    yield _count_tokens()


def _failing(failure: errors.Failure) -> dict[str, Any]:
    prompt = {"messages": [{"role": "user", "content": f"Answer with status {failure.status}."}]}
    return {"max_tokens": 0 if failure.status == 400 else 256, **prompt}


def _error_event() -> Scenario:
    plan = Plan(
        name="error-event",
        model=MODEL,
        traits=traits("error-event", "ping"),
        request=asks("error-event"),
        answer=said(Text(text=content.TEXT), stop="error"),
        live=False,
    )
    error = {"type": "overloaded_error", "message": "Overloaded"}
    writer = messages.Writer(Names("messages/error-event.stream"), MODEL)
    return _PLACE.scenario(plan, writer.broken_stream(plan.answer, error), stream=True)


def _unknown() -> Iterator[Scenario]:
    """What a vendor may add any day: an event, a block, a delta, fields, nulls and a stop_reason that no client knows yet."""
    tokens = said(Text(text=content.TEXT), stop="").usage
    plan = Plan(
        name="unknown",
        model=MODEL,
        traits=traits("text", "unknown", "raw"),
        request=asks("text"),
        answer=said(Text(text=content.TEXT), stop="handed_over"),
        live=False,
    )
    text = {"type": "text", "text": content.TEXT, "tone": {"name": "calm", "certainty": 0.10, "by": None}}
    sketch = {"type": "sketch", "id": "sketch_1", "strokes": [[0, 1.50], [2, -0.0]], "caption": None}
    counts = {**messages.usage(tokens), "sketch_tokens": 7, "sketch_details": None}

    writer = messages.Writer(Names("messages/unknown"), MODEL)
    whole = {**writer.message([text, sketch], "handed_over", counts), "audience": None, "lineage": [{"step": 1}]}
    yield _PLACE.scenario(plan, [write_bytes(whole, TIGHT)], stream=False)

    writer = messages.Writer(Names("messages/unknown.stream"), MODEL)
    start = {**writer.message([], None, messages.usage(tokens, output=1)), "audience": None, "lineage": [{"step": 1}]}
    events = writer.events(
        {"type": "message_start", "message": start},
        {"type": "message_note", "note": {"text": "new", "weight": 1.0, "seen": None}},
        {"type": "content_block_start", "index": 0, "content_block": {**text, "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": content.TEXT, "stress": None}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "tone_delta", "tone": {"certainty": 0.20}}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {**sketch, "strokes": []}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "sketch_delta", "strokes": sketch["strokes"]}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "handed_over", "stop_sequence": None, "stop_details": None, "to": None},
            "usage": {"output_tokens": tokens.output, "sketch_tokens": 7, "sketch_details": None},
        },
        {"type": "message_stop"},
    )
    yield _PLACE.scenario(plan, [*events], stream=True)


def _count_tokens() -> Scenario:
    return Scenario(
        id="messages/count-tokens",
        surface=Surface.COUNT_TOKENS,
        vendor="anthropic",
        model=MODEL,
        stream=False,
        method="POST",
        path="/v1/messages/count_tokens",
        request={"messages": [{"role": "user", "content": "How many tokens is this?"}], "system": content.SYSTEM},
        traits=traits("count-tokens"),
        status=200,
        headers=headers("anthropic", Surface.COUNT_TOKENS, Names("messages/count-tokens"), status=200, stream=False),
        pieces=(b'{"input_tokens":36}',),
    )
