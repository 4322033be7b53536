"""What proves a model's thoughts, kept for clients that hand back a tool call without them (translation.md 3.10).

Chat clients drop every member that they do not know, and with it the signatures, without which Claude and Gemini refuse the next turn and
DeepSeek forgets why it called. So the thoughts of an answer with calls are kept under each call's id, for the key that asked and for a
time, and put back before the call when the same family is asked again; never to another one, and never where the client brought its own.
Gemini signs an answer without calls too, at the end of its text, where Messages has no place for it: that is kept under the text itself.

Lost notes cost a model its thoughts of earlier turns, nothing else: memory is bounded by bytes, the oldest goes first.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from reference_gateway.translation.common.names import LONGEST_ID, fitting
from reference_gateway.translation.items import Answer, Ask, Item, Maker, Reasoning, Role, Text, ToolCall, Turn

TTL_S: Final = 6 * 3600.0
MAX_NOTE_BYTES: Final = 256 * 1024
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_TURNS: Final = 64  # of one request that are looked up, the newest


class Notes(Protocol):
    """storage.shared.Shared has these."""

    async def recall(self, name: str) -> str | None: ...

    async def remember(self, name: str, value: str, ttl_s: float) -> None: ...


class Memory:
    """Notes of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._left = max_bytes
        self._notes: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def recall(self, name: str) -> str | None:
        return self.find(name)

    async def remember(self, name: str, value: str, ttl_s: float) -> None:
        self.note(name, value, ttl_s)

    def find(self, name: str) -> str | None:
        until, value = self._notes.get(name, (0.0, ""))
        if until <= self._clock():
            self._forget(name)
            return None
        self._notes.move_to_end(name)
        return value

    def note(self, name: str, value: str, ttl_s: float) -> None:
        self._forget(name)
        self._notes[name] = (self._clock() + ttl_s, value)
        self._left -= len(name) + len(value)
        while self._left < 0:
            self._forget(next(iter(self._notes)))

    def _forget(self, name: str) -> None:
        note = self._notes.pop(name, None)
        if note is not None:
            self._left += len(name) + len(note[1])


