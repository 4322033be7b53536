"""An `Ask` as a Gemini upstream takes it (translation.md 3.5's right column, 3.9 to 3.11). The model and the method stand in the path.

What has no word there stands in losses.REQUEST_OUT. A run of one role is one content; results stand first, one for each call, in the order
of the calls; a proof goes back on the part that it came with. What a generation of models takes is said by `generation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, assert_never

import msgspec

from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.common.arguments import object_of
from reference_gateway.translation.common.effort import effort_of
from reference_gateway.translation.common.names import fitting
from reference_gateway.translation.gemini import schema
from reference_gateway.translation.gemini.generation import BUDGETS, generation_of
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
    Loss,
    Maker,
    Malformed,
    Named,
    Reasoning,
    Refused,
    Role,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Unsupported,
    Unwritable,
)

# tables

LONGEST_NAME: Final = 64
_MOST_STOPS: Final = 5
_SEEDS: Final = range(-(2**31), 2**31)
_DYNAMIC: Final = -1  # thinkingBudget
_FITTING: Final = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_-]{{0,{LONGEST_NAME - 1}}}").fullmatch
_UNMARKED: Final = (Reasoning, Refused)
_role_of: Final = attrgetter("role")
_NO_TIER: Final = (None, "auto", "default")  # they ask for nothing

# gemini-thought-signatures: what stands in the place of a signature that is not to be had, for a vendor who would refuse the call without.
NO_SIGNATURE: Final = "skip_thought_signature_validator"

_IMAGES: Final = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
_MODES: Final = {Choice.AUTO: "AUTO", Choice.NONE: "NONE", Choice.REQUIRED: "ANY"}
_FETCHED: Final = ("gs://", "https://generativelanguage.googleapis.com/")  # what `fileData` may name: the vendor fetches nothing else


def write_request(ask: Ask, upstream: Upstream) -> Written:
    return _Writer(ask, upstream).write()


def holds(output: JsonObject | JsonSchema, upstream: Upstream) -> bool:
    """The model can be held to it by the vendor's own mechanism."""
    if isinstance(output, JsonObject):
        return True
    if not upstream.native_json_schema:
        return False
    with suppress(schema.Inexpressible):
        (schema.native if generation_of(upstream.model).json_schema else schema.to_openapi)(output.schema)
        return True
    return False


