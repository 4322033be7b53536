"""Output in the client's own form: by the vendor's mechanism, else by one forced tool, and in any case judged (translation.md 3.9).

A request is prepared: where a model cannot be held to the form, it is given a tool whose input is the form, or, where it may not be made
to call one, is told. The answer is put back: the tool's input becomes the text, in streams as it comes. Then the text is judged against
the client's own schema, whatever the mechanism was, since vendors hold models to a part of JSON schema only. A text that does not pass
is no answer: Broken, so nothing is paid. One that was cut (by its length, by a pause) or refused is not judged: its stop says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import jsonschema_rs
from msgspec.structs import replace

from reference_gateway.translation.codec import Upstream
from reference_gateway.translation.common import schema_work
from reference_gateway.translation.common.effort import effort_of
from reference_gateway.translation.items import (
    Ask,
    Broken,
    Choice,
    Delta,
    Effort,
    Ended,
    Event,
    JsonObject,
    JsonSchema,
    Loss,
    Malformed,
    Named,
    PartEnded,
    PartKind,
    PartStarted,
    Signed,
    Stop,
    Text,
    Tool,
)

TOOL: Final = "json_tool_call"
OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_JUDGED: Final = (Stop.END, Stop.STOP_SEQUENCE)
_UNABLE_AT_ROOT: Final = ("anyOf", "oneOf", "allOf", "$ref", "not", "if")  # a tool's schema is a plain object at its root
_BACKTRACKS: Final = 100_000
_MOST_WORK: Final = 1_000_000  # schemas that one judgement may look at: a tenth of a second
_MOST_TO_EXPLAIN: Final = 2_000  # a judge that says where it failed is a hundred times slower

Verdict = Callable[[str], str]  # what is wrong with a text; "" where nothing is


def _refuse(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not fetched")


def verdict(output: JsonObject | JsonSchema, path: str) -> Verdict:
    """Raises Malformed for a schema that is none. Nothing is ever fetched for a schema, and no part of it can take for ever."""
    if isinstance(output, JsonObject):
        return _judge_object
    try:
        validator = jsonschema_rs.validator_for(
            dict(output.schema), retriever=_refuse, pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS)
        )
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as problem:
        raise Malformed(path, f"Give {path} a valid JSON schema: {str(problem).splitlines()[0]}.") from None

    def judge(text: str) -> str:
        try:
            value = json.loads(text)
            work = schema_work.work(output.schema, value, _MOST_WORK)
        except schema_work.TooMuch:
            return "it cannot be judged: its schema asks for too much work"
        except (ValueError, RecursionError):
            return "it is not JSON"
        try:
            if validator.is_valid(value):
                return ""
            if work > _MOST_TO_EXPLAIN:
                return "the schema does not allow it"
            error = next(iter(validator.iter_errors(value)), None)
        except ValueError as problem:
            return f"it cannot be judged: {str(problem).splitlines()[0]}"
        if error is None:
            return ""
        at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        return f"${at} is not what the schema allows"

    return judge


def _judge_object(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON"
    return "" if isinstance(value, dict) else "it is no JSON object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What an answer has to be. `tool`: it comes as the input of that tool."""

    judge: Verdict
    tool: str | None = None


def prepare(ask: Ask, upstream: Upstream, held: Callable[[JsonObject | JsonSchema], bool], *, forced: bool) -> tuple[Ask, Form | None]:
    """The ask as it is to be written, and what its answer has to be.

    `held` tells whether the vendor has a mechanism for the output; `forced` whether a model that thinks may be made to call a tool.
    Raises Malformed.
    """
    output = ask.output
    if output is None:
        return ask, None
    judge = verdict(output, ask.where("output"))
    if held(output):
        return ask, Form(judge=judge)
    if isinstance(ask.tool_choice, Named) or ask.tool_choice is Choice.REQUIRED:  # the answer is a call of the client's own tools
        return replace(ask, output=None), Form(judge=judge)
    schema = OBJECT if isinstance(output, JsonObject) else output.schema
    effort = effort_of(ask.thinking) if ask.thinking is not None and upstream.thinking else None
    thinks = effort not in (None, Effort.NONE)
    able = schema.get("type", "object") == "object" and not any(word in schema for word in _UNABLE_AT_ROOT)
    if not upstream.tools or not able or (thinks and not forced):
        return _told(ask, schema), Form(judge=judge)
    name = TOOL
    while any(tool.name == name for tool in ask.tools):
        name += "_"
    description = output.description if isinstance(output, JsonSchema) and output.description else "Give the answer by calling this."
    tool = Tool(name=name, description=description, schema={**schema, "type": "object"})
    open_to_all = bool(ask.tools) and ask.tool_choice is not Choice.NONE  # a tool of the client's own may be called instead
    asked = replace(
        ask,
        output=None,
        tools=(*ask.tools, tool),
        tool_choice=Choice.REQUIRED if open_to_all else Named(names=(name,)),
        parallel_tool_calls=ask.parallel_tool_calls if open_to_all else False,
    )
    return asked, Form(judge=judge, tool=name)


