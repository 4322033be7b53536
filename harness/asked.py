"""What a request asks, in the harness's own neutral form: the same for what a client sent and for what a vendor was sent.

Read by JSON alone, with no gateway's code. Nothing here raises: what has the wrong type counts as not there. A path is where a thing
stands in its request ("messages[0].content[1]"), as a gateway's warnings name it.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from harness.case import Surface


class Kind(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"  # of PDF; one of text is a text
    REASONING = "reasoning"
    REFUSAL = "refusal"
    CALL = "call"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`text` is also a call's arguments; `data` an image's or document's base64 or address; `proof` what proves a thought or a call.

    `media_type`, `title` and `detail` are "" where the request does not say them.
    """

    kind: Kind
    role: str  # system, user, assistant
    path: str
    text: str = ""
    data: str = ""
    media_type: str = ""
    title: str = ""  # of a document, be it of PDF or of text
    detail: str = ""  # in which an image is to be seen
    id: str = ""
    name: str = ""
    proof: str = ""
    parts: tuple["Piece", ...] = ()  # of a result
    is_error: bool = False
    cache: str | None = None  # 5m, 1h


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTool:
    name: str
    path: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    cache: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """`schema` is None where any JSON object will do; `strict` where the vendor is to hold the model to it."""

    schema: Mapping[str, Any] | None
    strict: bool = False
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`choice` is auto, none, required, or the names of tools. `numbers` has what is said of limit and sampling, by the neutral name."""

    pieces: tuple[Piece, ...] = ()
    tools: tuple[AskedTool, ...] = ()
    choice: str | tuple[str, ...] | None = None
    parallel: bool | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    output: Output | None = None
    thinks: bool | None = None  # None: not a word
    effort: str | None = None
    budget: int | None = None  # of tokens to think with
    tier: str = ""  # of service, by OpenAI's words for it
    user: str = ""  # whom the client's request is for, by the name that the client has for it
    paths: Mapping[str, str] = field(default_factory=dict)  # neutral name -> where it stands in this request


def read(surface: Surface, body: Any) -> Asked:
    """Of a request's JSON value."""
    reader = _READERS.get(surface)
    return reader(body) if reader is not None and isinstance(body, dict) else Asked()


def texts(pieces: Sequence[Piece]) -> list[str]:
    """Those that say something: a vendor refuses blanks."""
    return [piece.text for piece in pieces if piece.kind in (Kind.TEXT, Kind.REFUSAL) and piece.text.strip()]


# chat

_NUMBERS: Final = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


def _chat(body: dict[str, Any]) -> Asked:
    pieces: list[Piece] = []
    functions = not body.get("tools") and bool(body.get("functions"))
    last_call = ""
    for number, message in enumerate(_objects(body.get("messages"))):
        path = f"messages[{number}]"
        match message.get("role"):
            case "system" | "developer":
                pieces += _chat_content(message, "system", path)
            case "assistant":
                pieces += _chat_assistant(message, path)
                last_call = next((piece.id for piece in reversed(pieces) if piece.kind is Kind.CALL), "")
            case "tool" | "function" as role:
                call_id = _text(message.get("tool_call_id")) if role == "tool" else last_call
                parts = tuple(_chat_content(message, "user", path))
                pieces.append(Piece(kind=Kind.RESULT, role="user", path=path, id=call_id, parts=parts))
            case _:
                pieces += _chat_content(message, "user", path)
    wanted = "functions" if functions else "tools"
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    form = _object(body.get("response_format"))
    effort, thinking = _word(body.get("reasoning_effort")), _object(body.get("thinking"))
    off = effort == "none" or thinking.get("type") == "disabled"
    return Asked(
        pieces=tuple(pieces),
        tools=tuple(
            _function(tool if functions else _object(tool.get("function")), f"{wanted}[{i}]", mark=tool)
            for i, tool in enumerate(_objects(body.get(wanted)))
            if functions or tool.get("type") == "function"
        ),
        choice=_chat_choice(body.get("function_call") if functions else body.get("tool_choice")),
        parallel=False if functions else _flag(body.get("parallel_tool_calls")),
        numbers=_numbers(body, {"limit": limit, **{name: name for name in _NUMBERS}}),
        stop=_words(body.get("stop")),
        output=_output({**_object(form.get("json_schema")), "type": form.get("type")}),
        thinks=not off if effort or thinking else None,
        effort=effort,
        budget=_count(thinking.get("budget_tokens")),
        tier=_text(body.get("service_tier")),
        user=_user(body),
        paths={
            **_user_path(body),
            "limit": limit,
            "parallel": wanted if functions else "parallel_tool_calls",
            "output": "response_format",
            "thinking": "thinking" if thinking else "reasoning_effort",
        },
    )


