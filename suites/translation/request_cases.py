"""Requests that use much of what a client's protocol has, on every dialect of another protocol; and what is refused by name.

What they show is what the vendor was asked (request_rules.py); what is answered stands in scenarios.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.case import MATRIX, Case, Dialect, Outcome, Play, Surface
from harness.recording.scenarios import chat, content, gemini, messages, responses
from suites.translation.requests import PDF, PNG
from suites.translation.scenarios import SCENARIOS

Request = dict[str, Any]

ASKED: Final = "asked"
_DEEPSEEK: Final = (Dialect.DEEPSEEK_CHAT, Dialect.DEEPSEEK_ANTHROPIC)  # reads no images and no files
_ANSWERS: Final = {scenario.name: scenario for scenario in SCENARIOS}
_ROLES: Final = ("You are a careful harbour master.", "Answer in plain words.")
_BEFORE, _AFTER = "Look at this first.", "And what is the weather there?"
_WEATHER, _BROKEN = "Sunny, 24 degrees", "The clock has stopped."
_THOUGHT: Final = "The visitor wants the weather of Zürich, so the weather tool has to be called."
_SIGNATURE: Final = "RXZ1RENrWUlCaGdDS2tDd2lyZXByb29mc2lnbmF0dXJlb2Zvbmx5b25lZmFtaWx5AAECAwQFBgc="
_VISITOR: Final = "visitor-7f3a"
_PICTURE: Final = f"data:image/png;base64,{PNG}"
_PAGE: Final = f"data:application/pdf;base64,{PDF}"
_SCHEMA: Final = {"name": "city", "schema": content.SCHEMA, "strict": True}


def _chat(*, media: bool) -> Request:
    def call(call_id: str, name: str, arguments: str) -> Request:
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}

    shown = [
        {"type": "image_url", "image_url": {"url": _PICTURE}},
        {"type": "file", "file": {"filename": "page.pdf", "file_data": _PAGE}},
    ]
    mark = {"cache_control": {"type": "ephemeral"}}
    return {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": text, **mark} for text in _ROLES]},
            {"role": "user", "content": [{"type": "text", "text": _BEFORE}, *(shown if media else ()), {"type": "text", "text": _AFTER}]},
            {
                "role": "assistant",
                "content": content.SEARCH_INTRO,
                "thinking_blocks": [{"type": "thinking", "thinking": _THOUGHT, "signature": _SIGNATURE}],
                "tool_calls": [call("call_1", "get_weather", content.WEATHER_ARGUMENTS), call("call_2", "current_time", "{}")],
            },
            {"role": "tool", "tool_call_id": "call_2", "content": _BROKEN},
            {"role": "tool", "tool_call_id": "call_1", "content": _WEATHER},
        ],
        "tools": chat.tools("get_weather", "current_time"),
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "max_completion_tokens": 2048,
        "temperature": 0.5,
        "top_p": 0.75,
        "seed": 7,
        "logit_bias": {"50256": -100},
        "safety_identifier": _VISITOR,
        "service_tier": "flex",
        "stop": ["four", "vier"],
    }


def _responses(*, media: bool) -> Request:
    def call(call_id: str, name: str, arguments: str) -> Request:
        return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}

    shown = [
        {"type": "input_image", "image_url": _PICTURE, "detail": "auto"},
        {"type": "input_file", "filename": "page.pdf", "file_data": _PAGE},
    ]
    said = [{"type": "input_text", "text": _BEFORE}, *(shown if media else ()), {"type": "input_text", "text": _AFTER}]
    return {
        "instructions": _ROLES[0],
        "input": [
            {"role": "developer", "content": _ROLES[1]},
            {"role": "user", "content": said},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": _THOUGHT}], "encrypted_content": _SIGNATURE},
            call("call_1", "get_weather", content.WEATHER_ARGUMENTS),
            call("call_2", "current_time", "{}"),
            {"type": "function_call_output", "call_id": "call_2", "output": _BROKEN},
            {"type": "function_call_output", "call_id": "call_1", "output": _WEATHER},
        ],
        "tools": responses.tools("get_weather", "current_time"),
        "tool_choice": {"type": "function", "name": "get_weather"},
        "max_output_tokens": 2048,
        "temperature": 0.5,
        "top_p": 0.75,
        "truncation": "auto",
        "service_tier": "default",
        "user": _VISITOR,
    }


def _messages(*, media: bool) -> Request:
    def call(call_id: str, name: str, given: Request) -> Request:
        return {"type": "tool_use", "id": call_id, "name": name, "input": given}

    def result(call_id: str, said: str, **more: Any) -> Request:
        return {"type": "tool_result", "tool_use_id": call_id, "content": said, **more}

    shown = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "page.pdf"},
    ]
    thought = {"type": "thinking", "thinking": _THOUGHT, "signature": _SIGNATURE}
    said = {"type": "text", "text": content.SEARCH_INTRO}
    calls = [call("toolu_1", "get_weather", {"city": "Zürich", "unit": "celsius"}), call("toolu_2", "current_time", {})]
    return {
        "max_tokens": 2048,
        "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in _ROLES],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": _BEFORE}, *(shown if media else ()), {"type": "text", "text": _AFTER}]},
            {"role": "assistant", "content": [thought, said, *calls]},
            {"role": "user", "content": [result("toolu_2", _BROKEN, is_error=True), result("toolu_1", _WEATHER)]},
        ],
        "tools": messages.tools("get_weather", "current_time"),
        "tool_choice": {"type": "tool", "name": "get_weather"},
        "temperature": 0.5,
        "top_p": 0.75,
        "top_k": 40,
        "stop_sequences": ["four", "vier"],
        "service_tier": "standard_only",
        "metadata": {"user_id": _VISITOR},
    }


def _gemini(*, media: bool) -> Request:
    def call(name: str, given: Request, **more: Any) -> Request:
        return {"functionCall": {"name": name, "args": given}, **more}

    def result(name: str, **response: str) -> Request:
        return {"functionResponse": {"name": name, "response": response}}

    shown = [{"inlineData": {"mimeType": "image/png", "data": PNG}}, {"inlineData": {"mimeType": "application/pdf", "data": PDF}}]
    said = {"text": content.SEARCH_INTRO, "thoughtSignature": _SIGNATURE.swapcase()}
    proved = call("get_weather", {"city": "Zürich", "unit": "celsius"}, thoughtSignature=_SIGNATURE)
    return {
        "systemInstruction": {"parts": [{"text": text} for text in _ROLES]},
        "contents": [
            {"role": "user", "parts": [{"text": _BEFORE}, *(shown if media else ()), {"text": _AFTER}]},
            {"role": "model", "parts": [{"text": _THOUGHT, "thought": True}, said, proved, call("current_time", {})]},
            {"role": "user", "parts": [result("current_time", error=_BROKEN), result("get_weather", output=_WEATHER)]},
        ],
        "tools": gemini.tools("get_weather", "current_time"),
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}},
        "generationConfig": {"maxOutputTokens": 2048, "temperature": 0.5, "topP": 0.75, "topK": 40, "seed": 7},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    }


MUCH: Final = {Surface.CHAT: _chat, Surface.RESPONSES: _responses, Surface.MESSAGES: _messages, Surface.GEMINI: _gemini}
# The usual run drives the others on three routes only.
_FEW: Final = ("form", "thinking")
_CROSS_SECTION: Final = (
    (Surface.CHAT, Dialect.ANTHROPIC),
    (Surface.MESSAGES, Dialect.OPENAI_CHAT),
    (Surface.MESSAGES, Dialect.OPENAI_RESPONSES),
)
# Each image in another detail: not beside what else may be lost, since a warning of the one would excuse the other.
_SEEN: Final[Mapping[Surface, Request]] = {
    Surface.CHAT: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": _PICTURE, "detail": "low"}}, {"type": "text", "text": _BEFORE}],
            }
        ]
    },
    Surface.RESPONSES: {
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": _PICTURE, "detail": "high"}, {"type": "input_text", "text": _BEFORE}],
            }
        ]
    },
}
# Thinking switched on, and one call at a time.
_THINKING: Final[Mapping[Surface, Request]] = {
    Surface.CHAT: {"reasoning_effort": "high", "parallel_tool_calls": False, "tools": chat.tools("get_weather")},
    Surface.RESPONSES: {"reasoning": {"effort": "high"}, "parallel_tool_calls": False, "tools": responses.tools("get_weather")},
    Surface.MESSAGES: {
        "max_tokens": 8192,
        "thinking": {"type": "enabled", "budget_tokens": 4096},
        "tools": messages.tools("get_weather"),
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    Surface.GEMINI: {"generationConfig": {"thinkingConfig": {"thinkingBudget": 4096}}, "tools": gemini.tools("get_weather")},
}
_FORM: Final[Mapping[Surface, Request]] = {
    Surface.CHAT: {"response_format": {"type": "json_schema", "json_schema": _SCHEMA}},
    Surface.RESPONSES: {"text": {"format": {"type": "json_schema", **_SCHEMA}}},
    Surface.MESSAGES: {"max_tokens": 2048, "output_config": {"format": {"type": "json_schema", "schema": content.SCHEMA}}},
    Surface.GEMINI: {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": content.SCHEMA}},
}
# Of a model that keeps to no schema: any object. Messages has no word for that.
_OBJECT: Final[Mapping[Surface, Request]] = {
    Surface.CHAT: {"response_format": {"type": "json_object"}},
    Surface.RESPONSES: {"text": {"format": {"type": "json_object"}}},
    Surface.GEMINI: {"generationConfig": {"responseMimeType": "application/json"}},
}
# What a client may ask and no other protocol has a word for, with its path.
_REFUSED: Final[Mapping[Surface, tuple[Dialect, str, Request]]] = {
    Surface.CHAT: (Dialect.ANTHROPIC, "n", {"n": 2}),
    Surface.RESPONSES: (Dialect.ANTHROPIC, "background", {"background": True}),
    Surface.MESSAGES: (Dialect.OPENAI_CHAT, "container", {"max_tokens": 9, "container": "container_1"}),
    Surface.GEMINI: (Dialect.ANTHROPIC, "cachedContent", {"cachedContent": "cachedContents/1"}),
}
REFUSED_PATH: Final = {surface: path for surface, (_, path, _) in _REFUSED.items()}


_VENDORS: Final[Mapping[Surface, Any]] = {
    Surface.CHAT: chat,
    Surface.RESPONSES: responses,
    Surface.MESSAGES: messages,
    Surface.GEMINI: gemini,
}


def _asks(surface: Surface) -> Request:
    return dict(_VENDORS[surface].asks("text"))


def _case(surface: Surface, dialect: Dialect, name: str, request: Request, answer: str, **more: Any) -> Case:
    scenario = _ANSWERS[answer]
    forced = (scenario.forced or {}).get(dialect)
    traits = frozenset({ASKED, f"asked-{name}", "translated", *scenario.traits})
    play = Play(recording=scenario.answers[dialect], if_forced=forced)
    short = dialect.value.removeprefix("openai-")
    openai = {Surface.CHAT, Surface.RESPONSES} == {surface, dialect.surface}  # whose images have a detail
    if (name in _FEW and (surface, dialect) not in _CROSS_SECTION) or (name == "seen" and not openai):
        traits |= {MATRIX}
    made: dict[str, Any] = {"play": play, "traits": traits, **more}
    return Case(id=f"translation/{surface}-{short}/asked-{name}", surface=surface, upstream=dialect, request=request, **made)


def _cases() -> Iterator[Case]:
    for surface, much in MUCH.items():
        for dialect in Dialect:
            if dialect.surface is surface:
                continue
            yield _case(surface, dialect, "much", much(media=dialect not in _DEEPSEEK), "text")
            if (seen := _SEEN.get(surface)) and dialect not in _DEEPSEEK:
                yield _case(surface, dialect, "seen", seen, "text")
            if form := (_OBJECT if dialect in _DEEPSEEK else _FORM).get(surface):
                yield _case(surface, dialect, "form", {**_asks(surface), **form}, "structured")
            if dialect is not Dialect.GEMINI or surface is Surface.GEMINI:  # cannot be told to make one call at a time
                yield _case(surface, dialect, "thinking", {**_asks(surface), **_THINKING[surface]}, "text")
        dialect, _, members = _REFUSED[surface]
        refused = frozenset({ASKED, "asked-refused", "translated", "error", "unsupported"})
        request = {**_asks(surface), **members}
        yield _case(surface, dialect, "refused", request, "text", play=None, outcome=Outcome.REFUSED, traits=refused)


CASES: tuple[Case, ...] = tuple(_cases())
