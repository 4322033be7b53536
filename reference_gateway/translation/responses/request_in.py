"""A Responses client's request as an `Ask` (translation.md 3.6; contract:094 to contract:106, C18, C21).

What is dropped or refused stands in losses.REQUEST_IN. Strict: a member of the wrong type, an output without its call and a call without
its output are Malformed, with the path. Calls are known by `call_id`. Thoughts that the gateway gave with an earlier answer are read back.
`previous_response_id` is refused here: a caller who keeps answers puts the earlier items before `input` and takes the member out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from reference_gateway.translation.common.members import a_flag, a_list, a_number, a_string, an_integer, an_object, needed_string
from reference_gateway.translation.common.sieve import Rules, Sieve
from reference_gateway.translation.items import (
    Ask,
    AssistantItem,
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
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.responses.answer_in import BETWEEN_THOUGHTS
from reference_gateway.translation.responses.losses import REQUEST_IN

# tables

_RULES: Final = Rules(REQUEST_IN)

# Where fields of the ask stand in a Responses request, if they are called otherwise.
PATHS: Final = {"output": "text.format", "thinking": "reasoning", "system": "instructions", "turns": "input", "user": "safety_identifier"}
_BY_USER: Final = {**PATHS, "user": "user"}  # in one without a safety_identifier

_ROLES: Final = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.SYSTEM}
_SUMMARIES: Final = ("auto", "concise", "detailed")
_LONG: Final = "12h"  # of a cache mark; the other is 30m
_DATA_URI: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*);base64,", re.IGNORECASE)

# Those that come back as they were sent.
_ECHOED: Final = {
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "temperature",
    "tool_choice",
    "top_p",
    "user",
}


def read_request(body: Mapping[str, Any], *, model: str, stream: bool, seal: sealed.Seal = sealed.UNSEALED) -> Ask:
    return _Reader(seal).read(body, model, stream)


class _Reader:
    """One request, and what was lost of it while it is read."""

    def __init__(self, seal: sealed.Seal) -> None:
        self._seal = seal
        self._sieve = Sieve(_RULES)

    def read(self, body: Mapping[str, Any], model: str, stream: bool) -> Ask:
        self._sieve.sift(body)
        self._include(body)
        system, turns = self._input(body.get("input"))
        instructions = a_string(body.get("instructions"), "instructions")
        if instructions:
            system = (Text(text=instructions), *system)
        tools = self._tools(body)
        offered, choice = _choice(body.get("tool_choice"), tools)
        output, form = self._output(body)
        safety_identifier, user = a_string(body.get("safety_identifier"), "safety_identifier"), a_string(body.get("user"), "user")
        if stream_options := body.get("stream_options"):
            self._sieve.sift(an_object(stream_options, "stream_options"), "stream_options")
        an_object(body.get("metadata") or {}, "metadata")
        an_integer(body.get("max_tool_calls"), "max_tool_calls", least=1)
        paths = PATHS if safety_identifier else _BY_USER
        if output is not None and (body.get("text") or {}).get("format") is None:
            paths = {**paths, "output": "response_format"}
        return Ask(
            model=model,
            system=system,
            turns=turns,
            tools=offered,
            tool_choice=choice,
            parallel_tool_calls=a_flag(body.get("parallel_tool_calls"), "parallel_tool_calls") if offered else None,
            max_output_tokens=an_integer(body.get("max_output_tokens"), "max_output_tokens", least=1),
            temperature=a_number(body.get("temperature"), "temperature", least=0, most=2),
            top_p=a_number(body.get("top_p"), "top_p", least=0, most=1),
            output=output,
            thinking=self._thinking(body),
            user=safety_identifier or user,
            service_tier=a_string(body.get("service_tier"), "service_tier"),
            prompt_cache_key=a_string(body.get("prompt_cache_key"), "prompt_cache_key"),
            stream=stream,
            echo=_echo(body, tools, form),
            paths=paths,
            losses=tuple(self._sieve.losses),
        )

    def _include(self, body: Mapping[str, Any]) -> None:
        for place, value in enumerate(a_list(body.get("include"), "include")):
            match value:
                case "reasoning.encrypted_content":
                    pass
                case "message.output_text.logprobs":
                    raise Unsupported(
                        f"include[{place}]", f"include[{place}] is not supported for this model: log probabilities are not offered here."
                    )
                case _:
                    self._sieve.lose(f"include[{place}]", "an answer has nothing of the kind")

    # input

    def _input(self, value: object) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
        """The system blocks before the first turn, and the turns: what an assistant says without a break is one, as are results."""
        if isinstance(value, str):
            return (), (Turn(role=Role.USER, items=(Text(text=value),), path="input"),)
        items = a_list(value, "input")
        if not items:
            raise Malformed("input", "Give input: a string, or a list of at least one item.")
        conversation = _Conversation()
        for place, one in enumerate(items):
            path = f"input[{place}]"
            item = an_object(one, path)
            kind = item.get("type")
            if kind not in (None, "message", "reasoning", "function_call", "function_call_output"):
                raise _foreign(kind, path)
            self._sieve.sift(item, path)
            if conversation.proof is not None and kind != "function_call":
                conversation.proof = None
                self._sieve.lose(f"input[{place - 1}]", "the function_call that it belongs to is not there any more")
            match kind:
                case None | "message":
                    self._message(item, path, conversation)
                case "reasoning":
                    conversation.think(*self._reasoning(item, path), path)
                case "function_call":
                    conversation.call(self._call(item, path), path)
                case _:
                    conversation.result(self._result(item, path), path)
        return conversation.end()

    def _message(self, item: Mapping[str, Any], path: str, conversation: _Conversation) -> None:
        role = _ROLES.get(str(item.get("role")))
        if role is None:
            raise Malformed(f"{path}.role", f"Set {path}.role to user, assistant, system or developer.")
        found = self._content(item.get("content"), f"{path}.content")
        match role:
            case Role.SYSTEM:
                texts = tuple(part for part in found if isinstance(part, Text))
                if len(texts) < len(found):
                    raise Malformed(f"{path}.content", f"Put only text into {path}, which is a {item['role']} message.")
                conversation.system(texts, path)
            case Role.USER:
                if any(type(part) is Refused for part in found):
                    raise Malformed(f"{path}.content", f"Put refusals into assistant messages only: {path} is the user's.")
                conversation.user(found, path)
            case Role.ASSISTANT:
                said = tuple(part for part in found if isinstance(part, (Text, Refused)))
                if len(said) < len(found):
                    raise Malformed(f"{path}.content", f"Put only text and refusals into {path}, which is the assistant's.")
                conversation.assistant(said, path)

    def _content(self, value: object, path: str) -> tuple[Text | Image | Document | Refused, ...]:
        if isinstance(value, str):
            return (Text(text=value),)
        if not isinstance(value, list):
            raise Malformed(path, f"Set {path} to a string or a list of parts.")
        return tuple(self._part(an_object(part, f"{path}[{place}]"), f"{path}[{place}]") for place, part in enumerate(value))

    def _part(self, part: Mapping[str, Any], path: str) -> Text | Image | Document | Refused:
        self._sieve.sift(part, path)
        mark = self._mark(part, path)
        match part.get("type"):
            case "input_text" | "output_text":
                said = a_string(part.get("text"), f"{path}.text")
                if said is None:
                    raise Malformed(f"{path}.text", f"Give {path}.text, a string.")
                return Text(text=said, cache=mark)
            case "refusal":
                return Refused(text=needed_string(part.get("refusal"), f"{path}.refusal"))
            case "input_image":
                detail = a_string(part.get("detail"), f"{path}.detail")
                return Image(source=_source(part.get("image_url"), f"{path}.image_url"), detail=detail, cache=mark)
            case "input_file":
                return self._file(part, path, mark)
            case str(kind) if kind:
                raise Unsupported(
                    f"{path}.type", f"{path}.type is not supported for this model: a part can be text, an image or a file, not {kind!r}."
                )
            case _:
                raise Malformed(f"{path}.type", f"Set {path}.type to input_text, input_image or input_file.")

    def _file(self, part: Mapping[str, Any], path: str, mark: CacheTtl | None) -> Document:
        if part.get("detail"):
            self._sieve.lose(f"{path}.detail", "files are read as the upstream reads them")
        name = a_string(part.get("filename"), f"{path}.filename")
        url = a_string(part.get("file_url"), f"{path}.file_url")
        if url:
            return Document(source=_source(url, f"{path}.file_url"), name=name, cache=mark)
        at = f"{path}.file_data"
        data = needed_string(part.get("file_data"), at)
        if data[:5].lower() != "data:" and (name or "").lower().endswith(".pdf"):
            return Document(source=Inline(media_type="application/pdf", base64=data), name=name, cache=mark)
        source = _source(data, at)
        if isinstance(source, Link):
            raise Malformed(at, f"Set {at} to a data URI in base64, or file_url to the address.")
        if source.media_type != "application/pdf" and not source.media_type.startswith("text/"):
            raise Unsupported(at, f"{at} is not supported for this model: a file can be PDF or text.")
        return Document(source=source, name=name, cache=mark)

    def _mark(self, part: Mapping[str, Any], path: str) -> CacheTtl | None:
        mark = part.get("prompt_cache_breakpoint")
        if not mark:
            return None
        return CacheTtl.ONE_HOUR if an_object(mark, f"{path}.prompt_cache_breakpoint").get("ttl") == _LONG else CacheTtl.FIVE_MINUTES

    def _reasoning(self, item: Mapping[str, Any], path: str) -> tuple[Reasoning, bool]:
        texts: list[str] = []
        for member, kind in (("content", "reasoning_text"), ("summary", "summary_text")):
            said = []
            for place, value in enumerate(a_list(item.get(member), f"{path}.{member}")):
                at = f"{path}.{member}[{place}]"
                piece = an_object(value, at)
                self._sieve.sift(piece, at)
                if piece.get("type") != kind:
                    raise Malformed(f"{at}.type", f"Set {at}.type to {kind}.")
                said.append(a_string(piece.get("text"), f"{at}.text") or "")
            texts.append(BETWEEN_THOUGHTS.join(each for each in said if each))
        thought = texts[0] or texts[1]  # a summary is of the text
        proof = a_string(item.get("encrypted_content"), f"{path}.encrypted_content")
        if not proof:
            return Reasoning(text=thought), False
        return sealed.open_(self._seal, proof, thought, a_string(item.get("id"), f"{path}.id"))

    def _call(self, item: Mapping[str, Any], path: str) -> ToolCall:
        arguments = a_string(item.get("arguments"), f"{path}.arguments")
        if arguments is None:
            raise Malformed(f"{path}.arguments", f"Give {path}.arguments, as a string of JSON.")
        return ToolCall(
            id=needed_string(item.get("call_id"), f"{path}.call_id"),
            name=needed_string(item.get("name"), f"{path}.name"),
            arguments=arguments,
        )

    def _result(self, item: Mapping[str, Any], path: str) -> ToolResult:
        parts: list[Text | Image | Document] = []
        for part in self._content(item.get("output"), f"{path}.output"):
            if isinstance(part, Refused):
                raise Malformed(f"{path}.output", f"Put only text, images and files into {path}, which is a tool's result.")
            parts.append(part)
        return ToolResult(call_id=needed_string(item.get("call_id"), f"{path}.call_id"), parts=tuple(parts))

    # the rest of the request

    def _tools(self, body: Mapping[str, Any]) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        for place, value in enumerate(a_list(body.get("tools"), "tools")):
            path = f"tools[{place}]"
            tool = an_object(value, path)
            kind = needed_string(tool.get("type"), f"{path}.type")
            if kind != "function":
                raise Unsupported(f"{path}.type", f"{path}.type is not supported for this model: only functions are, not {kind!r}.")
            self._sieve.sift(tool, path)
            schema = tool.get("parameters")
            tools.append(
                Tool(
                    name=needed_string(tool.get("name"), f"{path}.name"),
                    description=a_string(tool.get("description"), f"{path}.description"),
                    schema=None if schema is None else an_object(schema, f"{path}.parameters"),
                    strict=a_flag(tool.get("strict"), f"{path}.strict"),
                )
            )
        if len({tool.name for tool in tools}) < len(tools):
            raise Malformed("tools", "Give each of tools a name of its own.")
        return tuple(tools)

    def _output(self, body: Mapping[str, Any]) -> tuple[JsonObject | JsonSchema | None, dict[str, Any] | None]:
        """What was asked for, and how a response says it. C18: `response_format` is a synonym, as long as both say the same."""
        wanted = an_object(body.get("text") or {}, "text")
        if not wanted and body.get("response_format") is None:
            return None, None
        self._sieve.sift(wanted, "text")
        forms = [self._form(value, path) for value, path in _formats(wanted, body)]
        if len(forms) > 1 and forms[0] != forms[1]:
            raise Malformed("response_format", "Leave response_format out, or set it to what text.format says.")
        output = forms[0] if forms else None
        match output:
            case None:
                return None, None
            case JsonObject():
                return output, {"type": "json_object"}
            case JsonSchema():
                form = {
                    "type": "json_schema",
                    "description": output.description,
                    "name": output.name,
                    "schema": output.schema,
                    "strict": bool(output.strict),
                }
                return output, form

    def _form(self, value: object, path: str) -> JsonObject | JsonSchema | None:
        form = an_object(value, path)
        self._sieve.sift(form, path)
        match form.get("type"):
            case "text":
                return None
            case "json_object":
                return JsonObject()
            case "json_schema":
                if form.get("json_schema") is not None and path == "response_format":
                    path = f"{path}.json_schema"
                    form = an_object(form["json_schema"], path)
                    self._sieve.sift(form, path)
                return JsonSchema(
                    name=needed_string(form.get("name"), f"{path}.name"),
                    description=a_string(form.get("description"), f"{path}.description"),
                    schema=an_object(form.get("schema"), f"{path}.schema"),
                    strict=a_flag(form.get("strict"), f"{path}.strict"),
                )
            case _:
                raise Malformed(f"{path}.type", f"Set {path}.type to text, json_object or json_schema.")

    def _thinking(self, body: Mapping[str, Any]) -> Thinking | None:
        reasoning = body.get("reasoning")
        if not reasoning:
            return None
        given = an_object(reasoning, "reasoning")
        self._sieve.sift(given, "reasoning")
        effort = a_string(given.get("effort"), "reasoning.effort")
        if effort is not None and effort not in tuple(Effort):
            raise Malformed("reasoning.effort", f"Set reasoning.effort to one of {', '.join(Effort)}.")
        summary = a_string(given.get("summary"), "reasoning.summary") or a_string(
            given.get("generate_summary"), "reasoning.generate_summary"
        )
        if summary is not None and summary not in _SUMMARIES:
            raise Malformed("reasoning.summary", f"Set reasoning.summary to one of {', '.join(_SUMMARIES)}.")
        if effort is None and summary is None:
            return None
        return Thinking(effort=None if effort is None else Effort(effort), show=True if summary else None)


class _Conversation:
    """The items so far, put together into turns, and which calls wait for their results."""

    def __init__(self) -> None:
        self._system: list[Text] = []
        self._turns: list[Turn] = []
        self._said: list[AssistantItem] = []  # of the assistant's turn that goes on
        self._results: list[ToolResult] = []  # of the user's turn that goes on
        self._path = ""  # of the turn that goes on
        self._waiting: dict[str, str] = {}  # the id of each call that has no result yet -> its path
        self.proof: Reasoning | None = None  # of the call that comes next

    def _close(self) -> None:
        """The turn that went on is over."""
        if self._said:
            self._turns.append(Turn(role=Role.ASSISTANT, items=tuple(self._said), path=self._path))
        if self._results:
            self._turns.append(Turn(role=Role.USER, items=tuple(self._results), path=self._path))
        self._said, self._results = [], []

    def _whole(self, role: Role, items: tuple[Item, ...], path: str) -> None:
        self._close()
        self._turns.append(Turn(role=role, items=items, path=path))

    def system(self, texts: tuple[Text, ...], path: str) -> None:
        if self._turns or self._said or self._results:
            self._whole(Role.SYSTEM, texts, path)
        else:
            self._system += texts

    def user(self, items: tuple[Item, ...], path: str) -> None:
        self._whole(Role.USER, items, path)

    def assistant(self, items: tuple[AssistantItem, ...], path: str) -> None:
        if not self._said:
            self._answered()
            self._close()
            self._path = path
        self._said += items

    def think(self, thought: Reasoning, of_call: bool, path: str) -> None:
        if of_call:
            self.proof = thought
        else:
            self.assistant((thought,), path)

    def call(self, call: ToolCall, path: str) -> None:
        if self.proof is not None:
            call = ToolCall(id=call.id, name=call.name, arguments=call.arguments, signature=self.proof.signature, maker=self.proof.maker)
            self.proof = None
        self.assistant((call,), path)
        if call.id in self._waiting:
            raise Malformed(f"{path}.call_id", f"Give each function_call a call_id of its own: {call.id!r} is there twice.")
        self._waiting[call.id] = path

    def result(self, result: ToolResult, path: str) -> None:
        if self._waiting.pop(result.call_id, None) is None:
            raise Malformed(
                f"{path}.call_id", f"Put {path} after the function_call that it answers, once: no call waits for {result.call_id!r}."
            )
        if not self._results:
            self._close()
            self._path = path
        self._results.append(result)

    def _answered(self) -> None:
        """The assistant speaks again: each of its calls has its result by now."""
        if self._waiting:
            call_id, path = next(iter(self._waiting.items()))
            raise Malformed(path, f"Put a function_call_output for {path} before the assistant goes on: {call_id!r} has none.")

    def end(self) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
        self._close()
        self._answered()
        if not self._turns:
            raise Malformed("input", "Give input at least one item that is not a system message.")
        return tuple(self._system), tuple(self._turns)


def _foreign(kind: object, path: str) -> Exception:
    if not isinstance(kind, str):
        return Malformed(f"{path}.type", f"Set {path}.type to message, reasoning, function_call or function_call_output.")
    if kind == "item_reference":  # C21
        return Unsupported(path, f"{path} is not supported for this model: responses are not kept here, send the item itself.")
    return Unsupported(f"{path}.type", f"{path}.type is not supported for this model: items of hosted tools are not, such as {kind!r}.")


def _formats(wanted: Mapping[str, Any], body: Mapping[str, Any]) -> list[tuple[object, str]]:
    places = ((wanted.get("format"), "text.format"), (body.get("response_format"), "response_format"))
    return [(value, path) for value, path in places if value is not None]


def _choice(choice: object, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], Choice | Named | None]:
    """The tools that may be called, and the choice among them."""
    if choice is None:
        return tools, None
    if isinstance(choice, str):
        if choice not in tuple(Choice):
            raise Malformed("tool_choice", "Set tool_choice to none, auto, required, or one of the tools.")
        if not tools and choice == Choice.REQUIRED:
            raise Malformed("tool_choice", "Give tools, or leave tool_choice out.")
        return tools, Choice(choice) if tools else None
    chosen = an_object(choice, "tool_choice")
    match chosen.get("type"):
        case "function":
            return tools, Named(names=(_chosen(chosen.get("name"), tools, "tool_choice.name"),))
        case "allowed_tools":
            names: dict[str, None] = {}
            for place, value in enumerate(a_list(chosen.get("tools"), "tool_choice.tools")):
                path = f"tool_choice.tools[{place}]"
                names[_chosen(an_object(value, path).get("name"), tools, f"{path}.name")] = None
            mode = chosen.get("mode")
            if not names or mode not in ("auto", "required"):
                raise Malformed("tool_choice", "Give tool_choice at least one of the tools, and a mode of auto or required.")
            if mode == "required":
                return tools, Named(names=tuple(names))
            return tuple(tool for tool in tools if tool.name in names), Choice.AUTO
        case str(kind):
            raise Unsupported("tool_choice.type", f"tool_choice.type is not supported for this model: only functions are, not {kind!r}.")
        case _:
            raise Malformed("tool_choice", "Set tool_choice to none, auto, required, or one of the tools.")


def _chosen(value: object, tools: tuple[Tool, ...], path: str) -> str:
    name = needed_string(value, path)
    if all(tool.name != name for tool in tools):
        raise Malformed(path, f"Set {path} to the name of one of the tools: {name!r} is none of them.")
    return name


def _source(value: object, path: str) -> Inline | Link:
    url = needed_string(value, path)
    if url[:5].lower() == "data:":
        head = _DATA_URI.match(url)
        if head is None:
            raise Malformed(path, f"Write the data URI of {path} in base64: data:TYPE;base64,DATA.")
        return Inline(media_type=head.group(1).lower() or "text/plain", base64=url[head.end() :])
    if not url.lower().startswith(("https://", "http://")):
        raise Malformed(path, f"Set {path} to an https address or a data URI in base64.")
    return Link(url=url)


def _echo(body: Mapping[str, Any], tools: tuple[Tool, ...], form: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the response repeats of the request, where that is not the default."""
    echo = {name: value for name, value in body.items() if name in _ECHOED and value is not None}
    if reasoning := body.get("reasoning"):
        summary = reasoning.get("summary") or reasoning.get("generate_summary")
        echo["reasoning"] = {"effort": reasoning.get("effort"), "summary": summary}
    if form is not None:
        echo["text"] = {"format": form}
    if tools:
        echo["tools"] = [
            {
                "type": "function",
                "description": tool.description,
                "name": tool.name,
                "parameters": tool.schema if tool.schema is not None else {"type": "object", "properties": {}},
                "strict": bool(tool.strict),
            }
            for tool in tools
        ]
    return echo
