"""A Gemini client's request as an `Ask` (translation.md 3.5; contract:132 to contract:137).

What is dropped or refused stands in losses.REQUEST_IN. Members are taken in camel case and in snake case, and one object for a list of
one, as Google's own parser takes them. Results find their calls by id, else by name and order; one without its call and a call without
its result are Malformed, with the path.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from typing import Any, Final

from reference_gateway.translation.common.members import (
    a_flag,
    a_list,
    a_number,
    a_string,
    an_integer,
    an_object,
    flag_at,
    needed_at,
    needed_string,
    object_at,
    one_of,
    string_at,
)
from reference_gateway.translation.common.sieve import Rules, Sieve
from reference_gateway.translation.gemini import carried, schema
from reference_gateway.translation.gemini.losses import REQUEST_IN
from reference_gateway.translation.items import (
    Ask,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    Item,
    JsonObject,
    JsonSchema,
    Link,
    Malformed,
    Named,
    Reasoning,
    Role,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
)

# tables

_RULES: Final = Rules(REQUEST_IN)

# Where fields of the ask stand in generateContent, if they are called otherwise.
PATHS: Final = {
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "max_output_tokens": "generationConfig.maxOutputTokens",
    "output": "generationConfig.responseMimeType",
    "presence_penalty": "generationConfig.presencePenalty",
    "seed": "generationConfig.seed",
    "service_tier": "serviceTier",
    "stop": "generationConfig.stopSequences",
    "system": "systemInstruction",
    "temperature": "generationConfig.temperature",
    "thinking": "generationConfig.thinkingConfig",
    "tool_choice": "toolConfig.functionCallingConfig",
    "top_k": "generationConfig.topK",
    "top_p": "generationConfig.topP",
    "turns": "contents",
}

_ROLES: Final = {"user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT}
_ROLE_WORDS: Final = tuple(_ROLES)
_MODES: Final = {"AUTO": Choice.AUTO, "ANY": Choice.REQUIRED, "NONE": Choice.NONE, "VALIDATED": Choice.AUTO, "MODE_UNSPECIFIED": None}
_LEVELS: Final = {"MINIMAL": Effort.MINIMAL, "LOW": Effort.LOW, "MEDIUM": Effort.MEDIUM, "HIGH": Effort.HIGH}
_DYNAMIC: Final = -1  # thinkingBudget
_JSON: Final = "application/json"

_DOCUMENTS: Final = ("text/", "application/pdf", "application/json", "application/xml", "application/x-")
_PRIVATE: Final = ("gs://", "https://generativelanguage.googleapis.com/", "files/")  # addresses that only Google can fetch
_VIDEOS: Final = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")


def read_request(body: Mapping[str, Any], *, model: str, stream: bool) -> Ask:
    return _Reader().read(_camel(body), model, stream)


class _Reader:
    """One request, and what was lost of it while it is read."""

    def __init__(self) -> None:
        self._sieve = Sieve(_RULES)

    def read(self, body: Mapping[str, Any], model: str, stream: bool) -> Ask:
        self._sieve.sift(body)
        config = self._members_of(body, "generationConfig", "")
        tools = self._tools(body)
        output, paths = self._answer(config) if config else (None, PATHS)
        return Ask(
            model=model,
            system=self._system(body),
            turns=self._turns(body),
            tools=tools,
            tool_choice=self._choice(body, tools),
            **(self._settings(config) if config else {}),
            output=output,
            service_tier=string_at(body, "serviceTier"),
            stream=stream,
            include_usage=True,
            paths=paths,
            losses=tuple(self._sieve.losses),
        )

    def _answer(self, config: Mapping[str, Any]) -> tuple[JsonObject | JsonSchema | None, Mapping[str, str]]:
        """What the answer has to be, and the ask's paths: that was asked for in one of several places."""
        output, path = self._output(config)
        at = "generationConfig.candidateCount"
        an_integer(config.get("candidateCount"), at, least=1)
        if (config.get("candidateCount") or 1) > 1:
            raise Unsupported(at, f"{at} is not supported for this model: there is one candidate.")
        self._modalities(config)
        return output, {**PATHS, "output": path}

    def _settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Members of the ask that stand in generationConfig, but for what the answer has to be."""
        at = "generationConfig."
        return {
            "max_output_tokens": an_integer(config.get("maxOutputTokens"), f"{at}maxOutputTokens", least=1),
            "temperature": a_number(config.get("temperature"), f"{at}temperature", least=0, most=2),
            "top_p": a_number(config.get("topP"), f"{at}topP", least=0, most=1),
            "top_k": _whole(config.get("topK"), f"{at}topK"),
            "stop": tuple(
                needed_string(stop, f"{at}stopSequences[{i}]")
                for i, stop in enumerate(a_list(config.get("stopSequences"), f"{at}stopSequences"))
            ),
            "seed": an_integer(config.get("seed"), f"{at}seed", least=-(2**63)),
            "presence_penalty": a_number(config.get("presencePenalty"), f"{at}presencePenalty", least=-2, most=2),
            "frequency_penalty": a_number(config.get("frequencyPenalty"), f"{at}frequencyPenalty", least=-2, most=2),
            "thinking": self._thinking(config),
        }

    def _members_of(self, value: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
        """A member that is an object, sifted; empty where there is none."""
        given = value.get(name)
        if given is None:
            return {}
        at = f"{path}.{name}" if path else name
        members = _camel(an_object(given, at))
        self._sieve.sift(members, at)
        return members

    # contents

    def _system(self, body: Mapping[str, Any]) -> tuple[Text, ...]:
        if body.get("systemInstruction") is None:
            return ()
        texts: list[Text] = []
        for part, path in _repeated(self._members_of(body, "systemInstruction", "").get("parts"), "systemInstruction.parts"):
            for name in part:
                if name != "text":
                    raise Unsupported(f"{path}.{name}", f"{path}.{name} is not supported for this model: its instructions are text.")
            if text := string_at(part, "text", path):
                texts.append(Text(text=text))
        return tuple(texts)

    def _turns(self, body: Mapping[str, Any]) -> tuple[Turn, ...]:
        contents = _repeated(body.get("contents"), "contents")
        if not contents:
            raise Malformed("contents", "Give contents: a list of at least one content.")
        turns: list[Turn] = []
        pairs = _Pairs()
        for number, (content, path) in enumerate(contents):
            self._sieve.sift(content, path)
            given = content.get("role") or "user"
            role = _ROLES[given if given in _ROLE_WORDS else one_of(given, f"{path}.role", _ROLE_WORDS)]
            parts = _repeated(content.get("parts"), f"{path}.parts")
            if role is Role.USER:
                if not parts:
                    raise Malformed(f"{path}.parts", f"Give {path}.parts: a list of at least one part.")
                said = tuple([self._user_part(part, at, pairs) for part, at in parts])
                turns.append(Turn(role=role, items=said, path=path))
                continue
            items: list[Item] = []
            if turns and turns[-1].role is Role.ASSISTANT:  # Google's own client keeps each chunk of a stream as a content
                items = list(turns.pop().items)
            else:
                pairs.over()
            before = len(items)
            self._model_parts(parts, number, items)
            pairs.model_turn([item for item in items[before:] if isinstance(item, ToolCall)], path)
            turns.append(Turn(role=role, items=tuple(items), path=path))
        pairs.over()
        return tuple(turns)

    def _user_part(self, part: Mapping[str, Any], path: str, pairs: _Pairs) -> Item:
        self._sieve.sift(part, path)
        if part.get("functionCall") is not None:
            raise Malformed(f"{path}.functionCall", f"Put {path}.functionCall into a content of the model: the user calls nothing.")
        if part.get("functionResponse") is not None:
            return self._result(part, path, pairs)
        if part.get("text") is not None:
            return Text(text=_text(part, path))
        return self._media(part, path)

    def _model_parts(self, parts: list[tuple[Mapping[str, Any], str]], number: int, items: list[Item]) -> None:
        """What a model said, added to what it said just before."""
        for place, (part, path) in enumerate(parts):
            self._sieve.sift(part, path)
            signature = string_at(part, "thoughtSignature", path) or None
            if part.get("functionResponse") is not None:
                raise Malformed(f"{path}.functionResponse", f"Put {path}.functionResponse into a content of the user.")
            if part.get("functionCall") is not None:
                items.append(self._call(part, path, signature, f"call_{number}_{place}"))
            elif part.get("text") is not None or (signature and part.keys() <= {"thought", "thoughtSignature"}):
                text = _text(part, path)
                if flag_at(part, "thought", path):
                    _think(items, carried.thought(text, signature))
                    continue
                if text:
                    _speak(items, text)
                if signature is not None:
                    items.append(carried.thought("", signature))
            else:
                items.append(self._media(part, path))

    def _call(self, part: Mapping[str, Any], path: str, signature: str | None, made_id: str) -> ToolCall:
        call = self._members_of(part, "functionCall", path)
        args = an_object(call.get("args") or {}, f"{path}.functionCall.args")
        proof = None if signature is None else carried.thought("", signature)
        return ToolCall(
            id=a_string(call.get("id"), f"{path}.functionCall.id") or made_id,
            name=needed_string(call.get("name"), f"{path}.functionCall.name"),
            arguments=_compact(args),
            signature=None if proof is None else proof.signature,
            maker=None if proof is None else proof.maker,
        )

    def _result(self, part: Mapping[str, Any], path: str, pairs: _Pairs) -> ToolResult:
        given = self._members_of(part, "functionResponse", path)
        at = f"{path}.functionResponse"
        name = needed_string(given.get("name"), f"{at}.name")
        call_id = pairs.result(name, a_string(given.get("id"), f"{at}.id") or None, at)
        text, is_error = _response(an_object(given.get("response") or {}, f"{at}.response"))
        parts: list[Text | Image | Document] = [Text(text=text)] if text else []
        for inner, inner_path in _repeated(given.get("parts"), f"{at}.parts"):
            self._sieve.sift(inner, inner_path)
            parts.append(self._media(inner, inner_path))
        return ToolResult(call_id=call_id, parts=tuple(parts), is_error=is_error)

    def _media(self, part: Mapping[str, Any], path: str) -> Image | Document:
        source: Source
        if part.get("inlineData") is not None:
            at = f"{path}.inlineData"
            data = self._members_of(part, "inlineData", path)
            kind = needed_string(data.get("mimeType"), f"{at}.mimeType").lower()
            source = Inline(media_type=kind, base64=_standard(needed_string(data.get("data"), f"{at}.data")))
        elif part.get("fileData") is not None:
            at = f"{path}.fileData"
            data = self._members_of(part, "fileData", path)
            url = needed_string(data.get("fileUri"), f"{at}.fileUri")
            if url.startswith((*_PRIVATE, *_VIDEOS)):
                raise Unsupported(f"{at}.fileUri", f"{at}.fileUri is not supported for this model: send the file itself.")
            kind = a_string(data.get("mimeType"), f"{at}.mimeType") or mimetypes.guess_type(url)[0] or ""
            source = Link(url=url, media_type=kind or None)
        else:
            known = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
            raise Malformed(path, f"Give {path} one of {', '.join(known)}.")
        name = a_string(data.get("displayName"), f"{at}.displayName")
        if kind.startswith("image/"):
            return Image(source=source)
        if kind.startswith(_DOCUMENTS):
            return Document(source=source, name=name)
        raise Unsupported(at, f"{at} is not supported for this model: it reads images, PDF and text, not {kind or 'what has no mimeType'}.")

    # the rest of the request

    def _tools(self, body: Mapping[str, Any]) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        for given, path in _repeated(body.get("tools"), "tools"):
            for name, member in given.items():  # an empty object switches a tool on: the sieve would pass it over
                if name != "functionDeclarations" and member is not None:
                    raise Unsupported(f"{path}.{name}", f"{path}.{name} is not supported for this model: only functionDeclarations are.")
            for declaration, at in _repeated(given.get("functionDeclarations"), f"{path}.functionDeclarations"):
                self._sieve.sift(declaration, at)
                tools.append(
                    Tool(
                        name=needed_at(declaration, "name", at),
                        description=string_at(declaration, "description", at),
                        schema=_schema(declaration, at, "parametersJsonSchema", "parameters"),
                    )
                )
        if len(tools) > 1 and len({tool.name for tool in tools}) < len(tools):
            raise Malformed("tools", "Give each of the functionDeclarations a name of its own.")
        return tuple(tools)

    def _choice(self, body: Mapping[str, Any], tools: tuple[Tool, ...]) -> Choice | Named | None:
        config = self._members_of(self._members_of(body, "toolConfig", ""), "functionCallingConfig", "toolConfig")
        if not config:
            return None
        path = "toolConfig.functionCallingConfig"
        mode = one_of(str(config.get("mode") or "MODE_UNSPECIFIED").upper(), f"{path}.mode", tuple(_MODES))
        at = f"{path}.allowedFunctionNames"
        names = tuple(needed_string(name, f"{at}[{i}]") for i, name in enumerate(a_list(config.get("allowedFunctionNames"), at)))
        for name in names:
            if name not in {tool.name for tool in tools}:
                raise Malformed(at, f"Set {at} to names of the functionDeclarations: {name!r} is none of them.")
        if not tools:
            if mode == "ANY":
                raise Malformed(f"{path}.mode", "Give tools, or leave toolConfig out.")
            return None
        if mode == "VALIDATED":
            self._sieve.lose(f"{path}.mode", "the model may call tools, and is not held to their schemas")
        if names and mode != "ANY":
            if mode != "VALIDATED":
                raise Malformed(at, f"Set {path}.mode to ANY where names are given.")
            self._sieve.lose(at, "the model may call the other tools too")
        return Named(names=names) if names and mode == "ANY" else _MODES[mode]

    def _output(self, config: Mapping[str, Any]) -> tuple[JsonObject | JsonSchema | None, str]:
        """What the answer has to be, and where that was asked for."""
        at = "generationConfig"
        kind = (a_string(config.get("responseMimeType"), f"{at}.responseMimeType") or "").partition(";")[0].strip().lower()
        if kind not in ("", "text/plain", _JSON):
            path = f"{at}.responseMimeType"
            raise Unsupported(path, f"{path} is not supported for this model: set it to {_JSON} or text/plain.")
        for name in ("responseJsonSchema", "responseSchema"):
            if config.get(name) is not None:
                if kind != _JSON:
                    raise Malformed(f"{at}.responseMimeType", f"Set {at}.responseMimeType to {_JSON} where {name} is given.")
                wanted = _schema(config, at, "responseJsonSchema", "responseSchema")
                return JsonSchema(schema=wanted or {}), f"{at}.{name}"
        return (JsonObject() if kind == _JSON else None), f"{at}.responseMimeType"

    def _modalities(self, config: Mapping[str, Any]) -> None:
        path = "generationConfig.responseModalities"
        for modality in a_list(config.get("responseModalities"), path):
            if str(modality).upper() not in ("TEXT", "MODALITY_UNSPECIFIED"):
                raise Unsupported(path, f"{path} is not supported for this model: it answers with text.")

    def _thinking(self, config: Mapping[str, Any]) -> Thinking | None:
        path = "generationConfig.thinkingConfig"
        if config.get("thinkingConfig") is None:
            return None
        given = self._members_of(config, "thinkingConfig", "generationConfig")
        show = a_flag(given.get("includeThoughts"), f"{path}.includeThoughts")
        budget = an_integer(given.get("thinkingBudget"), f"{path}.thinkingBudget", least=_DYNAMIC)
        level = (a_string(given.get("thinkingLevel"), f"{path}.thinkingLevel") or "").upper()
        if level in ("", "THINKING_LEVEL_UNSPECIFIED"):
            level = ""
        elif budget is not None:
            raise Malformed(f"{path}.thinkingLevel", f"Give one of {path}.thinkingLevel and {path}.thinkingBudget, not both.")
        if level:
            return Thinking(effort=_LEVELS[one_of(level, f"{path}.thinkingLevel", tuple(_LEVELS))], show=show)
        if budget == 0:
            return Thinking(effort=Effort.NONE, show=show)
        if budget == _DYNAMIC:
            return Thinking(adaptive=True, show=show)
        return Thinking(budget_tokens=budget, show=show)


class _Pairs:
    """Every call has one result, in the user's contents that come directly after it: so the vendor has it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[ToolCall, str]] = []  # calls that have no result yet, and where they stand

    def model_turn(self, calls: list[ToolCall], path: str) -> None:
        self._waiting += [(call, path) for call in calls]
        if len({call.id for call, _ in self._waiting}) < len(self._waiting):
            raise Malformed(path, f"Give each functionCall of {path} an id of its own.")

    def result(self, name: str, call_id: str | None, path: str) -> str:
        """The id of the call that this is the result of."""
        by_id = [waiting for waiting in self._waiting if waiting[0].id == call_id]
        by_name = [waiting for waiting in self._waiting if waiting[0].name == name]
        found = next(iter(by_id or by_name), None)
        if found is None:
            raise Malformed(path, f"Put {path} directly after the functionCall that it answers: none of {name!r} waits for a result there.")
        self._waiting.remove(found)
        return found[0].id

    def over(self) -> None:
        for call, path in self._waiting:
            raise Malformed(path, f"Put a functionResponse for each functionCall of {path} directly after it: {call.name!r} has none.")