def _chat_content(message: dict[str, Any], role: str, path: str) -> Iterator[Piece]:
    content = message.get("content")
    if isinstance(content, str):
        yield Piece(kind=Kind.TEXT, role=role, path=path, text=content, cache=_ttl(message))
        return
    for number, part in enumerate(_objects(content)):
        at = f"{path}.content[{number}]"
        made = Piece(kind=Kind.TEXT, role=role, path=at, cache=_ttl(part))
        match part.get("type"):
            case "text":
                yield replace(made, text=_text(part.get("text")))
            case "refusal":
                yield replace(made, kind=Kind.REFUSAL, text=_text(part.get("refusal")))
            case "image_url":
                image = _object(part.get("image_url"))
                yield _image(made, _text(image.get("url")), _text(image.get("detail")))
            case "file":
                file = _object(part.get("file"))
                yield _document(made, _text(file.get("file_data")), _text(file.get("filename")))


def _chat_assistant(message: dict[str, Any], path: str) -> Iterator[Piece]:
    thought = Piece(kind=Kind.REASONING, role="assistant", path=path)
    blocks = _objects(message.get("thinking_blocks"))
    for block in blocks:
        yield replace(thought, text=_text(block.get("thinking")), proof=_text(block.get("signature")) or _text(block.get("data")))
    if _text(message.get("reasoning_content")) and not blocks:
        yield replace(thought, text=_text(message.get("reasoning_content")))
    yield from _chat_content(message, "assistant", path)
    if _text(message.get("refusal")):
        yield Piece(kind=Kind.REFUSAL, role="assistant", path=path, text=_text(message.get("refusal")))
    calls = [(f"{path}.tool_calls[{i}]", call) for i, call in enumerate(_objects(message.get("tool_calls")))]
    if isinstance(message.get("function_call"), dict):
        calls.append((f"{path}.function_call", {"id": path, "function": message["function_call"]}))
    for at, call in calls:
        function = _object(call.get("function"))
        google = _object(_object(call.get("extra_content")).get("google"))
        yield Piece(
            kind=Kind.CALL,
            role="assistant",
            path=at,
            id=_text(call.get("id")),
            name=_text(function.get("name")),
            text=spelled(_text(function.get("arguments"))),
            proof=_text(google.get("thought_signature")),
        )


def _chat_choice(value: Any) -> str | tuple[str, ...] | None:
    if not isinstance(value, dict):
        return _word(value)
    if value.get("type") == "allowed_tools":
        allowed = _object(value.get("allowed_tools"))
        return tuple(_text(_object(tool.get("function")).get("name")) for tool in _objects(allowed.get("tools")))
    return (_text(_object(value.get("function")).get("name") or value.get("name")),)


def _function(tool: dict[str, Any], path: str, *, mark: dict[str, Any], schema: str = "parameters") -> AskedTool:
    return AskedTool(
        name=_text(tool.get("name")),
        path=path,
        description=_text(tool.get("description")),
        schema=_object(tool.get(schema)),
        strict=tool.get("strict") is True,
        cache=_ttl(mark) or _ttl(tool),
    )


def _user(body: dict[str, Any]) -> str:
    return _text(body.get("safety_identifier")) or _text(body.get("user"))


def _user_path(body: dict[str, Any]) -> dict[str, str]:
    return {"user": "safety_identifier" if body.get("safety_identifier") else "user"}


# responses


