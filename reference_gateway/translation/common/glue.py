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
from io import BytesIO
from operator import itemgetter
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
    event_end: bytes = b"\n\n"  # a line end, twice


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

    __slots__ = ("_begin", "_data_at", "_end", "_parts", "_tail", "_tail_end", "_uniform", "first", "index", "spelling")

    def __init__(self, spelling: Spelling, name: bytes, before: bytes, after: bytes, index: int) -> None:
        line = b"event: %b\ndata: " % name if name else b"data: "
        self._begin = line + before + b'"'
        self._tail = b'"' + after  # of an event whose values are those that were learned, as nearly all are in many streams
        self._data_at = len(line)
        self._end = spelling.event_end
        self._tail_end = self._tail + self._end
        value = None if spelling.varying is None else spelling.varying.search(self._begin)
        self._uniform = value is None  # no value stands before a text
        self._parts: _Parts | None = None  # looked for where a value is changed
        self.first = self._begin if value is None else self._begin[: value.start(value.lastgroup or "")]
        self.index = index
        self.spelling = spelling

    def take(self, data: bytes, at: int) -> Run | None:
        """The events that begin at a place of a read, as far as they are alike; None where the first is not."""
        if not data.startswith(self.first, at):
            return None
        return (self._alike(data, at) if self._uniform else None) or self._run(data[at:].split(self._end)[:-1])

    def take_only(self, data: bytes) -> Run | None:
        """The one event that `data` is, where it is alike."""
        if not data.startswith(self.first) or not data.endswith(self._end):
            return None
        if self._uniform and data.endswith(self._tail_end):
            texts = [data[len(self.first) : -len(self._tail_end)]]
            text = _said(texts)
            if text:
                return Run(texts=texts, text=text, last=data[self._data_at : -len(self._end)], size=len(data))
        return self._run([data[: -len(self._end)]])

    def _alike(self, data: bytes, at: int) -> Run | None:
        """What most often is there: a run without any value changed, and a few other events after it. None for all else."""
        begin, tail, end = self._begin, self._tail, self._end
        lines = BytesIO(data)  # which finds lines in half the time that bytes are split in
        lines.seek(at)
        found = lines.readlines()
        named = begin.count(b"\n")  # the line with an event's name; a blank one stands after its data
        found = found[named : len(found) // (named + 2) * (named + 2) : named + 2]
        before, after = begin[begin.rfind(b"\n") + 1 :], tail + end[: len(end) // 2]
        most = len(found)
        while most and not (found[most - 1].startswith(before) and found[most - 1].endswith(after)):
            most -= 1
            if len(found) - most > _MOST_AFTER:
                return None
        texts = list(map(itemgetter(slice(len(before), -len(after))), found[:most]))
        # The same bytes come of it again, so each text is what stands between.
        whole = (tail + end + begin).join(texts)
        size = len(begin) + len(whole) + len(tail) + len(end)
        if not data.startswith(whole, at + len(begin)) or not data.startswith(tail + end, at + size - len(tail) - len(end)):
            return None
        text = _said(texts)
        return None if not text else Run(texts=texts, text=text, last=b"%b%b%b" % (begin[self._data_at :], texts[-1], tail), size=size)

    def _run(self, events: list[bytes]) -> Run | None:
        """The first of these, as far as they are alike."""
        texts = self._texts(events)
        while (text := _said(texts)) is None:  # one of them is not alike: those before it may be
            texts = texts[: len(texts) // 2]
        if not texts:
            return None
        count = len(texts)
        size = sum(map(len, events[:count])) + count * len(self._end)
        return Run(texts=texts, text=text, last=events[count - 1][self._data_at :], size=size)

    def _texts(self, events: list[bytes]) -> list[bytes]:
        """Up to the first event that is not alike."""
        start, first, tail = len(self.first), self.first, self._tail
        texts: list[bytes] = []
        for event in events:
            if not event.startswith(first):
                break
            if self._uniform and event.endswith(tail):
                texts.append(event[start : len(event) - len(tail)])
                continue
            if self._parts is None:
                self._parts = _Parts(self._begin, self._tail, self.spelling.varying)
            text = self._parts.text(event, start)
            if text is None:
                break
            texts.append(text)
        return texts


class _Parts:
    """An event's literal bytes and the values between them, of which the text is one."""

    __slots__ = ("_last", "_last_value", "_text_at", "_values")

    def __init__(self, begin: bytes, tail: bytes, varying: re.Pattern[bytes] | None) -> None:
        before, values = _literals(begin, varying)
        after, more = _literals(tail, varying)
        checks = [*values, _is_text, *more]
        self._values = list(zip(checks[:-1], [*before[1:], *after[:-1]], strict=True))  # and what stands after each
        self._last, self._last_value = after[-1], checks[-1]
        self._text_at = len(values)

    def text(self, event: bytes, start: int) -> bytes | None:
        """None where a value is not what it has to be. `start` is where the first one stands."""
        if not self._values or not event.endswith(self._last):
            return None
        text, rest = None, event[start : len(event) - len(self._last)]
        for place, (is_value, then) in enumerate(self._values):
            value, stands, rest = rest.partition(then)
            if not stands or not is_value(value):
                return None
            if place == self._text_at:
                text = value
        return (rest if text is None else text) if self._last_value(rest) else None


def exchanged(before: bytes, texts: list[bytes], after: bytes) -> bytes:
    """The texts with a client's own bytes around each."""
    if len(texts) == 1:
        return b'%b"%b"%b' % (before, texts[0], after)
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
    if b"" in texts:
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

    def plain(self, data: bytes, at: int, *, begun: bool) -> int:
        """Up to where a read goes to the reader before a run may begin, from `at`. `begun`: that is within an event."""
        end, found = self.spelling.event_end, -1
        if begun:
            found = data.find(end, at)
        elif self.glue is not None:
            found = data.find(end + self.glue.first, at)
        if found < 0 and not begun and self.learns and self._tries and (self.glue is None or len(data) - at > _WORTH_A_TRY):
            self._tries -= 1
            found = data.find(self.spelling.mark, at)
            found = data.find(end, found) if found >= 0 else -1
        return len(data) if found < 0 else found + len(end)
