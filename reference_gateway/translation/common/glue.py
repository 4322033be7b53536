"""Text events of one stream differ in their text alone: a run of them goes to the client without being decoded one by one.

Both sides are JSON, so the escaped text is copied as it stands, and what stood around it is exchanged. A reader shows an event that it has
decoded and that brought nothing but more of an open text (`Look.learn`); whatever has the same bytes around a JSON string of its own would
be decoded to the same with another text. Taken are only texts that our own encoder would write with these very bytes; all else stays
where it is, for the reader. A raw line end cannot stand within a JSON string, so that what ends one event and begins the next is found at
the bounds of events alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

_MOST_AFTER: Final = 8  # events after a run that is looked at as a whole
_WORTH_A_TRY: Final = 1_000  # bytes that are left of a read in which what was learned does not come
_MOST_TRIES: Final = 3  # of one read, in which other events may have what marks a text event
MOST_LESSONS: Final = 16  # of one stream, which may never be uniform
_COLON: Final = re.compile(rb': ?(?=")')
_decode: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.encode
_BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How an upstream's protocol spells a text event.

    `varying` finds, in what stands around a text, values that nobody reads or that the reader reads from the last event of a run; the name
    of its group says what such a value is made of (VALUES).
    """

    member: bytes  # with its quotes: the one that has the text
    mark: bytes  # what no event without a text has, and few others
    varying: re.Pattern[bytes] | None = None
    event_end: bytes = b"\n\n"


class Run(msgspec.Struct, frozen=True, gc=False):
    """Events at the beginning of a read."""

    texts: list[bytes]  # each without its quotes, as JSON has it and as our own encoder would write it; none is empty
    text: str  # what they come to
    last: bytes  # the data of the last event
    size: int  # bytes of the read


def around(data: bytes, member: bytes, text: str) -> tuple[bytes, bytes] | None:
    """What stands before and after the JSON string `text` that is the value of `member`, or None where that is not seen at once.

    With the member's name there once, and no escape but in the text, that one is the member that was read.
    """
    if data.count(member) != 1:
        return None
    colon = _COLON.match(data, data.find(member) + len(member))
    if colon is None:
        return None
    said, start = _encode(text), colon.end()
    before, after = data[:start], data[start + len(said) :]
    return (before, after) if data.startswith(said, start) and b"\\" not in before and b"\\" not in after else None


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) < 16 and (value[0] != 0x30 or len(value) == 1)


def _is_word(value: bytes) -> bool:
    return not value or value.isalnum()


def _is_blank(value: bytes) -> bool:
    return not value.strip(b" ")


VALUES: Final[dict[str, Callable[[bytes], bool]]] = {"number": _is_number, "word": _is_word, "blank": _is_blank}