class _Writer:
    """One request, and what was lost of it."""

    def __init__(self, ask: Ask, upstream: Upstream) -> None:
        self._ask = ask
        self._upstream = upstream
        self._generation = generation_of(upstream.model)
        self._losses: list[Loss] = []
        names = [tool.name for tool in ask.tools]
        if isinstance(ask.tool_choice, Named):
            names += ask.tool_choice.names
        names += [item.name for turn in ask.turns for item in turn.items if isinstance(item, ToolCall)]
        self._names = _fitting(names)

    def write(self) -> Written:
        ask = self._ask
        system: list[Item] = [*ask.system]
        turns: list[Turn] = []
        for turn in ask.turns:
            if turn.role is not Role.SYSTEM:
                turns.append(turn)
                continue
            self._losses.append(Loss(path=turn.path, reason="it is told before the first message"))
            system += turn.items
        body: dict[str, Any] = {"contents": self._contents(turns)}
        if parts := [{"text": text.text} for text in system if isinstance(text, Text) and text.text]:
            body["systemInstruction"] = {"parts": parts}
        if ask.tools or ask.search:
            body |= self._tools()
        config = self._sampling()
        if ask.output is not None:
            config |= self._output(ask.output)
        if ask.thinking is not None:
            config |= self._thinking(ask.thinking)
        if config:
            body["generationConfig"] = config
        self._who()
        names = {new: name for name, new in self._names.items() if new != name}
        return Written(body=body, names=names, losses=(*ask.losses, *self._losses))

    def _lose(self, name: str, reason: str) -> None:
        self._losses.append(Loss(path=self._ask.where(name), reason=reason))

    def _refuse(self, path: str, reason: str) -> Unsupported:
        return Unsupported(path, f"{path} is not supported for this model: {reason}.")

    # contents

    def _contents(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        contents: list[dict[str, Any]] = []
        calls: list[ToolCall] = []  # of the newest model content, without their results yet
        for role, run in groupby(turns, key=_role_of):
            together = list(run)
            path = together[0].path
            if role is Role.ASSISTANT:
                calls = [item for turn in together for item in turn.items if isinstance(item, ToolCall)]
                if parts := self._model(together):
                    contents.append({"role": "model", "parts": parts})
                else:
                    self._losses.append(Loss(path=path, reason="it says nothing to this model, and is left out"))
                continue
            parts = self._user(together, calls)
            calls = []
            if not parts:
                parts = [{"text": ""}]  # the vendor takes it
            if contents and contents[-1]["role"] == "user":  # a model's content between was left out
                contents[-1]["parts"] += parts
            else:
                contents.append({"role": "user", "parts": parts})
        if calls:
            raise Malformed(turns[-1].path, f"Put the results of the calls of {turns[-1].path} after it.")
        if "user" not in [content["role"] for content in contents]:
            raise Malformed(self._ask.where("turns"), f"Give {self._ask.where('turns')} something that a user says.")
        return contents

    def _model(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        waiting: list[str] = []  # proofs of a text that has not come yet
        for turn in turns:
            foreign = False
            for item in turn.items:
                match item:
                    case Text(text=text) | Refused(text=text):
                        if text:
                            parts.append({"text": text, **({"thoughtSignature": waiting.pop(0)} if waiting else {})})
                    case Reasoning():
                        foreign = foreign or not self._thought(item, parts, waiting)
                    case ToolCall():
                        parts.append(self._call(item, turn.path))
                    case Image(source=Inline(media_type=media_type, base64=base64)):  # such as this vendor's models make
                        parts.append({"inlineData": {"mimeType": media_type, "data": base64}})
                    case Image() | Document():
                        raise self._refuse(turn.path, "it reads nothing of an assistant's but text and images")
                    case ToolResult():
                        raise Malformed(turn.path, f"Put tool results into the user's turns: {turn.path} is the assistant's.")
                    case _:
                        assert_never(item)
            if foreign:
                self._losses.append(Loss(path=turn.path, reason="thoughts of another model are not told to this one"))
        parts += [{"text": "", "thoughtSignature": signature} for signature in waiting]
        self._sign(parts)
        return parts

    def _thought(self, thought: Reasoning, parts: list[dict[str, Any]], waiting: list[str]) -> bool:
        """False where it is not this vendor's. A proof without a thought is that of a text: the one before it, else the next."""
        if thought.maker is not Maker.GEMINI or not self._generation.knows_signatures:
            return False
        if thought.text:
            part: dict[str, Any] = {"text": thought.text, "thought": True}
            if thought.signature is not None:
                part["thoughtSignature"] = thought.signature
            parts.append(part)
        elif thought.signature is not None:
            if parts and "text" in parts[-1] and "thoughtSignature" not in parts[-1]:
                parts[-1]["thoughtSignature"] = thought.signature
            else:
                waiting.append(thought.signature)
        return True

    def _call(self, call: ToolCall, path: str) -> dict[str, Any]:
        try:
            args = object_of(call.arguments)
        except Unwritable as problem:
            raise Malformed(path, f"Give each call of {path} arguments that are a JSON object: those of {call.id!r} are not.") from problem
        function: dict[str, Any] = {"name": self._names[call.name], "args": args}
        if self._generation.call_ids:
            function["id"] = call.id
        part: dict[str, Any] = {"functionCall": function}
        if call.signature is not None and call.maker in (None, Maker.GEMINI) and self._generation.knows_signatures:
            part["thoughtSignature"] = call.signature
        return part

    def _sign(self, parts: Sequence[dict[str, Any]]) -> None:
        """Calls that were made at once have one proof, on the first of them: said twice it would be paid twice."""
        calls = [part for part in parts if "functionCall" in part]
        seen: set[str] = set()
        for part in calls:
            signature = part.get("thoughtSignature")
            if signature in seen:
                del part["thoughtSignature"]
            elif signature is not None:
                seen.add(signature)
        if calls and self._generation.needs_signatures:
            calls[0].setdefault("thoughtSignature", NO_SIGNATURE)

    def _user(self, turns: Sequence[Turn], calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
        """What stands between two contents of the model: the results, one for each call and in their order, and then all else."""
        waiting = {call.id: call for call in calls}
        results: dict[str, dict[str, Any]] = {}
        shown: dict[str, list[dict[str, Any]]] = {}  # the media of results
        said: list[dict[str, Any]] = []
        for turn in turns:
            for item in turn.items:
                if not isinstance(item, ToolResult):
                    said += self._part(item, turn.path)
                    continue
                call = waiting.pop(item.call_id, None)
                if call is None:
                    raise Malformed(turn.path, f"Put {turn.path} directly after the message whose call it answers: there is no such call.")
                results[call.id], shown[call.id] = self._result(item, call, turn.path)
        if waiting:
            path = turns[0].path
            raise Malformed(path, f"Put the results of all calls directly before {path}: there is none of {next(iter(waiting))!r}.")
        if not calls:
            return said
        return [*(results[call.id] for call in calls), *(part for call in calls for part in shown[call.id]), *said]

    def _result(self, result: ToolResult, call: ToolCall, path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The part, and what follows all results since an older model reads no media in them."""
        text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
        media = [made for part in result.parts if not isinstance(part, Text) for made in self._part(part, path)]
        name = self._names[call.name]
        function: dict[str, Any] = {"name": name, "response": _response(text, is_error=result.is_error)}
        if self._generation.call_ids:
            function["id"] = call.id
        if not media:
            return {"functionResponse": function}, []
        if self._generation.media_results:
            function["parts"] = media
            return {"functionResponse": function}, []
        return {"functionResponse": function}, [{"text": f"Of the result of {name}:"}, *media]

    def _part(self, item: Item, path: str) -> list[dict[str, Any]]:
        match item:
            case Text(text=text):
                return [{"text": text}] if text else []
            case Image(source=source):
                if isinstance(source, Inline) and source.media_type not in _IMAGES:
                    raise self._refuse(path, f"it reads images of {', '.join(sorted(_IMAGES))}, not {source.media_type}")
                if item.detail not in (None, "auto"):
                    self._losses.append(Loss(path=path, reason="this model sees every image in one detail"))
                return [self._media(source, path)]
            case Document(source=source):
                if isinstance(source, Inline) and source.media_type != "application/pdf" and not source.media_type.startswith("text/"):
                    raise self._refuse(path, f"it reads documents of PDF and text, not {source.media_type}")
                if item.name:
                    self._losses.append(Loss(path=path, reason="this model is not told a document's name"))
                return [self._media(source, path)]
            case _:
                raise Malformed(path, f"Put only text, images, documents and tool results into {path}: it is the user's.")

    def _media(self, source: Source, path: str) -> dict[str, Any]:
        if not self._upstream.vision:  # contract:084
            raise self._refuse(path, "it reads text only")
        if isinstance(source, Inline):
            return {"inlineData": {"mimeType": source.media_type, "data": source.base64}}
        if not source.url.startswith(_FETCHED):
            raise self._refuse(path, "send the bytes themselves, not their address")
        return {"fileData": {"fileUri": source.url, **({"mimeType": source.media_type} if source.media_type else {})}}

    # tools

    def _tools(self) -> dict[str, Any]:
        ask, choice = self._ask, self._ask.tool_choice
        searches: list[dict[str, Any]] = [{"googleSearch": {}}] if ask.search else []
        if not ask.tools:
            return {"tools": searches} if searches else {}
        if not self._upstream.tools:  # contract:085
            raise self._refuse(ask.where("tools"), "it calls no tools")
        if ask.parallel_tool_calls is False:
            raise self._refuse(ask.where("parallel_tool_calls"), "it may make several calls at once, and cannot be told not to")
        members: dict[str, Any] = {"tools": [{"functionDeclarations": [self._tool(tool) for tool in ask.tools]}, *searches]}
        calling: dict[str, Any] = {}
        match choice:
            case None:
                return members
            case Choice():
                calling = {"mode": _MODES[choice]}
            case Named(names=names):
                calling = {"mode": "ANY", "allowedFunctionNames": [self._names[name] for name in names]}
            case _:
                assert_never(choice)
        return {**members, "toolConfig": {"functionCallingConfig": calling}}

    def _tool(self, tool: Tool) -> dict[str, Any]:
        function: dict[str, Any] = {"name": self._names[tool.name]}
        if tool.description:
            function["description"] = tool.description
        if tool.strict:
            self._lose("tools", f"this model is not held to the schema of {tool.name}")
        if not tool.schema or (
            tool.schema.get("type") == "object" and tool.schema.keys() <= {"type", "properties"} and not tool.schema.get("properties")
        ):
            return function  # an object of no members is refused by older models, and says nothing to newer ones
        if self._generation.json_schema:
            function["parametersJsonSchema"] = tool.schema
        else:
            function["parameters"] = self._converted(schema.to_openapi, tool.schema, "tools", f" of {tool.name}")
        return function

    def _converted(self, convert: Any, given: Mapping[str, Any], name: str, whose: str) -> dict[str, Any]:
        try:
            made: schema.Converted = convert(given)
        except schema.Inexpressible as problem:
            raise self._refuse(self._ask.where(name), f"its schema{whose} cannot be said to it, {problem}") from problem
        for change in made.changes:
            self._lose(name, f"the schema{whose} is told without {change}")
        return made.schema

    # generationConfig

    def _sampling(self) -> dict[str, Any]:
        ask = self._ask
        config: dict[str, Any] = {}
        if ask.max_output_tokens is not None:
            most = self._upstream.max_output_tokens
            if ask.max_output_tokens > most:
                self._lose("max_output_tokens", f"this model's maximum is {most}")
            config["maxOutputTokens"] = min(ask.max_output_tokens, most)
        if len(ask.stop) > _MOST_STOPS:
            raise self._refuse(ask.where("stop"), f"give at most {_MOST_STOPS}")
        if ask.stop:
            config["stopSequences"] = list(ask.stop)
        for name, new in (("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK")):
            value = getattr(ask, name)
            if value is None:
                continue
            if self._upstream.sampling and not (name == "top_k" and value < 1):
                config[new] = value
            else:
                self._lose(name, "this model has no such parameter")
        for name, new in (("presence_penalty", "presencePenalty"), ("frequency_penalty", "frequencyPenalty")):
            value = getattr(ask, name)
            if value is None:
                continue
            if self._generation.penalties and self._upstream.sampling:
                config[new] = value
            elif value:
                self._lose(name, "this model has no such parameter")
        if ask.seed is not None:
            if ask.seed in _SEEDS:
                config["seed"] = ask.seed
            else:
                self._lose("seed", "this model's seeds have 32 bits")
        return config

    def _output(self, output: JsonObject | JsonSchema) -> dict[str, Any]:
        path = self._ask.where("output")
        if self._ask.tools and self._ask.tool_choice is not Choice.NONE and not self._generation.json_with_tools:
            raise self._refuse(path, "it takes no schema of the answer beside tools")
        json = {"responseMimeType": "application/json"}
        match output:
            case JsonObject():
                return json
            case JsonSchema(schema=wanted):
                if not self._upstream.native_json_schema:
                    raise self._refuse(path, "it cannot be held to a schema")
                if self._generation.json_schema:
                    return {**json, "responseJsonSchema": self._converted(schema.native, wanted, "output", "")}
                return {**json, "responseSchema": self._converted(schema.to_openapi, wanted, "output", "")}
            case _:
                assert_never(output)

    def _thinking(self, thinking: Thinking) -> dict[str, Any]:
        """Thoughts are shown unless the client wants none: to a model that thinks it is the effort that asks for them."""
        generation, effort = self._generation, effort_of(thinking)
        if not self._upstream.thinking or not (generation.levels or generation.most_budget):
            if effort not in (None, Effort.NONE):
                self._lose("thinking", "this model does not think")
            return {}
        config: dict[str, Any] = {}
        if effort is Effort.NONE and not generation.can_stop:
            self._lose("thinking", "this model always thinks: it thinks as little as it can")
        if generation.levels is not None:
            if effort is not None and not (thinking.adaptive and thinking.effort is None):
                config["thinkingLevel"] = generation.levels[effort]
        else:
            budget = self._budget(thinking, effort)
            if budget is not None:
                config["thinkingBudget"] = budget
        if effort is not Effort.NONE and (thinking.show or (thinking.show is None and effort is not None)):
            config["includeThoughts"] = True
        return {"thinkingConfig": config} if config else {}

    def _budget(self, thinking: Thinking, effort: Effort | None) -> int | None:
        generation = self._generation
        if effort is None:
            return None
        if effort is Effort.NONE:
            return 0 if generation.can_stop else generation.least_budget
        if thinking.budget_tokens is not None:
            budget = min(max(thinking.budget_tokens, generation.least_budget), generation.most_budget)
            if budget != thinking.budget_tokens:
                self._lose("thinking", f"this model's budget is from {generation.least_budget} to {generation.most_budget} tokens")
            return budget
        if thinking.effort is None:
            return _DYNAMIC
        return min(BUDGETS[thinking.effort], generation.most_budget)

    def _who(self) -> None:
        """What the vendor has no member for."""
        ask = self._ask
        if ask.user:
            self._lose("user", "this vendor has no such member")
        if ask.service_tier not in _NO_TIER:
            self._lose("service_tier", "this vendor has no such tier")
        marked = _marked(ask)
        if marked or ask.prompt_cache_key is not None:
            self._lose("cache_control" if marked else "prompt_cache_key", "caching goes by what is equal")


def _marked(ask: Ask) -> bool:
    """Something of the prompt has a cache mark."""
    holders: list[Item | Tool] = [*ask.system, *ask.tools]
    for turn in ask.turns:
        holders += turn.items
    for holder in holders:
        if isinstance(holder, _UNMARKED):
            continue
        if holder.cache is not None or (isinstance(holder, ToolResult) and any(part.cache is not None for part in holder.parts)):
            return True
    return False


def _response(text: str, *, is_error: bool) -> dict[str, Any]:
    """An object as it is; any other text, and an error, under the name that the vendor gives it."""
    value: object = text
    if text.lstrip().startswith("{"):
        with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            value = msgspec.json.decode(text)
    if is_error:
        return {"error": value}
    return value if isinstance(value, dict) else {"output": value}


def _fitting(names: Iterable[str]) -> dict[str, str]:
    """A name begins with a letter or `_` here: one that does not has a `_` before it that makes it like no other."""
    wanted = dict.fromkeys(names)
    if all(map(_FITTING, wanted)):  # as nearly all do
        return {name: name for name in wanted}
    begun: dict[str, str] = {}
    for name in wanted:
        better = name
        while (not (better[:1].isascii() and better[:1].isalpha()) and not better.startswith("_")) or (better != name and better in wanted):
            better = f"_{better}"
        begun[name] = better
    fitted = fitting(begun.values(), longest=LONGEST_NAME)
    return {name: fitted[better] for name, better in begun.items()}
