"""An answer as a Responses client gets it, whole or streamed (translation.md 3.6 to 3.8; contract:099 to contract:102, C19, C20).

Lost on the way (losses.py says all): the upstream's own id, and which stop sequence was met. An item is done when the next one begins or
the answer ends, since only the end tells whether the last one was cut; all else is said at once.

A failure is an `error` event and then `response.failed`, as the vendor has it (wireproof-corpus); translation.md 3.6 permits either.
openai-python raises APIError for an event with an `error` object (_streaming.py), in a plain loop and in `responses.stream`, and hands
`response.failed` on like any other event: a loop that looks for texts alone would take that for an end. Other clients wait for one of the
three terminal events, and `error` is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from reference_gateway.translation.responses import sealed, shapes
from reference_gateway.translation.responses.shapes import ECHO, Status
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


def _incomplete(stop: Stop, *, refused: bool) -> str | None:
    """The reason of an answer that is incomplete; None for one that is complete."""
    if stop is Stop.END or (refused and stop is Stop.REFUSAL):
        return None
    return INCOMPLETE.get(stop)


def _id(prefix: str, naming: Naming, place: int) -> str:
    """`place` is an item's output_index."""
    return f"{prefix}_{naming.id}{place:04x}"


# a whole answer


def write_answer(answer: Answer, ask: Ask, naming: Naming, seal: sealed.Seal = sealed.UNSEALED) -> dict[str, Any]:
    reason = _incomplete(answer.stop, refused=any(isinstance(item, Refused) for item in answer.items))
    status = Status.COMPLETED if reason is None else Status.INCOMPLETE
    output: list[dict[str, Any]] = []
    for item in answer.items:
        place = len(output)
        match item:
            case Text(text=text):
                _say(output, naming, shapes.text_part(text))
            case Refused(text=text):
                _say(output, naming, shapes.refusal_part(text))
            case Reasoning(text=text):
                output.append(
                    shapes.thought(_id("rs", naming, place), [shapes.summary_part(text)] if text else [], sealed.close(seal, item))
                )
            case ToolCall(id=call_id, name=name, arguments=arguments):
                if item.signature is not None:
                    proof = sealed.close_call(seal, item.maker or Maker.GEMINI, item.signature)
                    output.append(shapes.thought(_id("rs", naming, place), [], proof))
                    place += 1
                name = naming.stands_for.get(name, name)
                output.append(shapes.call(_id("fc", naming, place), Status.COMPLETED.value, call_id, name, arguments or "{}"))
            case Image(source=source):
                if isinstance(source, Link):
                    _say(output, naming, shapes.text_part(f"![image]({source.url})"))
                else:
                    output.append(shapes.image(_id("ig", naming, place), source.base64))
            case _:
                assert_never(item)
    if status is Status.INCOMPLETE and output and output[-1]["type"] in ("message", "function_call"):
        output[-1]["status"] = Status.INCOMPLETE.value
    return shapes.response(
        id=f"resp_{naming.id}",
        created_at=naming.created,
        status=status.value,
        error=None,
        incomplete_details=None if reason is None else {"reason": reason},
        model=naming.model,
        output=output,
        echo={**ECHO, **ask.echo},
        usage=write_usage(answer.tokens),
    )


def _say(output: list[dict[str, Any]], naming: Naming, part: Mapping[str, Any]) -> None:
    """Neighbours are parts of one message."""
    if output and output[-1]["type"] == "message":
        output[-1]["content"].append(part)
    else:
        output.append(shapes.message(_id("msg", naming, len(output)), Status.COMPLETED.value, [part]))


# a stream

_json: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(str).decode