def _told(ask: Ask, schema: Mapping[str, Any]) -> Ask:
    told = "Answer with one JSON value that this JSON schema allows, and nothing else, no fence around it: "
    text = Text(text=told + json.dumps(schema, ensure_ascii=False, separators=(",", ":")))
    loss = Loss(path=ask.where("output"), reason="this model is told the schema, and its answer is judged, but it is not held to it")
    return replace(ask, output=None, system=(*ask.system, text), losses=(*ask.losses, loss))


class Shaper:
    """The events of one answer, put back into the form and judged at their end.

    Texts that stand before the tool's call are no part of the form: they are kept until it is known whether the call comes.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._kept: list[Event] = []  # texts, while it is open what they are
        self._texts: set[int] = set()  # the parts of the kept texts
        self._shaped: dict[int, bool] = {}  # parts of the tool -> whether something was said
        self._said: list[str] = []
        self._text_parts: set[int] = set()
        self._calls = False
        self._refused = False

    def events(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            self._take(event, out)
        return out

    def _take(self, event: Event, out: list[Event]) -> None:
        match event:
            case PartStarted(kind=PartKind.TOOL_CALL, name=name) if name == self._form.tool:
                self._drop()
                self._shaped[event.index] = False
                self._text_parts.add(event.index)
                out.append(PartStarted(index=event.index, kind=PartKind.TEXT))
            case PartStarted(kind=PartKind.TOOL_CALL):
                self._calls = True
                self._give(out)
                out.append(event)
            case PartStarted(kind=PartKind.TEXT):
                self._text_parts.add(event.index)
                if self._form.tool is not None:
                    self._texts.add(event.index)
                    self._kept.append(event)
                else:
                    out.append(event)
            case PartStarted(kind=kind):
                self._refused = self._refused or kind is PartKind.REFUSAL
                out.append(event)
            case Delta(index=index, text=text):
                if index in self._texts:
                    self._kept.append(event)
                    return
                if index in self._text_parts:
                    self._said.append(text)
                if index in self._shaped and text:
                    self._shaped[index] = True
                out.append(event)
            case PartEnded(index=index) if index in self._texts:
                self._kept.append(event)
            case PartEnded(index=index):
                if self._shaped.get(index) is False:
                    self._said.append("{}")
                    out.append(Delta(index=index, text="{}"))
                out.append(event)
            case Signed(index=index) if index in self._texts:
                self._kept.append(event)
            case Ended():
                self._give(out)
                out.append(self._end(event))
            case _:
                out.append(event)

    def _drop(self) -> None:
        self._text_parts -= self._texts
        self._kept.clear()

    def _give(self, out: list[Event]) -> None:
        self._said += [event.text for event in self._kept if isinstance(event, Delta)]
        out += self._kept
        self._kept.clear()
        self._texts.clear()

    def _end(self, ended: Ended) -> Ended | Broken:
        if self._shaped and not self._calls and ended.stop is Stop.TOOL_CALLS:
            ended = replace(ended, stop=Stop.END)
        if ended.stop not in _JUDGED or self._calls or self._refused:
            return ended
        wrong = self._form.judge("".join(self._said))
        if wrong:
            return Broken(status=502, message=f"the upstream's answer has not the form that was asked for: {wrong}")
        return ended
