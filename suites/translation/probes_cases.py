"""What is driven for the probes of translators: one case per way in which a gateway was seen to fail (suites/translation/probes.json).

An id is `translation/probe-CLIENT-UPSTREAM-WHAT`; its traits name what checks of the client's protocol want to know.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from harness.case import MARKER, MATRIX, Case, Dialect, Fault, FaultKind, Framing, Key, Outcome, Pace, Play, Step, Surface
from harness.recording.scenarios import chat, content, gemini, messages, responses, signed
from harness.recording.scenarios.images import png

Body = Mapping[str, Any]

CHAT, RESPONSES, MESSAGES, GEMINI = Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI
_NAMES: Final = {
    Dialect.OPENAI_CHAT: "chat",
    Dialect.OPENAI_RESPONSES: "responses",
    Dialect.ANTHROPIC: "claude",
    Dialect.GEMINI: "gemini",
    Dialect.DEEPSEEK_CHAT: "deepseek",
    Dialect.DEEPSEEK_ANTHROPIC: "deepseek-claude",
}
_ANSWERS: Final = {  # of an upstream that is asked for nothing special
    Dialect.OPENAI_CHAT: "chat/text",
    Dialect.OPENAI_RESPONSES: "responses/text",
    Dialect.ANTHROPIC: "messages/text",
    Dialect.GEMINI: "gemini/text",
    Dialect.DEEPSEEK_CHAT: "deepseek/text",
    Dialect.DEEPSEEK_ANTHROPIC: "messages/text",
}
_PROBE: Final = ("probe", "translated", MATRIX)
_TOOLS: Final = ("save_note", "find_order", "get_weather", "current_time")
_ASKED: Final[dict[Surface, Body]] = {
    CHAT: chat.asks("parallel-tools", tools=chat.tools(*_TOOLS)),
    RESPONSES: responses.asks("parallel-tools", tools=responses.tools(*_TOOLS)),
    MESSAGES: messages.asks("parallel-tools", tools=messages.tools(*_TOOLS)),
    GEMINI: gemini.asks("parallel-tools", tools=gemini.tools(*_TOOLS)),
}
PICTURE: Final = base64.b64encode(png(64)).decode()
OTHER_PICTURE: Final = base64.b64encode(png(128)).decode()
PAPER: Final = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n").decode()
SOUND: Final = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt ").decode()
THOUGHT: Final = "The caller must never read this thought."
PROOF: Final = "EqQBCgIYAhIMc2lnbmF0dXJlIG9mIGEgdGhvdWdodA=="
HIDDEN: Final = "EqcCCkYICRgCKkBhIHRob3VnaHQgdGhhdCBub2JvZHkgbWF5IHJlYWQ="  # a thought that only its vendor can read
_PACED: Final = Play(recording="chat/text.stream", pace=Pace.RECORDED)
_CUT_OFF: Final = ("error", "fault-no-terminal")
_FAILS_INSIDE: Final = ("error", "fault-error-event")
_WEATHER: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}


def _answer(
    client: Surface,
    upstream: Dialect,
    recording: str,
    *traits: str,
    name: str = "",
    stream: bool = False,
    request: Body | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    framing: Framing = Framing.AS_RECORDED,
) -> Case:
    """An answer of the upstream, told to a client of another surface that offered the usual tools."""
    dot = ".stream" if stream else ""
    asked = dict(_ASKED[client] if request is None else request)
    # What breaks must have begun: a gateway that has the end with the beginning may well answer with a status instead.
    pace = Pace.RECORDED if outcome is Outcome.UPSTREAM_BROKEN else Pace.BURST
    if stream and client is CHAT:
        asked["stream_options"] = {"include_usage": True}
        traits += ("usage-asked",)
    return Case(
        id=f"translation/probe-{client}-{_NAMES[upstream]}-{name or recording.rpartition('/')[2].removesuffix('.stream')}{dot}",
        surface=client,
        upstream=upstream,
        stream=stream,
        play=Play(recording=recording, framing=framing, pace=pace),
        request=asked,
        outcome=outcome,
        traits=frozenset({*_PROBE, "request-known", *traits}),
    )


def _both(client: Surface, upstream: Dialect, recording: str, *traits: str, **more: Any) -> Iterator[Case]:
    yield _answer(client, upstream, recording, *traits, **more)
    yield _answer(client, upstream, f"{recording}.stream", *traits, stream=True, **more)


def _stream(client: Surface, upstream: Dialect, recording: str, *traits: str, **more: Any) -> Case:
    return _answer(client, upstream, f"{recording}.stream", *traits, stream=True, **more)


def _to_chat() -> Iterator[Case]:
    claude, google = Dialect.ANTHROPIC, Dialect.GEMINI
    yield from _both(CHAT, claude, "probes/messages-text-around-call", "text", "tools", "functions")
    yield from _both(CHAT, claude, "messages/thinking", "text", "thinking")
    yield from _both(CHAT, claude, "messages/redacted-thinking", "text", "thinking")
    yield from _both(CHAT, claude, "probes/messages-two-thoughts", "text", "thinking")
    yield from _both(CHAT, claude, "messages/usage", "text", "usage", "thinking")
    yield from _both(CHAT, claude, "messages/parallel-tools", "text", "tools", "functions", "parallel-tools")
    yield from _both(CHAT, claude, "messages/web-search", "text", "tools", "web-search")
    yield from _both(CHAT, claude, "messages/text", "text")
    yield _stream(CHAT, claude, "messages/pings", "text")
    yield _stream(CHAT, claude, "probes/messages-interleaved", "tools", "functions", "parallel-tools")
    yield _stream(CHAT, claude, "probes/messages-early-counts", "text")
    yield _stream(CHAT, claude, "probes/messages-late-cache", "text")
    yield _stream(CHAT, claude, "messages/cache-write", "text", name="no-last-blank", framing=Framing.NO_LAST_BLANK)
    yield _stream(CHAT, claude, "probes/messages-no-stop-reason", *_CUT_OFF, outcome=Outcome.UPSTREAM_BROKEN)
    yield _stream(CHAT, claude, "messages/error-event", *_FAILS_INSIDE, outcome=Outcome.UPSTREAM_BROKEN)
    yield _unasked_usage()
    for stream in (False, True):
        yield _answer(CHAT, claude, "messages/error-429" + ".stream" * stream, "error", stream=stream, outcome=Outcome.UPSTREAM_ERROR)
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": content.SCHEMA, "strict": True}}
    structured = chat.asks("structured", response_format=schema)
    yield from _both(CHAT, claude, "messages/structured", "text", "structured", request=structured)
    yield from _both(CHAT, claude, "messages/text", "error", "prose", name="prose", request=structured, outcome=Outcome.UPSTREAM_BROKEN)
    for client in (CHAT, RESPONSES, GEMINI):
        yield from _both(client, claude, "probes/messages-blanks", "text")
    yield from _both(CHAT, claude, "probes/messages-context-full", "text", "length")
    yield from _both(CHAT, claude, "probes/messages-paused", "text")
    yield _stream(CHAT, claude, "probes/messages-cut-call", "length")
    yield _stream(CHAT, claude, "probes/messages-input-at-once", "tools", "functions", "parallel-tools")
    for client in (CHAT, MESSAGES, RESPONSES):
        yield from _both(client, google, "probes/gemini-nameless-calls", "tools", "functions", "parallel-tools")
        yield from _both(client, google, "gemini/blocked", "refusal")
    for client in (CHAT, MESSAGES, GEMINI):
        yield from _both(client, Dialect.OPENAI_RESPONSES, "responses/incomplete", "text", "refusal")
        yield _stream(client, Dialect.OPENAI_RESPONSES, "probes/responses-text-when-done", "text")
    yield from _both(CHAT, google, "gemini/tools", "tools", "functions")
    yield from _both(CHAT, google, "gemini/usage", "text", "usage")
    yield from _both(CHAT, google, "gemini/refusal", "refusal")
    yield from _both(CHAT, google, "probes/gemini-recitation", "text", "refusal")
    yield from _both(CHAT, google, "probes/gemini-signed-text", "text", "thinking")
    yield from _both(CHAT, google, "probes/gemini-malformed-call", "error", outcome=Outcome.UPSTREAM_BROKEN)
    yield from _both(CHAT, Dialect.OPENAI_RESPONSES, "responses/parallel-tools", "tools", "functions", "parallel-tools")
    yield _stream(CHAT, Dialect.OPENAI_RESPONSES, "probes/responses-arguments-when-done", "tools", "functions")


def _unasked_usage() -> Case:
    return Case(
        id="translation/probe-chat-claude-usage-unasked.stream",
        surface=CHAT,
        upstream=Dialect.ANTHROPIC,
        stream=True,
        play=Play(recording="messages/text.stream"),
        request=chat.asks("text"),
        traits=frozenset({*_PROBE, "request-known", "text"}),
    )


def _to_messages() -> Iterator[Case]:
    gpt, newer = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES
    yield from _both(MESSAGES, gpt, "chat/text", "text", request=messages.asks("text"))
    yield from _both(MESSAGES, gpt, "probes/chat-content-filter", "text", "refusal")
    yield from _both(MESSAGES, gpt, "chat/cache-read", "text", "cache-read")
    yield from _both(MESSAGES, gpt, "chat/cache-write", "text", "cache-write")
    yield from _both(MESSAGES, gpt, "probes/chat-zero-usage", "text")
    yield from _both(MESSAGES, gpt, "chat/parallel-tools", "tools", "parallel-tools")
    yield _stream(MESSAGES, gpt, "probes/chat-interleaved", "tools", "parallel-tools")
    yield _stream(MESSAGES, gpt, "probes/chat-by-character", "tools")
    yield _stream(MESSAGES, gpt, "probes/chat-empty-tool-calls", "text")
    yield _stream(MESSAGES, gpt, "probes/chat-growing-usage", "text")
    yield _stream(RESPONSES, gpt, "probes/chat-growing-usage", "text")
    for client in (MESSAGES, RESPONSES, GEMINI):
        yield from _both(client, gpt, "probes/chat-blanks", "text")
        yield _stream(client, gpt, "probes/chat-last-words", "text")
        yield _stream(client, gpt, "probes/chat-calls-at-once", "tools", "parallel-tools")
    yield _stream(MESSAGES, gpt, "chat/empty", "empty")
    yield _stream(MESSAGES, gpt, "probes/chat-no-finish-reason", *_CUT_OFF, outcome=Outcome.UPSTREAM_BROKEN)
    yield _stream(MESSAGES, gpt, "chat/error-event", *_FAILS_INSIDE, outcome=Outcome.UPSTREAM_BROKEN)
    yield _answer(MESSAGES, gpt, "probes/chat-500-code-429", "error", "limit-inside", outcome=Outcome.UPSTREAM_ERROR)
    for stream in (False, True):
        yield _answer(MESSAGES, gpt, "chat/error-400" + ".stream" * stream, "error", stream=stream, outcome=Outcome.UPSTREAM_ERROR)
    yield from _both(MESSAGES, Dialect.DEEPSEEK_CHAT, "chat/thinking", "text", "thinking")
    yield from _both(MESSAGES, newer, "responses/failed", "error", outcome=Outcome.UPSTREAM_BROKEN)
    yield _stream(MESSAGES, newer, "responses/error-event", *_FAILS_INSIDE, outcome=Outcome.UPSTREAM_BROKEN)
    yield _stream(MESSAGES, newer, "probes/responses-arguments-when-done", "tools")
    yield from _both(MESSAGES, newer, "responses/cache-read", "text", "cache-read")
    yield from _both(MESSAGES, Dialect.GEMINI, "gemini/thinking-tools", "tools", "thinking")
    yield from _both(MESSAGES, Dialect.GEMINI, "gemini/refusal", "refusal")


def _to_responses() -> Iterator[Case]:
    claude = Dialect.ANTHROPIC
    yield from _both(RESPONSES, claude, "messages/parallel-tools", "text", "tools", "parallel-tools")
    yield from _both(RESPONSES, claude, "messages/thinking-tools", "text", "tools", "thinking")
    yield from _both(RESPONSES, claude, "messages/usage", "text", "usage", "thinking")


def _request(
    client: Surface, upstream: Dialect, name: str, request: Body, *traits: str, headers: tuple[tuple[str, str], ...] = (), answer: str = ""
) -> Case:
    """A request of which the upstream's side is judged. It is answered with a plain text unless `answer` names another recording."""
    return Case(
        id=f"translation/probe-{client}-{_NAMES[upstream]}-{name}",
        surface=client,
        upstream=upstream,
        play=Play(recording=answer or _ANSWERS[upstream]),
        request=request,
        headers=headers,
        traits=frozenset({*_PROBE, "asked", "request-known", *traits}),
    )


