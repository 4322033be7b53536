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
from itertools import chain
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
    Tokens,
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
    ask: Ask,
    naming: Naming,
    status: Status,
    *,
    output: Sequence[Mapping[str, Any]] = (),
    reason: str | None = None,
    error: Mapping[str, str] | None = None,
    tokens: Tokens | None = None,
) -> dict[str, Any]:
    return {
        "id": f"resp_{naming.id}",
        "object": "response",
        "created_at": naming.created,
        "status": status.value,
        "error": error,
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": naming.model,
        "output": list(output),
        **ECHO,
        **ask.echo,
        "usage": write_usage(tokens),
    }


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


def _message(id: str, status: Status, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "message", "status": status.value, "content": list(content), "role": "assistant"}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _thought(id: str, text: str, proof: str | None) -> dict[str, Any]:  # noqa: A002
    """Reasoning items have no status (wireproof-corpus)."""
    item: dict[str, Any] = {"id": id, "type": "reasoning"}
    if proof is not None:
        item["encrypted_content"] = proof
    item["summary"] = [_summary(text)] if text else []
    return item


def _call(id: str, status: Status, call_id: str, name: str, arguments: str) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "function_call", "status": status.value, "arguments": arguments, "call_id": call_id, "name": name}


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
                output.append(_thought(_id("rs", naming, place), text, sealed.close(seal, item)))
            case ToolCall(id=call_id, name=name, arguments=arguments):
                if item.signature is not None:
                    proof = sealed.close_call(seal, item.maker or Maker.GEMINI, item.signature)
                    output.append(_thought(_id("rs", naming, place), "", proof))
                    place += 1
                name = naming.stands_for.get(name, name)
                output.append(_call(_id("fc", naming, place), Status.COMPLETED, call_id, name, arguments or "{}"))
            case Image(source=source):
                if isinstance(source, Link):
                    _say(output, naming, _text(f"![image]({source.url})"))
                else:
                    output.append(_image(_id("ig", naming, place), source))
            case _:
                assert_never(item)
    if status is Status.INCOMPLETE and output and output[-1]["type"] in ("message", "function_call"):
        output[-1]["status"] = Status.INCOMPLETE.value
    return _response(ask, naming, status, output=output, reason=reason, tokens=answer.tokens)


def _say(output: list[dict[str, Any]], naming: Naming, part: Mapping[str, Any]) -> None:
    """Neighbours are parts of one message."""
    if output and output[-1]["type"] == "message":
        output[-1]["content"].append(part)
    else:
        output.append(_message(_id("msg", naming, len(output)), Status.COMPLETED, [part]))


# a stream

_json: Final = msgspec.json.encode
_START: Final = b"".join(
    b'event: response.%b\ndata: {"type":"response.%b","response":%%b,"sequence_number":%%d}\n\n' % (kind, kind)
    for kind in (b"created", b"in_progress")
)


@dataclass(slots=True, kw_only=True, eq=False)
class _Item:
    """An output item that has begun."""

    kind: PartKind  # TEXT for a message
    place: int
    id: str
    call_id: str = ""
    name: str = ""
    parts: list[_Part] = field(default_factory=list)
    proof: str | None = None
    done: bool = False

    @property
    def open(self) -> bool:
        return any(part.open for part in self.parts)

    def value(self, status: Status) -> dict[str, Any]:
        """As far as its parts have ended."""
        match self.kind:
            case PartKind.TEXT | PartKind.REFUSAL:
                return _message(self.id, status, [part.value() for part in self.parts if not part.open])
            case PartKind.REASONING:
                text = "".join(text for part in self.parts if not part.open for text in part.said)
                return _thought(self.id, text, self.proof)
            case PartKind.TOOL_CALL:
                arguments = "".join(text for part in self.parts if not part.open for text in part.said)
                return _call(self.id, status, self.call_id, self.name, arguments)


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """A part that has begun: what stands before and after the text in each of its deltas, and the text so far."""

    kind: PartKind
    item: _Item
    content_index: int
    before: bytes
    after: bytes  # up to the sequence number
    said: list[str] = field(default_factory=list)
    signed: Signed | None = None
    open: bool = True

    def value(self) -> dict[str, Any]:
        text = "".join(self.said)
        return _refusal(text) if self.kind is PartKind.REFUSAL else _text(text)


