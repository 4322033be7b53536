"""An `Ask` as a chat upstream takes it (translation.md 3.3's right column, 3.9 to 3.11, 3.15).

What has no word there stands in losses.REQUEST_OUT. Results go first after the calls that they answer, each as its own message, and bring
no images: those follow in a user message. Thoughts of earlier turns are the business of the family that had them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, assert_never

import msgspec

from reference_gateway.translation.chat.dialect import OPENAI, Dialect
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.common.names import fitting
from reference_gateway.translation.items import (
    Ask,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonObject,
    JsonSchema,
    Link,
    Loss,
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

_MAX_STOPS: Final = 4
_MAX_NAME: Final = 64
_MAX_CALL_ID: Final = 40
_MAX_USER: Final = 64
_SERVICE_TIERS: Final = {name: name for name in ("auto", "default", "flex", "scale", "priority", "fast")} | {"standard_only": "default"}

# translation.md 3.10: a budget by its size. Adaptive thinking with no effort named is high, as it is at the vendor who has it.
_LOW_BUDGET: Final = 1024
_MEDIUM_BUDGET: Final = 8192

# Source: OpenAI, "Structured Outputs", supported schemas: with any other keyword a strict schema is refused.
_STRICT_KEYWORDS: Final = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "definitions"),
    *("description", "title", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}
_STRICT_DEPTH: Final = 10


def write_request(ask: Ask, upstream: Upstream, dialect: Dialect = OPENAI) -> Written:
    return _Writer(ask, upstream, dialect).write()


class _Writer:
    """One request, and what was lost of it."""

    def __init__(self, ask: Ask, upstream: Upstream, dialect: Dialect) -> None:
        self._ask = ask
        self._upstream = upstream
        self._dialect = dialect
        self._losses: list[Loss] = []
        calls = [item for turn in ask.turns for item in turn.items if isinstance(item, ToolCall)]
        choice = ask.tool_choice.names if isinstance(ask.tool_choice, Named) else ()
        self._names = fitting([*(tool.name for tool in ask.tools), *choice, *(call.name for call in calls)], longest=_MAX_NAME)
        self._ids = fitting([call.id for call in calls], longest=_MAX_CALL_ID, any_characters=True)

    def write(self) -> Written:
        ask = self._ask
        body: dict[str, Any] = {"model": self._upstream.model}
        form, told = self._output()
        body["messages"] = self._messages((*ask.system, *told))
        body |= self._tools()
        if ask.max_output_tokens is not None:
            body[self._dialect.output_cap] = ask.max_output_tokens
        body |= self._sampling()
        body |= form
        body |= self._thinking(ask.thinking)
        body |= self._who()
        if ask.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}  # else there is nothing to bill
        names = {new: name for name, new in self._names.items() if new != name}
        return Written(body=body, names=names, losses=(*ask.losses, *self._losses))

    def _lose(self, name: str, reason: str) -> None:
        self._losses.append(Loss(path=self._ask.where(name), reason=reason))

    # messages

    def _messages(self, system: Sequence[Text]) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if system:
            messages.append(self._system(system))
        order: list[str] = []  # the calls of the newest assistant message
        for is_assistant, run in groupby(self._ask.turns, key=lambda turn: turn.role is Role.ASSISTANT):
            turns = list(run)
            if is_assistant:
                messages.append(self._assistant(turns))
                order = [item.id for turn in turns for item in turn.items if isinstance(item, ToolCall)]
            else:
                messages += self._answers(turns, order)
                order = []
        return messages

    def _system(self, texts: Sequence[Text]) -> dict[str, Any]:
        developer = self._dialect.developer_role and self._upstream.thinking
        return {"role": "developer" if developer else "system", "content": self._texts([text.text for text in texts], "\n\n")}

    def _texts(self, texts: Sequence[str], between: str) -> str | list[dict[str, Any]]:
        """One text as it is; several as parts, where the dialect has them."""
        if len(texts) < 2 or not self._dialect.text_parts:
            return between.join(texts)
        return [{"type": "text", "text": text} for text in texts]

    def _assistant(self, turns: Sequence[Turn]) -> dict[str, Any]:
        texts: list[str] = []
        refusals: list[str] = []
        thoughts: list[Reasoning] = []
        calls: list[dict[str, Any]] = []
        for turn in turns:
            for item in turn.items:
                match item:
                    case Text():
                        texts.append(item.text)
                    case Refused():
                        (refusals if self._dialect.refusal else texts).append(item.text)
                    case Reasoning():
                        thoughts.append(item)
                    case ToolCall():
                        function = {"name": self._names[item.name], "arguments": item.arguments or "{}"}
                        calls.append({"id": self._ids[item.id], "type": "function", "function": function})
                    case Image() | Document():
                        raise Unsupported(turn.path, f"{turn.path} is not supported for this model: it reads no images of an assistant.")
                    case ToolResult():
                        raise Malformed(turn.path, f"Put tool results into the user's turns: {turn.path} is the assistant's.")
                    case _:
                        assert_never(item)
        message: dict[str, Any] = {"role": "assistant", "content": self._texts(texts, "") if texts else None}
        if refusals:
            message["refusal"] = "".join(refusals)
        if not texts and not refusals and not calls:
            message["content"] = ""
        own = [thought for thought in thoughts if self._dialect.reasoning_back and thought.maker in (None, Maker.DEEPSEEK)]
        if calls:
            message["tool_calls"] = calls
            if self._dialect.reasoning_back:
                message["reasoning_content"] = "".join(thought.text for thought in own)
        if len(own) < len(thoughts):
            self._losses.append(Loss(path=turns[0].path, reason="thoughts of earlier turns are not told to this model"))
        return message

    def _answers(self, turns: Sequence[Turn], order: Sequence[str]) -> Iterable[dict[str, Any]]:
        """What stands between two assistant messages: the results in the order of their calls, and then all else as it was said."""
        results = [(item, turn.path) for turn in turns for item in turn.items if isinstance(item, ToolResult)]
        for result, path in results:
            if result.call_id not in order:
                raise Malformed(path, f"Put {path} directly after the assistant message whose call it answers: there is no such call.")
        results.sort(key=lambda found: order.index(found[0].call_id))
        moved: list[dict[str, Any]] = []
        for result, path in results:
            texts: list[str] = []
            for part in result.parts:
                if isinstance(part, Text):
                    texts.append(part.text)
                elif isinstance(part, Document) and isinstance(part.source, Inline) and part.source.media_type.startswith("text/"):
                    texts.append(_decoded(part.source, path))
                else:
                    moved.append({"type": "text", "text": f"Of the result of {self._ids[result.call_id]}:"})
                    moved.append(self._part(part, path))
            if result.is_error:
                self._losses.append(Loss(path=path, reason="this model is not told that the result is an error"))
            yield {"role": "tool", "tool_call_id": self._ids[result.call_id], "content": self._texts(texts, "\n")}
        if moved:
            yield {"role": "user", "content": moved}
        for turn in turns:
            said = [item for item in turn.items if not isinstance(item, ToolResult)]
            if not said:
                continue
            if turn.role is Role.SYSTEM:
                yield self._system([item for item in said if isinstance(item, Text)])
            else:
                yield {"role": "user", "content": self._user(said, turn.path)}

    def _user(self, items: Sequence[Any], path: str) -> str | list[dict[str, Any]]:
        parts = [self._part(item, path) for item in items]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        if len(texts) == len(parts) and (len(parts) == 1 or not self._dialect.text_parts):
            return "\n\n".join(texts)
        return parts

    def _part(self, item: Text | Image | Document, path: str) -> dict[str, Any]:
        match item:
            case Text():
                return {"type": "text", "text": item.text}
            case Image(source=source):
                self._need_vision(path)
                url = _data_uri(source) if isinstance(source, Inline) else source.url
                return {"type": "image_url", "image_url": {"url": url} if item.detail is None else {"url": url, "detail": item.detail}}
            case Document(source=Link()):
                raise Unsupported(path, f"{path} is not supported for this model: send the document itself, not its address.")
            case Document(source=Inline() as source):
                if source.media_type.startswith("text/"):
                    return {"type": "text", "text": _decoded(source, path)}
                self._need_vision(path)
                return {"type": "file", "file": {"filename": item.name or "document.pdf", "file_data": _data_uri(source)}}
            case _:
                raise Malformed(path, f"Put only text, images and documents into {path}.")

    def _need_vision(self, path: str) -> None:
        if not self._upstream.vision:  # contract:084
            raise Unsupported(path, f"{path} is not supported for this model: it reads text only.")

    # tools

    def _tools(self) -> dict[str, Any]:
        ask, tools, choice = self._ask, self._ask.tools, self._ask.tool_choice
        if not tools:
            return {}
        if not self._upstream.tools:  # contract:085
            path = ask.where("tools")
            raise Unsupported(path, f"{path} is not supported for this model: it calls no tools.")
        if isinstance(choice, Named) and len(choice.names) > 1 and not self._dialect.allowed_tools:
            tools = tuple(tool for tool in tools if tool.name in choice.names)
            choice = Choice.REQUIRED
        members: dict[str, Any] = {"tools": [self._tool(tool) for tool in tools]}
        match choice:
            case None:
                pass
            case Choice():
                members["tool_choice"] = choice.value
            case Named(names=(name,)):
                members["tool_choice"] = self._function(name)
            case Named(names=names):
                allowed = {"mode": "required", "tools": [self._function(name) for name in names]}
                members["tool_choice"] = {"type": "allowed_tools", "allowed_tools": allowed}
            case _:
                assert_never(choice)
        if ask.parallel_tool_calls is not None:
            if self._dialect.parallel_switch:
                members["parallel_tool_calls"] = ask.parallel_tool_calls
            elif not ask.parallel_tool_calls:
                self._lose("parallel_tool_calls", "this model may make several calls at once")
        return members

    def _function(self, name: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": self._names[name]}}

    def _tool(self, tool: Tool) -> dict[str, Any]:
        function: dict[str, Any] = {"name": self._names[tool.name]}
        if tool.description is not None:
            function["description"] = tool.description
        function["parameters"] = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
        if tool.strict is not None and self._dialect.strict_tools:
            function["strict"] = tool.strict
        elif tool.strict:
            self._lose("tools", f"this model is not held to the schema of {tool.name}")
        return {"type": "function", "function": function}

    # the rest of the request

    def _sampling(self) -> dict[str, Any]:
        ask = self._ask
        members: dict[str, Any] = {}
        if ask.stop:
            path = ask.where("stop")
            if not self._upstream.sampling:
                raise Unsupported(path, f"{path} is not supported for this model: it stops where it likes.")
            if len(ask.stop) > _MAX_STOPS:
                raise Unsupported(path, f"{path} is not supported for this model: give at most {_MAX_STOPS}.")
            members["stop"] = list(ask.stop)
        wanted = {
            "temperature": ask.temperature,
            "top_p": ask.top_p,
            "presence_penalty": ask.presence_penalty,
            "frequency_penalty": ask.frequency_penalty,
        }
        for name, value in wanted.items():
            if value is None:
                continue
            if self._upstream.sampling:
                members[name] = value
            else:
                self._lose(name, "this model has no sampling parameters")
        if ask.top_k is not None:
            self._lose("top_k", "this model has no such parameter")
        if ask.seed is not None:
            if self._dialect.openai_members:
                members["seed"] = ask.seed
            else:
                self._lose("seed", "this model has no such parameter")
        return members

    def _output(self) -> tuple[dict[str, Any], tuple[Text, ...]]:
        """The response_format, and what the model has to be told of it: json_object wants the word in the prompt (translation.md 3.9)."""
        output = self._ask.output
        match output:
            case None:
                return {}, ()
            case JsonSchema() if self._dialect.json_schema and self._upstream.native_json_schema:
                strict = output.strict if output.strict is not None else strict_clean(output.schema)
                schema = {"name": fitting([output.name], longest=_MAX_NAME)[output.name], "schema": output.schema, "strict": strict}
                if output.description is not None:
                    schema["description"] = output.description
                return {"response_format": {"type": "json_schema", "json_schema": schema}}, ()
            case JsonSchema():
                self._lose("output", "this model is told the schema, and is not held to it")
                schema_text = msgspec.json.encode(output.schema).decode()
                told = f"Answer with one JSON object that this JSON schema allows, and nothing else: {schema_text}"
                return {"response_format": {"type": "json_object"}}, (Text(text=told),)
            case JsonObject():
                told = "" if self._says_json() else "Answer with one JSON object, and nothing else."
                return {"response_format": {"type": "json_object"}}, (Text(text=told),) if told else ()
            case _:
                assert_never(output)

    def _says_json(self) -> bool:
        items = (*self._ask.system, *(item for turn in self._ask.turns for item in turn.items))
        return any(isinstance(item, Text) and "json" in item.text.lower() for item in items)

    def _thinking(self, thinking: Thinking | None) -> dict[str, Any]:
        effort = None if thinking is None else effort_of(thinking)
        if effort is None:
            return {}
        if not self._upstream.thinking:
            if effort is not Effort.NONE:
                self._lose("thinking", "this model does not think")
            return {}
        members: dict[str, Any] = {}
        if self._dialect.thinking_switch:
            members["thinking"] = {"type": "disabled" if effort is Effort.NONE else "enabled"}
        if effort in self._dialect.efforts:
            members["reasoning_effort"] = self._dialect.efforts[effort]
        return members

    def _who(self) -> dict[str, Any]:
        ask = self._ask
        if not self._dialect.openai_members:
            for name in ("user", "service_tier", "prompt_cache_key"):
                if getattr(ask, name) is not None:
                    self._lose(name, "this model has no such parameter")
            return {}
        members: dict[str, Any] = {}
        if ask.user is not None:
            members["safety_identifier"] = ask.user if len(ask.user) <= _MAX_USER else sha256(ask.user.encode()).hexdigest()
        if ask.service_tier is not None:
            if ask.service_tier in _SERVICE_TIERS:
                members["service_tier"] = _SERVICE_TIERS[ask.service_tier]
            else:
                self._lose("service_tier", "this vendor has no such tier")
        if ask.prompt_cache_key is not None:
            members["prompt_cache_key"] = ask.prompt_cache_key
        return members


def effort_of(thinking: Thinking) -> Effort | None:
    """None: nothing was said of how much to think."""
    if thinking.effort is not None:
        return thinking.effort
    if thinking.budget_tokens is not None:
        if thinking.budget_tokens <= 0:
            return Effort.NONE
        if thinking.budget_tokens <= _LOW_BUDGET:
            return Effort.LOW
        return Effort.MEDIUM if thinking.budget_tokens <= _MEDIUM_BUDGET else Effort.HIGH
    return Effort.HIGH if thinking.adaptive else None


def strict_clean(schema: Mapping[str, Any]) -> bool:
    """A strict vendor takes it as it is: objects are closed and all their properties required. Made strict, any other would change."""
    return schema.get("type") == "object" and _strict_clean(schema)


def _strict_clean(schema: object, depth: int = 0) -> bool:
    if depth > _STRICT_DEPTH or not isinstance(schema, Mapping) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    inner: list[object] = [schema["items"]] if "items" in schema else []
    any_of = schema.get("anyOf", [])
    named = [schema.get(name, {}) for name in ("properties", "$defs", "definitions")]
    if not isinstance(any_of, list) or not all(isinstance(each, Mapping) for each in named):
        return False
    inner += any_of
    for each in named:
        inner += each.values()
    properties, required, kinds = named[0], schema.get("required", []), schema.get("type", [])
    if properties or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if len(required) != len(properties) or any(name not in required for name in properties):
            return False
    return all(_strict_clean(each, depth + 1) for each in inner)


def _data_uri(source: Inline) -> str:
    return f"data:{source.media_type};base64,{source.base64}"


def _decoded(source: Inline, path: str) -> str:
    try:
        return base64.b64decode(source.base64, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise Malformed(path, f"Send the text of {path} as UTF-8 in base64.") from problem