def _refused(client: Surface, upstream: Dialect, name: str, request: Body) -> Case:
    return Case(
        id=f"translation/probe-{client}-{_NAMES[upstream]}-{name}",
        surface=client,
        upstream=upstream,
        play=None,
        request=request,
        outcome=Outcome.REFUSED,
        traits=frozenset({*_PROBE, "error", "unsupported"}),
    )


def _ask(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def _of_chat() -> Iterator[Case]:
    claude, google = Dialect.ANTHROPIC, Dialect.GEMINI
    tools = chat.tools("get_weather")
    yield _request(
        CHAT, claude, "no-parallel", _ask("Weather?", tools=tools, parallel_tool_calls=False), "nothing-chosen", answer="messages/text"
    )
    for choice in ("none", "auto", "required"):
        yield _request(CHAT, claude, f"choice-{choice}", _ask("Weather?", tools=tools, tool_choice=choice))
    named = {"type": "function", "function": {"name": "get_weather"}}
    yield _request(CHAT, claude, "choice-named", _ask("Weather?", tools=tools, tool_choice=named), answer="messages/tools")
    yield _request(CHAT, claude, "cache-1h", _cached(), "cache-marks")
    yield _request(CHAT, Dialect.DEEPSEEK_ANTHROPIC, "cache-1h", _cached())
    for upstream in (claude, google):
        yield _request(
            CHAT,
            upstream,
            "paper",
            _ask_parts({"type": "file", "file": {"filename": "a.pdf", "file_data": _data("application/pdf", PAPER)}}),
        )
        sound = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
        yield _refused(CHAT, upstream, "sound", _ask_parts(sound))
        yield _request(CHAT, upstream, "picture", _ask_parts({"type": "image_url", "image_url": {"url": _data("image/png", PICTURE)}}))
        yield _request(CHAT, upstream, "no-thinking", _ask("Hello.", reasoning_effort="none"), "no-thinking")
        schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": content.SCHEMA, "strict": True}}
        answer = "messages/structured" if upstream is claude else "gemini/structured"
        yield _request(CHAT, upstream, "json-schema", _ask("Graz?", response_format=schema), answer=answer)
    yield _system_only(claude)
    yield _request(CHAT, google, "json-object", _ask("Graz? In JSON.", response_format={"type": "json_object"}), answer="gemini/structured")
    strict = [{"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": _WEATHER, "strict": True}}]
    yield _request(CHAT, claude, "strict-tool", _ask("Weather?", tools=strict))
    yield _request(CHAT, claude, "tool-loop", _tool_loop(), "tool-loop")