class Glue:
    """What stands around the texts of the part at `index`: literal bytes, with values between them that may vary."""

    __slots__ = ("_around_size", "_bound", "_data_at", "_end", "_last", "_last_value", "_tail", "_text_at", "_values", "first", "index")

    def __init__(self, spelling: Spelling, name: bytes, before: bytes, after: bytes, index: int) -> None:
        line = b"event: %b\ndata: " % name if name else b"data: "
        begin, values = _literals(line + before + b'"', spelling.varying)
        then, more = _literals(b'"' + after, spelling.varying)
        checks = [*values, _is_text, *more]
        literals = [*begin, *then]
        self.first, self._last = literals[0], literals[-1]
        self._values = list(zip(checks[:-1], literals[1:-1], strict=True))  # and what stands after each
        self._last_value = checks[-1]
        self._text_at = len(values)
        self._tail = b'"' + after  # of an event whose values are those that were learned, as nearly all are in many streams
        self._data_at = len(line)
        self._end = spelling.event_end
        self._bound = self._tail[-1:] + self._end
        self._around_size = len(self.first) + len(self._tail) + len(self._end)  # bytes, where no value is changed
        self.index = index

    def take(self, data: bytes) -> Run | None:
        """The events that `data` begins with, as far as they are alike; None where the first is not."""
        if not data.startswith(self.first):
            return None
        texts = self._alike(data)
        if texts and (text := _said(texts)) is not None:
            size = len(texts) * self._around_size + sum(map(len, texts))
            return Run(texts=texts, text=text, last=b"%b%b%b" % (self.first[self._data_at :], texts[-1], self._tail), size=size)
        events = data.split(self._end)
        del events[-1]  # what ends no event
        texts = self._texts(events)
        while (text := _said(texts)) is None:  # one of them is not alike: those before it may be
            texts = texts[: len(texts) // 2]
        if not texts:
            return None
        count = len(texts)
        size = sum(map(len, events[:count])) + count * len(self._end)
        return Run(texts=texts, text=text, last=events[count - 1][self._data_at :], size=size)

    def take_only(self, data: bytes) -> Run | None:
        """The one event that `data` is, where it is alike."""
        if not data.startswith(self.first) or not data.endswith(self._end):
            return None
        texts = self._texts([data[: -len(self._end)]])
        text = _said(texts) if texts else None
        return None if text is None else Run(texts=texts, text=text, last=data[self._data_at : -len(self._end)], size=len(data))

    def _alike(self, data: bytes) -> list[bytes] | None:
        """What most often is there: a run without any value changed, and a few other events after it. None for all else."""
        if self._text_at:
            return None
        first, tail = self.first, self._tail
        events = data.split(self._bound)  # by a byte more than events' ends are: a third faster
        shown = tail[:-1]
        most = len(events) - 1
        while most and not (events[most - 1].startswith(first) and events[most - 1].endswith(shown)):
            most -= 1
            if len(events) - most > _MOST_AFTER:
                return None
        start, stop = len(first), -len(shown)
        texts = [event[start:stop] for event in events[:most]]
        # The same bytes come of it again, so each text is what stands between.
        return texts if data.startswith(b"%b%b%b%b" % (first, (tail + self._end + first).join(texts), tail, self._end)) else None

    def _texts(self, events: list[bytes]) -> list[bytes]:
        """Up to the first event that is not alike."""
        first, last, tail = self.first, self._last, self._tail
        start, tail_size = len(first), len(tail)
        texts: list[bytes] = []
        for event in events:
            if not event.startswith(first):
                break
            if event.endswith(tail) and not self._text_at:
                texts.append(event[start : len(event) - tail_size])
            elif self._values and event.endswith(last) and (text := self._text(event[start : len(event) - len(last)])) is not None:
                texts.append(text)
            else:
                break
        return texts

    def _text(self, rest: bytes) -> bytes | None:
        """That of an event whose values are what they have to be."""
        text = None
        for place, (is_value, then) in enumerate(self._values):
            value, stands, rest = rest.partition(then)
            if not stands or not is_value(value):
                return None
            if place == self._text_at:
                text = value
        return (rest if text is None else text) if self._last_value(rest) else None


def exchanged(before: bytes, texts: list[bytes], after: bytes) -> bytes:
    """The texts with a client's own bytes around each."""
    return b'%b"%b"%b' % (before, (b'"%b%b"' % (after, before)).join(texts), after)


def _is_text(value: bytes) -> bool:
    return True  # `_said` looks at them all together


def _literals(part: bytes, varying: re.Pattern[bytes] | None) -> tuple[list[bytes], list[Callable[[bytes], bool]]]:
    """What stands between the values that vary, one more than there are of those; and what each value has to be."""
    found: list[bytes] = []
    values: list[Callable[[bytes], bool]] = []
    at = 0
    for value in varying.finditer(part) if varying is not None else ():
        kind = value.lastgroup or ""
        found.append(part[at : value.start(kind)])
        values.append(VALUES[kind])
        at = value.end(kind)
    return [*found, part[at:]], values


def _said(texts: list[bytes]) -> str | None:
    """What they come to; None where one is empty, is not the inside of a JSON string, or would be written in another way by us."""
    if not all(texts):
        return None
    whole = b'"%b"' % b"".join(texts)
    try:
        if b"\\" in whole or not whole.isascii():  # no escape and no character may go on from one to the next
            apart = b'"%b"' % b"|".join(texts)
            if _encode(_decode(apart)) != apart:
                return None
        return _decode(whole)
    except _BAD_JSON:
        return None


class Look:
    """What a reader has learned of its stream's text events. `glue` is None unless the next of them would only be more of an open part.

    A reader shows what it reads while `learns` is set.
    """

    __slots__ = ("_lessons", "_tries", "glue", "learns", "spelling")

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling
        self.glue: Glue | None = None
        self.learns = False
        self._lessons = MOST_LESSONS
        self._tries = 0

    def wake(self) -> None:
        """A read begins in which there may be runs."""
        self.learns = self._lessons > 0
        self._tries = _MOST_TRIES

    def sleep(self) -> None:
        self.learns = False

    def learn(self, name: bytes, found: tuple[bytes, bytes] | None, index: int) -> None:
        """Of an event that brought only more of the part at `index`; `found` as `around` gives it. `name` is the event's, if it has one."""
        self._lessons -= 1
        self.learns = self._lessons > 0
        if found is not None:
            self.glue = Glue(self.spelling, name, *found, index)

    def forget(self) -> None:
        """The part is over, or another one is meant from now on."""
        self.glue = None

    def plain(self, data: bytes, *, begun: bool) -> int:
        """How many bytes of a read go to the reader before a run may begin. `begun`: it begins within an event."""
        end, at = self.spelling.event_end, -1
        if begun:
            at = data.find(end)
        elif self.glue is not None:
            at = data.find(end + self.glue.first)
        if at < 0 and not begun and self.learns and self._tries and (self.glue is None or len(data) > _WORTH_A_TRY):
            self._tries -= 1
            at = data.find(self.spelling.mark)
            at = data.find(end, at) if at >= 0 else -1
        return len(data) if at < 0 else at + len(end)
