"""A whole answer as the events that come to it, and back: what is done to events is done to whole answers by the same code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from reference_gateway.translation.items import (
    Answer,
    AssistantItem,
    Broken,
    Delta,
    Ended,
    Event,
    Image,
    Inline,
    PartEnded,
    PartKind,
    PartStarted,
    Reasoning,
    Refused,
    Signed,
    Source,
    Started,
    Text,
    ToolCall,
)


def of(answer: Answer) -> list[Event]:
    """An image, which streams have no part for, is a text that shows it."""
    events: list[Event] = [Started(id=answer.id, model=answer.model)]
    for index, item in enumerate(answer.items):
        match item:
            case Text(text=text):
                events += _part(PartStarted(index=index, kind=PartKind.TEXT), text)
            case Image(source=source):
                events += _part(PartStarted(index=index, kind=PartKind.TEXT), f"![image]({_url(source)})")
            case Refused(text=text):
                events += _part(PartStarted(index=index, kind=PartKind.REFUSAL), text)
            case ToolCall(id=id_, name=name, arguments=arguments, signature=signature):
                events += _part(PartStarted(index=index, kind=PartKind.TOOL_CALL, id=id_, name=name, signature=signature), arguments)
            case Reasoning(text=text):
                events += _part(PartStarted(index=index, kind=PartKind.REASONING), text, _proof(index, item))
            case _:
                assert_never(item)
    events.append(Ended(stop=answer.stop, tokens=answer.tokens, stop_sequence=answer.stop_sequence, vendor_stop=answer.vendor_stop))
    return events


def _part(started: PartStarted, text: str, proof: Signed | None = None) -> Iterable[Event]:
    yield started
    if text:
        yield Delta(index=started.index, text=text)
    if proof is not None:
        yield proof
    yield PartEnded(index=started.index)


def _proof(index: int, thought: Reasoning) -> Signed | None:
    if thought.maker is None or (thought.signature is None and thought.opaque is None):
        return None
    return Signed(index=index, maker=thought.maker, signature=thought.signature, opaque=thought.opaque, id=thought.id)


def _url(source: Source) -> str:
    return f"data:{source.media_type};base64,{source.base64}" if isinstance(source, Inline) else source.url


_NOT_STARTED: Final = Started(id="", model="")


class Collector:
    """Events in their order; `answer` is what they come to."""

    def __init__(self) -> None:
        self._started = _NOT_STARTED
        self._parts: dict[int, PartStarted] = {}
        self.texts: dict[int, list[str]] = {}  # of each part that has begun: what its deltas said
        self._proofs: dict[int, Signed] = {}
        self._end: Ended | Broken | None = None

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Delta(index=index, text=text):
                    self.texts[index].append(text)
                case PartStarted(index=index):
                    self._parts[index] = event
                    self.texts[index] = []
                case Signed(index=index):
                    self._proofs[index] = event
                case Started():
                    self._started = event
                case Ended() | Broken():
                    self._end = event
                case PartEnded():
                    pass
                case _:
                    assert_never(event)

    def answer(self) -> Answer | Broken:
        end = self._end
        if end is None:
            return Broken(status=502, message="the upstream's answer has no end")
        if isinstance(end, Broken):
            return end
        return Answer(
            id=self._started.id,
            model=self._started.model,
            items=tuple(self._item(self._parts[index]) for index in sorted(self._parts)),
            stop=end.stop,
            tokens=end.tokens,
            stop_sequence=end.stop_sequence,
            vendor_stop=end.vendor_stop,
        )

    def _item(self, part: PartStarted) -> AssistantItem:
        text = "".join(self.texts[part.index])
        match part.kind:
            case PartKind.TEXT:
                return Text(text=text)
            case PartKind.REFUSAL:
                return Refused(text=text)
            case PartKind.TOOL_CALL:
                return ToolCall(id=part.id, name=part.name, arguments=text, signature=part.signature)
            case PartKind.REASONING:
                proof = self._proofs.get(part.index)
                if proof is None:
                    return Reasoning(text=text)
                return Reasoning(text=text, signature=proof.signature, opaque=proof.opaque, maker=proof.maker, id=proof.id)
            case _:
                assert_never(part.kind)


def collect(events: Iterable[Event]) -> Answer | Broken:
    collector = Collector()
    collector.take(events)
    return collector.answer()


def content_bytes(answer: Answer) -> int:
    """Of all that was said, as UTF-8: the same as the deltas of its events come to."""
    texts = (event.text for event in of(answer) if isinstance(event, Delta))
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
