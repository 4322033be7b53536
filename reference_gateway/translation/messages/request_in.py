"""A Messages client's request as an `Ask` (translation.md 3.3's left column; contract:108 to contract:126).

What is dropped or refused stands in losses.REQUEST_IN. Strict: a member of the wrong type, a result without its call and a call without
its result are Malformed, with the path. Cache marks stay where they were; thoughts keep their signatures byte for byte.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

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
    one_of,
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
    JsonSchema,
    Link,
    Malformed,
    Named,
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
from reference_gateway.translation.messages import carried
from reference_gateway.translation.messages.losses import REQUEST_IN

# tables

_RULES: Final = Rules(REQUEST_IN)

# Where fields of the ask stand in Messages, if they are called otherwise.
PATHS: Final = {
    "max_output_tokens": "max_tokens",
    "output": "output_config.format",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "stop": "stop_sequences",
    "turns": "messages",
    "user": "metadata.user_id",
}

_ROLES: Final = {str(role): role for role in Role}
_USER, _ASSISTANT, _SYSTEM = Role.USER, Role.ASSISTANT, Role.SYSTEM  # looked up once: that takes longer than a call
_CHOICES: Final = {"auto": Choice.AUTO, "any": Choice.REQUIRED, "none": Choice.NONE}
# Source: anthropic-messages "service_tier", openai-chat "service_tier".
_SERVICE_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_LEAST_BUDGET: Final = 1024
_CLEARING: Final = "clear_"  # context edits that only leave out what is sent all the same


def read_request(body: Mapping[str, Any], *, model: str, stream: bool) -> Ask:
    return _Reader().read(body, model, stream)


class _Reader:
    """One request, and what is lost of it."""

    def __init__(self) -> None:
        self._sieve = Sieve(_RULES)

    def read(self, body: Mapping[str, Any], model: str, stream: bool) -> Ask:
        self._sieve.sift(_without_defaults(body))
        turns = self._turns(body)
        if body.get("cache_control") is not None:
            turns = _marked_at_the_end(turns, _mark(body, ""))
        choice, parallel = self._choice(body)
        paths = dict(PATHS)
        if body.get("thinking") is None:
            paths["thinking"] = "output_config.effort"
        if body.get("output_format") is not None:
            paths["output"] = "output_format"
        system, tools, max_tokens = self._system(body), self._tools(body), _max_tokens(body)
        seldom: dict[str, Any] = {}
        if not _SAMPLING.keys().isdisjoint(body):
            seldom = {field: read(body[name]) for name, (field, read) in _SAMPLING.items() if name in body}
        output, thinking, user = self._output(body), self._thinking(body), self._user_id(body)
        if "service_tier" in body:
            seldom["service_tier"] = _service_tier(body)
        ask = Ask(  # of fifteen members at most: with more, Python makes a dictionary first, which takes five times as long
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
            include_usage=True,
            paths=paths,
            losses=tuple(self._sieve.losses),
        )
        return replace(ask, **seldom) if seldom else ask

    # messages

    def _system(self, body: Mapping[str, Any]) -> tuple[Text, ...]:
        system = body.get("system")
        if system is None:
            return ()
        if isinstance(system, str):
            return (Text(text=system),) if system else ()
        return tuple(self._text(block, path) for block, path in _blocks(system, "system"))

    def _turns(self, body: Mapping[str, Any]) -> tuple[Turn, ...]:
        messages = list_at(body, "messages")
        if not messages:
            raise Malformed("messages", "Give messages: a list of at least one message.")
        turns: list[Turn] = []
        pairs = _Pairs()
        for number, value in enumerate(messages):
            path = f"messages[{number}]"
            message = an_object(value, path)
            self._sieve.sift(message, path)
            word, content = message.get("role"), message.get("content")
            role = _ROLES.get(word) if isinstance(word, str) else None
            if role is None:
                raise Malformed(f"{path}.role", f"Set {path}.role to one of {', '.join(_ROLES)}.")
            if isinstance(content, str) and content:
                items: tuple[Item, ...] = (Text(text=content),)
            elif isinstance(content, list) and content:
                read = self._user_block if role is _USER else self._assistant_block if role is _ASSISTANT else self._system_block
                items = tuple(item for block, at in _blocks(content, f"{path}.content") for item in read(block, at))
            elif content in ("", []) and role is _ASSISTANT and number == len(messages) - 1:
                continue  # the one message that may be empty: an answer that has not begun
            else:
                raise Malformed(f"{path}.content", f"Set {path}.content to a string or a list of blocks, not empty.")
            pairs.turn(role, items, path)
            turns.append(Turn(role=role, items=items, path=path))
        pairs.over()
        return tuple(turns)

    def _system_block(self, block: Mapping[str, Any], path: str) -> tuple[Item, ...]:
        return (self._text(block, path),)

    def _user_block(self, block: Mapping[str, Any], path: str) -> tuple[Item, ...]:
        self._sieve.sift(block, path)
        mark = _mark(block, path)
        match block.get("type"):
            case "tool_result":
                call_id = needed_at(block, "tool_use_id", path)
                is_error = flag_at(block, "is_error", path)
                return (ToolResult(call_id=call_id, parts=self._result(block, path), is_error=bool(is_error), cache=mark),)
            case "tool_use" | "thinking" | "redacted_thinking":
                raise Malformed(f"{path}.type", f"Put {path} into an assistant message: the user does not say {block['type']}.")
            case _:
                return self._part(block, path, mark)

    def _assistant_block(self, block: Mapping[str, Any], path: str) -> tuple[Item, ...]:
        if block.get("caller") == {"type": "direct"}:
            block = {name: value for name, value in block.items() if name != "caller"}
        self._sieve.sift(block, path)
        match block.get("type"):
            case "text":
                return (self._text(block, path, sifted=True),)
            case "thinking":
                text = string_at(block, "thinking", path)
                return (carried.thought(text or "", string_at(block, "signature", path) or ""),)
            case "redacted_thinking":
                return (carried.redacted(needed_at(block, "data", path)),)
            case "tool_use":
                value = object_at(block, "input", path)
                call = ToolCall(
                    id=needed_at(block, "id", path),
                    name=needed_at(block, "name", path),
                    arguments=json.dumps(value, ensure_ascii=False, separators=(",", ":")),
                    cache=_mark(block, path),
                )
                return (call,)
            case "tool_result" | "image" | "document":
                raise Malformed(f"{path}.type", f"Put {path} into a user message: the assistant does not say {block['type']}.")
            case _:
                raise _strange(block, path)

    def _result(self, block: Mapping[str, Any], path: str) -> tuple[Text | Image | Document, ...]:
        content = block.get("content")
        if content is None or content == "":
            return ()
        if isinstance(content, str):
            return (Text(text=content),)
        parts: list[Text | Image | Document] = []
        for inner, at in _blocks(content, f"{path}.content"):
            self._sieve.sift(inner, at)
            parts += self._part(inner, at, _mark(inner, at))
        return tuple(parts)

    def _part(self, block: Mapping[str, Any], path: str, mark: CacheTtl | None) -> tuple[Text | Image | Document, ...]:
        """What stands in a user's message and in a tool's result alike. The block is sifted."""
        match block.get("type"):
            case "text":
                return (self._text(block, path, sifted=True),)
            case "image":
                return (Image(source=self._source(block, path), cache=mark),)
            case "document":
                name = string_at(block, "title", path)
                context = string_at(block, "context", path)
                document = Document(source=self._source(block, path), name=name, cache=mark)
                return (Text(text=context), document) if context else (document,)
            case "search_result":
                return (self._search_result(block, path, mark),)
            case _:
                raise _strange(block, path)

    def _text(self, block: Mapping[str, Any], path: str, *, sifted: bool = False) -> Text:
        if not sifted:
            self._sieve.sift(block, path)
        if block.get("type") != "text":
            raise _strange(block, path)
        text = string_at(block, "text", path)
        if text is None:
            raise Malformed(f"{path}.text", f"Give {path}.text, a string.")
        return Text(text=text, cache=_mark(block, path))

    def _source(self, block: Mapping[str, Any], path: str) -> Source:
        at = f"{path}.source"
        source = object_at(block, "source", path)
        self._sieve.sift(source, at)
        match source.get("type"):
            case "base64":
                media_type = needed_at(source, "media_type", at)
                return Inline(media_type=media_type, base64=needed_at(source, "data", at))
            case "url":
                return Link(url=needed_at(source, "url", at))
            case "text":
                return _plain(needed_at(source, "data", at))
            case "content":
                return self._content_source(source, at)
            case "file":
                raise Malformed(f"{at}.file_id", f"Give {at}.file_id, or send the file itself.")  # one that is given was refused above
            case _:
                raise Malformed(f"{at}.type", f"Set {at}.type to base64, url or text.")

    def _content_source(self, source: Mapping[str, Any], path: str) -> Inline:
        content = source.get("content")
        if isinstance(content, str):
            return _plain(content)
        return _plain("\n".join(self._text(block, at).text for block, at in _blocks(content, f"{path}.content")))

    def _search_result(self, block: Mapping[str, Any], path: str, mark: CacheTtl | None) -> Text:
        title = needed_at(block, "title", path)
        source = needed_at(block, "source", path)
        texts = [self._text(inner, at).text for inner, at in _blocks(block.get("content"), f"{path}.content")]
        return Text(text="\n".join((title, source, "", *texts)), cache=mark)

    # the rest of the request

    def _tools(self, body: Mapping[str, Any]) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        for number, value in enumerate(list_at(body, "tools")):
            path = f"tools[{number}]"
            tool = an_object(value, path)
            kind = string_at(tool, "type", path)
            if kind not in (None, "custom"):
                raise Unsupported(f"{path}.type", f"{path}.type is not supported for this model: only custom tools are, not {kind!r}.")
            self._sieve.sift(tool, path)
            callers = list_at(tool, "allowed_callers", path)
            if callers and "direct" not in callers:
                raise Unsupported(
                    f"{path}.allowed_callers", f"{path}.allowed_callers is not supported for this model: the model itself has to call it."
                )
            tools.append(
                Tool(
                    name=needed_at(tool, "name", path),
                    description=string_at(tool, "description", path),
                    schema=object_at(tool, "input_schema", path),
                    strict=flag_at(tool, "strict", path),
                    cache=_mark(tool, path),
                )
            )
        if len(tools) > 1 and len({tool.name for tool in tools}) < len(tools):
            raise Malformed("tools", "Give each of tools a name of its own.")
        return tuple(tools)

    def _choice(self, body: Mapping[str, Any]) -> tuple[Choice | Named | None, bool | None]:
        """The choice, and whether calls may be parallel."""
        if body.get("tool_choice") is None:
            return None, None
        given = an_object(body["tool_choice"], "tool_choice")
        self._sieve.sift(given, "tool_choice")
        disabled = flag_at(given, "disable_parallel_tool_use", "tool_choice")
        parallel = None if disabled is None else not disabled
        kind = one_of(given.get("type"), "tool_choice.type", (*_CHOICES, "tool"))
        tools = [tool for tool in list_at(body, "tools") if isinstance(tool, dict)]
        names = {name for tool in tools if isinstance(name := tool.get("name"), str)}
        if kind == "tool":
            name = needed_at(given, "name", "tool_choice")
            if name not in names:
                raise Malformed("tool_choice.name", f"Set tool_choice.name to the name of one of the tools: {name!r} is none of them.")
            return Named(names=(name,)), parallel
        if kind == "any" and not names:
            raise Malformed("tool_choice", "Give tools, or leave tool_choice out.")
        return _CHOICES[kind] if names else None, parallel if names else None

    def _output(self, body: Mapping[str, Any]) -> JsonSchema | None:
        config = body.get("output_config")
        path = "output_config.format"
        given = None if config is None else an_object(config, "output_config").get("format")
        if given is None:
            path = "output_format"
            given = body.get("output_format")
        if given is None:
            return None
        wanted = an_object(given, path)
        self._sieve.sift(wanted, path)
        one_of(wanted.get("type"), f"{path}.type", ("json_schema",))
        return JsonSchema(schema=object_at(wanted, "schema", path))

    def _thinking(self, body: Mapping[str, Any]) -> Thinking | None:
        config = body.get("output_config")
        effort: Effort | None = None
        if config is not None:
            self._sieve.sift(an_object(config, "output_config"), "output_config")
            word = string_at(config, "effort", "output_config")
            if word is not None:
                effort = Effort(one_of(word, "output_config.effort", ("low", "medium", "high", "xhigh", "max")))
        if body.get("thinking") is None:
            return None if effort is None else Thinking(effort=effort)
        given = an_object(body["thinking"], "thinking")
        self._sieve.sift(given, "thinking")
        display = string_at(given, "display", "thinking")
        show = None if display is None else one_of(display, "thinking.display", ("summarized", "omitted")) == "summarized"
        match given.get("type"):
            case "disabled":
                if effort is not None:
                    self._sieve.lose("output_config.effort", "thinking is disabled")
                return Thinking(effort=Effort.NONE)
            case "enabled":
                budget = an_integer(given.get("budget_tokens"), "thinking.budget_tokens", least=_LEAST_BUDGET)
                if budget is None:
                    raise Malformed("thinking.budget_tokens", f"Give thinking.budget_tokens, an integer of at least {_LEAST_BUDGET}.")
                return Thinking(effort=effort, budget_tokens=budget, show=True if show is None else show)  # blocks are shown by default
            case "adaptive":
                return Thinking(effort=effort, adaptive=True, show=show)
            case "between_tools":
                raise Unsupported(
                    "thinking.type", "thinking.type is not supported for this model: set it to enabled, adaptive or disabled."
                )
            case _:
                raise Malformed("thinking.type", "Set thinking.type to enabled, adaptive or disabled.")

    def _user_id(self, body: Mapping[str, Any]) -> str | None:
        if body.get("metadata") is None:
            return None
        metadata = an_object(body["metadata"], "metadata")
        self._sieve.sift(metadata, "metadata")
        return string_at(metadata, "user_id", "metadata")


class _Pairs:
    """Every call has one result, in the user's turn that comes directly after it: so the vendor has it."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}  # the id of a call that has no result yet -> where it stands
        self._last = _USER

    def turn(self, role: Role, items: tuple[Item, ...], path: str) -> None:
        if role is _SYSTEM:
            return
        if role is _ASSISTANT and self._last is _USER:
            self.over()
        self._last = role
        for item in items:
            if type(item) is ToolCall:
                if item.id in self._waiting:
                    raise Malformed(path, f"Give each tool_use of {path} an id of its own: {item.id!r} is there twice.")
                self._waiting[item.id] = path
            elif type(item) is ToolResult and self._waiting.pop(item.call_id, None) is None:
                raise Malformed(
                    path, f"Put the result of {item.call_id!r}, once, directly after the tool_use that it answers, not at {path}."
                )

    def over(self) -> None:
        for call_id, path in self._waiting.items():
            raise Malformed(
                path, f"Put a tool_result for each tool_use of {path} into the message directly after it: {call_id!r} has none."
            )