def _responses(body: dict[str, Any]) -> Asked:
    pieces: list[Piece] = []
    if _text(body.get("instructions")):
        pieces.append(Piece(kind=Kind.TEXT, role="system", path="instructions", text=_text(body.get("instructions"))))
    if isinstance(body.get("input"), str):
        pieces.append(Piece(kind=Kind.TEXT, role="user", path="input", text=body["input"]))
    for number, item in enumerate(_objects(body.get("input"))):
        pieces += _item(item, f"input[{number}]")
    tools, form = _objects(body.get("tools")), _object(_object(body.get("text")).get("format"))
    named = "text" if form else "response_format"
    if not form:
        form = _object(body.get("response_format"))
        form = {**form, **_object(form.get("json_schema"))}
    reasoning = _object(body.get("reasoning"))
    effort = _word(reasoning.get("effort"))
    return Asked(
        pieces=tuple(pieces),
        tools=tuple(_function(tool, f"tools[{i}]", mark={}) for i, tool in enumerate(tools) if tool.get("type") == "function"),
        choice=_responses_choice(body.get("tool_choice")),
        parallel=_flag(body.get("parallel_tool_calls")),
        numbers=_numbers(body, {"limit": "max_output_tokens", **{name: name for name in _NUMBERS}}),
        output=_output(form),
        tier=_text(body.get("service_tier")),
        thinks=effort != "none" if effort else None,
        effort=effort,
        user=_user(body),
        paths={
            **_user_path(body),
            "limit": "max_output_tokens",
            "parallel": "parallel_tool_calls",
            "output": named,
            "thinking": "reasoning",
        },
    )


def _item(item: dict[str, Any], path: str) -> Iterator[Piece]:
    match item.get("type", "message"):
        case "function_call":
            arguments = spelled(_text(item.get("arguments")))
            call_id, name = _text(item.get("call_id")), _text(item.get("name"))
            yield Piece(kind=Kind.CALL, role="assistant", path=path, id=call_id, name=name, text=arguments)
        case "function_call_output":
            parts = tuple(_input_parts(item.get("output"), "user", path, "output"))
            yield Piece(kind=Kind.RESULT, role="user", path=path, id=_text(item.get("call_id")), parts=parts)
        case "reasoning":
            said = "\n\n".join(_text(part.get("text")) for part in _objects(item.get("summary")))
            yield Piece(kind=Kind.REASONING, role="assistant", path=path, text=said, proof=_text(item.get("encrypted_content")))
        case "message":
            role = {"assistant": "assistant", "system": "system", "developer": "system"}.get(_text(item.get("role")), "user")
            yield from _input_parts(item.get("content"), role, path, "content")


def _input_parts(content: Any, role: str, path: str, member: str) -> Iterator[Piece]:
    if isinstance(content, str):
        yield Piece(kind=Kind.TEXT, role=role, path=path, text=content)
    for number, part in enumerate(_objects(content)):
        made = Piece(kind=Kind.TEXT, role=role, path=f"{path}.{member}[{number}]", cache=_ttl(part))
        match part.get("type"):
            case "input_text" | "output_text" | "text":
                yield replace(made, text=_text(part.get("text")))
            case "refusal":
                yield replace(made, kind=Kind.REFUSAL, text=_text(part.get("refusal")))
            case "input_image":
                yield _image(made, _text(part.get("image_url")), _text(part.get("detail")))
            case "input_file":
                yield _document(made, _text(part.get("file_data")) or _text(part.get("file_url")), _text(part.get("filename")))


def _responses_choice(value: Any) -> str | tuple[str, ...] | None:
    if not isinstance(value, dict):
        return _word(value)
    if value.get("type") == "allowed_tools":
        return tuple(_text(tool.get("name")) for tool in _objects(value.get("tools")))
    return (_text(value.get("name")),)


# messages

_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