def _system_only(upstream: Dialect) -> Case:
    """Written out as it is sent: a request without a user's turn would be given one for its marker."""
    body = {"model": "{model}", "messages": [{"role": "system", "content": f"Say one word. {MARKER}"}]}
    return Case(
        id=f"translation/probe-chat-{_NAMES[upstream]}-system-only",
        surface=CHAT,
        upstream=upstream,
        play=Play(recording=_ANSWERS[upstream]),
        body=json.dumps(body).encode(),
        traits=frozenset({*_PROBE, "system-only", "text"}),
    )


def _cached() -> dict[str, Any]:
    mark = {"type": "ephemeral", "ttl": "1h"}
    return {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": content.RULE_BOOK, "cache_control": mark}]},
            {"role": "user", "content": [{"type": "text", "text": "Which chapter?"}]},
        ]
    }


def _ask_parts(*parts: Body) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look at this."}, *parts]}]}


def _data(kind: str, data: str) -> str:
    return f"data:{kind};base64,{data}"


def _tool_loop() -> dict[str, Any]:
    """Two calls after thoughts that are replayed, one of them redacted; their results in the other order."""
    calls = [
        {
            "id": f"toolu_{city}",
            "type": "function",
            "function": {"name": "get_weather", "arguments": json.dumps({"city": city, "unit": "celsius"})},
        }
        for city in ("Graz", "Wien")
    ]
    thoughts = [{"type": "thinking", "thinking": THOUGHT, "signature": PROOF}, {"type": "redacted_thinking", "data": HIDDEN}]
    return {
        "messages": [
            {"role": "user", "content": "The weather in Graz and Wien?"},
            {"role": "assistant", "content": "I look.", "tool_calls": calls, "reasoning_content": THOUGHT, "thinking_blocks": thoughts},
            {"role": "tool", "tool_call_id": "toolu_Wien", "content": "rain in Wien"},
            {"role": "tool", "tool_call_id": "toolu_Graz", "content": "sun in Graz"},
            {"role": "user", "content": "And so?"},
        ],
        "tools": chat.tools("get_weather"),
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }


def _of_messages() -> Iterator[Case]:
    gpt, newer, google = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.GEMINI
    for upstream in (gpt, google):
        yield _request(MESSAGES, upstream, "result-picture", _result_with_picture(), "result-picture")
        yield _request(MESSAGES, upstream, "mixed-parts", _mixed(), "mixed-parts")
    for upstream in (newer, google):
        thinking = {"type": "enabled", "budget_tokens": 2048}
        yield _request(MESSAGES, upstream, "budget", _ask("Think.", max_tokens=4096, thinking=thinking))
    quiet = _ask("Hello.", max_tokens=256, thinking={"type": "disabled"})
    yield _request(MESSAGES, Dialect.DEEPSEEK_CHAT, "no-thinking", quiet, "no-thinking")
    yield _request(MESSAGES, newer, "thought-in-history", _thought_in_history())
    managed = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    beta = (("anthropic-beta", "context-management-2025-06-27,fine-grained-tool-streaming-2025-05-14"),)
    for upstream in (gpt, newer, google):
        yield _request(MESSAGES, upstream, "betas", _ask("Hello.", max_tokens=256, context_management=managed), "betas", headers=beta)
    mark = {"type": "ephemeral", "ttl": "1h"}
    marked = [{"type": "text", "text": content.RULE_BOOK, "cache_control": mark}]
    yield _request(MESSAGES, gpt, "cache-1h", _ask("Which?", max_tokens=256, system=marked))
    yield _request(MESSAGES, Dialect.DEEPSEEK_CHAT, "cache-1h", _ask("Which?", max_tokens=256, system=marked))