def _text(part: Mapping[str, Any], path: str) -> str:
    return string_at(part, "text", path) or ""


def _speak(items: list[Item], text: str) -> None:
    last = items[-1] if items else None
    if isinstance(last, Text):
        items.pop()
        text = last.text + text
    items.append(Text(text=text))


def _think(items: list[Item], thought: Reasoning) -> None:
    """A stream's client has a thought in pieces, and its proof in a piece without text: they are one again."""
    last = items[-1] if items else None
    if isinstance(last, Reasoning) and last.signature is None and last.opaque is None and last.text:
        items.pop()
        thought = Reasoning(
            text=last.text + thought.text, signature=thought.signature, opaque=thought.opaque, maker=thought.maker, id=thought.id
        )
    items.append(thought)


def _schema(value: Mapping[str, Any], path: str, json_name: str, name: str) -> Mapping[str, Any] | None:
    if value.get(json_name) is not None:
        return object_at(value, json_name, path)
    if value.get(name) is None:
        return None
    try:
        return schema.from_openapi(object_at(value, name, path))
    except schema.Inexpressible as problem:
        raise Malformed(f"{path}.{name}", f"Set {path}.{name} to a schema: {problem}.") from problem


def _response(response: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of a result, and whether it is an error. Source: gemini-generate-content "FunctionResponse.response"."""
    if response.keys() == {"output"} or response.keys() == {"error"}:
        (name, value), *_ = response.items()
        return (value if isinstance(value, str) else _compact(value)), name == "error"
    return _compact(response) if response else "", False


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _standard(data: str) -> str:
    """Google's own client writes the alphabet for URLs, which no other vendor reads."""
    data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def _whole(value: object, path: str) -> int | None:
    """Google's own types have topK as a number that may be a fraction."""
    return an_integer(int(value) if isinstance(value, float) and value.is_integer() else value, path, least=1)


def _repeated(value: object, path: str) -> list[tuple[Mapping[str, Any], str]]:
    """Each object with its own path. One that is no list is a list of one."""
    if value is None:
        return []
    found: list[tuple[Mapping[str, Any], str]] = []
    for number, each in enumerate([value] if isinstance(value, dict) else a_list(value, path)):
        at = f"{path}[{number}]"
        found.append((_camel(each if type(each) is dict else an_object(each, at)), at))
    return found


def _camel(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object's names in camel case, not those of the objects in it. Where both spellings are there, the first counts."""
    if "_" not in "".join(value):
        return value
    made: dict[str, Any] = {}
    for name, member in value.items():
        made.setdefault(schema.camel(name), member)
    return made
