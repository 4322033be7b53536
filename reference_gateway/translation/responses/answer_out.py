"""An answer as a Responses client gets it, whole or streamed (translation.md 3.6 to 3.8; contract:099 to contract:102, C19, C20).

Lost on the way (losses.py says all): the upstream's own id, and which stop sequence was met. An item is done when the next one begins or
the answer ends, since only the end tells whether the last one was cut; all else is said at once.

A failure is an `error` event and then `response.failed`, as the vendor has it (wireproof-corpus); translation.md 3.6 permits either.
openai-python raises APIError for an event with an `error` object (_streaming.py), in a plain loop and in `responses.stream`, and hands
`response.failed` on like any other event: a loop that looks for texts alone would take that for an end. Other clients wait for one of the
three terminal events, and `error` is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, assert_never

import msgspec

from reference_gateway import errors
from reference_gateway.translation.codec import Naming
from reference_gateway.translation.common.glue import Run
from reference_gateway.translation.items import (
    Answer,
    Ask,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
    Inline,
    Link,
    Maker,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Signed,
    Started,
    Stop,
    Text,
    ToolCall,
)
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.responses.usage import write_usage

# tables

# Source: openai-responses "incomplete_details"; translation.md 3.7. Any other stop is completed, and so is a refusal in the model's words.
INCOMPLETE: Final = {Stop.LENGTH: "max_output_tokens", Stop.CONTEXT_FULL: "max_output_tokens", Stop.REFUSAL: "content_filter"}

# Source: openai-python, types/responses/response_error.py. Any other status is server_error.
ERROR_CODES: Final = {
    400: "invalid_prompt",
    404: "invalid_prompt",
    413: "invalid_prompt",
    422: "invalid_prompt",
    429: "rate_limit_exceeded",
}

# Source: wireproof-corpus, "OpenAI responses": what a response says of a request that said nothing.
ECHO: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,  # whatever was asked for: nothing is kept
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


class Status(StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


def _response(
    *,
    id: str,  # noqa: A002
    created_at: int | str,
    status: str,
    error: Mapping[str, str] | str | None,
    incomplete_details: Mapping[str, str] | str | None,
    model: str,
    output: Sequence[Mapping[str, Any] | str],
    echo: Mapping[str, Any],
    usage: Mapping[str, Any] | str | None,
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "created_at": created_at,
        "status": status,
        "error": error,
        "incomplete_details": incomplete_details,
        "model": model,
        "output": output,
        **echo,
        "usage": usage,
    }


def _echo(ask: Ask) -> dict[str, Any]:
    return {**ECHO, **ask.echo}


def _status(stop: Stop, *, refused: bool) -> tuple[Status, str | None]:
    """And the reason of one that is incomplete."""
    reason = None if refused and stop is Stop.REFUSAL else INCOMPLETE.get(stop)
    return (Status.COMPLETED if reason is None else Status.INCOMPLETE), reason


# items and their parts; `place` is an item's output_index


def _id(prefix: str, naming: Naming, place: int) -> str:
    return f"{prefix}_{naming.id}{place:04x}"


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _refusal(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def _message(id: str, status: str, content: list[Mapping[str, Any] | str]) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "message", "status": status, "content": content, "role": "assistant"}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _thought(id: str, summary: Sequence[Mapping[str, Any] | str], proof: str | None) -> dict[str, Any]:  # noqa: A002
    """Reasoning items have no status (wireproof-corpus)."""
    item: dict[str, Any] = {"id": id, "type": "reasoning"}
    if proof is not None:
        item["encrypted_content"] = proof
    item["summary"] = summary
    return item


def _call(id: str, status: str, call_id: str, name: str, arguments: str) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "function_call", "status": status, "arguments": arguments, "call_id": call_id, "name": name}


def _image(id: str, source: Inline) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "image_generation_call", "status": "completed", "result": source.base64}


# a whole answer


def write_answer(answer: Answer, ask: Ask, naming: Naming, seal: sealed.Seal = sealed.UNSEALED) -> dict[str, Any]:
    status, reason = _status(answer.stop, refused=any(isinstance(item, Refused) for item in answer.items))
    output: list[dict[str, Any]] = []
    for item in answer.items:
        place = len(output)
        match item:
            case Text(text=text):
                _say(output, naming, _text(text))
            case Refused(text=text):
                _say(output, naming, _refusal(text))
            case Reasoning(text=text):
                output.append(_thought(_id("rs", naming, place), [_summary(text)] if text else [], sealed.close(seal, item)))
            case ToolCall(id=call_id, name=name, arguments=arguments):
                if item.signature is not None:
                    proof = sealed.close_call(seal, item.maker or Maker.GEMINI, item.signature)
                    output.append(_thought(_id("rs", naming, place), [], proof))
                    place += 1
                name = naming.stands_for.get(name, name)
                output.append(_call(_id("fc", naming, place), Status.COMPLETED.value, call_id, name, arguments or "{}"))
            case Image(source=source):
                if isinstance(source, Link):
                    _say(output, naming, _text(f"![image]({source.url})"))
                else:
                    output.append(_image(_id("ig", naming, place), source))
            case _:
                assert_never(item)
    if status is Status.INCOMPLETE and output and output[-1]["type"] in ("message", "function_call"):
        output[-1]["status"] = Status.INCOMPLETE.value
    return _response(
        id=f"resp_{naming.id}",
        created_at=naming.created,
        status=status.value,
        error=None,
        incomplete_details=None if reason is None else {"reason": reason},
        model=naming.model,
        output=output,
        echo=_echo(ask),
        usage=write_usage(answer.tokens),
    )


def _say(output: list[dict[str, Any]], naming: Naming, part: Mapping[str, Any]) -> None:
    """Neighbours are parts of one message."""
    if output and output[-1]["type"] == "message":
        output[-1]["content"].append(part)
    else:
        output.append(_message(_id("msg", naming, len(output)), Status.COMPLETED.value, [part]))


# a stream: what is the same in every one is written here once, with holes for what is not

_json: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(str).decode


def _form(value: object) -> bytes:
    """JSON in which the string "%b" stands for any value, which is JSON when it is filled in, and "%d" for a number."""
    return _json(value).replace(b'"%b"', b"%b").replace(b'"%d"', b"%d")


def _event(kind: str, **members: Any) -> bytes:
    """The members of an event, and so what fills them, are in the order of their names."""
    named = dict(sorted([*members.items(), ("sequence_number", "%d")]))
    return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), _form({"type": f"response.{kind}", **named}))


def _delta(kind: str, **members: Any) -> tuple[bytes, bytes]:
    """What stands before and after the text, the same in each delta of a part but for its number, which is therefore the last member."""
    named = dict(sorted([*members.items(), ("delta", ""), ("item_id", "%b"), ("output_index", "%d")]))
    before, _, after = _form({"type": f"response.{kind}", **named, "sequence_number": 0}).partition(b'"",')
    return b'event: response.%b\ndata: %b"' % (kind.encode(), before), b'",' + after.removesuffix(b"0}")


_RESPONSE: Final = _form(
    _response(
        id="%b",
        created_at="%d",
        status="%b",
        error="%b",
        incomplete_details="%b",
        model="%b",
        output=["%b"],
        echo={"echo": "%b"},
        usage="%b",
    )
).replace(b'"echo":', b"")
_MESSAGE: Final = _form(_message("%b", "%b", ["%b"]))
_CALL: Final = _form(_call("%b", "%b", "%b", "%b", "%b"))
_THOUGHT: Final = _form(_thought("%b", ["%b"], None))
_PROVEN: Final = _form(_thought("%b", ["%b"], "%b"))
_TEXT: Final = _form(_text("%b"))
_REFUSAL: Final = _form(_refusal("%b"))
_SUMMARY: Final = _form(_summary("%b"))
_STATUS: Final = {status: _json(status.value) for status in Status}
_COMPLETED: Final = _STATUS[Status.COMPLETED]
_INCOMPLETE: Final = _STATUS[Status.INCOMPLETE]

_STARTED: Final = _event("created", response="%b") + _event("in_progress", response="%b")
_ENDED: Final = {status: _event(status.value, response="%b") for status in Status}

_BEGUN: Final = Status.IN_PROGRESS.value
_MESSAGE_ADDED: Final = _event("output_item.added", item=_message("%b", _BEGUN, []), output_index="%d")
_THOUGHT_ADDED: Final = _event("output_item.added", item=_thought("%b", [], None), output_index="%d")
_CALL_ADDED: Final = _event("output_item.added", item=_call("%b", _BEGUN, "%b", "%b", ""), output_index="%d")
_ITEM_DONE: Final = _event("output_item.done", item="%b", output_index="%d")

_OF_ITEM: Final = {"item_id": "%b", "output_index": "%d"}
_OF_PART: Final = {"content_index": "%d", **_OF_ITEM}
_OF_SUMMARY: Final = {"summary_index": 0, **_OF_ITEM}
_TEXT_ADDED: Final = _event("content_part.added", part=_text(""), **_OF_PART)
_TEXT_DELTA: Final = _delta("output_text.delta", content_index="%d", logprobs=[])
_TEXT_DONE: Final = _event("output_text.done", logprobs=[], text="%b", **_OF_PART)
_REFUSAL_ADDED: Final = _event("content_part.added", part=_refusal(""), **_OF_PART)
_REFUSAL_DELTA: Final = _delta("refusal.delta", content_index="%d")
_REFUSAL_DONE: Final = _event("refusal.done", refusal="%b", **_OF_PART)
_PART_DONE: Final = _event("content_part.done", part="%b", **_OF_PART)
_SUMMARY_ADDED: Final = _event("reasoning_summary_part.added", part=_summary(""), **_OF_SUMMARY)
_SUMMARY_DELTA: Final = _delta("reasoning_summary_text.delta", summary_index=0)
_SUMMARY_DONE: Final = _event("reasoning_summary_text.done", text="%b", **_OF_SUMMARY)
_SUMMARY_PART_DONE: Final = _event("reasoning_summary_part.done", part="%b", **_OF_SUMMARY)
_ARGUMENTS_DELTA: Final = _delta("function_call_arguments.delta")
_ARGUMENTS_DONE: Final = _event("function_call_arguments.done", arguments="%b", name="%b", **_OF_ITEM)

_NUMBERS: Final = [b"%d}\n\n" % number for number in range(1_024)]  # what ends a delta; formatting them costs more than all else of it


def _endings(number: int, count: int) -> list[bytes]:
    """Of so many deltas, the first of them with this number."""
    past = number + count
    return _NUMBERS[number:past] if past <= len(_NUMBERS) else [b"%d}\n\n" % each for each in range(number, past)]


@dataclass(slots=True, kw_only=True, eq=False)
class _Item:
    """An output item that has begun. What is bytes is JSON."""

    kind: PartKind  # TEXT for a message
    place: int
    id: bytes
    called: tuple[bytes, ...] = ()  # a call's own id, and its tool's name
    parts: list[_Part] = field(default_factory=list)
    proof: bytes = b""
    done: bytes = b""  # the item as it was told when it was done

    @property
    def open(self) -> bool:
        return any(part.open for part in self.parts)

    def value(self, status: bytes) -> bytes:
        """As far as its parts have ended."""
        ended = b",".join([part.value for part in self.parts if not part.open])
        match self.kind:
            case PartKind.TEXT | PartKind.REFUSAL:
                return _MESSAGE % (self.id, status, ended)
            case PartKind.REASONING:
                return _PROVEN % (self.id, self.proof, ended) if self.proof else _THOUGHT % (self.id, ended)
            case PartKind.TOOL_CALL:
                return _CALL % (self.id, status, ended or b'""', *self.called)


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """A part that has begun: what stands before and after the text in each of its deltas, and the text so far, as JSON without quotes."""

    kind: PartKind
    item: _Item
    content_index: int
    before: bytes
    after: bytes  # up to the sequence number
    said: list[bytes] = field(default_factory=list)
    signed: Signed | None = None
    open: bool = True
    value: bytes = b""  # of one that has ended: what its item has of it, as JSON


class StreamWriter:
    """Events in, events out: named, and numbered from 0."""

    def __init__(self, ask: Ask, naming: Naming, seal: sealed.Seal = sealed.UNSEALED) -> None:
        self._ask = ask
        self._naming = naming
        self._seal = seal
        self._echo = b""  # as members of an object
        self._number = 0  # of the next event
        self._items: list[_Item] = []
        self._parts: dict[int, _Part] = {}  # by their index in the answer

    def write(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        parts = self._parts
        for event in events:
            if type(event) is Delta:
                text = _json(event.text)[1:-1]
                if not text:
                    continue
                part = parts[event.index]
                if not part.said and part.kind is PartKind.REASONING:
                    out.append(_SUMMARY_ADDED % (part.item.id, part.item.place, self._next()))
                part.said.append(text)
                out.append(b"%b%b%b%d}\n\n" % (part.before, text, part.after, self._number))
                self._number += 1
            else:
                out.append(self._tell(event))
        return b"".join(out)

    def more(self, index: int, run: Run) -> bytes | None:
        part = self._parts.get(index)
        if part is None or not part.said:
            return None
        part.said += run.texts
        number, count = self._number, len(run.texts)
        self._number += count
        pieces = [part.before, b"", part.after, b""] * count
        pieces[1::4] = run.texts
        pieces[3::4] = _endings(number, count)
        return b"".join(pieces)

    def _tell(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._start()
            case PartStarted():
                return self._begin(event)
            case Delta():
                return self.write((event,))
            case Signed():
                self._parts[event.index].signed = event
                return b""
            case PartEnded():
                return self._leave(self._parts[event.index])
            case Ended():
                return self._end(event)
            case Broken():
                return self._fail(event)
            case _:
                assert_never(event)

    def _next(self) -> int:
        number = self._number
        self._number += 1
        return number

    def _response(
        self,
        status: Status,
        *,
        output: bytes = b"",
        reason: str | None = None,
        error: Mapping[str, str] | None = None,
        usage: bytes = b"null",
    ) -> bytes:
        naming = self._naming
        if not self._echo:
            self._echo = _json(_echo(self._ask))[1:-1]
        return _RESPONSE % (
            _json(f"resp_{naming.id}"),
            naming.created,
            _STATUS[status],
            _json(error),
            _json(None if reason is None else {"reason": reason}),
            _json(naming.model),
            output,
            self._echo,
            usage,
        )

    def _start(self) -> bytes:
        response = self._response(Status.IN_PROGRESS)
        return _STARTED % (response, self._next(), response, self._next())

    # items

    def _add(self, kind: PartKind, prefix: str, added: bytes, call_id: str = "", name: str = "") -> tuple[_Item, bytes]:
        """A new item; the one before it is done, if nothing of it is open."""
        done = self._done(self._items[-1]) if self._items and not self._items[-1].open else b""
        place = len(self._items)
        called = (_json(call_id), _json(name)) if kind is PartKind.TOOL_CALL else ()
        item = _Item(kind=kind, place=place, id=_json(_id(prefix, self._naming, place)), called=called)
        self._items.append(item)
        return item, done + added % (item.id, *called, place, self._next())

    def _done(self, item: _Item, status: bytes = _COMPLETED) -> bytes:
        if item.done:
            return b""
        item.done = item.value(status)
        return _ITEM_DONE % (item.done, item.place, self._next())

    # parts

    def _begin(self, event: PartStarted) -> bytes:
        match event.kind:
            case PartKind.TEXT | PartKind.REFUSAL:
                return self._begin_text(event)
            case PartKind.REASONING:
                item, out = self._add(event.kind, "rs", _THOUGHT_ADDED)
                self._open(event, item, *_SUMMARY_DELTA)
                return out
            case PartKind.TOOL_CALL:
                proof = self._prove(event)
                name = self._naming.stands_for.get(event.name, event.name)
                item, out = self._add(event.kind, "fc", _CALL_ADDED, event.id, name)
                self._open(event, item, *_ARGUMENTS_DELTA)
                return proof + out
            case _:
                assert_never(event.kind)

    def _begin_text(self, event: PartStarted) -> bytes:
        item, out = self._items[-1] if self._items else None, b""
        if item is None or item.kind is not PartKind.TEXT:
            item, out = self._add(PartKind.TEXT, "msg", _MESSAGE_ADDED)
        is_text, place = event.kind is PartKind.TEXT, len(item.parts)
        before, after = _TEXT_DELTA if is_text else _REFUSAL_DELTA
        self._open(event, item, before % place, after)
        return out + (_TEXT_ADDED if is_text else _REFUSAL_ADDED) % (place, item.id, item.place, self._next())

    def _open(self, event: PartStarted, item: _Item, before: bytes, after: bytes) -> None:
        part = _Part(kind=event.kind, item=item, content_index=len(item.parts), before=before, after=after % (item.id, item.place))
        item.parts.append(part)
        self._parts[event.index] = part

    def _prove(self, event: PartStarted) -> bytes:
        """A call's own proof is a thought without text before it."""
        if event.signature is None:
            return b""
        item, out = self._add(PartKind.REASONING, "rs", _THOUGHT_ADDED)
        item.proof = _json(sealed.close_call(self._seal, Maker.GEMINI, event.signature))
        return out + self._done(item)

    def _leave(self, part: _Part) -> bytes:
        """The whole text of the part, and its end; its item is done too, if another has begun already."""
        item, out = part.item, b""
        id_, place = item.id, item.place
        if part.kind is PartKind.TOOL_CALL and not part.said:  # a call of no arguments: its text has to be an object all the same
            part.said.append(b"{}")
            out = b"%b{}%b%d}\n\n" % (part.before, part.after, self._next())
        part.open = False
        text = b'"%b"' % b"".join(part.said)
        match part.kind:
            case PartKind.TEXT:
                part.value = _TEXT % text
                out += _TEXT_DONE % (part.content_index, id_, place, self._next(), text)
                out += _PART_DONE % (part.content_index, id_, place, part.value, self._next())
            case PartKind.REFUSAL:
                part.value = _REFUSAL % text
                out += _REFUSAL_DONE % (part.content_index, id_, place, text, self._next())
                out += _PART_DONE % (part.content_index, id_, place, part.value, self._next())
            case PartKind.REASONING:
                if part.said:
                    part.value = _SUMMARY % text
                    out += _SUMMARY_DONE % (id_, place, self._next(), text)
                    out += _SUMMARY_PART_DONE % (id_, place, part.value, self._next())
                if part.signed is not None:
                    item.proof = _proof(self._seal, _decode(text), part.signed)
            case PartKind.TOOL_CALL:
                part.value = text
                _, name = item.called
                out += _ARGUMENTS_DONE % (text, id_, name, place, self._next())
            case _:
                assert_never(part.kind)
        if item is not self._items[-1] and not item.open:
            out += self._done(item)
        return out

    # the end

    def _end(self, event: Ended) -> bytes:
        refused = any(part.kind is PartKind.REFUSAL for part in self._parts.values())
        status, reason = _status(event.stop, refused=refused)
        out = b""
        for item in self._items:
            out += self._done(item, _INCOMPLETE if status is Status.INCOMPLETE and item is self._items[-1] else _COMPLETED)
        output = b",".join([item.done for item in self._items])
        response = self._response(status, output=output, reason=reason, usage=_json(write_usage(event.tokens)))
        return out + _ENDED[status] % (response, self._next())

    def _fail(self, event: Broken) -> bytes:
        """What was in the middle stays so: only items that are done stand in the response. C5: a withdrawn key gets `error` alone."""
        if event.status == errors.KEY_WITHDRAWN.status:
            return errors.responses_event(errors.KEY_WITHDRAWN, event.message, self._number)
        out = b"" if self._number else self._start()
        error = {"code": ERROR_CODES.get(event.status, "server_error"), "message": event.message}
        done = [item for item in self._items if not item.open]
        for item in done:
            out += self._done(item)
        out += errors.responses_event(errors.upstream_status(event.status), event.message, self._next())
        response = self._response(Status.FAILED, output=b",".join([item.done for item in done]), error=error)
        return out + _ENDED[Status.FAILED] % (response, self._next())


def _proof(seal: sealed.Seal, text: str, signed: Signed) -> bytes:
    """JSON; empty where nothing proves the thought."""
    proof = sealed.close(seal, Reasoning(text=text, signature=signed.signature, opaque=signed.opaque, maker=signed.maker, id=signed.id))
    return b"" if proof is None else _json(proof)