def _image(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def _result_with_picture() -> dict[str, Any]:
    used = [
        {"type": "tool_use", "id": f"toolu_{name}", "name": "get_weather", "input": {"city": name, "unit": "celsius"}}
        for name in ("a", "b")
    ]
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_a", "content": [{"type": "text", "text": "map of a"}, _image(PICTURE)]},
        {"type": "tool_result", "tool_use_id": "toolu_b", "content": "no map of b"},
    ]
    return {
        "max_tokens": 256,
        "messages": [
            {"role": "user", "content": "Show me the maps."},
            {"role": "assistant", "content": used},
            {"role": "user", "content": [*results, {"type": "text", "text": "Well?"}]},
        ],
        "tools": messages.tools("get_weather"),
    }


def _mixed() -> dict[str, Any]:
    parts = [{"type": "text", "text": "First:"}, _image(PICTURE), {"type": "text", "text": "Second:"}, _image(OTHER_PICTURE)]
    return {"max_tokens": 256, "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "Which is darker?"}]}]}


def _thought_in_history() -> dict[str, Any]:
    said = [{"type": "thinking", "thinking": THOUGHT, "signature": PROOF}, {"type": "text", "text": "At noon."}]
    return {
        "max_tokens": 2048,
        "messages": [
            {"role": "user", "content": "When is high water?"},
            {"role": "assistant", "content": said},
            {"role": "user", "content": "And tomorrow?"},
        ],
    }


def _of_responses() -> Iterator[Case]:
    claude, gpt = Dialect.ANTHROPIC, Dialect.OPENAI_CHAT
    picture = [{"type": "input_text", "text": "Look."}, {"type": "input_image", "image_url": _data("image/png", PICTURE), "detail": "auto"}]
    for upstream in (claude, Dialect.GEMINI):
        yield _request(RESPONSES, upstream, "picture", {"input": [{"role": "user", "content": picture}]})
    form = {"format": {"type": "json_schema", "name": "city", "schema": content.SCHEMA, "strict": True}}
    for upstream, answer in ((claude, "messages/structured"), (gpt, "chat/structured")):
        yield _request(RESPONSES, upstream, "text-format", {"input": "Graz?", "text": form}, answer=answer)
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABqaR3-of-another-vendor=="}
    history = [
        {"role": "user", "content": "When is high water?"},
        sealed,
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "output_text", "text": "At noon.", "annotations": []}],
        },
        {"role": "user", "content": "And tomorrow?"},
    ]
    for upstream in (gpt, claude):
        yield _request(RESPONSES, upstream, "sealed-only", {"input": history, "store": False, "include": ["reasoning.encrypted_content"]})


def _of_gateway() -> Iterator[Case]:
    """What is neither request nor answer: addresses that nobody may fetch, counts, cache keys, hang-ups, and who waits for whom."""
    for upstream, host in ((Dialect.GEMINI, "127.0.0.1"), (Dialect.GEMINI, "localhost"), (Dialect.ANTHROPIC, "localhost")):
        address = f"http://{host}:{{upstream-port}}/picture.png?of={MARKER}"
        body = {"model": "{model}", **_ask_parts({"type": "image_url", "image_url": {"url": address}})}
        yield Case(
            id=f"translation/probe-chat-{_NAMES[upstream]}-fetch-{'name' if host == 'localhost' else 'address'}",
            surface=CHAT,
            upstream=upstream,
            play=Play(recording=_ANSWERS[upstream]),
            body=json.dumps(body).encode(),
            traits=frozenset({*_PROBE, "inner-address"}),
        )
    yield Case(
        id="translation/probe-count-tokens",
        surface=MESSAGES,
        upstream=Dialect.GEMINI,
        play=None,
        steps=tuple(_count(name, words) for name, words in (("short", 2), ("longer", 40), ("longest", 400))),
        traits=frozenset({*_PROBE, "counted"}),
    )
    yield Case(
        id="translation/probe-cache-keys",
        surface=MESSAGES,
        upstream=Dialect.OPENAI_RESPONSES,
        play=None,
        steps=tuple(_session(name) for name in ("first", "second")),
        traits=frozenset({*_PROBE, "two-sessions"}),
    )
    for client, upstream, recording in (
        (CHAT, Dialect.OPENAI_RESPONSES, "responses/text"),
        (RESPONSES, Dialect.OPENAI_CHAT, "chat/text"),
    ):
        calls = (("first", Key.GOOD), ("other", Key.OTHER_ACCOUNT), ("again", Key.GOOD))
        yield Case(
            id=f"translation/probe-{client}-{_NAMES[upstream]}-cache-key-of-two",
            surface=client,
            upstream=upstream,
            play=None,
            steps=tuple(
                Step(name=name, surface=client, request=_keyed(client), key=key, plays=(Play(recording=recording),)) for name, key in calls
            ),
            traits=frozenset({*_PROBE, "cache-key"}),
            account=True,  # the other one
        )
    yield Case(
        id="translation/probe-counting-beside-a-stream",
        surface=MESSAGES,
        upstream=Dialect.OPENAI_CHAT,
        play=None,
        steps=(
            Step(name="stream", surface=MESSAGES, request=messages.asks("text"), stream=True, plays=(_PACED,), open=True),
            _count("long", 200_000),
        ),
        traits=frozenset({*_PROBE, "beside-a-stream"}),
    )
    image = {"prompt": f"A lighthouse at noon, in few colours. {MARKER}", "n": 1, "size": "1024x1024", "quality": "medium"}
    yield Case(
        id="translation/probe-images",
        surface=Surface.IMAGES,
        play=None,
        steps=tuple(
            Step(name=name, surface=Surface.IMAGES, request=image, plays=(Play(recording=recording),))
            for name, recording in (("unsaid", "images/one"), ("by-address", "probes/images-by-address"))
        ),
        traits=frozenset({*_PROBE, "one-model", "images-probed"}),
        account=True,
    )
    for client, upstream in ((CHAT, Dialect.ANTHROPIC), (MESSAGES, Dialect.OPENAI_CHAT)):
        yield _left(client, upstream, "hang-up-at-once", 0)
    for client, upstream in ((CHAT, Dialect.ANTHROPIC), (MESSAGES, Dialect.OPENAI_CHAT), (RESPONSES, Dialect.GEMINI)):
        yield _left(client, upstream, "hang-up", 8)
        yield _cut(client, upstream, "cut", Fault(kind=FaultKind.CUT_RST, after_bytes=1200))
        yield _cut(client, upstream, "no-terminal", Fault(kind=FaultKind.NO_TERMINAL, after_frames=4))


