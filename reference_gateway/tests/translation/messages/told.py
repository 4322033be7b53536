"""What the tests here share: events put together to an answer, an answer taken apart to events, and frames read by hand."""

import json
from collections.abc import Iterable
from typing import Any

from reference_gateway.translation.codec import Naming, Upstream
from reference_gateway.translation.items import (
    Answer,
    Ask,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
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

ASK = Ask(model="claude", turns=(Turn(role=Role.USER, items=(Text(text="Hello there"),), path="messages[0]"),))
NAMING = Naming(id="01", model="claude-sonnet-4-6", created=1_700_000_000, stands_for={}, request_id="req_1")
UPSTREAM = Upstream(model="claude-sonnet-4-6", max_output_tokens=64_000, family="claude")
ADAPTIVE = Upstream(model="claude-opus-4-8", max_output_tokens=64_000, family="claude", adaptive_thinking=True)


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members}, separators=(',', ':'))}\n\n".encode()


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The data of each event, whose name is its type; nothing else stands between them."""
    found: list[dict[str, Any]] = []
    for block in body.decode().split("\n\n"):
        if not block:
            continue
        name, data = block.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    return found


def together(events: Iterable[Event]) -> Answer | Broken:
    """One answer, or how it broke. Every rule of the model that an event can break is an assertion."""
    started: Started | None = None
    parts: dict[int, PartStarted] = {}
    open_: set[int] = set()
    text: dict[int, str] = {}
    proofs: dict[int, Signed] = {}
    last: Ended | Broken | None = None
    for each in events:
        assert last is None, f"{each} after {last}"
        match each:
            case Started():
                assert started is None
                started = each
            case PartStarted(index=index):
                assert started is not None
                assert index == len(parts)
                parts[index] = each
                open_.add(index)
                text[index] = ""
            case Delta(index=index, text=more):
                assert index in open_
                assert more
                text[index] += more
            case Signed(index=index):
                assert index in open_
                assert index not in proofs
                proofs[index] = each
            case PartEnded(index=index):
                open_.remove(index)
            case Ended() | Broken():
                last = each
    assert last is not None
    if isinstance(last, Broken):
        return last
    assert started is not None
    assert not open_
    items: list[AssistantItem] = []
    for index, part in parts.items():
        match part.kind:
            case PartKind.TEXT:
                items.append(Text(text=text[index]))
            case PartKind.REFUSAL:
                items.append(Refused(text=text[index]))
            case PartKind.TOOL_CALL:
                items.append(ToolCall(id=part.id, name=part.name, arguments=text[index], signature=part.signature))
            case PartKind.REASONING:
                proof = proofs.get(index)
                items.append(
                    Reasoning(text=text[index])
                    if proof is None
                    else Reasoning(text=text[index], signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id)
                )
    return Answer(
        id=started.id,
        model=started.model,
        items=tuple(items),
        stop=last.stop,
        tokens=last.tokens,
        stop_sequence=last.stop_sequence,
        vendor_stop=last.vendor_stop,
    )


def apart(answer: Answer) -> list[Event]:
    """As a reader gives them: one part after another, texts in two pieces."""
    events: list[Event] = [Started(id=answer.id, model=answer.model)]
    for index, item in enumerate(answer.items):
        match item:
            case Text(text=text):
                start = PartStarted(index=index, kind=PartKind.TEXT)
            case Refused(text=text):
                start = PartStarted(index=index, kind=PartKind.REFUSAL)
            case Reasoning(text=text):
                start = PartStarted(index=index, kind=PartKind.REASONING)
            case ToolCall(arguments=text):
                start = PartStarted(index=index, kind=PartKind.TOOL_CALL, id=item.id, name=item.name)
            case Image():
                raise AssertionError("no stream has images")
        events.append(start)
        half = len(text) // 2
        events += [Delta(index=index, text=piece) for piece in (text[:half], text[half:]) if piece]
        if isinstance(item, Reasoning) and item.maker is not None and (item.signature or item.opaque):
            events.append(Signed(index=index, maker=item.maker, signature=item.signature, opaque=item.opaque, id=item.id))
        events.append(PartEnded(index=index))
    events.append(Ended(stop=answer.stop, tokens=answer.tokens, stop_sequence=answer.stop_sequence, vendor_stop=answer.vendor_stop))
    return events