class StreamWriter:
    """Events in, events out: named, and numbered from 0."""

    def __init__(self, ask: Ask, naming: Naming, seal: sealed.Seal = sealed.UNSEALED) -> None:
        self._ask = ask
        self._naming = naming
        self._seal = seal
        self._number = 0  # of the next event
        self._items: list[_Item] = []
        self._parts: dict[int, _Part] = {}  # by their index in the answer

    def write(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        parts = self._parts
        for event in events:
            if type(event) is Delta:
                text = event.text
                if not text:
                    continue
                part = parts[event.index]
                if not part.said and part.kind is PartKind.REASONING:
                    out.append(self._begin_summary(part))
                part.said.append(text)
                out.append(b"%b%b%b%d}\n\n" % (part.before, _json(text), part.after, self._number))
                self._number += 1
            else:
                out.append(self._tell(event))
        return b"".join(out)

    def more(self, index: int, run: Run) -> bytes | None:
        part = self._parts.get(index)
        if part is None or not part.said:
            return None
        part.said.append(run.text)
        number, count = self._number, len(run.texts)
        self._number += count
        form = b'%b"%%b"%b%%d}\n\n' % (part.before.replace(b"%", b"%%"), part.after.replace(b"%", b"%%"))
        return form * count % tuple(chain.from_iterable(zip(run.texts, range(number, number + count), strict=True)))

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

    def _event(self, kind: str, **members: Any) -> bytes:
        """`members` in any order: they are written in that of their names."""
        number, self._number = self._number, self._number + 1
        return b"event: %b\ndata: %b\n\n" % (
            kind.encode(),
            _json(dict([("type", kind), *sorted([*members.items(), ("sequence_number", number)])])),
        )

    def _start(self) -> bytes:
        response = _json(_response(self._ask, self._naming, Status.IN_PROGRESS))
        number, self._number = self._number, self._number + 2
        return _START % (response, number, response, number + 1)

    # items

    def _add(self, kind: PartKind, prefix: str, *, call_id: str = "", name: str = "") -> tuple[_Item, bytes]:
        """A new item; the one before it is done, if nothing of it is open."""
        done = self._done(self._items[-1]) if self._items and not self._items[-1].open else b""
        place = len(self._items)
        item = _Item(kind=kind, place=place, id=_id(prefix, self._naming, place), call_id=call_id, name=name)
        self._items.append(item)
        return item, done + self._event("response.output_item.added", output_index=place, item=item.value(Status.IN_PROGRESS))

    def _done(self, item: _Item, status: Status = Status.COMPLETED) -> bytes:
        if item.done:
            return b""
        item.done = True
        return self._event("response.output_item.done", output_index=item.place, item=item.value(status))

    # parts

    def _begin(self, event: PartStarted) -> bytes:
        match event.kind:
            case PartKind.TEXT | PartKind.REFUSAL:
                return self._begin_text(event)
            case PartKind.REASONING:
                item, out = self._add(event.kind, "rs")
                self._open(event, item, "response.reasoning_summary_text.delta", summary_index=0)
                return out
            case PartKind.TOOL_CALL:
                proof = self._prove(event)
                name = self._naming.stands_for.get(event.name, event.name)
                item, out = self._add(event.kind, "fc", call_id=event.id, name=name)
                self._open(event, item, "response.function_call_arguments.delta")
                return proof + out
            case _:
                assert_never(event.kind)

    def _begin_text(self, event: PartStarted) -> bytes:
        item, out = self._items[-1] if self._items else None, b""
        if item is None or item.kind is not PartKind.TEXT:
            item, out = self._add(PartKind.TEXT, "msg")
        name = "response.output_text.delta" if event.kind is PartKind.TEXT else "response.refusal.delta"
        more: dict[str, Any] = {"logprobs": []} if event.kind is PartKind.TEXT else {}
        part = self._open(event, item, name, content_index=len(item.parts), **more)
        return out + self._event(
            "response.content_part.added", item_id=item.id, output_index=item.place, content_index=part.content_index, part=part.value()
        )

    def _open(self, event: PartStarted, item: _Item, name: str, **members: Any) -> _Part:
        """Each delta of the part is the same but for its text and its number, which is therefore the last member."""
        found = sorted({**members, "item_id": item.id, "output_index": item.place, "delta": ""}.items())
        place = next(place for place, (key, _) in enumerate(found) if key == "delta")
        head = b"event: %b\ndata: " % name.encode() + _json({"type": name, **dict(found[:place])})[:-1]
        tail = _json({**dict(found[place + 1 :]), "sequence_number": 0})
        part = _Part(
            kind=event.kind,
            item=item,
            content_index=len(item.parts),
            before=head + b',"delta":',
            after=b"," + tail[1:].removesuffix(b"0}"),
        )
        item.parts.append(part)
        self._parts[event.index] = part
        return part

    def _prove(self, event: PartStarted) -> bytes:
        """A call's own proof is a thought without text before it."""
        if event.signature is None:
            return b""
        item, out = self._add(PartKind.REASONING, "rs")
        item.proof = sealed.close_call(self._seal, Maker.GEMINI, event.signature)
        return out + self._done(item)

    def _begin_summary(self, part: _Part) -> bytes:
        item = part.item
        return self._event(
            "response.reasoning_summary_part.added", item_id=item.id, output_index=item.place, summary_index=0, part=_summary("")
        )

    def _leave(self, part: _Part) -> bytes:
        """The whole text of the part, and its end; its item is done too, if another has begun already."""
        item, out = part.item, b""
        where: dict[str, Any] = {"item_id": item.id, "output_index": item.place}
        if part.kind is PartKind.TOOL_CALL and not part.said:  # a call of no arguments: its text has to be an object all the same
            part.said.append("{}")
            out = b"%b%b%b%d}\n\n" % (part.before, b'"{}"', part.after, self._number)
            self._number += 1
        part.open = False
        text = "".join(part.said)
        match part.kind:
            case PartKind.TEXT:
                where["content_index"] = part.content_index
                out += self._event("response.output_text.done", text=text, logprobs=[], **where)
                out += self._event("response.content_part.done", part=part.value(), **where)
            case PartKind.REFUSAL:
                where["content_index"] = part.content_index
                out += self._event("response.refusal.done", refusal=text, **where)
                out += self._event("response.content_part.done", part=part.value(), **where)
            case PartKind.REASONING:
                if part.said:
                    out += self._event("response.reasoning_summary_text.done", text=text, summary_index=0, **where)
                    out += self._event("response.reasoning_summary_part.done", part=_summary(text), summary_index=0, **where)
                if part.signed is not None:
                    item.proof = sealed.close(self._seal, _signed(text, part.signed))
            case PartKind.TOOL_CALL:
                out += self._event("response.function_call_arguments.done", arguments=text, name=item.name, **where)
            case _:
                assert_never(part.kind)
        if item is not self._items[-1] and not item.open:
            out += self._done(item)
        return out

    # the end

    def _end(self, event: Ended) -> bytes:
        refused = any(part.kind is PartKind.REFUSAL for part in self._parts.values())
        status, reason = _status(event.stop, refused=refused)
        out, values = b"", []
        for item in self._items:
            cut = status is Status.INCOMPLETE and item is self._items[-1]
            ended = Status.INCOMPLETE if cut else Status.COMPLETED
            out += self._done(item, ended)
            values.append(item.value(ended))
        response = _response(self._ask, self._naming, status, output=values, reason=reason, tokens=event.tokens)
        return out + self._event(f"response.{status.value}", response=response)

    def _fail(self, event: Broken) -> bytes:
        """What was in the middle stays so: only items that are done stand in the response. C5: a withdrawn key gets `error` alone."""
        if event.status == errors.KEY_WITHDRAWN.status:
            return errors.responses_event(errors.KEY_WITHDRAWN, event.message, self._number)
        out = b"" if self._number else self._start()
        error = {"code": ERROR_CODES.get(event.status, "server_error"), "message": event.message}
        values = []
        for item in self._items:
            if not item.open:
                out += self._done(item)
                values.append(item.value(Status.COMPLETED))
        out += errors.responses_event(errors.upstream_status(event.status), event.message, self._number)
        self._number += 1
        return out + self._event("response.failed", response=_response(self._ask, self._naming, Status.FAILED, output=values, error=error))


def _signed(text: str, signed: Signed) -> Reasoning:
    return Reasoning(text=text, signature=signed.signature, opaque=signed.opaque, maker=signed.maker, id=signed.id)