class _Item(msgspec.Struct, kw_only=True, eq=False):
    """An output item that has begun. What is bytes is JSON."""

    kind: PartKind  # TEXT for a message
    place: bytes
    id: bytes
    called: tuple[bytes, ...] = ()  # a call's own id, and its tool's name
    parts: list[_Part] = []
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
                return shapes.MESSAGE % (self.id, status, ended)
            case PartKind.REASONING:
                return shapes.PROVEN_THOUGHT % (self.id, self.proof, ended) if self.proof else shapes.THOUGHT % (self.id, ended)
            case PartKind.TOOL_CALL:
                return shapes.CALL % (self.id, status, ended or b'""', *self.called)


class _Part(msgspec.Struct, kw_only=True, eq=False):
    """A part that has begun: what stands before and after the text in each of its deltas, and the text so far, as JSON without quotes."""

    kind: PartKind
    item: _Item
    place: bytes  # in its item
    before: bytes
    after: bytes  # up to the sequence number
    said: list[bytes] = []
    signed: Signed | None = None
    open: bool = True
    value: bytes = b""  # of one that has ended: what its item has of it, as JSON


class StreamWriter:
    """Events in, events out: named, and numbered from 0."""

    def __init__(self, ask: Ask, naming: Naming, seal: sealed.Seal = sealed.UNSEALED) -> None:
        self._ask = ask
        self._naming = naming
        self._seal = seal
        self._echo = b""  # until the response is told for the first time
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
                    out.append(shapes.SUMMARY_ADDED % (part.item.id, part.item.place, self._next()))
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
        pieces[3::4] = shapes.delta_ends(number, count)
        return b"".join(pieces)

    def _tell(self, event: Event) -> bytes:
        # By `type`, since `match` would take a microsecond to find the last of them: a struct's class is asked in Python's slowest way.
        if type(event) is PartStarted:
            return self._begin(event)
        if type(event) is PartEnded:
            return self._leave(self._parts[event.index])
        if type(event) is Started:
            return self._start()
        if type(event) is Ended:
            return self._end(event)
        if type(event) is Signed:
            self._parts[event.index].signed = event
            return b""
        assert isinstance(event, Broken)
        return self._fail(event)

    def _next(self) -> int:
        number = self._number
        self._number += 1
        return number

    def _response(
        self, status: bytes, *, output: bytes = b"", error: bytes = b"null", reason: bytes = b"null", usage: bytes = b"null"
    ) -> bytes:
        naming = self._naming
        if not self._echo:
            self._echo = shapes.echoed(self._ask.echo)
        return shapes.RESPONSE % (
            _json(f"resp_{naming.id}"),
            naming.created,
            status,
            error,
            reason,
            _json(naming.model),
            output,
            self._echo,
            usage,
        )

    def _start(self) -> bytes:
        response = self._response(shapes.IN_PROGRESS)
        return shapes.STARTED % (response, self._next(), response, self._next())

    # items

    def _add(self, kind: PartKind, prefix: str, added: bytes, call_id: str = "", name: str = "") -> tuple[_Item, bytes]:
        """A new item; the one before it is done, if nothing of it is open."""
        done = self._done(self._items[-1]) if self._items and not self._items[-1].open else b""
        place = len(self._items)
        called = (_json(call_id), _json(name)) if kind is PartKind.TOOL_CALL else ()
        item = _Item(kind=kind, place=b"%d" % place, id=_json(_id(prefix, self._naming, place)), called=called)
        self._items.append(item)
        return item, done + added % (item.id, *called, item.place, self._next())

    def _done(self, item: _Item, status: bytes = shapes.COMPLETED) -> bytes:
        if item.done:
            return b""
        item.done = item.value(status)
        return shapes.ITEM_DONE % (item.done, item.place, self._next())

    # parts

    def _begin(self, event: PartStarted) -> bytes:
        match event.kind:
            case PartKind.TEXT | PartKind.REFUSAL:
                return self._begin_text(event)
            case PartKind.REASONING:
                item, out = self._add(event.kind, "rs", shapes.THOUGHT_ADDED)
                self._open(event, item, *shapes.SUMMARY_DELTA)
                return out
            case PartKind.TOOL_CALL:
                proof = self._prove(event)
                name = self._naming.stands_for.get(event.name, event.name)
                item, out = self._add(event.kind, "fc", shapes.CALL_ADDED, event.id, name)
                self._open(event, item, *shapes.ARGUMENTS_DELTA)
                return proof + out
            case _:
                assert_never(event.kind)

    def _begin_text(self, event: PartStarted) -> bytes:
        item, out = self._items[-1] if self._items else None, b""
        if item is None or item.kind is not PartKind.TEXT:
            item, out = self._add(PartKind.TEXT, "msg", shapes.MESSAGE_ADDED)
        if event.kind is PartKind.TEXT:
            added, (before, after) = shapes.TEXT_ADDED, shapes.TEXT_DELTA
        else:
            added, (before, after) = shapes.REFUSAL_ADDED, shapes.REFUSAL_DELTA
        place = b"%d" % len(item.parts)
        self._open(event, item, before % place, after, place)
        return out + added % (place, item.id, item.place, self._next())

    def _open(self, event: PartStarted, item: _Item, before: bytes, after: bytes, place: bytes = b"0") -> None:
        part = _Part(kind=event.kind, item=item, place=place, before=before, after=after % (item.id, item.place))
        item.parts.append(part)
        self._parts[event.index] = part

    def _prove(self, event: PartStarted) -> bytes:
        """A call's own proof is a thought without text before it."""
        if event.signature is None:
            return b""
        item, out = self._add(PartKind.REASONING, "rs", shapes.THOUGHT_ADDED)
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
                part.value = shapes.TEXT % text
                out += shapes.TEXT_DONE % (part.place, id_, place, self._next(), text)
                out += shapes.PART_DONE % (part.place, id_, place, part.value, self._next())
            case PartKind.REFUSAL:
                part.value = shapes.REFUSAL % text
                out += shapes.REFUSAL_DONE % (part.place, id_, place, text, self._next())
                out += shapes.PART_DONE % (part.place, id_, place, part.value, self._next())
            case PartKind.REASONING:
                if part.said:
                    part.value = shapes.SUMMARY % text
                    out += shapes.SUMMARY_DONE % (id_, place, self._next(), text)
                    out += shapes.SUMMARY_PART_DONE % (id_, place, part.value, self._next())
                if part.signed is not None:
                    item.proof = _proof(self._seal, _decode(text), part.signed)
            case PartKind.TOOL_CALL:
                part.value = text
                _, name = item.called
                out += shapes.ARGUMENTS_DONE % (text, id_, name, place, self._next())
            case _:
                assert_never(part.kind)
        if item is not self._items[-1] and not item.open:
            out += self._done(item)
        return out

    # the end

    def _end(self, event: Ended) -> bytes:
        refused = any(part.kind is PartKind.REFUSAL for part in self._parts.values())
        reason = _incomplete(event.stop, refused=refused)
        status = shapes.COMPLETED if reason is None else shapes.INCOMPLETE
        out = b""
        for item in self._items:
            out += self._done(item, status if item is self._items[-1] else shapes.COMPLETED)
        response = self._response(
            status,
            output=b",".join([item.done for item in self._items]),
            reason=b"null" if reason is None else _json({"reason": reason}),
            usage=_json(write_usage(event.tokens)),
        )
        return out + shapes.ENDED[status] % (response, self._next())

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
        response = self._response(shapes.FAILED, output=b",".join([item.done for item in done]), error=_json(error))
        return out + shapes.ENDED[shapes.FAILED] % (response, self._next())


def _proof(seal: sealed.Seal, text: str, signed: Signed) -> bytes:
    """JSON; empty where nothing proves the thought."""
    proof = sealed.close(seal, Reasoning(text=text, signature=signed.signature, opaque=signed.opaque, maker=signed.maker, id=signed.id))
    return b"" if proof is None else _json(proof)