def _of_conversations() -> Iterator[Case]:
    """What a plain client, which hands back no more than the call and its result, does not lose."""
    claude, google, newer, deepseek = Dialect.ANTHROPIC, Dialect.GEMINI, Dialect.OPENAI_RESPONSES, Dialect.DEEPSEEK_CHAT
    for client, upstreams in (
        (CHAT, (claude, google, newer)),
        (MESSAGES, (google, newer, deepseek)),
        (RESPONSES, (claude, google)),
    ):
        for upstream in upstreams:
            yield _conversation(client, upstream, _THOUGHTS[upstream])
    for client in (CHAT, RESPONSES):
        yield _conversation(client, claude, "probes/messages-redacted-conversation", "redacted")
    for client, stream in ((CHAT, True), (MESSAGES, False), (MESSAGES, True), (RESPONSES, False)):
        yield _signed_conversation(client, stream=stream)
    yield from _named()


def _conversation(client: Surface, upstream: Dialect, thought: str, *traits: str) -> Case:
    first, second = _turns(client, upstream)
    steps = (
        Step(name="thinks", surface=client, request=first, plays=(Play(recording=thought),)),
        Step(name="goes-on", surface=client, request=second, plays=(Play(recording=_ANSWERS[upstream]),)),
        Step(name="stranger", surface=client, request=second, plays=(Play(recording=_ANSWERS[upstream]),), key=Key.OTHER_ACCOUNT),
    )
    return Case(
        id="-".join((f"translation/probe-{client}-{_NAMES[upstream]}", *traits, "conversation")),
        surface=client,
        upstream=upstream,
        play=None,
        steps=steps,
        account=True,  # a stranger needs an account of its own
        traits=frozenset({*_PROBE, "conversation", *traits}),
    )


def _signed_conversation(client: Surface, *, stream: bool) -> Case:
    """No call, so nothing by which the client could name the text that Gemini signed, but the text itself."""
    first, second = _text_turns(client)
    text = Play(recording="probes/gemini-signed-conversation" + ".stream" * stream, named=True)
    after = (Play(recording="gemini/text"),)
    return Case(
        id=f"translation/probe-{client}-gemini-signed-conversation" + ".stream" * stream,
        surface=client,
        upstream=Dialect.GEMINI,
        play=None,
        steps=(
            Step(name="thinks", surface=client, request=first, stream=stream, plays=(text,)),
            Step(name="goes-on", surface=client, request=second, plays=after),
            Step(name="stranger", surface=client, request=second, plays=after, key=Key.OTHER_ACCOUNT),
        ),
        account=True,  # a stranger needs an account of its own
        traits=frozenset({*_PROBE, "conversation", "signed-text"}),
    )


def _text_turns(client: Surface) -> tuple[Body, Body]:
    """The first request, and the one that goes on from the text alone."""
    said = signed.TEXT.replace(MARKER, "{marker:thinks}")
    asked, then = {"role": "user", "content": _ASKS}, {"role": "user", "content": _THEN}
    match client:
        case Surface.RESPONSES:
            back = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said, "annotations": []}]}
            return {"input": [asked]}, {"input": [asked, back, then]}
        case Surface.MESSAGES:
            back = {"role": "assistant", "content": [{"type": "text", "text": said}]}
            return {"max_tokens": 4096, "messages": [asked]}, {"max_tokens": 4096, "messages": [asked, back, then]}
        case _:
            return {"messages": [asked]}, {"messages": [asked, {"role": "assistant", "content": said}, then]}


