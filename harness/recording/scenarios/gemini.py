"""generateContent and streamGenerateContent, as Google serves them."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios import content, errors
from harness.recording.scenarios.build import STREAM_ONLY, Place, Plan, said, traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Refusal, Scenario, Text, Thinking
from harness.recording.scenarios.writers import gemini

MODEL: Final = "gemini-3.5-flash"
_PLACE: Final = Place(prefix="gemini", surface=Surface.GEMINI, vendor="google")
_THINK: Final = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}


def asks(name: str, **more: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": content.PROMPTS[name]}], "role": "user"}], **more}


def tools(*names: str) -> list[dict[str, Any]]:
    declared = [{"name": name, "description": content.TOOLS[name][0], "parametersJsonSchema": content.TOOLS[name][1]} for name in names]
    return [{"functionDeclarations": declared}]


def _system(text: str) -> dict[str, Any]:
    return {"systemInstruction": {"parts": [{"text": text}], "role": "user"}}


def _thinking(scenario: str, text: str) -> Thinking:
    return Thinking(text=text, signature=Names(f"gemini/{scenario}/signature").base64(500, "EvsDCvgDAQw5"))


def _plans() -> Iterator[Plan]:
    yield Plan(
        name="text",
        model=MODEL,
        traits=traits("text"),
        request=asks("text", **_system(content.SYSTEM)),
        answer=said(Text(text=content.TEXT), stop="STOP"),
    )
    yield Plan(
        name="blocks",
        model=MODEL,
        traits=traits("text", "blocks"),
        request=asks("blocks"),
        answer=said(*(Text(text=text) for text in content.BLOCKS), stop="STOP"),
    )
    yield Plan(
        name="tools",
        model=MODEL,
        traits=traits("tools"),
        request=asks("tools", tools=tools("get_weather")),
        answer=said(content.WEATHER, stop="STOP", prompt=71),
    )
    yield Plan(
        name="parallel-tools",
        model=MODEL,
        traits=traits("tools", "parallel-tools", "signature"),
        request=asks("parallel-tools", tools=tools("save_note", "find_order", "current_time")),
        answer=said(_thinking("parallel-tools", ""), content.NOTE, content.ORDER, content.NOW, stop="STOP", prompt=231, reasoning=93),
    )
    yield Plan(
        name="thinking",
        model=MODEL,
        traits=traits("text", "thinking", "signature"),
        request=asks("thinking", **_THINK),
        answer=said(_thinking("thinking", content.THOUGHT), Text(text=content.THOUGHT_ANSWER), stop="STOP", reasoning=68),
    )
    yield Plan(
        name="thinking-tools",
        model=MODEL,
        traits=traits("tools", "thinking", "signature"),
        request=asks("thinking-tools", tools=tools("get_weather"), **_THINK),
        answer=said(_thinking("thinking-tools", content.THOUGHT_BEFORE_CALL), content.WEATHER, stop="STOP", prompt=80, reasoning=40),
    )
    yield Plan(
        name="cache-read",
        model=MODEL,
        traits=traits("text", "cache-read"),
        request=asks("cache-read", **_system(content.RULE_BOOK)),
        answer=said(Text(text=content.CACHED), stop="STOP", prompt=1420, cached=1024),
    )
    yield Plan(
        name="structured",
        model=MODEL,
        traits=traits("text", "structured"),
        request=asks("structured", generationConfig={"responseMimeType": "application/json", "responseJsonSchema": content.SCHEMA}),
        answer=said(Text(text=content.STRUCTURED), stop="STOP", prompt=32),
    )
    yield Plan(
        name="refusal",
        model=MODEL,
        traits=traits("refusal"),
        request=asks("refusal"),
        answer=said(Refusal(text=""), stop="SAFETY"),
        live=False,
    )
    yield Plan(
        name="length",
        model=MODEL,
        traits=traits("text", "length"),
        request=asks("length", generationConfig={"maxOutputTokens": 24}),
        answer=said(Text(text=content.LENGTH), stop="MAX_TOKENS"),
    )
    yield Plan(
        name="stop-sequence",
        model=MODEL,
        traits=traits("text", "stop-sequence"),
        request=asks("stop-sequence", generationConfig={"stopSequences": ["four"]}),
        answer=said(Text(text=content.STOP_SEQUENCE), stop="STOP"),
    )
    yield Plan(
        name="usage",
        model=MODEL,
        traits=traits("text", "usage", "cache-read", "thinking-tokens"),
        request=asks("usage", **_system(content.RULE_BOOK)),
        answer=said(Text(text=content.TEXT), stop="STOP", prompt=1430, cached=1024, reasoning=64),
    )
    yield Plan(
        name="unicode",
        model=MODEL,
        traits=traits("text", "unicode"),
        request=asks("unicode"),
        answer=said(Text(text=content.UNICODE), stop="STOP"),
    )
    long = content.long_text(200, 72)
    yield Plan(
        name="long",
        model=MODEL,
        traits=traits("text", "long"),
        request=asks("long"),
        answer=said(Text(text="".join(long), pieces=long), stop="STOP"),
        streams=STREAM_ONLY,
        between_ms=20,
    )
    big = content.long_text(1, 135_000)
    yield Plan(
        name="big-frame",
        model=MODEL,
        traits=traits("text", "big-frame"),
        request=asks("big-frame"),
        answer=said(Text(text="".join(big), pieces=big), stop="STOP"),
        streams=STREAM_ONLY,
        live=False,
    )
    yield Plan(
        name="empty",
        model=MODEL,
        traits=traits("empty"),
        request=asks("empty"),
        answer=said(stop="STOP"),
        live=False,
    )


def scenarios() -> Iterator[Scenario]:
    for plan in _plans():
        for stream in plan.streams:
            writer = gemini.Writer(Names(_PLACE.scenario_id(plan.name, stream=stream)), MODEL)
            yield _PLACE.scenario(plan, writer.stream(plan.answer) if stream else [writer.body(plan.answer)], stream=stream)
    yield from _blocked()
    yield from _PLACE.failures(MODEL, {failure.status: _failing(failure) for failure in errors.failures(Surface.GEMINI)})
    yield _error_event()
    yield _array()


def _failing(failure: errors.Failure) -> dict[str, Any]:
    prompt = {"contents": [{"parts": [{"text": f"Answer with status {failure.status}."}], "role": "user"}]}
    return {**prompt, "generationConfig": {"temperature": 7.0}} if failure.status == 400 else prompt


def _blocked() -> Iterator[Scenario]:
    """The prompt itself was refused: feedback in the place of candidates."""
    plan = Plan(
        name="blocked",
        model=MODEL,
        traits=traits("refusal", "blocked"),
        request={"contents": [{"parts": [{"text": "Something that no filter lets pass."}], "role": "user"}]},
        answer=said(stop=""),
        live=False,
    )
    for stream in plan.streams:
        writer = gemini.Writer(Names(_PLACE.scenario_id(plan.name, stream=stream)), MODEL)
        tokens = plan.answer.usage
        yield _PLACE.scenario(plan, writer.blocked_stream(tokens) if stream else [writer.blocked_body(tokens)], stream=stream)


def _array() -> Scenario:
    """A stream asked for without `alt=sse`: the chunks in one array, each sent when it is there."""
    answer = said(_thinking("array", content.THOUGHT), Text(text=content.TEXT), stop="STOP", reasoning=68)
    writer = gemini.Writer(Names("gemini/array"), MODEL)
    return Scenario(
        id="gemini/array",
        surface=Surface.GEMINI,
        vendor="google",
        model=MODEL,
        stream=True,
        method="POST",
        path=f"/v1beta/models/{MODEL}:streamGenerateContent",
        request=asks("text", **_THINK),
        traits=traits("text", "thinking", "signature", "array", "raw"),
        status=200,
        headers=headers("google", Surface.GEMINI, Names("gemini/array/headers"), status=200, stream=False),
        pieces=tuple(writer.array(answer)),
        answer=answer,
        live=False,
    )


def _error_event() -> Scenario:
    plan = Plan(
        name="error-event",
        model=MODEL,
        traits=traits("error-event"),
        request=asks("error-event"),
        answer=said(Text(text=content.TEXT), stop=""),
        live=False,
    )
    error = {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}
    writer = gemini.Writer(Names("gemini/error-event.stream"), MODEL)
    return _PLACE.scenario(plan, writer.broken_stream(plan.answer, error), stream=True)