class _Thought(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str = ""
    signature: str | None = None
    opaque: str | None = None
    id: str | None = None


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """`signatures` are those of the calls themselves, by their ids."""

    maker: Maker
    thoughts: list[_Thought] = []
    signatures: dict[str, str] = {}


_decode: Final = msgspec.json.Decoder(_Note).decode


class ReasoningStore:
    def __init__(self, notes: Notes, ttl_s: float = TTL_S) -> None:
        self._notes = notes
        self._ttl_s = ttl_s
        self.at_hand = notes if isinstance(notes, Memory) else None

    async def keep(self, key: str, answer: Answer, maker: Maker) -> None:
        """Of an answer that has calls, and thoughts or signatures that its maker wants back; or a text that is signed."""
        note, names = _noted(key, answer, maker)
        for name in names:
            await self._notes.remember(name, note, self._ttl_s)

    def keep_at_once(self, key: str, answer: Answer, maker: Maker) -> None:
        """As `keep`, of notes that are at hand."""
        assert self.at_hand is not None
        note, names = _noted(key, answer, maker)
        for name in names:
            self.at_hand.note(name, note, self._ttl_s)

    async def restore(self, key: str, ask: Ask, maker: Maker) -> Ask:
        """The ask with the thoughts that its assistant's turns lack, as far as they are the maker's and known."""
        wanted = _wanted(key, ask, maker)
        return _restored(ask, maker, {place: await self._notes.recall(name) for place, name in wanted.items()})

    def restore_at_once(self, key: str, ask: Ask, maker: Maker) -> Ask:
        """As `restore`, of notes that are at hand."""
        assert self.at_hand is not None
        return _restored(ask, maker, {place: self.at_hand.find(name) for place, name in _wanted(key, ask, maker).items()})


def _noted(key: str, answer: Answer, maker: Maker) -> tuple[str, list[str]]:
    """The note to keep, and the names to keep it under: none where there is nothing."""
    calls = [item for item in answer.items if isinstance(item, ToolCall)]
    thoughts = [
        _Thought(text=item.text, signature=item.signature, opaque=item.opaque, id=item.id)
        for item in answer.items
        if isinstance(item, Reasoning) and ((item.signature or item.opaque or maker is Maker.DEEPSEEK) if calls else item.proves_text)
    ]
    signatures = {name: call.signature for call in calls if call.signature for name in _names(call.id)}
    if not thoughts and not signatures:
        return "", []
    note = msgspec.json.encode(_Note(maker=maker, thoughts=thoughts, signatures=signatures)).decode()
    if len(note) > MAX_NOTE_BYTES:
        return "", []
    return note, [_name(key, name) for call in calls for name in _names(call.id)] or [_name(key, _by_text(answer.items))]


def _wanted(key: str, ask: Ask, maker: Maker) -> dict[int, str]:
    """By the place of each turn that lacks its thoughts, the name that they may be kept under."""
    wanted = {}
    for place in [place for place, turn in enumerate(ask.turns) if _lacks(turn, maker)][-MAX_TURNS:]:
        items = ask.turns[place].items
        call = _first_call(items)
        wanted[place] = _name(key, _by_text(items) if call is None else call.id)
    return wanted


def _first_call(items: Sequence[Item]) -> ToolCall | None:
    return next((item for item in items if isinstance(item, ToolCall)), None)


def _restored(ask: Ask, maker: Maker, found: Mapping[int, str | None]) -> Ask:
    turns = list(ask.turns)
    for place, text in found.items():
        note, items = _read(text), turns[place].items
        if note is not None and note.maker is maker:
            completed = (*items, *_thoughts(note)) if _first_call(items) is None else _completed(items, note)
            turns[place] = replace(turns[place], items=completed)
    return replace(ask, turns=tuple(turns)) if found else ask


def _read(text: str | None) -> _Note | None:
    try:
        return None if text is None else _decode(text)
    except msgspec.DecodeError:
        return None


def _name(key: str, name: str) -> str:
    return f"reasoning:{blake2b(f'{key} {name}'.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def _names(call_id: str) -> dict[str, None]:
    """What clients may call it: one of Messages is given an id that its vendor would take."""
    return dict.fromkeys((call_id, *fitting((call_id,), longest=LONGEST_ID).values()))


def _by_text(items: Sequence[Item]) -> str:
    """What a turn without calls is called: no call's id begins so."""
    return "\n" + "".join(item.text for item in items if isinstance(item, Text))


def _lacks(turn: Turn, maker: Maker) -> bool:
    """Calls without any proof, or a text where its maker signs those: what the client brought itself is believed to be all."""
    signed = (ToolCall, Text) if maker is Maker.GEMINI else (ToolCall,)
    if turn.role is not Role.ASSISTANT or not any(isinstance(item, signed) for item in turn.items):
        return False
    return not any(
        (isinstance(item, Reasoning) and (item.signature or item.opaque)) or (isinstance(item, ToolCall) and item.signature)
        for item in turn.items
    )


def _thoughts(note: _Note) -> list[Reasoning]:
    return [
        Reasoning(text=thought.text, signature=thought.signature, opaque=thought.opaque, id=thought.id, maker=note.maker)
        for thought in note.thoughts
    ]


def _completed(items: Sequence[Item], note: _Note) -> tuple[Item, ...]:
    """Thoughts come first in their turn. Those that the client shows without proof are the same, less well told."""
    thoughts = _thoughts(note)
    rest: list[Item] = []
    for item in items:
        if isinstance(item, Reasoning) and thoughts:
            continue
        if isinstance(item, ToolCall) and (signature := note.signatures.get(item.id)):
            rest.append(replace(item, signature=signature, maker=note.maker))
        else:
            rest.append(item)
    return (*thoughts, *rest)
