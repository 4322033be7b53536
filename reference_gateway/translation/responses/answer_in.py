"""A Responses upstream's answer, whole or streamed, as an `Answer` or events (translation.md 3.6, 3.7, 3.8, 3.12).

Lost on the way (losses.py says all): the ids of items but those of thoughts, annotations, log probabilities, a message's phase, and every
item that is not a message, a thought or a function call: hosted tools are run by the vendor, so no client could answer their calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

import msgspec

from reference_gateway.translation.common import glue, sse
from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
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
from reference_gateway.translation.responses.usage import read_usage

# tables

# Source: openai-responses "incomplete_details". Any other reason cut the answer short too.
INCOMPLETE: Final = {"max_output_tokens": Stop.LENGTH, "content_filter": Stop.REFUSAL}

# Source: openai-python, types/responses/response_error.py, and the codes of OpenAI's HTTP errors; what each would have been as a status
# (translation.md 3.12). Any other is 502.
ERROR_STATUS: Final = {
    "bio_policy": 400,
    "content_policy_violation": 400,
    "context_length_exceeded": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "image_file_not_found": 400,
    "image_file_too_large": 400,
    "image_parse_error": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "invalid_base64_image": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_mode": 400,
    "invalid_image_url": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "misalignment_policy_violation": 400,
    "unsupported_image_media_type": 400,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "overloaded_error": 503,
    "timeout": 504,
    "vector_store_timeout": 504,
}
# The gateway's own standing with the vendor, its key and its balance: no caller did it, and no caller is told the vendor's words.
_OWN_STANDING: Final = {"authentication_error": 502, "invalid_api_key": 502, "insufficient_quota": 503, "billing_hard_limit_reached": 503}

BETWEEN_THOUGHTS: Final = "\n\n"  # the parts of a summary are one text


def failure(error: object) -> Broken:
    """The `error` of a response or a body, or an `error` event, whose members stand in it or one level deeper."""
    said: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    nested = said.get("error")
    if isinstance(nested, dict):
        said = nested
    words = [word for word in (said.get("code"), said.get("type")) if isinstance(word, str) and word != "error"]
    own = next((_OWN_STANDING[word] for word in words if word in _OWN_STANDING), None)
    if own is not None:
        return Broken(status=own, message="the upstream does not serve the gateway at the moment", type=words[0])
    status = next((ERROR_STATUS[word] for word in words if word in ERROR_STATUS), 502)
    message = said.get("message")
    if not isinstance(message, str) or not message:
        message = "the upstream failed"
    return Broken(status=status, message=message, type=words[0] if words else "")


# the wire: only what is read, so that all else may be what it likes


class _Piece(msgspec.Struct, frozen=True):
    """A part of a message, or of a thought's summary or text."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct, frozen=True):
    type: str = ""
    id: str | None = None
    content: list[_Piece] | None = None  # of a message and of a thought
    summary: list[_Piece] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _Kind(msgspec.Struct, frozen=True):
    type: str = ""


class _Reason(msgspec.Struct, frozen=True):
    reason: str | None = None


class _Response(msgspec.Struct, frozen=True):
    id: str = ""
    model: str = ""
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    incomplete_details: _Reason | None = None
    error: Any = None
    usage: Any = None


class _Said(msgspec.Struct, frozen=True):
    """What any event may have, but for an item."""

    type: str = ""
    delta: str = ""
    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    text: str = ""
    refusal: str = ""
    arguments: str = ""
    response: _Response | None = None


class _Event(_Said, frozen=True):
    item: _Item | msgspec.UnsetType = msgspec.UNSET


class _WithItem(msgspec.Struct, frozen=True):
    item: msgspec.Raw = msgspec.Raw()


class _More(msgspec.Struct, frozen=True, gc=False):
    """What a delta event brings, which nearly all events are."""

    type: str = ""
    delta: str = ""
    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_said: Final = msgspec.json.Decoder(_Said).decode
_decode_with_item: Final = msgspec.json.Decoder(_WithItem).decode
_decode_more: Final = msgspec.json.Decoder(_More).decode
_decode_kind: Final = msgspec.json.Decoder(_Kind).decode
_decode_item: Final = msgspec.json.Decoder(_Item).decode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TEXT_DELTA: Final = "response.output_text.delta"
_SPELLING: Final = glue.Spelling(
    member=b'"delta"',
    mark=b'"%b"' % _TEXT_DELTA.encode(),
    varying=re.compile(rb'"sequence_number":(?P<number>\d+)[,}]|"obfuscation":"(?P<word>[a-zA-Z0-9]*)"'),
)
_READ_ITEMS: Final = ("message", "reasoning", "function_call")
_ITEM_EVENTS: Final = ("response.output_item.added", "response.output_item.done")


