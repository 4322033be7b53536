"""An `Ask` as a chat upstream takes it (translation.md 3.3's right column, 3.9 to 3.11, 3.15).

What has no word there stands in losses.REQUEST_OUT. Results go first after the calls that they answer, each as its own message, and bring
no images: those follow in a user message. Thoughts of earlier turns are the business of the family that had them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, assert_never

import msgspec

from reference_gateway.translation.chat.dialect import OPENAI, Dialect
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.common.effort import effort_of
from reference_gateway.translation.common.names import fitting
from reference_gateway.translation.common.openai import (
    LONGEST_NAME,
    ONLY_JSON,
    SERVICE_TIERS,
    data_uri,
    safety_identifier,
    says_json,
    strict_clean,
    text_of,
)
from reference_gateway.translation.items import (
    Ask,
    CacheTtl,
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
_MAX_CALL_ID: Final = 40
_SAMPLING: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")  # called alike in the ask
_ASSISTANT, _SYSTEM = Role.ASSISTANT, Role.SYSTEM  # looked up once: that takes longer than a call


def write_request(ask: Ask, upstream: Upstream, dialect: Dialect = OPENAI) -> Written:
    return _Writer(ask, upstream, dialect).write()


class _Writer:
    """One request, and what was lost of it."""

    def __init__(self, ask: Ask, upstream: Upstream, dialect: Dialect) -> None:
        self._ask = ask
        self._upstream = upstream
        self._dialect = dialect
        self._losses: list[Loss] = []
        self._thoughts_lost = False
        self._marks = upstream.cache_breakpoints and dialect.openai_members
        calls = [item for turn in ask.turns for item in turn.items if type(item) is ToolCall]
        names = [tool.name for tool in ask.tools]
        if isinstance(ask.tool_choice, Named):
            names += ask.tool_choice.names
        names += [call.name for call in calls]
        self._names = fitting(names, longest=LONGEST_NAME)
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
        for is_assistant, run in groupby(self._ask.turns, key=lambda turn: turn.role is _ASSISTANT):
            turns = list(run)
            if is_assistant:
                messages.append(self._assistant(turns))
                order = [item.id for turn in turns for item in turn.items if type(item) is ToolCall]
            else:
                messages += self._results(turns, order)
                messages += self._said(turns)
                order = []
        return messages

    def _system(self, texts: Sequence[Text]) -> dict[str, Any]:
        developer = self._dialect.developer_role and self._upstream.thinking
        return {"role": "developer" if developer else "system", "content": self._texts(texts, "\n\n")}

    def _texts(self, texts: Sequence[Text], between: str) -> str | list[dict[str, Any]]:
        """One text as it is; several, and one that is marked, as parts, where the dialect has them."""
        if len(texts) == 1 and not (self._marks and texts[0].cache is not None):
            return texts[0].text
        if not texts or not self._dialect.text_parts:
            return between.join([text.text for text in texts])
        return [self._text(text) for text in texts]

    def _text(self, text: Text) -> dict[str, Any]:
        return {"type": "text", "text": text.text, **self._mark(text.cache)}

    def _mark(self, cache: CacheTtl | None) -> dict[str, Any]:
        return {"prompt_cache_breakpoint": {"mode": "explicit"}} if cache is not None and self._marks else {}

    def _assistant(self, turns: Sequence[Turn]) -> dict[str, Any]:
        texts: list[Text] = []
        refusals: list[str] = []
        thoughts: list[Reasoning] = []
        calls: list[dict[str, Any]] = []
        for turn in turns:
            for item in turn.items:
                match item:
                    case Text():
                        texts.append(item)
                    case Refused() if self._dialect.refusal:
                        refusals.append(item.text)
                    case Refused():
                        texts.append(Text(text=item.text))
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
        if len(own) < len(thoughts) and not self._thoughts_lost:  # told once
            self._thoughts_lost = True
            self._losses.append(Loss(path=turns[0].path, reason="thoughts of earlier turns are not told to this model"))
        return message

    def _results(self, turns: Sequence[Turn], order: Sequence[str]) -> Iterable[dict[str, Any]]:
        """Those that stand between two assistant messages, in the order of their calls, and what they show that no result can hold."""
        results = [(item, turn.path) for turn in turns for item in turn.items if type(item) is ToolResult]
        if not results:
            return
        for result, path in results:
            if result.call_id not in order:
                raise Malformed(path, f"Put {path} directly after the assistant message whose call it answers: there is no such call.")
        results.sort(key=lambda found: order.index(found[0].call_id))
        moved: list[dict[str, Any]] = []
        for result, path in results:
            texts: list[Text] = []
            for part in result.parts:
                if isinstance(part, Text):
                    texts.append(part)
                elif isinstance(part, Document) and isinstance(part.source, Inline) and part.source.media_type.startswith("text/"):
                    texts.append(Text(text=text_of(part.source, path), cache=part.cache))
                else:
                    moved.append({"type": "text", "text": f"Of the result of {self._ids[result.call_id]}:"})
                    moved.append(self._part(part, path))
            if result.is_error:
                self._losses.append(Loss(path=path, reason="this model is not told that the result is an error"))
            yield {"role": "tool", "tool_call_id": self._ids[result.call_id], "content": self._texts(texts, "\n")}
        if moved:
            yield {"role": "user", "content": moved}

    def _said(self, turns: Sequence[Turn]) -> Iterable[dict[str, Any]]:
        """What stands between two assistant messages beside the results."""
        for turn in turns:
            said = [item for item in turn.items if type(item) is not ToolResult]
            if not said:
                continue
            if turn.role is _SYSTEM:
                yield self._system([item for item in said if isinstance(item, Text)])
            else:
                yield {"role": "user", "content": self._user(said, turn.path)}

    def _user(self, items: Sequence[Any], path: str) -> str | list[dict[str, Any]]:
        texts = [item for item in items if type(item) is Text]
        if len(texts) == len(items) and (len(texts) == 1 or not self._dialect.text_parts):
            return self._texts(texts, "\n\n")
        parts = [self._part(item, path) for item in items]
        if not self._dialect.text_parts and all(part["type"] == "text" for part in parts):
            return "\n\n".join(part["text"] for part in parts)
        return parts

    def _part(self, item: Text | Image | Document, path: str) -> dict[str, Any]:
        match item:
            case Text():
                return self._text(item)
            case Image(source=source):
                self._need_vision(path)
                image = {"url": data_uri(source) if isinstance(source, Inline) else source.url}
                if item.detail is not None:
                    image["detail"] = item.detail
                return {"type": "image_url", "image_url": image, **self._mark(item.cache)}
            case Document(source=Link()):
                raise Unsupported(path, f"{path} is not supported for this model: send the document itself, not its address.")
            case Document(source=Inline() as source):
                if source.media_type.startswith("text/"):
                    if item.name:
                        self._losses.append(Loss(path=path, reason="a text has no name for this model"))
                    return self._text(Text(text=text_of(source, path), cache=item.cache))
                self._need_vision(path)
                file = {"filename": item.name or "document.pdf", "file_data": data_uri(source)}
                return {"type": "file", "file": file, **self._mark(item.cache)}
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
        for name in _SAMPLING:
            value = getattr(ask, name)
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
                schema = {"name": fitting([output.name], longest=LONGEST_NAME)[output.name], "schema": output.schema, "strict": strict}
                if output.description is not None:
                    schema["description"] = output.description
                return {"response_format": {"type": "json_schema", "json_schema": schema}}, ()
            case JsonSchema():
                self._lose("output", "this model is told the schema, and is not held to it")
                schema_text = msgspec.json.encode(output.schema).decode()
                told = f"Answer with one JSON object that this JSON schema allows, and nothing else: {schema_text}"
                return {"response_format": {"type": "json_object"}}, (Text(text=told),)
            case JsonObject():
                return {"response_format": {"type": "json_object"}}, () if says_json(self._ask) else (Text(text=ONLY_JSON),)
            case _:
                assert_never(output)

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
            members["safety_identifier"] = safety_identifier(ask.user)
        if ask.service_tier is not None:
            if ask.service_tier in SERVICE_TIERS:
                members["service_tier"] = SERVICE_TIERS[ask.service_tier]
            else:
                self._lose("service_tier", "this vendor has no such tier")
        if ask.prompt_cache_key is not None:
            members["prompt_cache_key"] = ask.prompt_cache_key
        return members
