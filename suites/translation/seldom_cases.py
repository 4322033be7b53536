"""Requests that use what is seldom used, and is lost as seldom noticed: each a route or two on which a gateway was broken on purpose.

What they show is what the vendor was asked (request_rules.py); a text answers them. Where a vendor has no way to do what is asked, the
gateway refuses, or says what became of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.case import MATRIX, Case, Dialect, Outcome, Play, Surface
from harness.recording.scenarios import chat, content, gemini, messages, responses
from suites.translation.request_cases import ASKED
from suites.translation.requests import PDF

Body = Mapping[str, Any]

CHAT, RESPONSES, MESSAGES, GEMINI = Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI
_GPT, _NEWER, _CLAUDE, _GOOGLE = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC, Dialect.GEMINI
UNSAYABLE: Final = "unsayable"
_LONG: Final = " ".join(f"Line {number} of the log: high water, and no wind." for number in range(600))  # of some 28,000 characters
_ADDRESS: Final = "https://harbour.example/lighthouse.png"
_REFUSED: Final = "I would rather not say where the wreck lies."
_OPENAPI: Final = {  # as Google's older form has it
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING"}, "days": {"type": "ARRAY", "items": {"type": "INTEGER"}}},
    "required": ["city"],
}


def _case(client: Surface, upstream: Dialect, name: str, request: Body, answer: str = "text", **more: Any) -> Case:
    made: dict[str, Any] = {"traits": frozenset({ASKED, "translated", MATRIX, "request-known", answer}), **more}
    return Case(
        id=f"translation/{client}-{upstream.value.removeprefix('openai-')}/seldom-{name}",
        surface=client,
        upstream=upstream,
        play=Play(recording=f"{upstream.surface}/{answer}"),
        request=request,
        **made,
    )


def _unsayable(client: Surface, upstream: Dialect, name: str, request: Body) -> Case:
    traits = frozenset({"translated", MATRIX, UNSAYABLE})
    return _case(client, upstream, name, request, outcome=Outcome.REFUSED, traits=traits)


def _ask(said: Any, **more: Any) -> Body:
    return {"messages": [{"role": "user", "content": said}], **more}


def _cases() -> Iterator[Case]:
    for upstream in (_CLAUDE, _GOOGLE):
        yield _case(CHAT, upstream, "stops", _ask("Go on.", stop=["\nUser:", " END"]))
        yield _case(CHAT, upstream, "blanks", _ask([{"type": "text", "text": text} for text in ("  indented:\n", "\n\tcode()\n", "Well?")]))
        yield _case(CHAT, upstream, "two-turns", {"messages": [{"role": "user", "content": text} for text in ("First.", "Second.")]})
        yield _case(CHAT, upstream, "older-limit", _ask("Count.", max_tokens=77))
        yield _case(CHAT, upstream, "long", {"messages": _history(_LONG), "tools": chat.tools("find_order")})
        yield _case(CHAT, upstream, "refusal", {"messages": _with_refusal()})
    for upstream in (_CLAUDE, _NEWER, _GPT):
        surface = MESSAGES if upstream is _GPT else CHAT
        yield _case(surface, upstream, "address", _ask(_pictured(surface), **({"max_tokens": 2048} if surface is MESSAGES else {})))
    for upstream in (_CLAUDE, _NEWER):
        yield _case(CHAT, upstream, "allowed", _ask("Weather?", tools=chat.tools("get_weather", "find_order"), tool_choice=_ALLOWED))
        yield _case(CHAT, upstream, "low-effort", _ask("Hm?", reasoning_effort="low"))
    for upstream in (_GPT, _NEWER, _GOOGLE):
        yield _case(MESSAGES, upstream, "long", _messages_history(_LONG))
        yield _case(MESSAGES, upstream, "small-budget", _ask("Hm?", max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 1024}))
        yield _case(MESSAGES, upstream, "paper-in-result", _paper_in_result())
    for upstream in (_GPT, _NEWER, _CLAUDE):
        yield _case(GEMINI, upstream, "openapi", _openapi(), "structured")
        yield _case(GEMINI, upstream, "same-names", _same_names())
    described = {"type": "json_schema", "name": "city_of", "description": "A city and its people", "schema": content.SCHEMA}
    yield _case(RESPONSES, _GPT, "described", {"input": "Graz?", "text": {"format": described}}, "structured")
    named = {name: member for name, member in described.items() if name != "type"}
    yield _case(CHAT, _NEWER, "described", _ask("Graz?", response_format={"type": "json_schema", "json_schema": named}), "structured")
    yield _case(RESPONSES, _CLAUDE, "long", _responses_history(_LONG))
    yield _case(MESSAGES, _GPT, "described-tool", {**_ask("Hm?", max_tokens=99), "tools": _described(messages.tools("current_time"))})
    for client, upstream in (
        (CHAT, _CLAUDE),
        (CHAT, _GOOGLE),
        (RESPONSES, _CLAUDE),
        (MESSAGES, _GPT),
        (MESSAGES, _NEWER),
        (GEMINI, _CLAUDE),
    ):
        yield _case(client, upstream, "defaults", _DEFAULTS[client])
    for client, upstream in ((CHAT, _CLAUDE), (CHAT, _GOOGLE), (MESSAGES, _GPT)):
        yield _case(client, upstream, "zeros", _ask("Hm?", temperature=0, **({"max_tokens": 2048} if client is MESSAGES else {"seed": 0})))
    yield _case(CHAT, _CLAUDE, "empty-result", {"messages": _history(""), "tools": chat.tools("find_order")})
    yield _case(MESSAGES, _GPT, "empty-result", _messages_history(""))
    yield _unsayable(CHAT, _CLAUDE, "much", _ask("Go on.", max_completion_tokens=10_000_000))
    yield _unsayable(CHAT, _CLAUDE, "hot", _ask("Go wild.", temperature=1.5))
    yield _unsayable(MESSAGES, _GPT, "many-stops", _ask("Go on.", max_tokens=2048, stop_sequences=["a1", "b2", "c3", "d4", "e5"]))


# What says no more than that nothing is wanted, as libraries write it out.
_DEFAULTS: Final[Mapping[Surface, Body]] = {
    CHAT: _ask(
        "Hm?",
        n=1,
        stop=None,
        tools=None,
        logit_bias={},
        logprobs=False,
        metadata={},
        store=False,
        modalities=["text"],
        response_format={"type": "text"},
        service_tier="auto",
    ),
    RESPONSES: {
        "input": "Hm?",
        "background": False,
        "include": [],
        "max_output_tokens": None,
        "metadata": {},
        "previous_response_id": None,
        "store": False,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "truncation": "disabled",
    },
    MESSAGES: _ask(
        "Hm?", max_tokens=2048, metadata={}, service_tier="auto", stop_sequences=[], system="", thinking={"type": "disabled"}, tools=[]
    ),
    GEMINI: {
        "contents": [{"role": "user", "parts": [{"text": "Hm?"}]}],
        "generationConfig": {"candidateCount": 1, "responseMimeType": "text/plain", "responseModalities": ["TEXT"], "stopSequences": []},
        "safetySettings": [],
        "tools": [],
    },
}
_ALLOWED: Final = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]},
}


def _described(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**tool, "description": f"Tells the time. {_LONG[:4000]}"} for tool in tools]


def _history(result: str) -> list[dict[str, Any]]:
    function = {"name": "find_order", "arguments": content.ORDER_ARGUMENTS}
    return [
        {"role": "user", "content": "What became of my order?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
        {"role": "user", "content": f"And of this? {result}"},
    ]


def _with_refusal() -> list[dict[str, Any]]:
    refused = {"role": "assistant", "content": None, "refusal": _REFUSED}
    return [{"role": "user", "content": "Where is the wreck?"}, refused, {"role": "user", "content": "And the lighthouse?"}]


def _pictured(surface: Surface) -> list[dict[str, Any]]:
    text = {"type": "text", "text": "What is this?"}
    if surface is MESSAGES:
        return [{"type": "image", "source": {"type": "url", "url": _ADDRESS}}, text]
    return [{"type": "image_url", "image_url": {"url": _ADDRESS}}, text]


def _messages_history(result: str) -> Body:
    call = {"type": "tool_use", "id": "toolu_1", "name": "find_order", "input": {"order_id": 9007199254740993, "lines": [1, -0.5]}}
    back = {"type": "tool_result", "tool_use_id": "toolu_1", "content": result}
    turns = [
        {"role": "user", "content": "What became of my order?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [back, {"type": "text", "text": f"And of this? {result}"}]},
    ]
    return {"max_tokens": 2048, "messages": turns, "tools": messages.tools("find_order")}


def _paper_in_result() -> Body:
    paper = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "current_time", "input": {}}
    back = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Here it is."}, paper]}
    turns = [{"role": "user", "content": "Get it."}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [back]}]
    return {"max_tokens": 2048, "messages": turns, "tools": messages.tools("current_time")}


def _responses_history(result: str) -> Body:
    call = {"type": "function_call", "call_id": "call_1", "name": "find_order", "arguments": content.ORDER_ARGUMENTS}
    items = [
        {"role": "user", "content": "What became of my order?"},
        call,
        {"type": "function_call_output", "call_id": "call_1", "output": result},
        {"role": "user", "content": f"And of this? {result}"},
    ]
    return {"input": items, "tools": responses.tools("find_order")}


def _openapi() -> Body:
    tool = {"name": "find_city", "description": "Finds a city", "parameters": _OPENAPI}
    config = {"responseMimeType": "application/json", "responseSchema": _OPENAPI}
    return {**gemini.asks("text"), "tools": [{"functionDeclarations": [tool]}], "generationConfig": config}


def _same_names() -> Body:
    """Two calls of one tool, which older models do not number: the order tells which result is whose."""
    cities = ("Graz", "Linz")
    calls = [{"functionCall": {"name": "get_weather", "args": {"city": city, "unit": "celsius"}}} for city in cities]
    results = [{"functionResponse": {"name": "get_weather", "response": {"output": f"rain in {city}"}}} for city in cities]
    turns = [
        {"role": "user", "parts": [{"text": "The weather in Graz and Linz?"}]},
        {"role": "model", "parts": calls},
        {"role": "user", "parts": results},
    ]
    return {"contents": turns, "tools": gemini.tools("get_weather")}


CASES: tuple[Case, ...] = tuple(_cases())
