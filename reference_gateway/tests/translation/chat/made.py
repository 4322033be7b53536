"""What the tests of chat make: asks, upstreams, answers by hypothesis and the events that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from reference_gateway.translation.chat import answer_in, request_in
from reference_gateway.translation.codec import Naming, Upstream
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
    Signed,
    Started,
    Stop,
    Text,
    Tokens,
    ToolCall,
)

GPT = Upstream(model="gpt-5.4", max_output_tokens=128_000, family="gpt")
NAMING = Naming(id="abc", model="claude-sonnet-4-6", created=1_700_000_000, stands_for={"get_weather_1": "get.weather"})
HELLO = {"role": "user", "content": "Hello"}


def asked(*, stream: bool = False, **body: Any) -> Ask:
    """As the reader of requests gives it."""
    return request_in.read_request({"model": "m", "messages": [HELLO], **body}, model="m", stream=stream)


def asked_of(*messages: dict[str, Any], **body: Any) -> Ask:
    return asked(messages=list(messages), **body)


def read(*reads: bytes, reader: answer_in.StreamReader | None = None) -> list[Event]:
    reader = reader or answer_in.StreamReader()
    return [event for data in reads for event in reader.feed(data)] + reader.close()


def answer_of(events: Sequence[Event]) -> Answer | Broken:
    """What the events come to; raises where they are not in order."""
    if isinstance(events[-1], Broken):
        return events[-1]
    started, *rest, last = events
    assert isinstance(started, Started)
    assert isinstance(last, Ended)
    kinds: dict[int, PartStarted] = {}
    said: dict[int, str] = {}
    proofs: dict[int, Signed] = {}
    open_: set[int] = set()
    for event in rest:
        match event:
            case PartStarted(index=index):
                assert index == len(kinds)
                kinds[index], said[index] = event, ""
                open_.add(index)
            case Delta(index=index, text=text):
                assert index in open_
                said[index] += text
            case Signed(index=index):
                assert index in open_
                proofs[index] = event
            case PartEnded(index=index):
                open_.remove(index)
            case _:
                raise AssertionError(event)
    assert not open_
    items: list[AssistantItem] = []
    for index, part in kinds.items():
        match part.kind:
            case PartKind.TEXT:
                items.append(Text(text=said[index]))
            case PartKind.REFUSAL:
                items.append(Refused(text=said[index]))
            case PartKind.REASONING:
                proof = proofs.get(index)
                if proof is None:
                    items.append(Reasoning(text=said[index]))
                else:
                    items.append(
                        Reasoning(text=said[index], signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id)
                    )
            case PartKind.TOOL_CALL:
                maker = Maker.GEMINI if part.signature else None
                items.append(ToolCall(id=part.id, name=part.name, arguments=said[index], signature=part.signature, maker=maker))
    return Answer(
        id=started.id,
        model=started.model,
        items=tuple(items),
        stop=last.stop,
        tokens=last.tokens,
        stop_sequence=last.stop_sequence,
        vendor_stop=last.vendor_stop,
    )


def together(answer: Answer) -> Answer:
    """As chat can say it: thoughts, text, refusal, calls, one of each but of the last; no stop sequence."""
    thoughts = "".join(item.text for item in answer.items if isinstance(item, Reasoning))
    text = "".join(item.text for item in answer.items if isinstance(item, Text))
    refusal = "".join(item.text for item in answer.items if isinstance(item, Refused))
    items: list[AssistantItem] = []
    if thoughts:
        items.append(Reasoning(text=thoughts))
    if text:
        items.append(Text(text=text))
    if refusal:
        items.append(Refused(text=refusal))
    items += [item for item in answer.items if isinstance(item, ToolCall)]
    return Answer(
        id=answer.id, model=answer.model, items=tuple(items), stop=answer.stop, tokens=answer.tokens, vendor_stop=answer.vendor_stop
    )


# hypothesis

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
some_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
ids = st.integers(0, 10**9).map(lambda number: f"call_{number}")
json_objects = st.dictionaries(names, st.one_of(st.integers(), texts, st.none(), st.lists(st.booleans(), max_size=2)), max_size=3)


@st.composite
def thoughts(draw: st.DrawFn) -> Reasoning:
    maker = draw(st.sampled_from([None, *Maker]))
    if maker is None:
        return Reasoning(text=draw(some_text))
    signature, opaque = draw(st.sampled_from([("sig==", None), (None, "opaque=="), ("sig==", "opaque==")]))
    return Reasoning(text=draw(texts), signature=signature, opaque=opaque, maker=maker, id=draw(st.sampled_from([None, "rs_1"])))


@st.composite
def calls(draw: st.DrawFn) -> list[ToolCall]:
    found = []
    for call_id in draw(st.lists(ids, max_size=3, unique=True)):
        signature = draw(st.sampled_from([None, "thought=="]))
        arguments = draw(st.sampled_from(["", "{}", '{"city": "Z\\u00fcrich"}', '{"n": 12345678901234567890, "f": 1.0}']))
        maker = Maker.GEMINI if signature else None
        found.append(ToolCall(id=call_id, name=draw(names), arguments=arguments, signature=signature, maker=maker))
    return found


counts = st.integers(0, 10_000)
maybe = st.one_of(st.none(), counts)
tokens = st.one_of(
    st.none(),
    st.builds(Tokens, input=counts, output=counts, cache_read=maybe, cache_write_5m=maybe, cache_write_1h=maybe, reasoning=maybe),
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    items: list[AssistantItem] = [
        *draw(st.lists(thoughts(), max_size=2)),
        *draw(st.lists(some_text.map(lambda text: Text(text=text)), max_size=2)),
        *draw(st.lists(some_text.map(lambda text: Refused(text=text)), max_size=1)),
        *draw(calls()),
    ]
    return Answer(
        id="msg_1", model="vendor-model", items=tuple(items), stop=draw(st.sampled_from(Stop)), tokens=draw(tokens), vendor_stop="x"
    )


def events_of(answer: Answer, pieces: int = 2) -> list[Event]:
    """One part after the other, each text in so many pieces."""
    events: list[Event] = [Started(id=answer.id, model=answer.model)]

    def said(index: int, text: str) -> list[Event]:
        size = max(1, -(-len(text) // pieces))
        return [Delta(index=index, text=text[at : at + size]) for at in range(0, len(text), size)]

    for index, item in enumerate(answer.items):
        match item:
            case Text(text=text):
                events += [PartStarted(index=index, kind=PartKind.TEXT), *said(index, text)]
            case Refused(text=text):
                events += [PartStarted(index=index, kind=PartKind.REFUSAL), *said(index, text)]
            case Reasoning(text=text, maker=maker):
                events += [PartStarted(index=index, kind=PartKind.REASONING), *said(index, text)]
                if maker is not None:
                    events.append(Signed(index=index, maker=maker, signature=item.signature, opaque=item.opaque, id=item.id))
            case ToolCall():
                events.append(PartStarted(index=index, kind=PartKind.TOOL_CALL, id=item.id, name=item.name, signature=item.signature))
                events += said(index, item.arguments)
            case _:
                raise AssertionError(item)
        events.append(PartEnded(index=index))
    events.append(Ended(stop=answer.stop, tokens=answer.tokens, stop_sequence=answer.stop_sequence, vendor_stop=answer.vendor_stop))
    return events