def _messages(body: dict[str, Any]) -> Asked:
    pieces = [*_blocks(body.get("system"), "system", "system", "")]
    for number, message in enumerate(_objects(body.get("messages"))):
        role = {"assistant": "assistant", "system": "system"}.get(_text(message.get("role")), "user")
        pieces += _blocks(message.get("content"), role, f"messages[{number}]", ".content")
    if pieces and _ttl(body):
        pieces[-1] = replace(pieces[-1], cache=_ttl(body))
    choice, config, thinking = _object(body.get("tool_choice")), _object(body.get("output_config")), _object(body.get("thinking"))
    form = _object(config.get("format")) or _object(body.get("output_format"))
    chosen = (_text(choice.get("name")),) if choice.get("type") == "tool" else _CHOICES.get(_text(choice.get("type")))
    one_by_one = _flag(choice.get("disable_parallel_tool_use"))
    return Asked(
        pieces=tuple(pieces),
        tools=tuple(
            _function(tool, f"tools[{i}]", mark=tool, schema="input_schema")
            for i, tool in enumerate(_objects(body.get("tools")))
            if tool.get("type") in (None, "custom")
        ),
        choice=chosen,
        parallel=None if one_by_one is None else not one_by_one,
        numbers=_numbers(body, {"limit": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}),
        stop=_words(body.get("stop_sequences")),
        output=_output(form),
        tier=_TIERS.get(_text(body.get("service_tier")), ""),
        thinks=thinking.get("type") != "disabled" if thinking else None,
        effort=_word(config.get("effort")),
        budget=_count(thinking.get("budget_tokens")),
        user=_text(_object(body.get("metadata")).get("user_id")),
        paths={
            "user": "metadata.user_id",
            "limit": "max_tokens",
            "stop": "stop_sequences",
            "output": "output_config" if config.get("format") else "output_format",
            "parallel": "tool_choice",
        },
    )


def _blocks(content: Any, role: str, path: str, member: str) -> Iterator[Piece]:
    if isinstance(content, str):
        yield Piece(kind=Kind.TEXT, role=role, path=path, text=content)
    for number, block in enumerate(_objects(content)):
        at = f"{path}{member}[{number}]"
        made = Piece(kind=Kind.TEXT, role=role, path=at, cache=_ttl(block))
        match block.get("type"):
            case "text":
                yield replace(made, text=_text(block.get("text")))
            case "image":
                source = _object(block.get("source"))
                yield replace(made, kind=Kind.IMAGE, data=_source(source), media_type=_text(source.get("media_type")))
            case "document":
                if _text(block.get("context")):
                    yield replace(made, text=_text(block.get("context")), cache=None)
                yield from _messages_document(replace(made, title=_text(block.get("title"))), _object(block.get("source")))
            case "search_result":
                said = [
                    _text(block.get("title")),
                    _text(block.get("source")),
                    *(_text(part.get("text")) for part in _objects(block.get("content"))),
                ]
                yield from (replace(made, text=text, cache=None) for text in said)
            case "thinking":
                yield replace(made, kind=Kind.REASONING, text=_text(block.get("thinking")), proof=_text(block.get("signature")))
            case "redacted_thinking":
                yield replace(made, kind=Kind.REASONING, proof=_text(block.get("data")))
            case "tool_use":
                arguments = spelled(json.dumps(block.get("input")))
                yield replace(made, kind=Kind.CALL, id=_text(block.get("id")), name=_text(block.get("name")), text=arguments)
            case "tool_result":
                parts = tuple(_blocks(block.get("content"), role, at, ".content"))
                is_error = block.get("is_error") is True
                yield replace(made, kind=Kind.RESULT, id=_text(block.get("tool_use_id")), parts=parts, is_error=is_error)


def _messages_document(made: Piece, source: dict[str, Any]) -> Iterator[Piece]:
    match source.get("type"):
        case "text":
            yield replace(made, text=_text(source.get("data")))
        case "content":  # several texts, of which none has the title
            yield from (
                replace(made, text=piece.text, title="")
                for piece in _blocks(source.get("content"), made.role, made.path, ".source.content")
            )
        case _:
            yield replace(made, kind=Kind.DOCUMENT, data=_source(source), media_type=_text(source.get("media_type")))


def _source(source: dict[str, Any]) -> str:
    return _text(source.get("data")) or _text(source.get("url"))


# gemini

