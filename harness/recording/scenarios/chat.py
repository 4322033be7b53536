"""Chat Completions: OpenAI's form, and DeepSeek's dialect where reasoning is shown."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios import content, errors
from harness.recording.scenarios.build import STREAM_ONLY, Place, Plan, said, traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Answer, CustomCall, Refusal, Scenario, Text, Thinking, Usage
from harness.recording.scenarios.writers import chat, deepseek

MODEL: Final = "gpt-5.4"
PLAIN_MODEL: Final = "gpt-4.1"  # takes `stop` and `n`, and shows logprobs and a fingerprint
DEEPSEEK_MODEL: Final = "deepseek-v4-flash"
ANSWERED: Final = {MODEL: "gpt-5.4-2026-03-05", PLAIN_MODEL: "gpt-4.1-2025-04-14", DEEPSEEK_MODEL: DEEPSEEK_MODEL}
_OPENAI: Final = Place(prefix="chat", surface=Surface.CHAT, vendor="openai")
_DEEPSEEK_CHAT: Final = Place(prefix="chat", surface=Surface.CHAT, vendor="deepseek")
_DEEPSEEK: Final = Place(prefix="deepseek", surface=Surface.CHAT, vendor="deepseek")
_WITHOUT_USAGE: Final = {"text", "blocks", "error-event"}  # their streams did not ask for it


def asks(name: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content.PROMPTS[name]}], **more}


def tools(*names: str) -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {"name": name, "description": content.TOOLS[name][0], "parameters": content.TOOLS[name][1]}}
        for name in names
    ]


_SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "city", "schema": content.SCHEMA, "strict": True}}
_SYSTEM: Final = {"role": "system", "content": content.SYSTEM}
_RULES: Final = {"role": "system", "content": content.RULE_BOOK}
_PARALLEL: Final = (content.NOTE, content.ORDER, content.NOW)


def _system_asks(system: dict[str, str], name: str) -> dict[str, Any]:
    return {"messages": [system, {"role": "user", "content": content.PROMPTS[name]}]}


def _plans() -> Iterator[Plan]:
    yield Plan(
        name="text",
        model=MODEL,
        traits=traits("text"),
        request=_system_asks(_SYSTEM, "text"),
        answer=said(Text(text=content.TEXT), stop="stop"),
    )
    yield Plan(
        name="blocks",
        model=PLAIN_MODEL,
        traits=traits("text", "blocks", "choices"),
        request=asks("blocks", n=2),
        answer=Answer(
            choices=((Text(text=content.BLOCKS[0]),), (Text(text=content.BLOCKS[1]),)), stop="stop", usage=Usage(prompt=18, output=44)
        ),
    )
    yield Plan(
        name="tools",
        model=MODEL,
        traits=traits("tools"),
        request=asks("tools", tools=tools("get_weather")),
        answer=said(content.WEATHER, stop="tool_calls", prompt=88),
    )
    yield Plan(
        name="parallel-tools",
        model=MODEL,
        traits=traits("tools", "parallel-tools"),
        request=asks("parallel-tools", tools=tools("save_note", "find_order", "current_time"), parallel_tool_calls=True),
        answer=said(*_PARALLEL, stop="tool_calls", prompt=231),
    )
    yield Plan(
        name="cache-read",
        model=MODEL,
        traits=traits("text", "cache-read"),
        request=_system_asks(_RULES, "cache-read"),
        answer=said(Text(text=content.CACHED), stop="stop", prompt=1420, cached=1408),
    )
    yield Plan(
        name="cache-write",
        model=MODEL,
        traits=traits("text", "cache-write"),
        request=_system_asks(_RULES, "cache-write"),
        answer=said(Text(text=content.CACHED), stop="stop", prompt=1420, written_5m=1408),
    )
    yield Plan(
        name="structured",
        model=MODEL,
        traits=traits("text", "structured"),
        request=asks("structured", response_format=_SCHEMA),
        answer=said(Text(text=content.STRUCTURED), stop="stop", prompt=96),
    )
    yield Plan(
        name="refusal",
        model=PLAIN_MODEL,
        traits=traits("refusal"),
        request=asks("refusal", response_format=_SCHEMA),
        answer=said(Refusal(text=content.REFUSAL), stop="stop"),
        live=False,
    )
    yield Plan(
        name="length",
        model=MODEL,
        traits=traits("text", "length"),
        request=asks("length", max_completion_tokens=24),
        answer=said(Text(text=content.LENGTH), stop="length"),
    )
    yield Plan(
        name="stop-sequence",
        model=PLAIN_MODEL,
        traits=traits("text", "stop-sequence"),
        request=asks("stop-sequence", stop=["four"]),
        answer=said(Text(text=content.STOP_SEQUENCE), stop="stop"),
    )
    yield Plan(
        name="usage",
        model=MODEL,
        traits=traits("text", "usage", "thinking-tokens"),
        request=asks("usage", reasoning_effort="low"),
        answer=said(Text(text=content.TEXT), stop="stop", reasoning=64),
    )
    yield Plan(
        name="unicode",
        model=MODEL,
        traits=traits("text", "unicode"),
        request=asks("unicode"),
        answer=said(Text(text=content.UNICODE), stop="stop"),
    )
    yield Plan(
        name="long",
        model=MODEL,
        traits=traits("text", "long"),
        request=asks("long"),
        answer=said(Text(text="".join(content.long_text(200, 72)), pieces=content.long_text(200, 72)), stop="stop"),
        streams=STREAM_ONLY,
        between_ms=20,
    )
    yield Plan(
        name="big-frame",
        model=MODEL,
        traits=traits("text", "big-frame"),
        request=asks("big-frame"),
        answer=said(Text(text="".join(content.long_text(1, 135_000)), pieces=content.long_text(1, 135_000)), stop="stop"),
        streams=STREAM_ONLY,
        live=False,
    )
    yield Plan(
        name="empty",
        model=MODEL,
        traits=traits("empty"),
        request=asks("empty"),
        answer=said(Text(text="", pieces=()), stop="stop"),
        live=False,
    )
    yield Plan(
        name="custom-tool",
        model=MODEL,
        traits=traits("tools", "custom-tool"),
        request=asks("custom-tool", tools=[{"type": "custom", "custom": {"name": "run_python", "description": "Runs Python code"}}]),
        answer=said(CustomCall(name="run_python", input=content.CODE), stop="tool_calls", prompt=70),
    )


def _deepseek_plans() -> Iterator[Plan]:
    yield Plan(
        name="text",
        model=DEEPSEEK_MODEL,
        traits=traits("text", "deepseek"),
        request=asks("text", thinking={"type": "disabled"}),
        answer=said(Text(text=content.TEXT), stop="stop"),
        live=False,
    )
    yield Plan(
        name="thinking",
        model=DEEPSEEK_MODEL,
        traits=traits("text", "thinking", "deepseek", "keep-alive"),
        request=asks("thinking"),
        answer=said(Thinking(text=content.THOUGHT, signature=""), Text(text=content.THOUGHT_ANSWER), stop="stop", cached=16, reasoning=52),
        live=False,
    )


def _deepseek_chat_plans() -> Iterator[Plan]:
    yield Plan(
        name="thinking",
        model=DEEPSEEK_MODEL,
        traits=traits("text", "thinking"),
        request=asks("thinking"),
        answer=said(Thinking(text=content.THOUGHT, signature=""), Text(text=content.THOUGHT_ANSWER), stop="stop", reasoning=52),
        live=False,
    )
    yield Plan(
        name="thinking-tools",
        model=DEEPSEEK_MODEL,
        traits=traits("tools", "thinking"),
        request=asks("thinking-tools", tools=tools("get_weather")),
        answer=said(Thinking(text=content.THOUGHT_BEFORE_CALL, signature=""), content.WEATHER, stop="tool_calls", prompt=164, reasoning=24),
        live=False,
    )


def scenarios() -> Iterator[Scenario]:
    for plan in _plans():
        for stream in plan.streams:
            yield _openai(plan, stream=stream)
    for place, plans in ((_DEEPSEEK_CHAT, _deepseek_chat_plans()), (_DEEPSEEK, _deepseek_plans())):
        for plan in plans:
            for stream in plan.streams:
                writer = deepseek.Writer(Names(place.scenario_id(plan.name, stream=stream)), ANSWERED[plan.model])
                keep_alive = "keep-alive" in plan.traits
                pieces = writer.stream(plan.answer, keep_alive=keep_alive) if stream else [writer.body(plan.answer)]
                yield place.scenario(plan, pieces, stream=stream)
    yield from _OPENAI.failures(MODEL, {failure.status: _failing(failure) for failure in errors.failures(Surface.CHAT)})
    yield _error_event()
    yield _plain_503()


def _openai(plan: Plan, *, stream: bool) -> Scenario:
    writer = chat.Writer(Names(_OPENAI.scenario_id(plan.name, stream=stream)), ANSWERED[plan.model])
    if not stream:
        return _OPENAI.scenario(plan, [writer.body(plan.answer)], stream=False)
    if plan.name in _WITHOUT_USAGE:
        return _OPENAI.scenario(plan, writer.stream(plan.answer, include_usage=False), stream=True)
    asked = Plan(
        name=plan.name,
        model=plan.model,
        traits=plan.traits | {"usage-chunk"},
        request={**plan.request, "stream_options": {"include_usage": True}},
        answer=plan.answer,
        streams=plan.streams,
        live=plan.live,
        between_ms=plan.between_ms,
    )
    return _OPENAI.scenario(asked, writer.stream(plan.answer, include_usage=True), stream=True)


def _failing(failure: errors.Failure) -> dict[str, Any]:
    prompt = {"messages": [{"role": "user", "content": f"Answer with status {failure.status}."}]}
    return {**prompt, "temperature": 7} if failure.status == 400 else prompt


def _error_event() -> Scenario:
    """The stream begins well and ends in an error object; no finish_reason, no `[DONE]`."""
    plan = Plan(
        name="error-event",
        model=MODEL,
        traits=traits("error-event"),
        request=asks("error-event"),
        answer=said(Text(text=content.TEXT[:60]), stop="error"),
        live=False,
    )
    failure = next(failure for failure in errors.failures(Surface.CHAT) if failure.status == 500)
    writer = chat.Writer(Names("chat/error-event.stream"), ANSWERED[MODEL])
    return _OPENAI.scenario(plan, writer.broken_stream(plan.answer, errors.openai_error(failure)), stream=True)


def _plain_503() -> Scenario:
    """The layer before the API failed: text in the place of an envelope, and no request id. Recorded once, so real."""
    plain = headers("openai", Surface.CHAT, Names("chat/error-503-plain/headers"), status=503, stream=False)
    kept = tuple((name, value) for name, value in plain if name in ("date", "server", "cf-ray", "alt-svc"))
    reason = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    return Scenario(
        id="chat/error-503-plain",
        surface=Surface.CHAT,
        vendor="openai",
        model=MODEL,
        stream=False,
        method="POST",
        path="/v1/chat/completions",
        request={"messages": [{"role": "user", "content": "Answer with a plain 503."}]},
        traits=traits("error", "status-503", "plain-text"),
        status=503,
        headers=(("content-type", "text/plain"), *kept),
        pieces=(reason.encode(),),
        live=False,
    )