def _event(data: bytes) -> _Event:
    """An item of a kind that is not read may be what it likes. Raises as msgspec does."""
    try:
        return _decode(data)
    except _BAD_JSON:
        said = _decode_said(data)
        if said.type in _ITEM_EVENTS:
            _item(_decode_with_item(data).item)
        return _Event(**msgspec.structs.asdict(said))


def _item(raw: msgspec.Raw) -> _Item | None:
    """None for an item of a kind that is not read, whatever is in it. Raises as msgspec does."""
    if not bytes(raw) or _decode_kind(raw).type not in _READ_ITEMS:
        return None
    return _decode_item(raw)


def _thought(item: _Item) -> str:
    pieces = (*(item.summary or ()), *(item.content or ()))
    return BETWEEN_THOUGHTS.join(piece.text for piece in pieces if piece.text)


def _stop(response: _Response, status: str | None, *, said: bool, calls: bool, refused: bool) -> tuple[Stop, str] | Broken:
    """translation.md 3.7. The word beside the stop is the vendor's own."""
    if response.error is not None or status == "failed":
        return failure(response.error)
    match status:
        case "completed" | "complete":
            return Stop.TOOL_CALLS if calls else Stop.REFUSAL if refused else Stop.END, "completed"
        case "incomplete":
            reason = (response.incomplete_details and response.incomplete_details.reason) or ""
            stop = INCOMPLETE.get(reason)
            if stop is None and not said:
                return Broken(status=502, message="the upstream ended for a reason that is not known, and said nothing", type=reason)
            return stop or Stop.LENGTH, reason or "incomplete"
        case _:
            return Broken(status=502, message="the upstream gave an answer that has not ended", type=status or "")


# a whole answer


def read_answer(body: Mapping[str, Any]) -> Answer | Broken:
    if body.get("error") is not None:
        return failure(body["error"])
    try:
        response = msgspec.convert({**body, "output": []}, _Response)
        found = [msgspec.convert(item, _Item) for item in msgspec.convert(body.get("output"), list[Any]) if _is_read(item)]
    except msgspec.ValidationError as problem:
        return Broken(status=502, message=f"the upstream's answer is no response: {problem}")
    items: list[AssistantItem] = []
    for item in found:
        read = _read_item(item)
        if isinstance(read, Broken):
            return read
        items += read
    end = _stop(
        response,
        response.status,
        said=bool(items),
        calls=any(isinstance(item, ToolCall) for item in items),
        refused=any(isinstance(item, Refused) for item in items),
    )
    if isinstance(end, Broken):
        return end
    stop, word = end
    return Answer(id=response.id, model=response.model, items=tuple(items), stop=stop, tokens=read_usage(response.usage), vendor_stop=word)


