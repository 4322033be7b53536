"""A chat client's request as an `Ask` (translation.md 3.1's left column; contract:070 to contract:092).

What is dropped or refused stands in losses.REQUEST_IN. Strict: a member of the wrong type, a result without its call and a call without
its result are Malformed, with the path. Thoughts that the gateway gave with an earlier answer are read back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from reference_gateway.translation.chat.answer_out import FUNCTIONS
from reference_gateway.translation.chat.losses import REQUEST_IN
from reference_gateway.translation.common.members import (
    a_list,
    a_number,
    an_integer,
    an_object,
    flag_at,
    list_at,
    needed_at,
    needed_string,
    object_at,
    string_at,
)
from reference_gateway.translation.common.sieve import Rules, Sieve
from reference_gateway.translation.items import (
    Ask,
    CacheTtl,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    Item,
    JsonObject,
    JsonSchema,
    Link,
    Maker,
    Malformed,
    Named,
    Reasoning,
    Refused,
    Role,
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

# Where fields of the ask stand in chat, if they are called otherwise.
PATHS: Final = {
    "output": "response_format",
    "thinking": "reasoning_effort",
    "max_output_tokens": "max_completion_tokens",
    "system": "messages",
    "turns": "messages",
}

_EFFORTS: Final = {str(effort): effort for effort in Effort}
# Looked up once: to find a member in its enum takes longer than to call a function.
_USER, _ASSISTANT, _SYSTEM = Role.USER, Role.ASSISTANT, Role.SYSTEM
_DATA_URI: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.IGNORECASE)
_MAX_STOPS: Final = 4
# contract:090: names that callers of chat have for a vendor's own search, beside `web_search_options`.
SEARCHES: Final = ("google_search", "web_search")


def read_request(body: Mapping[str, Any], *, model: str, stream: bool) -> Ask:
    return _Reader().read(body, model, stream)


class _Reader:
    """One request, and what was lost of it."""

    def __init__(self) -> None:
        self._sieve = Sieve(_RULES)
        self._sift = self._sieve.sift
        self._search: str | None = None  # where the vendor's own search is asked for

    def read(self, body: Mapping[str, Any], model: str, stream: bool) -> Ask:
        _one_choice_of_text(body)
        if body.get("web_search_options") is not None:  # an empty object asks for a search, too
            name = "web_search_options"
            raise Unsupported(name, f"{name} is not supported for this model: {_RULES[name].note}.")
        self._sift(body if _OF_TEXT.isdisjoint(body) else {name: value for name, value in body.items() if name not in _OF_TEXT})
        system, turns = self._messages(body)
        functions = list_at(body, "functions")
        tools = self._tools(body) if not functions else self._functions(functions)
        tools, choice = _choice(body, tools)
        paths = dict(PATHS)
        if body.get("max_completion_tokens") is None:
            paths["max_output_tokens"] = "max_tokens"
        if functions:
            paths |= {"tools": "functions", "tool_choice": "function_call", "parallel_tool_calls": "functions"}
        if body.get("safety_identifier") is not None:
            paths["user"] = "safety_identifier"
        parallel = False if functions else flag_at(body, "parallel_tool_calls")
        max_tokens = _max_tokens(body)
        seldom: dict[str, Any] = {}
        if not _SAMPLING.keys().isdisjoint(body):
            seldom = {name: read(body[name]) for name, read in _SAMPLING.items() if name in body}
        output, thinking = self._output(body), self._thinking(body)
        user = string_at(body, "safety_identifier") or string_at(body, "user")
        for name in _AS_THEY_ARE:
            if name in body:
                seldom[name] = string_at(body, name)
        if self._search is not None:
            paths["search"] = f"{self._search}.type"
            seldom["search"] = True
        ask = Ask(  # of fifteen members: with more, Python makes a dictionary first, which takes five times as long
            model=model,
            system=system,
            turns=turns,
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=parallel,
            max_output_tokens=max_tokens,
            output=output,
            thinking=thinking,
            user=user,
            stream=stream,
            include_usage=self._include_usage(body, stream),
            echo={FUNCTIONS: True} if functions else {},
            paths=paths,
            losses=tuple(self._sieve.losses),
        )
        return replace(ask, **seldom) if seldom else ask

    # messages

    def _messages(self, body: Mapping[str, Any]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
        messages = list_at(body, "messages")
        if not messages:
            raise Malformed("messages", "Give messages: a list of at least one message.")
        system: list[Text] = []
        turns: list[Turn] = []
        waiting: dict[str, str] = {}  # the id of each call that has no result yet -> the message that made it
        for number, value in enumerate(messages):
            path = f"messages[{number}]"
            message = an_object(value, path)
            role, content = message.get("role"), message.get("content")
            if len(message) == 2 and type(content) is str and role in ("user", "assistant") and not waiting:
                # As most are in a long conversation: nothing else has to be looked for.
                turns.append(Turn(role=_USER if role == "user" else _ASSISTANT, items=(Text(text=content),), path=path))
                continue
            self._sift({name: member for name, member in message.items() if name != "name"} if role == "function" else message, path)
            if waiting and role not in ("tool", "function"):
                raise _unanswered(waiting)
            match role:
                case "system" | "developer":
                    texts = self._system(message, path)
                    if turns:
                        turns.append(Turn(role=_SYSTEM, items=texts, path=path))
                    else:
                        system.extend(texts)
                case "user":
                    turns.append(Turn(role=_USER, items=self._user(message, path), path=path))
                case "assistant":
                    items = self._assistant(message, path, number)
                    for call in items:
                        if isinstance(call, ToolCall):
                            if call.id in waiting:
                                raise Malformed(
                                    f"{path}.tool_calls", f"Give each call of {path} an id of its own: {call.id!r} is there twice."
                                )
                            waiting[call.id] = path
                    turns.append(Turn(role=_ASSISTANT, items=items, path=path))
                case "tool" | "function":
                    result = self._result(message, path, waiting)
                    turns.append(Turn(role=_USER, items=(result,), path=path))
                case _:
                    raise Malformed(f"{path}.role", f"Set {path}.role to system, developer, user, assistant or tool.")
        if waiting:
            raise _unanswered(waiting)
        return tuple(system), tuple(turns)

    def _system(self, message: Mapping[str, Any], path: str) -> tuple[Text, ...]:
        texts: list[Text] = []
        for item in self._content(message, path):
            if not isinstance(item, Text):
                raise Malformed(f"{path}.content", f"Put only text into {path}, which is a {message.get('role')} message.")
            texts.append(item)
        return tuple(texts)

    def _user(self, message: Mapping[str, Any], path: str) -> tuple[Item, ...]:
        items = self._content(message, path)
        for item in items:
            if isinstance(item, Refused):
                raise Malformed(f"{path}.content", f"Put refusals into assistant messages only: {path} is the user's.")
        return items

    def _assistant(self, message: Mapping[str, Any], path: str, number: int) -> tuple[Item, ...]:
        items: list[Item] = [*self._thoughts(message, path)]
        content, refusal = message.get("content"), string_at(message, "refusal", path)
        calls = list_at(message, "tool_calls", path)
        function_call = message.get("function_call")
        images = list_at(message, "images", path)
        if content is not None:
            said = self._content(message, path)
            for item in said:
                if isinstance(item, Image | Document):
                    raise Malformed(f"{path}.content", f"Put only text and refusals into {path}, which is the assistant's.")
            items += [item for item in said if not (isinstance(item, Text) and not item.text and (calls or function_call or refusal))]
        elif not (refusal or calls or function_call or images or items):
            raise Malformed(f"{path}.content", f"Give {path} content, a refusal, or tool_calls.")
        if refusal:
            items.append(Refused(text=refusal))
        for i, image in enumerate(images):
            at = f"{path}.images[{i}]"
            items.append(self._image(an_object(image, at), at))
        for i, call in enumerate(calls):
            at = f"{path}.tool_calls[{i}]"
            items.append(self._call(an_object(call, at), at))
        if function_call:
            if calls:
                raise Malformed(f"{path}.function_call", f"Give {path} either tool_calls or the deprecated function_call, not both.")
            at = f"{path}.function_call"
            items.append(self._function(an_object(function_call, at), at, f"call_{number}"))
        return tuple(items)

    def _thoughts(self, message: Mapping[str, Any], path: str) -> Iterable[Reasoning]:
        blocks = list_at(message, "thinking_blocks", path)
        for number, value in enumerate(blocks):
            at = f"{path}.thinking_blocks[{number}]"
            block = an_object(value, at)
            maker = string_at(block, "maker", at)
            if maker is not None and maker not in tuple(Maker):
                raise Malformed(f"{at}.maker", f"Send {at} back as it was given: its maker is none that is known.")
            if block.get("type") not in ("thinking", "redacted_thinking"):
                raise Malformed(f"{at}.type", f"Set {at}.type to thinking or redacted_thinking.")
            signature, opaque = string_at(block, "signature", at), string_at(block, "data", at)
            proved = signature is not None or opaque is not None
            yield Reasoning(
                text=string_at(block, "thinking", at) or "",
                signature=signature,
                opaque=opaque,
                maker=Maker(maker) if maker is not None else Maker.ANTHROPIC if proved else None,
                id=string_at(block, "id", at),
            )
        said = string_at(message, "reasoning_content", path)
        if said and not blocks:
            yield Reasoning(text=said)

    def _call(self, call: Mapping[str, Any], path: str) -> ToolCall:
        if call.get("type", "function") != "function":
            raise Unsupported(f"{path}.type", f"{path}.type is not supported for this model: only function calls are.")
        self._sift(call, path)
        extra = call.get("extra_content")
        google = extra.get("google") if isinstance(extra, dict) else None
        signature = google.get("thought_signature") if isinstance(google, dict) else None
        return self._function(
            object_at(call, "function", path),
            f"{path}.function",
            needed_at(call, "id", path),
            signature if isinstance(signature, str) and signature else None,
        )

    def _function(self, function: Mapping[str, Any], path: str, call_id: str, signature: str | None = None) -> ToolCall:
        self._sift(function, path)
        arguments = string_at(function, "arguments", path)
        if arguments is None:
            raise Malformed(f"{path}.arguments", f"Give {path}.arguments, as a string of JSON.")
        return ToolCall(
            id=call_id,
            name=needed_at(function, "name", path),
            arguments=arguments,
            signature=signature,
            maker=Maker.GEMINI if signature else None,
        )

    def _result(self, message: Mapping[str, Any], path: str, waiting: dict[str, str]) -> ToolResult:
        deprecated = message.get("role") == "function"  # it answers the only call of the message before it
        call_id = next(iter(waiting), "") if deprecated else needed_at(message, "tool_call_id", path)
        if waiting.pop(call_id, None) is None:
            at = path if deprecated else f"{path}.tool_call_id"
            raise Malformed(at, f"Put {path} after the assistant message whose tool_calls it answers, once: no call there waits for it.")
        parts: list[Text | Image | Document] = []
        for item in self._content(message, path):
            if not isinstance(item, Text | Image | Document):
                raise Malformed(f"{path}.content", f"Put only text, images and files into {path}, which is a tool's result.")
            parts.append(item)
        return ToolResult(call_id=call_id, parts=tuple(parts))

    # content

    def _content(self, message: Mapping[str, Any], path: str) -> tuple[Text | Image | Document | Refused, ...]:
        """A string, or a list of parts. A cache mark of the message is one of its last part."""
        content = message.get("content")
        mark = self._mark(message, path)
        if isinstance(content, str):
            return (Text(text=content, cache=mark),)
        if not isinstance(content, list) or not content:
            raise Malformed(f"{path}.content", f"Set {path}.content to a string or a list of at least one part.")
        parts: list[Text | Image | Document | Refused] = []
        last = len(content) - 1
        for i, part in enumerate(content):
            at = f"{path}.content[{i}]"
            parts.append(self._part(an_object(part, at), at, mark if i == last else None))
        return tuple(parts)

    def _part(self, part: Mapping[str, Any], path: str, mark: CacheTtl | None) -> Text | Image | Document | Refused:
        self._sift(part, path)
        mark = self._mark(part, path) or mark
        match part.get("type"):
            case "text":
                text = string_at(part, "text", path)
                if text is None:
                    raise Malformed(f"{path}.text", f"Give {path}.text, a string.")
                return Text(text=text, cache=mark)
            case "image_url":
                return self._image(part, path, mark)
            case "file":
                return self._file(object_at(part, "file", path), f"{path}.file", mark)
            case "refusal":
                return Refused(text=needed_at(part, "refusal", path))
            case str(kind) if kind:
                raise Unsupported(path, f"{path} is not supported for this model: a part can be text, image_url or file, not {kind!r}.")
            case _:
                raise Malformed(f"{path}.type", f"Set {path}.type to text, image_url or file.")

    def _image(self, part: Mapping[str, Any], path: str, mark: CacheTtl | None = None) -> Image:
        at = f"{path}.image_url"
        image = object_at(part, "image_url", path)
        self._sift(image, at)
        url = needed_at(image, "url", at)
        detail = string_at(image, "detail", at)
        if url[:5].lower() == "data:":
            return Image(source=_inline(url, f"{at}.url"), detail=detail, cache=mark)
        if not url.lower().startswith(("https://", "http://")):
            raise Malformed(f"{at}.url", f"Set {at}.url to an https address or a data URI in base64.")
        return Image(source=Link(url=url), detail=detail, cache=mark)

    def _file(self, file: Mapping[str, Any], path: str, mark: CacheTtl | None) -> Document:
        self._sift(file, path)
        name = string_at(file, "filename", path)
        data = needed_at(file, "file_data", path)
        if data[:5].lower() == "data:":
            source = _inline(data, f"{path}.file_data")
        elif name is not None and name.lower().endswith(".pdf"):
            source = Inline(media_type="application/pdf", base64=data)
        else:
            raise Malformed(f"{path}.file_data", f"Set {path}.file_data to a data URI in base64, which says what kind of file it is.")
        if source.media_type != "application/pdf" and not source.media_type.startswith("text/"):
            raise Unsupported(f"{path}.file_data", f"{path}.file_data is not supported for this model: a file can be PDF or text.")
        return Document(source=source, name=name, cache=mark)

    def _mark(self, value: Mapping[str, Any], path: str) -> CacheTtl | None:
        mark = value.get("cache_control")
        if mark is None:
            return CacheTtl.FIVE_MINUTES if value.get("prompt_cache_breakpoint") else None
        at = f"{path}.cache_control"
        mark = an_object(mark, at)
        ttl = mark.get("ttl") or CacheTtl.FIVE_MINUTES
        if mark.get("type") != "ephemeral" or ttl not in tuple(CacheTtl):
            raise Malformed(at, f'Set {at} to {{"type": "ephemeral"}}, with a ttl of 5m or 1h if any.')
        return CacheTtl(ttl)

    # the rest of the request

    def _tools(self, body: Mapping[str, Any]) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        for number, value in enumerate(list_at(body, "tools")):
            path = f"tools[{number}]"
            tool = an_object(value, path)
            kind = tool.get("type")
            if kind != "function":
                if kind in SEARCHES:
                    self._search = path
                    continue
                if not isinstance(kind, str):
                    raise Malformed(f"{path}.type", f"Set {path}.type to function.")
                raise Unsupported(f"{path}.type", f"{path}.type is not supported for this model: only functions are, not {kind!r}.")
            self._sift(tool, path)
            function, at = object_at(tool, "function", path), f"{path}.function"
            tools.append(self._tool(function, at, self._mark(tool, path) or self._mark(function, at)))
        return _distinct(tools, "tools")

    def _functions(self, functions: list[Any]) -> tuple[Tool, ...]:
        paths = [f"functions[{number}]" for number in range(len(functions))]
        return _distinct([self._tool(an_object(value, path), path) for value, path in zip(functions, paths, strict=True)], "functions")

    def _tool(self, function: Mapping[str, Any], path: str, mark: CacheTtl | None = None) -> Tool:
        self._sift(function, path)
        return Tool(
            name=needed_at(function, "name", path),
            description=string_at(function, "description", path),
            schema=None if function.get("parameters") is None else object_at(function, "parameters", path),
            strict=flag_at(function, "strict", path),
            cache=mark,
        )

    def _output(self, body: Mapping[str, Any]) -> JsonObject | JsonSchema | None:
        if body.get("response_format") is None:
            return None
        wanted = an_object(body["response_format"], "response_format")
        self._sift(wanted, "response_format")
        match wanted.get("type"):
            case "text":
                return None
            case "json_object":
                return JsonObject()
            case "json_schema":
                path = "response_format.json_schema"
                given = object_at(wanted, "json_schema", "response_format")
                self._sift(given, path)
                return JsonSchema(
                    name=needed_at(given, "name", path),
                    description=string_at(given, "description", path),
                    schema={} if given.get("schema") is None else object_at(given, "schema", path),
                    strict=flag_at(given, "strict", path),
                )
            case _:
                raise Malformed("response_format.type", "Set response_format.type to text, json_object or json_schema.")

    def _thinking(self, body: Mapping[str, Any]) -> Thinking | None:
        """`reasoning_effort`, and the `thinking` of DeepSeek and others; off is off, whatever the effort."""
        effort = string_at(body, "reasoning_effort")
        if effort is not None and effort not in _EFFORTS:
            raise Malformed("reasoning_effort", f"Set reasoning_effort to one of {', '.join(Effort)}.")
        given = body.get("thinking")
        if given is None:
            return None if effort is None else Thinking(effort=_EFFORTS[effort])
        given = an_object(given, "thinking")
        self._sift(given, "thinking")
        kind = given.get("type")
        if kind == "disabled":
            return Thinking(effort=Effort.NONE)
        if kind not in ("enabled", "adaptive"):
            raise Malformed("thinking.type", "Set thinking.type to enabled, disabled or adaptive.")
        budget = an_integer(given.get("budget_tokens"), "thinking.budget_tokens", least=1)
        asked = None if effort is None else _EFFORTS[effort]
        adaptive = kind == "adaptive" or (budget is None and asked is None)  # enabled, and no word on how much
        return Thinking(effort=asked, budget_tokens=budget, adaptive=adaptive)

    def _include_usage(self, body: Mapping[str, Any], stream: bool) -> bool:
        if body.get("stream_options") is None:
            return False
        if not stream:
            raise Malformed("stream_options", "Leave stream_options out, or set stream to true.")
        options = an_object(body["stream_options"], "stream_options")
        self._sift(options, "stream_options")
        return bool(flag_at(options, "include_usage", "stream_options"))


_OF_TEXT: Final = {"n", "modalities"}  # refused only where they ask for more than one choice, or for more than text


def _one_choice_of_text(body: Mapping[str, Any]) -> None:
    if _OF_TEXT.isdisjoint(body):
        return
    if (an_integer(body.get("n"), "n", least=1) or 1) > 1:
        raise Unsupported("n", f"n is not supported for this model: {_RULES['n'].note}.")
    if body.get("modalities") not in (None, [], ["text"]):
        raise Unsupported("modalities", f"modalities is not supported for this model: {_RULES['modalities'].note}.")


def _choice(body: Mapping[str, Any], tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], Choice | Named | None]:
    """The tools that may be called, and the choice among them; the deprecated `function_call` says the same in fewer words."""
    name = "tool_choice" if body.get("tool_choice") is not None or not body.get("functions") else "function_call"
    choice = body.get(name)
    if choice is None:
        return tools, None
    if isinstance(choice, str):
        if choice not in (tuple(Choice) if name == "tool_choice" else ("none", "auto")):
            raise Malformed(name, f"Set {name} to none, auto or one of the tools.")
        if not tools and choice == Choice.REQUIRED:
            raise Malformed(name, f"Give tools, or leave {name} out.")
        return tools, Choice(choice) if tools else None
    chosen = an_object(choice, name)
    if name == "function_call":
        return tools, _named(chosen.get("name"), tools, f"{name}.name")
    match chosen.get("type"):
        case "function":
            return tools, _named(object_at(chosen, "function", name).get("name"), tools, f"{name}.function.name")
        case "allowed_tools":
            path = f"{name}.allowed_tools"
            allowed = object_at(chosen, "allowed_tools", name)
            names: set[str] = set()
            for number, value in enumerate(list_at(allowed, "tools", path)):
                at = f"{path}.tools[{number}]"
                names.update(_named(object_at(an_object(value, at), "function", at).get("name"), tools, at).names)
            if not names or allowed.get("mode") not in ("auto", "required"):
                raise Malformed(path, f"Give {path} at least one of the tools, and a mode of auto or required.")
            return tuple(tool for tool in tools if tool.name in names), Choice(allowed["mode"])
        case str(kind):
            raise Unsupported(f"{name}.type", f"{name}.type is not supported for this model: only functions can be chosen, not {kind!r}.")
        case _:
            raise Malformed(name, f"Set {name} to none, auto, required, or one of the tools.")


def _named(value: object, tools: tuple[Tool, ...], path: str) -> Named:
    name = needed_string(value, path)
    if all(tool.name != name for tool in tools):
        raise Malformed(path, f"Set {path} to the name of one of the tools: {name!r} is none of them.")
    return Named(names=(name,))


def _distinct(tools: list[Tool], path: str) -> tuple[Tool, ...]:
    if len(tools) > 1 and len({tool.name for tool in tools}) < len(tools):
        raise Malformed(path, f"Give each of {path} a name of its own.")
    return tuple(tools)


def _unanswered(waiting: Mapping[str, str]) -> Malformed:
    call_id, path = next(iter(waiting.items()))
    return Malformed(path, f"Put a tool message for each of its tool_calls directly after {path}: {call_id!r} has none.")


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    newer = an_integer(body.get("max_completion_tokens"), "max_completion_tokens", least=1)
    older = an_integer(body.get("max_tokens"), "max_tokens", least=1)
    return older if newer is None else newer


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    stops = a_list(value, "stop")
    if len(stops) > _MAX_STOPS:
        raise Malformed("stop", f"Give at most {_MAX_STOPS} stop sequences.")
    return tuple(needed_string(stop, f"stop[{number}]") for number, stop in enumerate(stops))


# Each is the field of the ask of the same name.
_SAMPLING: Final[Mapping[str, Callable[[object], Any]]] = {
    "temperature": lambda value: a_number(value, "temperature", least=0, most=2),
    "top_p": lambda value: a_number(value, "top_p", least=0, most=1),
    "top_k": lambda value: an_integer(value, "top_k", least=0),
    "stop": _stop,
    "seed": lambda value: an_integer(value, "seed", least=-(2**63)),
    "presence_penalty": lambda value: a_number(value, "presence_penalty", least=-2, most=2),
    "frequency_penalty": lambda value: a_number(value, "frequency_penalty", least=-2, most=2),
}
_AS_THEY_ARE: Final = ("service_tier", "prompt_cache_key")


def _inline(uri: str, path: str) -> Inline:
    head = _DATA_URI.match(uri)
    if head is None:
        raise Malformed(path, f"Write the data URI of {path} in base64: data:TYPE;base64,DATA.")
    return Inline(media_type=head.group(1).lower() or "text/plain", base64=uri[head.end() :])