_HAVE_DEFAULTS: Final = {"inference_geo", "speed", "context_management"}


def _without_defaults(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is listed as refused or dropped, and here asks for nothing."""
    if _HAVE_DEFAULTS.isdisjoint(body):
        return body
    left_out = set()
    if body.get("inference_geo") == "global":
        left_out.add("inference_geo")
    if body.get("speed") == "standard":
        left_out.add("speed")
    management = body.get("context_management")
    if management is not None:
        edits = a_list(an_object(management, "context_management").get("edits"), "context_management.edits")
        for number, edit in enumerate(edits):
            path = f"context_management.edits[{number}].type"
            if not needed_string(an_object(edit, path).get("type"), path).startswith(_CLEARING):
                raise Unsupported(path, f"{path} is not supported for this model: only edits that clear something can be left out.")
        if not edits:
            left_out.add("context_management")
    return {name: value for name, value in body.items() if name not in left_out}


def _blocks(value: object, path: str) -> list[tuple[Mapping[str, Any], str]]:
    """Each block with its own path."""
    return [(an_object(block, f"{path}[{number}]"), f"{path}[{number}]") for number, block in enumerate(a_list(value, path))]


def _mark(value: Mapping[str, Any], path: str) -> CacheTtl | None:
    mark = value.get("cache_control")
    if mark is None:
        return None
    at = f"{path}.cache_control" if path else "cache_control"
    mark = an_object(mark, at)
    ttl = mark.get("ttl") or CacheTtl.FIVE_MINUTES
    if mark.get("type") != "ephemeral" or ttl not in tuple(CacheTtl):
        raise Malformed(at, f'Set {at} to {{"type": "ephemeral"}}, with a ttl of 5m or 1h if any.')
    return CacheTtl(ttl)


def _marked_at_the_end(turns: tuple[Turn, ...], mark: CacheTtl | None) -> tuple[Turn, ...]:
    """The last block that can have a mark has it."""
    for at in range(len(turns) - 1, -1, -1):
        turn = turns[at]
        for place in range(len(turn.items) - 1, -1, -1):
            item = turn.items[place]
            if isinstance(item, Text | Image | Document | ToolCall | ToolResult):
                if item.cache is not None:
                    return turns
                items = (*turn.items[:place], replace(item, cache=mark), *turn.items[place + 1 :])
                return (*turns[:at], replace(turn, items=items), *turns[at + 1 :])
    return turns


def _max_tokens(body: Mapping[str, Any]) -> int:
    value = an_integer(body.get("max_tokens"), "max_tokens", least=0)
    if value is None:
        raise Malformed("max_tokens", "Give max_tokens, an integer of at least 1.")
    if value == 0:
        raise Unsupported("max_tokens", "max_tokens is not supported as 0 for this model: only its vendor's own cache is filled that way.")
    return value


def _stops(value: object) -> tuple[str, ...]:
    return tuple(needed_string(stop, f"stop_sequences[{number}]") for number, stop in enumerate(a_list(value, "stop_sequences")))


# Each with its field of the ask; most requests have one of them or none.
_SAMPLING: Final[Mapping[str, tuple[str, Callable[[object], Any]]]] = {
    "temperature": ("temperature", lambda value: a_number(value, "temperature", least=0, most=1)),
    "top_p": ("top_p", lambda value: a_number(value, "top_p", least=0, most=1)),
    "top_k": ("top_k", lambda value: an_integer(value, "top_k", least=0)),
    "stop_sequences": ("stop", _stops),
}


def _service_tier(body: Mapping[str, Any]) -> str | None:
    tier = string_at(body, "service_tier")
    return None if tier is None else _SERVICE_TIERS[one_of(tier, "service_tier", tuple(_SERVICE_TIERS))]


def _plain(text: str) -> Inline:
    return Inline(media_type="text/plain", base64=b64encode(text.encode("utf-8", "surrogatepass")).decode())


def _strange(block: Mapping[str, Any], path: str) -> Exception:
    kind = block.get("type")
    if not isinstance(kind, str) or not kind:
        return Malformed(f"{path}.type", f"Set {path}.type to the type of a block.")
    return Unsupported(path, f"{path} is not supported for this model: a block of type {kind!r} cannot be said to it.")