_THOUGHTS: Final = {
    Dialect.ANTHROPIC: "probes/messages-conversation",
    Dialect.GEMINI: "probes/gemini-conversation",
    Dialect.OPENAI_RESPONSES: "probes/responses-conversation",
    Dialect.DEEPSEEK_CHAT: "chat/thinking-tools",
}
_ASKS: Final = f"Think first, then look up the weather in Zürich. {MARKER}"
_THEN: Final = f"And what shall I wear? {MARKER}"


def _chat_turns() -> tuple[Body, Body]:
    shared = {"tools": chat.tools("get_weather"), "reasoning_effort": "medium"}
    place = "/choices/0/message/tool_calls/0"
    function = {"name": "get_weather", "arguments": f"{{thinks:{place}/function/arguments}}"}
    call = {"id": f"{{thinks:{place}/id}}", "type": "function", "function": function}
    first = {"role": "user", "content": _ASKS}
    later = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
        {"role": "user", "content": _THEN},
    ]
    return {"messages": [first], **shared}, {"messages": [first, *later], **shared}


def _messages_turns(upstream: Dialect) -> tuple[Body, Body]:
    shared = {"tools": messages.tools("get_weather"), "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    place = 0 if upstream is Dialect.GEMINI else 1  # a signature without a thought is no block of its own
    call = {
        "type": "tool_use",
        "id": f"{{thinks:/content/{place}/id}}",
        "name": "get_weather",
        "input": {"city": "Zürich", "unit": "celsius"},
    }
    first = {"role": "user", "content": _ASKS}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"}
    later = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result, {"type": "text", "text": _THEN}]}]
    return {"messages": [first], **shared}, {"messages": [first, *later], **shared}


def _responses_turns() -> tuple[Body, Body]:
    """A client that keeps nothing but the call: not even the item of reasoning before it."""
    shared = {"tools": responses.tools("get_weather"), "reasoning": {"effort": "medium"}, "store": False}
    first = {"role": "user", "content": _ASKS}
    call = {
        "type": "function_call",
        "call_id": "{thinks:/output/1/call_id}",
        "name": "get_weather",
        "arguments": "{thinks:/output/1/arguments}",
    }
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    return {"input": [first], **shared}, {"input": [first, call, result, {"role": "user", "content": _THEN}], **shared}


def _turns(client: Surface, upstream: Dialect) -> tuple[Body, Body]:
    """The first request, and the one that goes on."""
    match client:
        case Surface.CHAT:
            return _chat_turns()
        case Surface.MESSAGES:
            return _messages_turns(upstream)
        case _:
            return _responses_turns()


def _named() -> Iterator[Case]:
    """Tools by names that the upstream does not take: it gets another, and the client its own back."""
    schema = content.TOOLS["get_weather"][1]
    dotted = {"type": "function", "function": {"name": "weather.lookup/now", "description": "Weather", "parameters": schema}}
    choice = {"type": "function", "function": {"name": "weather.lookup/now"}}
    long = {"name": "look_up_" * 12, "description": "Weather", "input_schema": schema}
    for client, upstream, request, recording in (
        (CHAT, Dialect.ANTHROPIC, _ask("Weather?", tools=[dotted], tool_choice=choice), "cells/deepseek-messages-forced"),
        (
            MESSAGES,
            Dialect.OPENAI_CHAT,
            _ask("Weather?", max_tokens=256, tools=[long], tool_choice={"type": "tool", "name": long["name"]}),
            "cells/deepseek-chat-forced",
        ),
    ):
        for dot in ("", ".stream"):
            yield Case(
                id=f"translation/probe-{client}-{_NAMES[upstream]}-tool-name{dot}",
                surface=client,
                upstream=upstream,
                stream=bool(dot),
                play=Play(recording=recording + dot, if_forced=recording + dot),
                request=request,
                traits=frozenset({*_PROBE, "request-known", "tool-name"}),
            )


