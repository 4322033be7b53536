"""An `Ask` as a Messages upstream takes it (translation.md 3.1's right column, 3.9 to 3.11, 3.15).

What has no word there stands in losses.REQUEST_OUT. System blocks stay apart with their marks; a run of one role is one message, in which
results come first; thoughts go back only to the family that had them. A schema that the vendor cannot be held to (schema.native), and
`JsonObject`, are refused here: whoever can asks for them by a forced tool instead, before the ask comes here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, assert_never

from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.common.arguments import object_of
from reference_gateway.translation.common.effort import effort_of
from reference_gateway.translation.common.names import fitting
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
    Loss,
    Malformed,
    Named,
    Reasoning,
    Refused,
    Role,
    Source,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
    Unwritable,
)
from reference_gateway.translation.messages import schema
from reference_gateway.translation.messages.dialect import ANTHROPIC, Dialect

# tables

LONGEST: Final = 64  # of a tool's name, and of a call's id
_MOST_MARKS: Final = 4
_MOST_STRICT_TOOLS: Final = 20
_LONGEST_USER: Final = 256
_USER, _ASSISTANT, _SYSTEM = Role.USER, Role.ASSISTANT, Role.SYSTEM  # looked up once: that takes longer than a call
_role: Final = attrgetter("role")

# Source: translation.md 3.10. Adaptive models have these words; the others a budget of tokens.
_EFFORTS: Final = {
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.XHIGH: "xhigh",
    Effort.MAX: "max",
}
_BUDGETS: Final = {
    Effort.MINIMAL: 1_024,
    Effort.LOW: 1_024,
    Effort.MEDIUM: 2_048,
    Effort.HIGH: 4_096,
    Effort.XHIGH: 8_192,
    Effort.MAX: 16_384,
}
_LEAST_BUDGET: Final = 1_024
_LEAST_TOP_P_THINKING: Final = 0.95

_IMAGES: Final = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_SERVICE_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
# contract:109, and the vendor's wish that no address and no telephone number be sent as a user's id.
_PERSONAL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s()./-]{7,20}")


def write_request(ask: Ask, upstream: Upstream, dialect: Dialect = ANTHROPIC) -> Written:
    return _Writer(ask, upstream, dialect).write()


class _Writer:
    """One request, and what was lost of it."""

    def __init__(self, ask: Ask, upstream: Upstream, dialect: Dialect) -> None:
        self._ask = ask
        self._upstream = upstream
        self._dialect = dialect
        self._losses: list[Loss] = []
        self._has_marks = False  # a block that has been written bears one
        calls = [item for turn in ask.turns for item in turn.items if type(item) is ToolCall]
        names = [tool.name for tool in ask.tools]
        if isinstance(ask.tool_choice, Named):
            names += ask.tool_choice.names
        names += [call.name for call in calls]
        self._names = fitting(names, longest=LONGEST)
        self._ids = fitting([call.id for call in calls], longest=LONGEST)

    def write(self) -> Written:
        system, turns = self._system_and_turns()
        messages = self._messages(turns)
        tools = self._tools()
        max_tokens = self._max_tokens()
        thinking, max_tokens = self._thinking(max_tokens)
        body: dict[str, Any] = {"model": self._upstream.model, "max_tokens": max_tokens}
        if system:
            body["system"] = system
        body["messages"] = messages
        body |= tools
        body |= thinking
        body |= self._sampling("thinking" in thinking and thinking["thinking"]["type"] != "disabled")
        output = self._output()
        if output:
            body["output_config"] = {**body.get("output_config", {}), **output}
        body |= self._who()
        if self._ask.stream:
            body["stream"] = True
        if self._has_marks:
            self._mind_the_marks(body)
        names = {new: name for name, new in self._names.items() if new != name}
        return Written(body=body, names=names, losses=(*self._ask.losses, *self._losses))

    def _lose(self, name: str, reason: str) -> None:
        self._losses.append(Loss(path=self._ask.where(name), reason=reason))

    def _refuse(self, path: str, reason: str) -> Unsupported:
        return Unsupported(path, f"{path} is not supported for this model: {reason}.")

    # messages

    def _system_and_turns(self) -> tuple[list[dict[str, Any]], list[Turn]]:
        """System turns join the system blocks. A request of nothing else has them as its user's message: messages may not be empty."""
        hoisted = [turn for turn in self._ask.turns if turn.role is _SYSTEM]
        turns, texts = list(self._ask.turns), list(self._ask.system)
        if hoisted:
            turns = [turn for turn in turns if turn.role is not _SYSTEM]
            texts += [item for turn in hoisted for item in turn.items if isinstance(item, Text)]
        if not turns and texts:
            self._lose("system", "it is told as the user's message, since there is no other")
            return [], [Turn(role=_USER, items=tuple(texts), path=self._ask.where("system"))]
        for turn in hoisted:
            self._losses.append(Loss(path=turn.path, reason="it is told before the first message"))
        return [block for text in texts for block in self._text(text)], turns

    def _messages(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        calls: list[str] = []  # of the newest assistant message, without their results yet
        for role, run in groupby(turns, key=_role):
            together = list(run)
            path = together[0].path
            if role is _ASSISTANT:
                content = self._assistant(together)
                calls = [item.id for turn in together for item in turn.items if type(item) is ToolCall]
                if not content:
                    self._losses.append(Loss(path=path, reason="it says nothing to this model, and is left out"))
                    continue
            else:
                content = self._user(together, calls)
                calls = []
                if not content:
                    raise Malformed(path, f"Say something in {path}: it holds nothing but blanks.")
            word = "assistant" if role is _ASSISTANT else "user"
            if messages and messages[-1]["role"] == word:  # an assistant message between was left out
                messages[-1]["content"] += content
            else:
                messages.append({"role": word, "content": content})
        if calls:
            raise Malformed(turns[-1].path, f"Put the results of the calls of {turns[-1].path} after it.")
        if not messages:
            raise Malformed(self._ask.where("turns"), f"Give {self._ask.where('turns')} something that a user says.")
        return messages

    def _assistant(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Thoughts first, where there are any: the vendor refuses a message that begins otherwise and thinks later."""
        content: list[dict[str, Any]] = []
        thoughts: list[dict[str, Any]] = []
        for turn in turns:
            foreign = False
            for item in turn.items:
                match item:
                    case Text():
                        content += self._text(item)
                    case Refused():
                        content += self._text(Text(text=item.text))
                    case Reasoning():
                        block = self._thought(item)
                        foreign = foreign or block is None
                        if block is not None:
                            (content if thoughts and content else thoughts).append(block)
                    case ToolCall():
                        content.append(self._call(item, turn.path))
                    case Image() | Document():
                        raise self._refuse(turn.path, "it reads no images of an assistant")
                    case ToolResult():
                        raise Malformed(turn.path, f"Put tool results into the user's turns: {turn.path} is the assistant's.")
                    case _:
                        assert_never(item)
            if foreign:
                self._losses.append(Loss(path=turn.path, reason="thoughts of another model are not told to this one"))
        return [*thoughts, *content]

    def _thought(self, thought: Reasoning) -> dict[str, Any] | None:
        """None for what this family did not think, or cannot be shown to have."""
        if thought.maker is self._dialect.maker or (thought.maker is None and self._dialect.unproved_thinking):
            if thought.signature is not None or (self._dialect.unproved_thinking and thought.text):
                return {"type": "thinking", "thinking": thought.text, "signature": thought.signature or ""}
            if thought.opaque is not None and self._dialect.redacted_thinking:
                return {"type": "redacted_thinking", "data": thought.opaque}
        return None

    def _call(self, call: ToolCall, path: str) -> dict[str, Any]:
        try:
            value = object_of(call.arguments)
        except Unwritable as problem:
            raise Malformed(path, f"Give each call of {path} arguments that are a JSON object: those of {call.id!r} are not.") from problem
        block = {"type": "tool_use", "id": self._ids[call.id], "name": self._names[call.name], "input": value}
        return self._marked(block, call.cache)

    def _user(self, turns: Sequence[Turn], calls: Sequence[str]) -> list[dict[str, Any]]:
        """What stands between two assistant messages: the results, one for each call, and then all else as it was said."""
        results: list[dict[str, Any]] = []
        said: list[dict[str, Any]] = []
        waiting = dict.fromkeys(calls)
        for turn in turns:
            for item in turn.items:
                if type(item) is not ToolResult:
                    said += self._part(item, turn.path)
                    continue
                if item.call_id not in waiting:
                    raise Malformed(turn.path, f"Put {turn.path} directly after the message whose call it answers: there is no such call.")
                del waiting[item.call_id]
                results.append(self._result(item, turn.path))
        if waiting:
            path = turns[0].path
            raise Malformed(path, f"Put the results of all calls directly before {path}: there is none of {next(iter(waiting))!r}.")
        return [*results, *said]

    def _result(self, result: ToolResult, path: str) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": self._ids[result.call_id]}
        match result.parts:
            case (Text(text=text, cache=None),) if text.strip():
                block["content"] = text
            case parts:
                content = [block for part in parts for block in self._part(part, path)]
                if content:
                    block["content"] = content
        if result.is_error:
            block["is_error"] = True
        return self._marked(block, result.cache)

    def _part(self, item: Item, path: str) -> list[dict[str, Any]]:
        match item:
            case Text():
                return self._text(item)
            case Image():
                self._need_vision(path)
                if isinstance(item.source, Inline) and item.source.media_type not in _IMAGES:
                    raise self._refuse(path, f"it reads images of {', '.join(sorted(_IMAGES))}, not {item.source.media_type}")
                if item.detail not in (None, "auto"):
                    self._losses.append(Loss(path=path, reason="this model sees every image in one detail"))
                return [self._marked({"type": "image", "source": _source(item.source)}, item.cache)]
            case Document():
                source = self._document(item.source, path)
                if not self._dialect.media:
                    if item.name:
                        self._losses.append(Loss(path=path, reason="a text has no name for this model"))
                    return self._text(Text(text=source["data"], cache=item.cache))
                block: dict[str, Any] = {"type": "document", "source": source}
                if item.name:
                    block["title"] = item.name
                return [self._marked(block, item.cache)]
            case _:
                raise Malformed(path, f"Put only text, images, documents and tool results into {path}: it is the user's.")

    def _text(self, text: Text) -> list[dict[str, Any]]:
        """Nothing for blanks: the vendor refuses a block of them."""
        return [self._marked({"type": "text", "text": text.text}, text.cache)] if text.text.strip() else []

    def _document(self, source: Source, path: str) -> dict[str, Any]:
        """Of a vendor who has no documents, its text is what is sent."""
        if not isinstance(source, Inline) or source.media_type == "application/pdf":
            self._need_vision(path)
            return _source(source)
        if not source.media_type.startswith("text/"):
            raise self._refuse(path, f"it reads documents of PDF and text, not {source.media_type}")
        try:
            text = base64.b64decode(source.base64, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as problem:
            raise Malformed(path, f"Send the text of {path} as UTF-8 in base64.") from problem
        return {"type": "text", "media_type": "text/plain", "data": text}

    def _need_vision(self, path: str) -> None:
        if not self._upstream.vision or not self._dialect.media:  # contract:084
            raise self._refuse(path, "it reads text only")

    def _marked(self, block: dict[str, Any], mark: CacheTtl | None) -> dict[str, Any]:
        if mark is not None:
            self._has_marks = True
            block["cache_control"] = {"type": "ephemeral"} if mark is CacheTtl.FIVE_MINUTES else {"type": "ephemeral", "ttl": mark.value}
        return block

    def _mind_the_marks(self, body: dict[str, Any]) -> None:
        """The vendor takes four marks, none of an hour after one of five minutes. The first is what most calls share."""
        marked = list(_marked_blocks(body))
        keep = marked if len(marked) <= _MOST_MARKS else [marked[0], *marked[1 - _MOST_MARKS :]]
        if not self._dialect.cache_marks:
            keep = []
        for block in marked:
            if not any(block is kept for kept in keep):
                del block["cache_control"]
        if len(keep) < len(marked):
            reason = "caching here goes by what is equal, not by marks" if not keep else f"only {_MOST_MARKS} marks can be set"
            self._lose("cache_control", reason)
        short = False
        for block in keep:
            if "ttl" not in block["cache_control"]:
                short = True
            elif short:
                del block["cache_control"]["ttl"]
                self._lose("cache_control", "a mark of one hour after one of five minutes lasts five minutes")

    # tools

    def _tools(self) -> dict[str, Any]:
        ask, tools, choice = self._ask, self._ask.tools, self._ask.tool_choice
        if not tools:
            return {}
        if not self._upstream.tools:  # contract:085
            raise self._refuse(ask.where("tools"), "it calls no tools")
        if isinstance(choice, Named) and len(choice.names) > 1:
            tools = tuple(tool for tool in tools if tool.name in choice.names)
            choice = Choice.REQUIRED
        wanted = [tool for tool in tools if tool.strict]
        strict = self._strict(wanted) if wanted else ()
        members: dict[str, Any] = {"tools": [self._tool(tool, strict=tool.name in strict) for tool in tools]}
        told: dict[str, Any]
        match choice:
            case None | Choice.AUTO:
                told = {"type": "auto"}
            case Choice.NONE:
                told = {"type": "none"}
            case Choice.REQUIRED:
                told = {"type": "any"}
            case Named(names=names):
                told = {"type": "tool", "name": self._names[names[0]]}
            case _:
                assert_never(choice)
        if ask.parallel_tool_calls is False and choice is not Choice.NONE:
            if self._dialect.parallel_switch:
                told["disable_parallel_tool_use"] = True
            else:
                self._lose("parallel_tool_calls", "this model may make several calls at once")
        if choice is not None or len(told) > 1:
            members["tool_choice"] = told
        return members

    def _tool(self, tool: Tool, *, strict: bool) -> dict[str, Any]:
        block: dict[str, Any] = {"name": self._names[tool.name]}
        if tool.description:
            block["description"] = tool.description
        given = dict(tool.schema or {})
        if given.get("type") != "object":  # the vendor wants the word; a schema of another type allows no arguments at all
            given = {"type": "object", "properties": {}, **given} if "type" not in given else given
        block["input_schema"] = given
        if strict:
            block["strict"] = True
        return self._marked(block, tool.cache)

    def _strict(self, wanted: Sequence[Tool]) -> set[str]:
        """The names of those whose schema the vendor can hold the model to, word for word."""
        able = self._dialect.strict_tools and self._upstream.native_json_schema
        found: set[str] = set()
        for tool in wanted:
            made = schema.native(tool.schema or {"type": "object", "properties": {}, "additionalProperties": False}) if able else None
            if made is not None and not made.changes and len(found) < _MOST_STRICT_TOOLS:
                found.add(tool.name)
            else:
                self._lose("tools", f"this model is not held to the schema of {tool.name}")
        return found

    # the rest of the request

    def _max_tokens(self) -> int:
        asked, most = self._ask.max_output_tokens, self._upstream.max_output_tokens
        if asked is None:
            return most
        if asked > most:
            self._lose("max_output_tokens", f"this model's maximum is {most}")
        return min(asked, most)

    def _thinking(self, max_tokens: int) -> tuple[dict[str, Any], int]:
        """`thinking` with its effort, and max_tokens where there has to be room for it."""
        thinking = self._ask.thinking
        effort = None if thinking is None else effort_of(thinking)
        if thinking is None or effort is None:
            return {}, max_tokens
        if not self._upstream.thinking:
            if effort is not Effort.NONE:
                self._lose("thinking", "this model does not think")
            return {}, max_tokens
        if effort is Effort.NONE:
            return {"thinking": {"type": "disabled"}}, max_tokens
        if reason := self._why_not_think():
            self._lose("thinking", reason)
            return {"thinking": {"type": "disabled"}}, max_tokens
        display: dict[str, str] = {}
        if thinking.show is not None and self._dialect.thinking_display:
            display["display"] = "summarized" if thinking.show else "omitted"
        elif thinking.show is False:
            self._lose("thinking", "this model always shows its thoughts")
        if self._upstream.adaptive_thinking:
            told: dict[str, Any] = {"thinking": {"type": "adaptive", **display}}
            if thinking.effort is not None or thinking.budget_tokens is not None:
                told["output_config"] = {"effort": _EFFORTS[effort]}
            if thinking.budget_tokens is not None and thinking.effort is None:
                self._lose("thinking", f"this model has no budget of tokens: its effort is {_EFFORTS[effort]}")
            return told, max_tokens
        budget = max(_LEAST_BUDGET, thinking.budget_tokens or _BUDGETS[effort])
        if budget >= max_tokens:
            room = min(max_tokens + budget, self._upstream.max_output_tokens)
            if room <= _LEAST_BUDGET:
                self._lose("thinking", "there is no room for it in this model's answers")
                return {"thinking": {"type": "disabled"}}, max_tokens
            budget = min(budget, max(_LEAST_BUDGET, room - max_tokens))
            self._lose("max_output_tokens", f"it is {room}, since thoughts count too")
            max_tokens = room
        told = {"thinking": {"type": "enabled", "budget_tokens": budget, **display}}
        if self._dialect.effort_beside_budget:
            told["output_config"] = {"effort": _EFFORTS[effort]}
        return told, max_tokens

    def _why_not_think(self) -> str | None:
        """What the vendor does not take together with thinking: a forced call, and a turn of calls without the thoughts that led there."""
        choice = self._ask.tool_choice
        if self._ask.tools and not self._dialect.thinking_with_forced_tool and (choice is Choice.REQUIRED or isinstance(choice, Named)):
            return "this model does not think where a call is forced"
        if not self._dialect.thinking_first or self._upstream.adaptive_thinking:
            return None
        newest: list[Item] = []
        for role, run in groupby((turn for turn in self._ask.turns if turn.role is not Role.SYSTEM), key=lambda turn: turn.role):
            items = [item for turn in run for item in turn.items]
            if role is Role.ASSISTANT:
                newest = items
            elif any(not isinstance(item, ToolResult) for item in items):
                newest = []  # the user has spoken: what was thought before is over
        called = any(isinstance(item, ToolCall) for item in newest)
        thought = any(isinstance(item, Reasoning) and self._thought(item) is not None for item in newest)
        return "the thoughts that led to the calls before are not there" if called and not thought else None

    def _sampling(self, thinking: bool) -> dict[str, Any]:
        ask = self._ask
        members: dict[str, Any] = {}
        if ask.stop:
            stops = [stop for stop in ask.stop if stop.strip()]
            if len(stops) < len(ask.stop):
                self._lose("stop", "this model does not stop at blanks")
            if stops:
                members["stop_sequences"] = stops
        for name in ("seed", "presence_penalty", "frequency_penalty"):
            if getattr(ask, name) is not None:
                self._lose(name, "this model has no such parameter")
        for name in ("temperature", "top_p", "top_k"):
            value = getattr(ask, name)
            if value is None:
                continue
            if not self._upstream.sampling or (name == "top_k" and not self._dialect.top_k):
                self._lose(name, "this model has no such parameter")
            elif name == "temperature" and value > self._dialect.max_temperature:
                raise self._refuse(ask.where(name), f"set it to at most {self._dialect.max_temperature:g}")
            elif thinking and not (name == "top_p" and value >= _LEAST_TOP_P_THINKING) and not (name == "temperature" and value == 1):
                self._lose(name, "this model samples by itself while it thinks")
            else:
                members[name] = value
        return members

    def _output(self) -> dict[str, Any]:
        output = self._ask.output
        path = self._ask.where("output")
        match output:
            case None:
                return {}
            case JsonObject():
                raise self._refuse(path, "give a schema of the object")
            case JsonSchema():
                able = self._dialect.json_schema and self._upstream.native_json_schema
                made = schema.native(output.schema) if able else None
                if made is None:
                    raise self._refuse(path, "it cannot be held to this schema")
                for change in made.changes:
                    self._lose("output", f"the model is told of {change}, and not held to it")
                return {"format": {"type": "json_schema", "schema": made.schema}}
            case _:
                assert_never(output)

    def _who(self) -> dict[str, Any]:
        ask = self._ask
        members: dict[str, Any] = {}
        if ask.user:
            if len(ask.user) > _LONGEST_USER or _PERSONAL.fullmatch(ask.user):
                self._lose("user", "it is not handed on where it may name a person, or is too long")
            else:
                members["metadata"] = {"user_id": ask.user}
        if ask.service_tier is not None:
            if self._dialect.service_tier and ask.service_tier in _SERVICE_TIERS:
                members["service_tier"] = _SERVICE_TIERS[ask.service_tier]
            else:
                self._lose("service_tier", "this vendor has no such tier")
        if ask.prompt_cache_key is not None:
            self._lose("prompt_cache_key", "caching goes by marks and by what is equal")
        return members


def _source(source: Source) -> dict[str, Any]:
    if isinstance(source, Inline):
        return {"type": "base64", "media_type": source.media_type, "data": source.base64}
    return {"type": "url", "url": source.url}


def _marked_blocks(body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """In the order of the prompt: tools, system, messages."""
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    for message in body["messages"]:
        for block in message["content"]:
            inner = block.get("content")
            blocks += [*(inner if isinstance(inner, list) else ()), block]
    return (block for block in blocks if "cache_control" in block)
