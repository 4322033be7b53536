"""What the four kinds of client ask: each scenario of the matrix in each surface's own idiom, whole, as a user of its SDK writes it.

Without `model` and `stream`, as `Case.request` wants it.
"""

import base64
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.case import Surface
from harness.recording.scenarios import chat, content, gemini, messages, responses
from harness.recording.scenarios.names import Names

Request = dict[str, Any]

_ROLES: Final = ("You are a careful harbour master.", "Answer briefly and in plain words.", "Give distances in sea miles.")
_PARTS: Final = ("Here are three questions about tomorrow's weather.", "What does the sky say?", "And the barometer?")
_LOOP: Final = ("Plan my day in Zürich: first the weather, then what it needs.", "Sunny, 24 degrees", "Note kept.", "It is 10:00.")
_CITY: Final = {"city": "Zürich", "unit": "celsius"}
_DAY: Final = {"title": "Zürich", "body": "sunny", "tags": ["day"], "meta": {}}
_LOOP_TOOLS: Final = ("get_weather", "save_note", "current_time")
_DESCRIBE: Final = "What does the picture show?"
_SUM_UP: Final = "Sum this page up in a sentence."
_STOPS: Final = ["four", "vier"]
_MOST_TOKENS: Final = 24
_SCHEMA: Final = {"name": "city", "schema": content.SCHEMA, "strict": True}
_SIGNATURE: Final = Names("cells/tool-loop/signature").base64(240, "EvsDCvgDAQw5")


