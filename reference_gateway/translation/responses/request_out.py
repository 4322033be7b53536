"""An `Ask` as a Responses upstream takes it (translation.md 3.6, 3.9 to 3.11).

What has no word there stands in losses.REQUEST_OUT. Nothing is to be stored at the vendor; thoughts come back sealed by it, and go there
again only if they are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, assert_never

import msgspec

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
    Source,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
)

# tables

_LONGEST_CALL_ID: Final = 64
_LEAST_OUTPUT: Final = 16  # of max_output_tokens; with less the vendor refuses the request
# Source: openai-python, types/responses/response_create_params.py: it has none of them, chat has.
_UNKNOWN: Final = ("top_k", "stop", "seed", "presence_penalty", "frequency_penalty")
_SAID: Final = (Text, Image, Document, Refused)  # parts of a message; each other item stands by itself


def write_request(ask: Ask, upstream: Upstream) -> Written:
    return _Writer(ask, upstream).write()


class _Writer:
    """One request, and what was lost of it."""

    def __init__(self, ask: Ask, upstream: Upstream) -> None:
        self._ask = ask
        self._upstream = upstream
        self._losses: list[Loss] = []
        calls = [item for turn in ask.turns for item in turn.items if type(item) is ToolCall]
        choice = ask.tool_choice.names if isinstance(ask.tool_choice, Named) else ()
        self._names = fitting([*[tool.name for tool in ask.tools], *choice, *[call.name for call in calls]], longest=LONGEST_NAME)
        self._ids = fitting([call.id for call in calls], longest=_LONGEST_CALL_ID, any_characters=True) if calls else {}

    def write(self) -> Written:
        ask = self._ask
        body: dict[str, Any] = {"model": self._upstream.model}
        form, told = self._output()
        instructions, system = self._system((*ask.system, *told))
        if instructions:
            body["instructions"] = instructions
        body["input"] = [*system, *(item for turn in ask.turns for item in self._turn(turn))]
        body |= self._tools()
        if ask.max_output_tokens is not None:
            body["max_output_tokens"] = max(ask.max_output_tokens, _LEAST_OUTPUT)
            if ask.max_output_tokens < _LEAST_OUTPUT:
                self._lose("max_output_tokens", f"this model's least is {_LEAST_OUTPUT}")
        body |= self._sampling()
        body |= form
        body |= self._thinking()
        body |= self._who()
        body["store"] = False
        if ask.stream:
            body["stream"] = True
        names = {new: name for name, new in self._names.items() if new != name}
        return Written(body=body, names=names, losses=(*ask.losses, *self._losses))

    def _lose(self, name: str, reason: str) -> None:
        self._losses.append(Loss(path=self._ask.where(name), reason=reason))

    # input

    def _system(self, texts: Sequence[Text]) -> tuple[str | None, list[dict[str, Any]]]:
        """`instructions` is one text: several blocks, and marked ones, keep their borders as parts of a message.

        So does one that nothing follows, since `input` may not be empty.
        """
        if not texts:
            return None, []
        if len(texts) == 1 and self._ask.turns and not self._mark(texts[0].cache):
            return texts[0].text, []
        return None, [self._message(Role.SYSTEM, texts, "system")]

    def _turn(self, turn: Turn) -> Iterable[dict[str, Any]]:
        """An item for each call, result and thought; what stands together between them is one message."""
        said: list[Text | Image | Document | Refused] = []
        whole = True  # nothing but what is said
        for item in turn.items:
            if isinstance(item, _SAID):
                said.append(item)
                continue
            whole = False
            if said:
                yield self._message(turn.role, said, turn.path)
                said = []
            match item:
                case ToolCall():
                    yield {
                        "type": "function_call",
                        "call_id": self._ids[item.id],
                        "name": self._names[item.name],
                        "arguments": item.arguments or "{}",
                    }
                case ToolResult():
                    yield self._result(item, turn.path)
                case Reasoning():
                    yield from self._thought(item, turn.path)
                case _:
                    assert_never(item)
        if said or whole:
            yield self._message(turn.role, said, turn.path)

    def _message(self, role: Role, items: Sequence[Text | Image | Document | Refused], path: str) -> dict[str, Any]:
        """One plain text is a string; `id` and `status` are what an assistant's parts have to have beside them."""
        word = "developer" if role is Role.SYSTEM else role.value
        match items:
            case []:
                return {"type": "message", "role": word, "content": ""}
            case [Text(text=text, cache=cache)] if role is Role.ASSISTANT or not self._mark(cache):
                return {"type": "message", "role": word, "content": text}
        if role is not Role.ASSISTANT:
            return {"type": "message", "role": word, "content": [self._part(item, path) for item in items]}
        content: list[dict[str, Any]] = []
        for item in items:
            match item:
                case Text(text=text):
                    content.append({"type": "output_text", "text": text, "annotations": []})
                case Refused(text=text):
                    content.append({"type": "refusal", "refusal": text})
                case _:
                    raise Unsupported(path, f"{path} is not supported for this model: it reads no images of an assistant.")
        digest = sha256(msgspec.json.encode([path, content])).hexdigest()
        return {"type": "message", "id": f"msg_{digest[:48]}", "status": "completed", "role": word, "content": content}

    def _part(self, item: Text | Image | Document | Refused, path: str) -> dict[str, Any]:
        part: dict[str, Any]
        match item:
            case Text():
                part = {"type": "input_text", "text": item.text}
            case Image(source=source):
                self._need_vision(path)
                url = data_uri(source) if isinstance(source, Inline) else source.url
                part = {"type": "input_image", "image_url": url, "detail": item.detail or "auto"}
            case Document(source=source):
                part = self._document(source, item.name, path)
            case Refused():
                raise Malformed(path, f"Put refusals into the assistant's turns: {path} is the user's.")
            case _:
                assert_never(item)
        return part | self._mark(item.cache)

    def _document(self, source: Source, name: str | None, path: str) -> dict[str, Any]:
        text = isinstance(source, Inline) and source.media_type.startswith("text/")
        if name and (text or isinstance(source, Link)):
            self._losses.append(Loss(path=path, reason="only a document of PDF in base64 has a name for this model"))
        if isinstance(source, Inline) and text:
            return {"type": "input_text", "text": text_of(source, path)}
        self._need_vision(path)
        if isinstance(source, Link):
            return {"type": "input_file", "file_url": source.url}
        return {"type": "input_file", "filename": name or "document.pdf", "file_data": data_uri(source)}

    def _mark(self, cache: CacheTtl | None) -> dict[str, Any]:
        if cache is None or not self._upstream.cache_breakpoints:
            return {}
        mark = {"mode": "explicit", "ttl": "12h"} if cache is CacheTtl.ONE_HOUR else {"mode": "explicit"}
        return {"prompt_cache_breakpoint": mark}

    def _need_vision(self, path: str) -> None:
        if not self._upstream.vision:  # contract:084
            raise Unsupported(path, f"{path} is not supported for this model: it reads text only.")

    def _thought(self, thought: Reasoning, path: str) -> Iterable[dict[str, Any]]:
        """Only what the vendor itself sealed: anything else would be refused, or be taken for words that were said."""
        if thought.maker is not Maker.OPENAI or thought.opaque is None or not self._upstream.thinking:
            self._losses.append(Loss(path=path, reason="thoughts of earlier turns are not told to this model"))
            return
        yield {
            "type": "reasoning",
            "id": thought.id or f"rs_{sha256(thought.opaque.encode()).hexdigest()[:48]}",
            "summary": [{"type": "summary_text", "text": thought.text}] if thought.text else [],
            "encrypted_content": thought.opaque,
        }

    def _result(self, result: ToolResult, path: str) -> dict[str, Any]:
        call_id = self._ids.get(result.call_id)
        if call_id is None:
            raise Malformed(path, f"Put {path} after the call that it answers: there is no call {result.call_id!r}.")
        if result.is_error:
            self._losses.append(Loss(path=path, reason="this model is not told that the result is an error"))
        output: str | list[dict[str, Any]]
        match result.parts:
            case ():
                output = ""
            case (Text(text=text, cache=cache),) if not self._mark(cache):
                output = text
            case parts:
                output = [self._part(part, path) for part in parts]
        return {"type": "function_call_output", "call_id": call_id, "output": output}

    # tools

    def _tools(self) -> dict[str, Any]:
        ask = self._ask
        if not ask.tools:
            return {}
        if not self._upstream.tools:  # contract:085
            path = ask.where("tools")
            raise Unsupported(path, f"{path} is not supported for this model: it calls no tools.")
        members: dict[str, Any] = {"tools": [self._tool(tool) for tool in ask.tools]}
        match ask.tool_choice:
            case None:
                pass
            case Choice() as choice:
                members["tool_choice"] = choice.value
            case Named(names=(name,)):
                members["tool_choice"] = self._function(name)
            case Named(names=names):
                members["tool_choice"] = {"type": "allowed_tools", "mode": "required", "tools": [self._function(name) for name in names]}
            case _:
                assert_never(ask.tool_choice)
        if ask.parallel_tool_calls is not None:
            members["parallel_tool_calls"] = ask.parallel_tool_calls
        return members

    def _function(self, name: str) -> dict[str, Any]:
        return {"type": "function", "name": self._names[name]}

    def _tool(self, tool: Tool) -> dict[str, Any]:
        function = self._function(tool.name)
        if tool.description is not None:
            function["description"] = tool.description
        function["parameters"] = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
        function["strict"] = bool(tool.strict)
        return function

    # the rest of the request

    def _sampling(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name in ("temperature", "top_p"):
            value = getattr(self._ask, name)
            if value is None:
                continue
            if self._upstream.sampling:
                members[name] = value
            else:
                self._lose(name, "this model has no sampling parameters")
        for name in _UNKNOWN:
            if getattr(self._ask, name) not in (None, ()):
                self._lose(name, "this model has no such parameter")
        return members

    def _output(self) -> tuple[dict[str, Any], tuple[Text, ...]]:
        """`text.format`, and what the model has to be told of it: json_object wants the word in the prompt (translation.md 3.9)."""
        output = self._ask.output
        match output:
            case None:
                return {}, ()
            case JsonSchema() if self._upstream.native_json_schema:
                form: dict[str, Any] = {"type": "json_schema", "name": fitting([output.name], longest=LONGEST_NAME)[output.name]}
                if output.description is not None:
                    form["description"] = output.description
                form["schema"] = output.schema
                form["strict"] = output.strict if output.strict is not None else strict_clean(output.schema)
                return {"text": {"format": form}}, ()
            case JsonSchema():
                self._lose("output", "this model is told the schema, and is not held to it")
                schema = msgspec.json.encode(output.schema).decode()
                told = f"Answer with one JSON object that this JSON schema allows, and nothing else: {schema}"
                return {"text": {"format": {"type": "json_object"}}}, (Text(text=told),)
            case JsonObject():
                return {"text": {"format": {"type": "json_object"}}}, () if says_json(self._ask) else (Text(text=ONLY_JSON),)
            case _:
                assert_never(output)

    def _thinking(self) -> dict[str, Any]:
        """Thoughts are asked for sealed, for a later turn, of every model that thinks: any other refuses the word."""
        thinking = self._ask.thinking
        effort = None if thinking is None else effort_of(thinking)
        if not self._upstream.thinking:
            if effort not in (None, Effort.NONE):
                self._lose("thinking", "this model does not think")
            return {}
        members: dict[str, Any] = {"include": ["reasoning.encrypted_content"]}
        reasoning: dict[str, Any] = {}
        if effort is not None:
            reasoning["effort"] = effort.value
        if thinking is not None and thinking.show:
            reasoning["summary"] = "auto"
        if reasoning:
            members["reasoning"] = reasoning
        return members

    def _who(self) -> dict[str, Any]:
        ask = self._ask
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