def _of_money_and_time() -> Iterator[Case]:
    """What the client is told is what the books have; and what the upstream says is passed on as it comes."""
    for client, upstream, recording in (
        (CHAT, Dialect.ANTHROPIC, "messages/usage"),
        (MESSAGES, Dialect.OPENAI_CHAT, "chat/cache-read"),
        (RESPONSES, Dialect.GEMINI, "gemini/usage"),
        (GEMINI, Dialect.OPENAI_RESPONSES, "responses/usage"),
        (CHAT, Dialect.DEEPSEEK_CHAT, "deepseek/thinking"),
    ):
        for dot in ("", ".stream"):
            options = {"stream_options": {"include_usage": True}} if dot and client is CHAT else {}
            yield Case(
                id=f"translation/probe-{client}-{_NAMES[upstream]}-billed{dot}",
                surface=client,
                upstream=upstream,
                stream=bool(dot),
                play=Play(recording=recording + dot),
                request={**_PLAIN[client], **options},
                traits=frozenset({*_PROBE, "cache-read", "request-known", *(("usage-asked",) if options else ())}),
                account=True,
            )
    for client, upstream, recording in (
        (CHAT, Dialect.ANTHROPIC, "messages/thinking-tools"),
        (MESSAGES, Dialect.OPENAI_CHAT, "chat/text"),
        (RESPONSES, Dialect.OPENAI_CHAT, "chat/text"),
        (GEMINI, Dialect.OPENAI_RESPONSES, "responses/text"),
    ):
        yield Case(
            id=f"translation/probe-{client}-{_NAMES[upstream]}-paced.stream",
            surface=client,
            upstream=upstream,
            stream=True,
            play=Play(recording=f"{recording}.stream", pace=Pace.RECORDED),
            request=_ASKED[client],
            traits=frozenset({*_PROBE, "paced"}),
        )


def _count(name: str, words: int) -> Step:
    request = {"messages": [{"role": "user", "content": "lighthouse " * words}]}
    return Step(name=name, surface=Surface.COUNT_TOKENS, request=request)


def _keyed(client: Surface) -> Body:
    """With a key of the caller's own for the vendor's cache."""
    said = {"input": f"hello {MARKER}"} if client is RESPONSES else _ask(f"hello {MARKER}")
    return {**said, "prompt_cache_key": "rule-book"}


def _session(name: str) -> Step:
    user = f"user_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef_account_1_session_{name}"
    request = {"max_tokens": 64, "metadata": {"user_id": user}, "messages": [{"role": "user", "content": f"hello {MARKER}"}]}
    return Step(name=name, surface=MESSAGES, request=request, plays=(Play(recording="responses/text"),))


def _left(client: Surface, upstream: Dialect, name: str, frames: int) -> Case:
    """A client that leaves; who leaves at once has seen no word, since the vendor says none."""
    silent = None if frames else Fault(kind=FaultKind.STALL_IN, after_frames=1)
    return Case(
        id=f"translation/probe-{client}-{_NAMES[upstream]}-{name}.stream",
        surface=client,
        upstream=upstream,
        stream=True,
        play=Play(recording=f"{upstream.surface}/long.stream", pace=Pace.RECORDED, fault=silent),
        request=_PLAIN[client],
        outcome=Outcome.ABORTED,
        abort_after_frames=frames,
        traits=frozenset({*_PROBE}),
        account=True,
    )


def _refused_inside() -> Iterator[Case]:
    """An error event that tells of another fault than a stream which merely ends: its class shows that it was read."""
    fault = Fault(kind=FaultKind.ERROR_EVENT, status=400, after_frames=5)
    for client, upstream in (
        (CHAT, Dialect.ANTHROPIC),
        (CHAT, Dialect.GEMINI),
        (MESSAGES, Dialect.OPENAI_CHAT),
        (MESSAGES, Dialect.OPENAI_RESPONSES),
        (RESPONSES, Dialect.ANTHROPIC),
        (GEMINI, Dialect.OPENAI_CHAT),
    ):
        case = _cut(client, upstream, "refused-inside", fault)
        yield replace(case, traits=case.traits | {"error-class"}, account=False)

    for client, upstream, status in (
        (CHAT, Dialect.ANTHROPIC, 529),
        (GEMINI, Dialect.ANTHROPIC, 529),
        (MESSAGES, Dialect.GEMINI, 503),
        (RESPONSES, Dialect.OPENAI_CHAT, 503),
    ):
        case = _cut(client, upstream, "overloaded-inside", replace(fault, status=status))
        yield replace(case, traits=case.traits | {"error-class"}, account=False)


def _cut(client: Surface, upstream: Dialect, name: str, fault: Fault) -> Case:
    return Case(
        id=f"translation/probe-{client}-{_NAMES[upstream]}-{name}.stream",
        surface=client,
        upstream=upstream,
        stream=True,
        play=Play(recording=f"{upstream.surface}/text.stream", fault=fault, pace=Pace.RECORDED),
        request=_PLAIN[client],
        outcome=Outcome.UPSTREAM_BROKEN,
        traits=frozenset({*_PROBE, "error", f"fault-{fault.kind}"}),
        account=True,
    )


_PLAIN: Final[dict[Surface, Body]] = {
    CHAT: chat.asks("text"),
    RESPONSES: responses.asks("text"),
    MESSAGES: messages.asks("text"),
    GEMINI: gemini.asks("text"),
}

CASES: tuple[Case, ...] = (
    *_to_chat(),
    *_to_messages(),
    *_to_responses(),
    *_of_chat(),
    *_of_messages(),
    *_of_responses(),
    *_of_gateway(),
    *_of_conversations(),
    *_refused_inside(),
    *_of_money_and_time(),
)