def _png() -> str:
    """One grey pixel, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = chunk(b"IHDR", (1).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\x00\x80")) + chunk(b"IEND", b"")).decode()


PNG: Final = _png()
PDF: Final = base64.b64encode(
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
).decode()


def asked(name: str, surface: Surface) -> Request:
    """The request of a scenario on a surface. Raises KeyError for a name that is none."""
    return _ASKED[surface](name)


def _prompt(name: str) -> str:
    return content.PROMPTS[_PROMPTS.get(name, name)]


_PROMPTS: Final[Mapping[str, str]] = {
    "cache": "cache-read",
    "error-400": "text",
    "error-429": "text",
    "error-500": "text",
    "error-in-stream": "text",
    "truncated": "text",
    "unknown-event": "text",
    "unknown-stop": "text",
}


def _chat(name: str) -> Request:
    streams = {"stream_options": {"include_usage": True}}
    return {**_chat_asks(name), **streams}


def _chat_asks(name: str) -> Request:
    match name:
        case "blocks":
            return _user([{"type": "text", "text": text} for text in _PARTS])
        case "system":
            first, second, third = _ROLES
            told = [
                {"role": "system", "content": [{"type": "text", "text": first}, {"type": "text", "text": second}]},
                {"role": "developer", "content": third},
            ]
            return {"messages": [*told, {"role": "user", "content": _prompt("text")}]}
        case "parallel-tools":
            tools = chat.tools("save_note", "find_order", "current_time")
            return {**chat.asks(name), "tools": tools, "tool_choice": "auto", "parallel_tool_calls": True}
        case "tool-loop":
            return {"messages": _chat_loop(), "tools": chat.tools(*_LOOP_TOOLS)}
        case "thinking-tools":
            return {**chat.asks(name), "tools": chat.tools("get_weather"), "reasoning_effort": "medium"}
        case "cache":
            rules = {"type": "text", "text": content.RULE_BOOK, "cache_control": {"type": "ephemeral"}}
            return {"messages": [{"role": "system", "content": [rules]}, {"role": "user", "content": _prompt(name)}]}
        case "structured":
            return {**chat.asks(name), "response_format": {"type": "json_schema", "json_schema": _SCHEMA}}
        case "image":
            return _user([{"type": "text", "text": _DESCRIBE}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}])
        case "document":
            file = {"filename": "page.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
            return _user([{"type": "text", "text": _SUM_UP}, {"type": "file", "file": file}])
        case "length":
            return {**_user(_prompt(name)), "max_completion_tokens": _MOST_TOKENS}
        case "stop-sequence":
            return {**_user(_prompt(name)), "stop": _STOPS}
        case _:
            system = {"role": "system", "content": content.SYSTEM}
            return {"messages": [system, {"role": "user", "content": _prompt(name)}]}


def _user(said: Any) -> Request:
    return {"messages": [{"role": "user", "content": said}]}


def _chat_loop() -> list[Request]:
    question, weather, kept, time = _LOOP

    def call(call_id: str, name: str, arguments: str) -> Request:
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}

    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call("call_weather_1", "get_weather", content.WEATHER_ARGUMENTS)]},
        {"role": "tool", "tool_call_id": "call_weather_1", "content": weather},
        {
            "role": "assistant",
            "content": content.SEARCH_INTRO,
            "tool_calls": [
                call("call_note_2", "save_note", '{"title": "Zürich", "body": "sunny", "tags": ["day"], "meta": {}}'),
                call("call_time_3", "current_time", "{}"),
            ],
        },
        {"role": "tool", "tool_call_id": "call_note_2", "content": kept},
        {"role": "tool", "tool_call_id": "call_time_3", "content": time},
    ]


def _responses(name: str) -> Request:
    match name:
        case "blocks":
            return _input([{"type": "input_text", "text": text} for text in _PARTS])
        case "system":
            first, second, third = _ROLES
            told = [{"role": "developer", "content": [{"type": "input_text", "text": second}]}, {"role": "system", "content": third}]
            return {"instructions": first, "input": [*told, {"role": "user", "content": _prompt("text")}]}
        case "parallel-tools":
            tools = responses.tools("save_note", "find_order", "current_time")
            return {**responses.asks(name), "tools": tools, "tool_choice": "auto", "parallel_tool_calls": True}
        case "tool-loop":
            return {"input": _responses_loop(), "tools": responses.tools(*_LOOP_TOOLS)}
        case "thinking-tools":
            thinks = {"reasoning": {"effort": "medium", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": False}
            return {**responses.asks(name), "tools": responses.tools("get_weather"), **thinks}
        case "cache":
            return {"instructions": content.RULE_BOOK, "input": _prompt(name), "prompt_cache_key": "rule-book"}
        case "structured":
            return {**responses.asks(name), "text": {"format": {"type": "json_schema", **_SCHEMA}}}
        case "image":
            image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
            return _input([{"type": "input_text", "text": _DESCRIBE}, image])
        case "document":
            file = {"type": "input_file", "filename": "page.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
            return _input([{"type": "input_text", "text": _SUM_UP}, file])
        case "length":
            return {"input": _prompt(name), "max_output_tokens": _MOST_TOKENS}
        case "stop-sequence":  # which Responses has no word for
            return {"input": _prompt(name)}
        case _:
            return {"instructions": content.SYSTEM, "input": _prompt(name)}


def _input(parts: Any) -> Request:
    return {"input": [{"role": "user", "content": parts}]}


def _responses_loop() -> list[Request]:
    question, weather, kept, time = _LOOP

    def call(call_id: str, name: str, arguments: str) -> Request:
        return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}

    def result(call_id: str, output: str) -> Request:
        return {"type": "function_call_output", "call_id": call_id, "output": output}

    return [
        {"role": "user", "content": question},
        call("call_weather_1", "get_weather", content.WEATHER_ARGUMENTS),
        result("call_weather_1", weather),
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": content.SEARCH_INTRO, "annotations": []}]},
        call("call_note_2", "save_note", '{"title": "Zürich", "body": "sunny", "tags": ["day"], "meta": {}}'),
        call("call_time_3", "current_time", "{}"),
        result("call_note_2", kept),
        result("call_time_3", time),
    ]


def _messages(name: str) -> Request:
    match name:
        case "blocks":
            return _turn([{"type": "text", "text": text} for text in _PARTS])
        case "system":
            return {**_turn(_prompt("text")), "system": [{"type": "text", "text": text} for text in _ROLES]}
        case "parallel-tools":
            tools = messages.tools("save_note", "find_order", "current_time")
            return {**_turn(_prompt(name)), "tools": tools, "tool_choice": {"type": "auto"}}
        case "tool-loop":
            return {"max_tokens": 2048, "messages": _messages_loop(), "tools": messages.tools(*_LOOP_TOOLS)}
        case "thinking-tools":
            thinks = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
            return {**_turn(_prompt(name)), "tools": messages.tools("get_weather"), **thinks}
        case "cache":
            rules = {"type": "text", "text": content.RULE_BOOK, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
            return {**_turn(_prompt(name)), "system": [rules]}
        case "structured":
            return {**_turn(_prompt(name)), "output_config": {"format": {"type": "json_schema", "schema": content.SCHEMA}}}
        case "image":
            image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
            return _turn([image, {"type": "text", "text": _DESCRIBE}])
        case "document":
            document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
            return _turn([document, {"type": "text", "text": _SUM_UP}])
        case "length":
            return {**_turn(_prompt(name)), "max_tokens": _MOST_TOKENS}
        case "stop-sequence":
            return {**_turn(_prompt(name)), "stop_sequences": _STOPS}
        case _:
            return {**_turn(_prompt(name)), "system": content.SYSTEM}


def _turn(said: Any) -> Request:
    return {"max_tokens": 2048, "messages": [{"role": "user", "content": said}]}


def _messages_loop() -> list[Request]:
    question, weather, kept, time = _LOOP

    def call(call_id: str, name: str, arguments: Request) -> Request:
        return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}

    def result(call_id: str, said: str) -> Request:
        return {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": said}]}

    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": [call("toolu_weather_1", "get_weather", _CITY)]},
        {"role": "user", "content": [result("toolu_weather_1", weather)]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": content.SEARCH_INTRO},
                call("toolu_note_2", "save_note", _DAY),
                call("toolu_time_3", "current_time", {}),
            ],
        },
        {"role": "user", "content": [result("toolu_note_2", kept), result("toolu_time_3", time)]},
    ]


def _gemini(name: str) -> Request:
    match name:
        case "blocks":
            return _contents([{"text": text} for text in _PARTS])
        case "system":
            return {**gemini.asks("text"), "systemInstruction": {"parts": [{"text": text} for text in _ROLES]}}
        case "parallel-tools":
            tools = gemini.tools("save_note", "find_order", "current_time")
            return {**gemini.asks(name), "tools": tools, "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}
        case "tool-loop":
            return {"contents": _gemini_loop(), "tools": gemini.tools(*_LOOP_TOOLS)}
        case "thinking-tools":
            thinks = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
            return {**gemini.asks(name), "tools": gemini.tools("get_weather"), **thinks}
        case "cache":  # goes by itself; marks are a resource of their own
            return {**gemini.asks("cache-read"), "systemInstruction": {"parts": [{"text": content.RULE_BOOK}]}}
        case "structured":
            config = {"responseMimeType": "application/json", "responseJsonSchema": content.SCHEMA}
            return {**gemini.asks(name), "generationConfig": config}
        case "image":
            return _contents([{"text": _DESCRIBE}, {"inlineData": {"mimeType": "image/png", "data": PNG}}])
        case "document":
            return _contents([{"text": _SUM_UP}, {"inlineData": {"mimeType": "application/pdf", "data": PDF}}])
        case "length":
            return {**gemini.asks(name), "generationConfig": {"maxOutputTokens": _MOST_TOKENS}}
        case "stop-sequence":
            return {**gemini.asks(name), "generationConfig": {"stopSequences": _STOPS}}
        case _:
            return {**_contents([{"text": _prompt(name)}]), "systemInstruction": {"parts": [{"text": content.SYSTEM}]}}


def _contents(parts: list[Request]) -> Request:
    return {"contents": [{"role": "user", "parts": parts}]}


def _gemini_loop() -> list[Request]:
    question, weather, kept, time = _LOOP

    def call(call_id: str, name: str, arguments: Request) -> Request:
        return {"functionCall": {"id": call_id, "name": name, "args": arguments}}

    def result(call_id: str, name: str, output: str) -> Request:
        return {"functionResponse": {"id": call_id, "name": name, "response": {"output": output}}}

    return [
        {"role": "user", "parts": [{"text": question}]},
        {"role": "model", "parts": [{**call("weather1", "get_weather", _CITY), "thoughtSignature": _SIGNATURE}]},
        {"role": "user", "parts": [result("weather1", "get_weather", weather)]},
        {
            "role": "model",
            "parts": [
                {"text": content.SEARCH_INTRO},
                {**call("note2", "save_note", _DAY), "thoughtSignature": _SIGNATURE},
                call("time3", "current_time", {}),
            ],
        },
        {"role": "user", "parts": [result("note2", "save_note", kept), result("time3", "current_time", time)]},
    ]


_ASKED: Final[Mapping[Surface, Callable[[str], Request]]] = {
    Surface.CHAT: _chat,
    Surface.RESPONSES: _responses,
    Surface.MESSAGES: _messages,
    Surface.GEMINI: _gemini,
}
