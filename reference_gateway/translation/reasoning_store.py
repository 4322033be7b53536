"""What proves a model's thoughts, kept for clients that hand back a tool call without them (translation.md 3.10).

Chat clients drop every member that they do not know, and with it the signatures, without which Claude and Gemini refuse the next turn and
DeepSeek forgets why it called. So the thoughts of an answer with calls are kept under each call's id, for the key that asked and for a
time, and put back before the call when the same family is asked again; never to another one, and never where the client brought its own.

Lost notes cost a model its thoughts of earlier turns, nothing else: memory is bounded by bytes, the oldest goes first.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from reference_gateway.translation.items import Answer, Ask, Item, Maker, Reasoning, Role, ToolCall, Turn

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
        until, value = self._notes.get(name, (0.0, ""))
        if until <= self._clock():
            self._forget(name)
            return None
        self._notes.move_to_end(name)
        return value

    async def remember(self, name: str, value: str, ttl_s: float) -> None:
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

    async def keep(self, key: str, answer: Answer, maker: Maker) -> None:
        """Of an answer that has calls, and thoughts or signatures that its maker wants back."""
        calls = [item for item in answer.items if isinstance(item, ToolCall)]
        if not calls:
            return
        thoughts = [
            _Thought(text=item.text, signature=item.signature, opaque=item.opaque, id=item.id)
            for item in answer.items
            if isinstance(item, Reasoning) and (item.signature or item.opaque or (maker is Maker.DEEPSEEK and item.text))
        ]
        signatures = {call.id: call.signature for call in calls if call.signature}
        if not thoughts and not signatures:
            return
        note = msgspec.json.encode(_Note(maker=maker, thoughts=thoughts, signatures=signatures)).decode()
        if len(note) <= MAX_NOTE_BYTES:
            for call in calls:
                await self._notes.remember(_name(key, call.id), note, self._ttl_s)

    async def restore(self, key: str, ask: Ask, maker: Maker) -> Ask:
        """The ask with the thoughts that its assistant's turns lack, as far as they are the maker's and known."""
        wanted = [place for place, turn in enumerate(ask.turns) if _lacks(turn)][-MAX_TURNS:]
        turns = list(ask.turns)
        for place in wanted:
            call = next(item for item in turns[place].items if isinstance(item, ToolCall))
            note = await self._recall(key, call.id)
            if note is not None and note.maker is maker:
                turns[place] = replace(turns[place], items=_completed(turns[place].items, note))
        return replace(ask, turns=tuple(turns)) if wanted else ask

    async def _recall(self, key: str, call_id: str) -> _Note | None:
        text = await self._notes.recall(_name(key, call_id))
        try:
            return None if text is None else _decode(text)
        except msgspec.DecodeError:
            return None


def _name(key: str, call_id: str) -> str:
    return f"reasoning:{blake2b(f'{key} {call_id}'.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def _lacks(turn: Turn) -> bool:
    """Calls without any proof: what the client brought itself is believed to be all."""
    if turn.role is not Role.ASSISTANT or not any(isinstance(item, ToolCall) for item in turn.items):
        return False
    return not any(
        (isinstance(item, Reasoning) and (item.signature or item.opaque)) or (isinstance(item, ToolCall) and item.signature)
        for item in turn.items
    )


def _completed(items: Sequence[Item], note: _Note) -> tuple[Item, ...]:
    """Thoughts come first in their turn. Those that the client shows without proof are the same, less well told."""
    thoughts = [
        Reasoning(text=thought.text, signature=thought.signature, opaque=thought.opaque, id=thought.id, maker=note.maker)
        for thought in note.thoughts
    ]
    rest: list[Item] = []
    for item in items:
        if isinstance(item, Reasoning) and thoughts:
            continue
        if isinstance(item, ToolCall) and (signature := note.signatures.get(item.id)):
            rest.append(replace(item, signature=signature, maker=note.maker))
        else:
            rest.append(item)
    return (*thoughts, *rest)
