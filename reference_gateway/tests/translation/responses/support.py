"""What the tests of Responses share: events made from an answer, an answer made from events, and the client's own reading of SSE."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from reference_gateway.translation.codec import Naming
from reference_gateway.translation.items import (
    Answer,
    Ask,
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
    Role,
    Signed,
    Started,
    Text,
    ToolCall,
    Turn,
)

NAMING = Naming(id="0123456789abcdef", model="the-model", created=1_700_000_000, stands_for={})
ASK = Ask(model="the-model", turns=(Turn(role=Role.USER, items=(Text(text="Hi"),), path="input"),))


def fold(events: Iterable[Event]) -> Answer | Broken:
    """Checks the order of the events on the way: one Started first, one Ended or Broken last, deltas only of open parts."""
    seen = list(events)
    last = seen[-1]
    if isinstance(last, Broken):
        assert not any(isinstance(event, Broken | Ended) for event in seen[:-1])
        return last
    started = seen[0]
    assert isinstance(started, Started)
    assert isinstance(last, Ended)
    parts: list[PartStarted] = []
    texts: list[str] = []
    signed: dict[int, Signed] = {}
    open_: set[int] = set()
    for event in seen[1:-1]:
        match event:
            case PartStarted():
                assert event.index == len(parts)
                parts.append(event)
                texts.append("")
                open_.add(event.index)
            case Delta():
                assert event.index in open_
                texts[event.index] += event.text
            case Signed():
                assert event.index in open_
                signed[event.index] = event
            case PartEnded():
                open_.remove(event.index)
            case _:
                raise AssertionError(event)
    assert not open_
    items: list[AssistantItem] = []
    for part, text in zip(parts, texts, strict=True):
        match part.kind:
            case PartKind.TEXT:
                items.append(Text(text=text))
            case PartKind.REFUSAL:
                items.append(Refused(text=text))
            case PartKind.TOOL_CALL:
                maker = Maker.GEMINI if part.signature else None
                items.append(ToolCall(id=part.id, name=part.name, arguments=text, signature=part.signature, maker=maker))
            case PartKind.REASONING:
                proof = signed.get(part.index)
                if proof is None:
                    items.append(Reasoning(text=text))
                else:
                    items.append(Reasoning(text=text, signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id))
    return Answer(
        id=started.id,
        model=started.model,
        items=tuple(items),
        stop=last.stop,
        tokens=last.tokens,
        stop_sequence=last.stop_sequence,
        vendor_stop=last.vendor_stop,
    )


def unfold(answer: Answer, *, size: int = 3) -> Iterator[Event]:
    """The answer as a stream of deltas of so many characters."""
    yield Started(id=answer.id, model=answer.model)
    for index, item in enumerate(answer.items):
        match item:
            case Text(text=text):
                yield PartStarted(index=index, kind=PartKind.TEXT)
            case Refused(text=text):
                yield PartStarted(index=index, kind=PartKind.REFUSAL)
            case Reasoning(text=text):
                yield PartStarted(index=index, kind=PartKind.REASONING)
            case ToolCall(arguments=text):
                yield PartStarted(index=index, kind=PartKind.TOOL_CALL, id=item.id, name=item.name, signature=item.signature)
            case _:
                raise AssertionError(item)
        for start in range(0, len(text), size):
            yield Delta(index=index, text=text[start : start + size])
        if isinstance(item, Reasoning) and item.maker is not None and (item.signature or item.opaque):
            yield Signed(index=index, maker=item.maker, signature=item.signature, opaque=item.opaque, id=item.id)
        yield PartEnded(index=index)
    yield Ended(stop=answer.stop, tokens=answer.tokens, stop_sequence=answer.stop_sequence, vendor_stop=answer.vendor_stop)


def frames(data: bytes) -> list[dict[str, Any]]:
    """A strict client's reading: each event has its name and one line of data."""
    assert data.endswith(b"\n\n")
    found = []
    for block in data[:-2].split(b"\n\n"):
        name, line = block.split(b"\n")
        value = json.loads(line.removeprefix(b"data: "))
        assert name == b"event: " + value["type"].encode()
        found.append(value)
    return found


def stream(*events: dict[str, Any]) -> bytes:
    """A vendor's."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