_CONFIG: Final = {
    "limit": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODES: Final = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none", "ANY": "required"}


def _gemini(body: dict[str, Any]) -> Asked:
    body = {camel(name): value for name, value in body.items()}
    pieces = [
        Piece(kind=Kind.TEXT, role="system", path="systemInstruction", text=_text(part.get("text")))
        for part in _many(_object(body.get("systemInstruction")).get("parts"))
    ]
    unanswered: list[Piece] = []
    for number, content in enumerate(_many(body.get("contents"))):
        role = "assistant" if content.get("role") == "model" else "user"
        for place, part in enumerate(_many(content.get("parts"))):
            for piece in _part(part, role, f"contents[{number}].parts[{place}]"):
                made = piece
                if piece.kind is Kind.CALL:
                    made = replace(piece, id=piece.id or piece.path)
                    unanswered.append(made)
                elif piece.kind is Kind.RESULT:
                    made = replace(piece, id=_answered(unanswered, piece))
                pieces.append(made)
    config = _camels(_object(body.get("generationConfig")))
    calling = _camels(_object(_camels(_object(body.get("toolConfig"))).get("functionCallingConfig")))
    names = _words(calling.get("allowedFunctionNames"))
    schema = config.get("responseJsonSchema") or _json_schema(config.get("responseSchema"))
    thinking = _camels(_object(config.get("thinkingConfig")))
    level, budget = _word(thinking.get("thinkingLevel")), thinking.get("thinkingBudget")
    return Asked(
        pieces=tuple(pieces),
        tools=tuple(_declarations(body)),
        choice=names or _MODES.get(_text(calling.get("mode"))),
        numbers=_numbers(config, _CONFIG),
        stop=_words(config.get("stopSequences")),
        output=_output({"type": "json_schema" if schema else "json_object", "schema": schema})
        if config.get("responseMimeType") == "application/json"
        else None,
        thinks=budget != 0 if level or budget is not None else None,
        effort=level.lower() if level else None,
        budget=_count(budget),
        paths={
            **{name: f"generationConfig.{path}" for name, path in _CONFIG.items()},
            "stop": "generationConfig.stopSequences",
            "output": "generationConfig",
            "thinking": "generationConfig.thinkingConfig",
        },
    )


def _answered(unanswered: list[Piece], result: Piece) -> str:
    """The call's id: by the result's own, else by name and order."""
    same_id = [call for call in unanswered if call.id == result.id]
    same_name = [call for call in unanswered if call.name == result.name]
    for call in (*same_id, *same_name):
        unanswered.remove(call)
        return call.id
    return result.id


def _part(part: dict[str, Any], role: str, path: str) -> Iterator[Piece]:
    part = _camels(part)
    made = Piece(kind=Kind.TEXT, role=role, path=path, proof=_text(part.get("thoughtSignature")))
    call, result = _camels(_object(part.get("functionCall"))), _camels(_object(part.get("functionResponse")))
    if call:
        arguments = spelled(json.dumps(call.get("args") or {}))
        yield replace(made, kind=Kind.CALL, id=_text(call.get("id")), name=_text(call.get("name")), text=arguments)
    elif result:
        said, is_error = _response(result.get("response"))
        media = [piece for inner in _many(result.get("parts")) for piece in _part(inner, role, path)]
        parts = (Piece(kind=Kind.TEXT, role=role, path=path, text=said), *media)
        yield replace(made, kind=Kind.RESULT, id=_text(result.get("id")), name=_text(result.get("name")), parts=parts, is_error=is_error)
    elif blob := _camels(_object(part.get("inlineData"))):
        yield _media(made, _text(blob.get("mimeType")), _text(blob.get("data")), _text(blob.get("displayName")))
    elif file := _camels(_object(part.get("fileData"))):
        yield _media(made, _text(file.get("mimeType")), _text(file.get("fileUri")), _text(file.get("displayName")))
    elif part.get("thought") is True:
        yield replace(made, kind=Kind.REASONING, text=_text(part.get("text")))
    else:
        yield replace(made, text=_text(part.get("text")))


def _media(made: Piece, media_type: str, data: str, title: str) -> Piece:
    data = data.translate(str.maketrans("-_", "+/")) if "://" not in data else data
    if media_type.startswith("text/"):
        return replace(made, text=_decoded(data), title=title)
    made = replace(made, data=data, media_type=media_type)
    return replace(made, kind=Kind.IMAGE) if media_type.startswith("image/") else replace(made, kind=Kind.DOCUMENT, title=title)


def _response(value: Any) -> tuple[str, bool]:
    """What a function answered: `output` alone is its text, `error` alone an error."""
    match value:
        case {"output": str(text)} if len(value) == 1:
            return text, False
        case {"error": str(text)} if len(value) == 1:
            return text, True
        case dict():
            return json.dumps(value, ensure_ascii=False), False
        case _:
            return "", False


def _declarations(body: dict[str, Any]) -> Iterator[AskedTool]:
    for number, tool in enumerate(_many(body.get("tools"))):
        for place, value in enumerate(_objects(_camels(tool).get("functionDeclarations"))):
            declared = _camels(value)
            schema = _object(declared.get("parametersJsonSchema")) or _json_schema(_object(declared.get("parameters")))
            path = f"tools[{number}].functionDeclarations[{place}]"
            yield AskedTool(name=_text(declared.get("name")), path=path, description=_text(declared.get("description")), schema=schema)


def _json_schema(schema: Any) -> Any:
    """Of a schema in Google's other form (OpenAPI's): its types have large letters, and null is a flag."""
    if isinstance(schema, list):
        return [_json_schema(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _json_schema(member) for name, member in schema.items() if name not in ("nullable", "properties")}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {name: _json_schema(inner) for name, inner in schema["properties"].items()}
    if isinstance(kind := schema.get("type"), str):
        made["type"] = [kind.lower(), "null"] if schema.get("nullable") is True else kind.lower()
    return made


# all

_READERS: Final[Mapping[Surface, Callable[[dict[str, Any]], Asked]]] = {
    Surface.CHAT: _chat,
    Surface.RESPONSES: _responses,
    Surface.MESSAGES: _messages,
    Surface.GEMINI: _gemini,
}


def spelled(arguments: str) -> str:
    """JSON in one spelling; what is none stays as it is."""
    try:
        return json.dumps(json.loads(arguments or "{}"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except ValueError:
        return arguments


def camel(name: str) -> str:
    """Google's JSON takes either spelling of its own words."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _camels(value: dict[str, Any]) -> dict[str, Any]:
    return {camel(name): member for name, member in value.items()}


def _output(form: dict[str, Any]) -> Output | None:
    match form.get("type"):
        case "json_schema":
            return Output(
                schema=_object(form.get("schema")),
                strict=form.get("strict") is True,
                name=_text(form.get("name")),
                description=_text(form.get("description")),
            )
        case "json_object":
            return Output(schema=None)
        case _:
            return None


def _numbers(body: dict[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    found = {name: body.get(member) for name, member in names.items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and not isinstance(value, bool)}


def _ttl(value: dict[str, Any]) -> str | None:
    mark = value.get("cache_control")
    if isinstance(mark, dict):
        return _text(mark.get("ttl")) or "5m"
    point = value.get("prompt_cache_breakpoint")
    if isinstance(point, dict):
        return "1h" if point.get("ttl") == "12h" else "5m"
    return None


def _document(made: Piece, data: str, title: str) -> Piece:
    """A file: a data URI, or bytes without a word of what they are."""
    head, comma, content = data.partition(";base64,")
    made = replace(made, title=title)
    if head.startswith("data:text/"):
        return replace(made, text=_decoded(content))
    return replace(made, kind=Kind.DOCUMENT, data=content if comma else data, media_type=head.removeprefix("data:") if comma else "")


def _image(made: Piece, url: str, detail: str) -> Piece:
    """A data URI, or an address."""
    head, comma, content = url.partition(";base64,")
    made = replace(made, kind=Kind.IMAGE, detail=detail)
    return replace(made, data=content or url, media_type=head.removeprefix("data:") if comma else "")


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return data


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _many(value: Any) -> list[dict[str, Any]]:
    """Google's JSON takes one thing for a list of one."""
    return [value] if isinstance(value, dict) else _objects(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _count(value: Any) -> int | None:
    return value if type(value) is int else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