def _is_read(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") in _READ_ITEMS


def _read_item(item: _Item) -> list[AssistantItem] | Broken:
    match item.type:
        case "message":
            found: list[AssistantItem] = []
            for piece in item.content or ():
                if piece.type == "output_text" and piece.text:
                    found.append(Text(text=piece.text))
                elif piece.type == "refusal" and piece.refusal:
                    found.append(Refused(text=piece.refusal))
            return found
        case "reasoning":
            text = _thought(item)
            if item.encrypted_content:
                return [Reasoning(text=text, opaque=item.encrypted_content, maker=Maker.OPENAI, id=item.id)]
            return [Reasoning(text=text)] if text else []
        case _:
            call_id, name = item.call_id or item.id, item.name
            if not name or not call_id:
                return _NAMELESS
            return [ToolCall(id=call_id, name=name, arguments=item.arguments or "")]


_NAMELESS: Final = Broken(status=502, message="the upstream called a tool without its name or its id")


def _unsaid(said: str, whole: str) -> str | None:
    """What a whole text has beyond its deltas: it goes on from them, or is the same (some servers trim it).

    None where it is neither: deltas were lost or said twice on the way. What was told cannot be taken back, and no text may be lost in
    silence.
    """
    if whole.startswith(said):
        return whole[len(said) :]
    return "" if not whole or whole.strip() == said.strip() else None


def _same_json(one: str, other: str) -> bool:
    try:
        same: bool = msgspec.json.decode(one) == msgspec.json.decode(other)
    except _BAD_JSON:
        return False
    return same


# a stream

_Place = int | str | None  # an item's output_index, else its id
_Key = tuple[str, int]  # which of an item's texts


_TEXT: Final = "content"
_SUMMARY: Final = "summary"
_ARGUMENTS: Final = ("arguments", 0)
# Of which part of an answer an event tells more, or the whole, and where in the item.
_TEXTS: Final = {
    "output_text": (PartKind.TEXT, _TEXT),
    "refusal": (PartKind.REFUSAL, _TEXT),
    "reasoning_text": (PartKind.REASONING, _TEXT),
    "reasoning_summary_text": (PartKind.REASONING, _SUMMARY),
}
_MORE: Final = {f"response.{name}.delta": text for name, text in _TEXTS.items()}
_WHOLE: Final = {f"response.{name}.done": text for name, text in _TEXTS.items()}
_READ_EVENTS: Final = {
    *_MORE,
    *_WHOLE,
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "error",
    "response.created",
    "response.in_progress",
    "response.queued",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.output_item.added",
    "response.output_item.done",
}


class _Part(msgspec.Struct, kw_only=True, eq=False):
    index: int
    kind: PartKind
    key: _Key  # of the text that is being said; a thought has several
    open: bool = True
    over: set[_Key] = set()  # texts that were told whole
    said: dict[_Key, list[str]] = {}  # what each text has come to so far


class _Phase(Enum):
    WAITING = auto()  # no response yet
    SPEAKING = auto()
    OVER = auto()


class StreamReader:
    """Events in, items out. The last is `response.completed`, `.incomplete` or `.failed`, or `error`; without one the answer is Broken.

    A part begins with its first character, a call with its name. What a done event or a finished item says beyond the deltas is said
    then, since some servers send no deltas; a response whose items were never told is read at the end.
    """

    def __init__(self) -> None:
        self._sse = sse.Reader()
        self._phase = _Phase.WAITING
        self._items: dict[_Place, dict[_Key, _Part]] = {}  # a thought's texts share one part
        self._by_id: dict[str | None, _Place] = {}  # some events name their item by its id alone
        self._parts: list[_Part] = []
        self._speaking: tuple[tuple[object, ...], _Part] | None = None  # what the event before said more of: its members, and the part
        self.look = glue.Look(_SPELLING)

    @property
    def between_events(self) -> bool:
        return self._sse.between_events

    def went_on(self, run: glue.Run) -> None:
        if self._speaking is not None:
            _, part = self._speaking
            part.said[part.key].append(run.text)

    def feed(self, data: bytes) -> list[Event]:
        return self._read(self._sse.feed(data))

    def close(self) -> list[Event]:
        events = self._read(self._sse.close())
        if self._phase is not _Phase.OVER:
            self._break("the upstream's stream ended before its response did", events)
        return events

    def _break(self, broken: Broken | str, events: list[Event]) -> None:
        self._phase = _Phase.OVER
        events.append(Broken(status=502, message=broken) if isinstance(broken, str) else broken)

    def _read(self, frames: list[sse.Frame]) -> list[Event]:
        events: list[Event] = []
        for name, data in frames:
            if self._phase is _Phase.OVER:
                break
            try:
                if self._speaking is None or name not in _DELTAS or not self._more(_decode_more(data), events):
                    self._event(_event(data), data, events)
                if self._speaking is not None and self._speaking[0][0] == _TEXT_DELTA and self.look.learns:
                    self._learn(name, data, events)
            except _BAD_JSON as problem:
                if _matters(name, data):
                    self._break(f"the upstream sent an event that cannot be read: {problem}", events)
        return events

    def _more(self, event: _More, events: list[Event]) -> bool:
        """The same text goes on: what `_event` would say, at half the cost."""
        if self._speaking is None:
            return False
        members, part = self._speaking
        if members != (event.type, event.output_index, event.content_index, event.summary_index) or not part.open or not event.delta:
            return False
        part.said[part.key].append(event.delta)
        events.append(Delta(index=part.index, text=event.delta))
        return True

    def _learn(self, name: bytes, data: bytes, events: list[Event]) -> None:
        """Of an event that has just said more of what is being said."""
        newest = events[-1]
        if isinstance(newest, Delta):
            self.look.learn(name, glue.around(data, _SPELLING.member, newest.text), newest.index)

    def _event(self, event: _Event, data: bytes, events: list[Event]) -> None:
        before = len(events)
        if self._speaking is not None:
            self._speaking = None
            self.look.forget()
        # an index stays the same through a stream even where a server gives an item a new id in each event
        place: _Place = event.output_index
        if place is None:
            place = self._by_id.get(event.item_id, event.item_id)
        elif event.item_id is not None:
            self._by_id[event.item_id] = place
        if (text := _MORE.get(event.type)) is not None:
            kind, member = text
            key = (member, event.summary_index if member is _SUMMARY else event.content_index)
            if kind is PartKind.REASONING:
                self._think(place, key, event.delta, events)
            else:
                self._say(kind, place, key, event.delta, events)
            self._goes_on(event, events[before:])
            return
        if (text := _WHOLE.get(event.type)) is not None:
            kind, member = text
            key = (member, event.summary_index if member is _SUMMARY else event.content_index)
            self._finish(kind, place, key, event.refusal if kind is PartKind.REFUSAL else event.text, events)
            return
        match event.type:
            case "response.output_item.added":
                item = event.item
                if isinstance(item, _Item) and item.type in _READ_ITEMS:
                    place = item.id if place is None else place
                    self._by_id[item.id] = place
                    if item.type == "function_call" and item.name:
                        self._call(place, item, events)
            case "response.output_item.done":
                item = event.item
                if isinstance(item, _Item) and item.type in _READ_ITEMS:
                    self._done(self._by_id.get(item.id, item.id) if place is None else place, item, events)
            case "response.function_call_arguments.delta":
                self._argue(place, event.delta, events)
                self._goes_on(event, events[before:])
            case "response.function_call_arguments.done":
                self._argue_whole(place, event.arguments, events)
            case "response.created" | "response.in_progress" | "response.queued":
                self._start(event.response, events)
            case "response.completed" | "response.incomplete" | "response.failed":
                self._end(event, events)
            case "error":
                self._break(failure(msgspec.json.decode(data)), events)
            case _:
                pass

    def _goes_on(self, event: _Event, found: list[Event]) -> None:
        """The next event may be one more of the same; `found` is what this one brought."""
        if found and event.output_index is not None and isinstance(newest := found[-1], Delta):
            members = (event.type, event.output_index, event.content_index, event.summary_index)
            self._speaking = (members, self._parts[newest.index])

    def _start(self, response: _Response | None, events: list[Event]) -> None:
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.SPEAKING
            events.append(Started(id=response.id if response else "", model=response.model if response else ""))

    # what is said of an item

    def _part(self, place: _Place, key: _Key) -> _Part | None:
        item = self._items.get(place)
        return item.get(key) if item else None

    def _say(self, kind: PartKind, place: _Place, key: _Key, text: str, events: list[Event]) -> None:
        """More of a text, which may be the first of it."""
        if not text:
            return
        part = self._part(place, key) or self._enter(kind, place, key, events)
        if not part.open:
            return
        if part.key != key:  # a thought's next text
            part.key = key
            events.append(Delta(index=part.index, text=BETWEEN_THOUGHTS))
        part.said.setdefault(key, []).append(text)
        events.append(Delta(index=part.index, text=text))

    def _think(self, place: _Place, key: _Key, text: str, events: list[Event]) -> None:
        """More of a thought, whose part stays open until its item is done: a text of it that was finished takes no more."""
        part = self._part(place, key)
        if part is None or key not in part.over:
            self._say(PartKind.REASONING, place, key, text, events)

    def _enter(self, kind: PartKind, place: _Place, key: _Key, events: list[Event]) -> _Part:
        self._start(None, events)
        item = self._items.setdefault(place, {})
        part = next(iter(item.values()), None) if kind is PartKind.REASONING else None
        if part is None:
            part = self._begin(PartStarted(index=len(self._parts), kind=kind), key, events)
        item[key] = part
        return part

    def _begin(self, started: PartStarted, key: _Key, events: list[Event]) -> _Part:
        part = _Part(index=started.index, kind=started.kind, key=key)
        self._parts.append(part)
        events.append(started)
        return part

    def _finish(self, kind: PartKind, place: _Place, key: _Key, text: str, events: list[Event]) -> None:
        """The whole text: what the deltas left out is said now. A thought ends with its item, since its proof comes there."""
        if self._phase is _Phase.OVER:  # another text of the item broke off
            return
        part = self._part(place, key)
        said = _told(part, key)
        if said != text:
            rest = _unsaid(said, text)
            if rest is None or (rest and part is not None and not part.open):
                self._break("the upstream's deltas do not come to the text that it ended with", events)
                return
            self._say(kind, place, key, rest, events)
            part = self._part(place, key)
        if part is None or not text:  # without it the item is waited for
            return
        part.over.add(key)
        if kind is not PartKind.REASONING:
            _leave(part, events)

    def _argue(self, place: _Place, arguments: str, events: list[Event]) -> None:
        """A call that was not announced has no name yet: its finished item says all."""
        part = self._part(place, _ARGUMENTS)
        if part is not None and part.open and arguments:
            part.said.setdefault(_ARGUMENTS, []).append(arguments)
            events.append(Delta(index=part.index, text=arguments))

    def _argue_whole(self, place: _Place, arguments: str, events: list[Event]) -> None:
        """All of a call's arguments. They are acted upon, so deltas that came to other ones are a failure, whichever are right."""
        part = self._part(place, _ARGUMENTS)
        said = _told(part, _ARGUMENTS)
        if arguments.startswith(said):
            self._argue(place, arguments[len(said) :], events)
        elif arguments and not _same_json(said, arguments):
            self._break("the upstream called a tool with arguments that are others at their end", events)
            return
        if part is not None and arguments:
            _leave(part, events)

    def _call(self, place: _Place, item: _Item, events: list[Event]) -> None:
        call_id = item.call_id or item.id
        if not item.name or not call_id:
            self._break(_NAMELESS, events)
            return
        if self._part(place, _ARGUMENTS) is None:
            self._start(None, events)
            started = PartStarted(index=len(self._parts), kind=PartKind.TOOL_CALL, id=call_id, name=item.name)
            self._items.setdefault(place, {})[_ARGUMENTS] = self._begin(started, _ARGUMENTS, events)
        self._argue_whole(place, item.arguments or "", events)

    def _done(self, place: _Place, item: _Item, events: list[Event]) -> None:
        """A finished item: what of it was not said yet, its proof, and its end."""
        match item.type:
            case "message":
                for number, piece in enumerate(item.content or ()):
                    if piece.type == "output_text":
                        self._finish(PartKind.TEXT, place, (_TEXT, number), piece.text or "", events)
                    elif piece.type == "refusal":
                        self._finish(PartKind.REFUSAL, place, (_TEXT, number), piece.refusal or "", events)
            case "reasoning":
                for name, pieces in ((_SUMMARY, item.summary), (_TEXT, item.content)):
                    for number, piece in enumerate(pieces or ()):
                        self._finish(PartKind.REASONING, place, (name, number), piece.text or "", events)
                if item.encrypted_content and self._phase is not _Phase.OVER:
                    part = self._enter(PartKind.REASONING, place, (_SUMMARY, 0), events)
                    if part.open:
                        events.append(Signed(index=part.index, maker=Maker.OPENAI, opaque=item.encrypted_content, id=item.id))
            case _:
                self._call(place, item, events)
        if self._phase is _Phase.OVER:
            return
        for part in self._items.get(place, {}).values():
            _leave(part, events)

    # the end

    def _end(self, event: _Event, events: list[Event]) -> None:
        response = event.response
        if response is None:
            self._break("the upstream ended its stream without the response", events)
            return
        self._start(response, events)
        if not self._parts and event.type != "response.failed":
            for place, raw in enumerate(response.output or ()):
                item = _item(raw)
                if item is not None:
                    self._done(place, item, events)
                if self._phase is _Phase.OVER:
                    return
        kinds = [part.kind for part in self._parts]
        end = _stop(
            response,
            response.status or event.type.removeprefix("response."),
            said=bool(kinds),
            calls=PartKind.TOOL_CALL in kinds,
            refused=PartKind.REFUSAL in kinds,
        )
        if not isinstance(end, tuple):
            self._break(end, events)
            return
        for part in self._parts:
            _leave(part, events)
        self._phase = _Phase.OVER
        stop, word = end
        events.append(Ended(stop=stop, tokens=read_usage(response.usage), vendor_stop=word))


_DELTAS: Final = frozenset(kind.encode() for kind in _READ_EVENTS if kind.endswith(".delta"))


def _told(part: _Part | None, key: _Key) -> str:
    """What a text has come to so far: it is asked for when it is whole, and again when its item is done."""
    said = part.said.get(key) if part is not None else None
    if not said:
        return ""
    if len(said) > 1:
        said[:] = ["".join(said)]
    return said[0]


def _leave(part: _Part, events: list[Event]) -> None:
    if part.open:
        part.open = False
        events.append(PartEnded(index=part.index))


def _matters(name: bytes, data: bytes) -> bool:
    """Whether it is bad that an event cannot be read: one of an unknown kind may be what it likes; `[DONE]` is a habit from chat."""
    if data.strip() in (b"", b"[DONE]"):
        return False
    try:
        kind = _decode_kind(data).type
    except _BAD_JSON:
        kind = name.decode("utf-8", "replace")
    return not kind or kind in _READ_EVENTS
