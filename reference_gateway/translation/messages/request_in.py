"""A Messages client's request as an `Ask` (translation.md 3.3's left column; contract:108 to contract:126).

What is dropped or refused stands in losses.REQUEST_IN. Strict: a member of the wrong type, a result without its call and a call without
its result are Malformed, with the path. Cache marks stay where they were; thoughts keep their signatures byte for byte.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from reference_gateway.translation.common.members import (
    a_flag,
    a_list,
    a_number,
    a_string,
    an_integer,
    an_object,
    needed_string,
    one_of,
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
        return Ask(
            model=model,
            system=self._system(body),
            turns=turns,
            tools=self._tools(body),
            tool_choice=choice,
            parallel_tool_calls=parallel,
            max_output_tokens=_max_tokens(body),
            temperature=a_number(body.get("temperature"), "temperature", least=0, most=1),
            top_p=a_number(body.get("top_p"), "top_p", least=0, most=1),
            top_k=an_integer(body.get("top_k"), "top_k", least=0),
            stop=tuple(
                needed_string(stop, f"stop_sequences[{i}]") for i, stop in enumerate(a_list(body.get("stop_sequences"), "stop_sequences"))
            ),
            output=self._output(body),
            thinking=self._thinking(body),
            user=self._user_id(body),
            service_tier=_service_tier(body),
            stream=stream,
            include_usage=True,
            paths=paths,
            losses=tuple(self._sieve.losses),
        )

    # messages

    def _system(self, body: Mapping[str, Any]) -> tuple[Text, ...]:
        system = body.get("system")
        if system is None:
            return ()
        if isinstance(system, str):
            return (Text(text=system),) if system else ()
        return tuple(self._text(block, path) for block, path in _blocks(system, "system"))

    def _turns(self, body: Mapping[str, Any]) -> tuple[Turn, ...]:
        messages = a_list(body.get("messages"), "messages")
        if not messages:
            raise Malformed("messages", "Give messages: a list of at least one message.")
        turns: list[Turn] = []
        pairs = _Pairs()
        for number, value in enumerate(messages):
            path = f"messages[{number}]"
            message = an_object(value, path)
            self._sieve.sift(message, path)
            role = Role(one_of(message.get("role"), f"{path}.role", tuple(Role)))
            content = message.get("content")
            if content in ("", []) and role is Role.ASSISTANT and number == len(messages) - 1:
                continue  # the one message that may be empty: an answer that has not begun
            if isinstance(content, str) and content:
                items: tuple[Item, ...] = (Text(text=content),)
            elif isinstance(content, list) and content:
                read = {Role.USER: self._user_block, Role.ASSISTANT: self._assistant_block, Role.SYSTEM: self._system_block}[role]
                items = tuple(item for block, at in _blocks(content, f"{path}.content") for item in read(block, at))
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
                call_id = needed_string(block.get("tool_use_id"), f"{path}.tool_use_id")
                is_error = a_flag(block.get("is_error"), f"{path}.is_error")
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
                text = a_string(block.get("thinking"), f"{path}.thinking")
                return (carried.thought(text or "", a_string(block.get("signature"), f"{path}.signature") or ""),)
            case "redacted_thinking":
                return (carried.redacted(needed_string(block.get("data"), f"{path}.data")),)
            case "tool_use":
                value = an_object(block.get("input"), f"{path}.input")
                call = ToolCall(
                    id=needed_string(block.get("id"), f"{path}.id"),
                    name=needed_string(block.get("name"), f"{path}.name"),
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
                name = a_string(block.get("title"), f"{path}.title")
                context = a_string(block.get("context"), f"{path}.context")
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
        text = a_string(block.get("text"), f"{path}.text")
        if text is None:
            raise Malformed(f"{path}.text", f"Give {path}.text, a string.")
        return Text(text=text, cache=_mark(block, path))

    def _source(self, block: Mapping[str, Any], path: str) -> Source:
        at = f"{path}.source"
        source = an_object(block.get("source"), at)
        self._sieve.sift(source, at)
        match source.get("type"):
            case "base64":
                media_type = needed_string(source.get("media_type"), f"{at}.media_type")
                return Inline(media_type=media_type, base64=needed_string(source.get("data"), f"{at}.data"))
            case "url":
                return Link(url=needed_string(source.get("url"), f"{at}.url"))
            case "text":
                return _plain(needed_string(source.get("data"), f"{at}.data"))
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
        title = needed_string(block.get("title"), f"{path}.title")
        source = needed_string(block.get("source"), f"{path}.source")
        texts = [self._text(inner, at).text for inner, at in _blocks(block.get("content"), f"{path}.content")]
        return Text(text="\n".join((title, source, "", *texts)), cache=mark)

    # the rest of the request

    def _tools(self, body: Mapping[str, Any]) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        for number, value in enumerate(a_list(body.get("tools"), "tools")):
            path = f"tools[{number}]"
            tool = an_object(value, path)
            kind = a_string(tool.get("type"), f"{path}.type")
            if kind not in (None, "custom"):
                raise Unsupported(f"{path}.type", f"{path}.type is not supported for this model: only custom tools are, not {kind!r}.")
            self._sieve.sift(tool, path)
            callers = a_list(tool.get("allowed_callers"), f"{path}.allowed_callers")
            if callers and "direct" not in callers:
                raise Unsupported(
                    f"{path}.allowed_callers", f"{path}.allowed_callers is not supported for this model: the model itself has to call it."
                )
            tools.append(
                Tool(
                    name=needed_string(tool.get("name"), f"{path}.name"),
                    description=a_string(tool.get("description"), f"{path}.description"),
                    schema=an_object(tool.get("input_schema"), f"{path}.input_schema"),
                    strict=a_flag(tool.get("strict"), f"{path}.strict"),
                    cache=_mark(tool, path),
                )
            )
        if len({tool.name for tool in tools}) < len(tools):
            raise Malformed("tools", "Give each of tools a name of its own.")
        return tuple(tools)

    def _choice(self, body: Mapping[str, Any]) -> tuple[Choice | Named | None, bool | None]:
        """The choice, and whether calls may be parallel."""
        if body.get("tool_choice") is None:
            return None, None
        given = an_object(body["tool_choice"], "tool_choice")
        self._sieve.sift(given, "tool_choice")
        disabled = a_flag(given.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
        parallel = None if disabled is None else not disabled
        kind = one_of(given.get("type"), "tool_choice.type", (*_CHOICES, "tool"))
        tools = [tool for tool in a_list(body.get("tools"), "tools") if isinstance(tool, dict)]
        names = {name for tool in tools if isinstance(name := tool.get("name"), str)}
        if kind == "tool":
            name = needed_string(given.get("name"), "tool_choice.name")
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
        return JsonSchema(schema=an_object(wanted.get("schema"), f"{path}.schema"))

    def _thinking(self, body: Mapping[str, Any]) -> Thinking | None:
        config = body.get("output_config")
        effort: Effort | None = None
        if config is not None:
            self._sieve.sift(an_object(config, "output_config"), "output_config")
            word = a_string(config.get("effort"), "output_config.effort")
            if word is not None:
                effort = Effort(one_of(word, "output_config.effort", ("low", "medium", "high", "xhigh", "max")))
        if body.get("thinking") is None:
            return None if effort is None else Thinking(effort=effort)
        given = an_object(body["thinking"], "thinking")
        self._sieve.sift(given, "thinking")
        display = a_string(given.get("display"), "thinking.display")
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
        return a_string(metadata.get("user_id"), "metadata.user_id")


class _Pairs:
    """Every call has one result, in the user's turn that comes directly after it: so the vendor has it."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}  # the id of a call that has no result yet -> where it stands
        self._last = Role.USER

    def turn(self, role: Role, items: tuple[Item, ...], path: str) -> None:
        if role is Role.SYSTEM:
            return
        if role is Role.ASSISTANT and self._last is Role.USER:
            self.over()
        self._last = role
        for item in items:
            match item:
                case ToolCall(id=call_id):
                    if call_id in self._waiting:
                        raise Malformed(path, f"Give each tool_use of {path} an id of its own: {call_id!r} is there twice.")
                    self._waiting[call_id] = path
                case ToolResult(call_id=call_id):
                    if self._waiting.pop(call_id, None) is None:
                        raise Malformed(
                            path, f"Put the result of {call_id!r}, once, directly after the tool_use that it answers, not at {path}."
                        )
                case _:
                    pass

    def over(self) -> None:
        for call_id, path in self._waiting.items():
            raise Malformed(
                path, f"Put a tool_result for each tool_use of {path} into the message directly after it: {call_id!r} has none."
            )


def _without_defaults(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is listed as refused or dropped, and here asks for nothing."""
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


def _service_tier(body: Mapping[str, Any]) -> str | None:
    tier = a_string(body.get("service_tier"), "service_tier")
    return None if tier is None else _SERVICE_TIERS[one_of(tier, "service_tier", tuple(_SERVICE_TIERS))]


def _plain(text: str) -> Inline:
    return Inline(media_type="text/plain", base64=b64encode(text.encode("utf-8", "surrogatepass")).decode())


def _strange(block: Mapping[str, Any], path: str) -> Exception:
    kind = block.get("type")
    if not isinstance(kind, str) or not kind:
        return Malformed(f"{path}.type", f"Set {path}.type to the type of a block.")
    return Unsupported(path, f"{path} is not supported for this model: a block of type {kind!r} cannot be said to it.")
