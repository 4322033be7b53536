"""What a Messages answer says, read from the JSON itself: the suite's own reading, apart from `harness.wire` and every gateway.

Nothing here raises: what has the wrong type counts as not there, and the schemas say so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any, Final

from harness.case import Case
from harness.exchange import Exchange, Response, Seen
from harness.verdict import Finding, Inconclusive, Verdict
from suites.evidence import conclude, native_upstream
from suites.values import ABSENT, differences, spelled

NO_STREAM: Final = Inconclusive("no stream reached the client")
CUT: Final = Inconclusive("the stream was broken off")
NO_ANSWER: Final = Inconclusive("no message reached the client")
NOT_COMPARABLE: Final = Inconclusive("the upstream did not answer in this protocol")

DELTA_FIELD: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


@dataclass(slots=True, kw_only=True)
class Block:
    """One content block: as its start with its deltas, or whole."""

    place: int  # in the order in which they came
    index: Any  # the stream's own word; the place where there is no stream
    start: dict[str, Any]  # content_block as it stood, or the whole block
    input: Any = None  # a tool's: the joined text of its deltas, or the value with its numbers as spelled
    deltas: list[tuple[Seen, dict[str, Any]]] = field(default_factory=list)
    seen: Seen | None = None  # the content_block_start

    @property
    def type(self) -> str:
        return text(self.start.get("type"))

    @property
    def is_tool(self) -> bool:
        """tool_use, server_tool_use, mcp_tool_use and what will come."""
        return self.type.endswith("_use")

    @property
    def is_server_side(self) -> bool:
        return self.type.endswith("_tool_result") or (self.is_tool and self.type != "tool_use")

    def joined(self, delta_type: str, begin: str = "") -> str:
        """The text of all deltas of one type behind what the start already had."""
        name = DELTA_FIELD[delta_type]
        return begin + "".join(text(delta.get(name)) for _, delta in self.deltas if delta.get("type") == delta_type)

    @property
    def text(self) -> str:
        return self.joined("text_delta", text(self.start.get("text")))

    @property
    def thinking(self) -> str:
        return self.joined("thinking_delta", text(self.start.get("thinking")))

    @property
    def signature(self) -> str:
        return self.joined("signature_delta", text(self.start.get("signature")))

    @property
    def citations(self) -> list[Any]:
        begun = self.start.get("citations")
        later = [delta.get("citation") for _, delta in self.deltas if delta.get("type") == "citations_delta"]
        return [*(begun if isinstance(begun, list) else ()), *later]


@dataclass(slots=True, kw_only=True)
class Answer:
    head: dict[str, Any]  # the message of message_start, or the whole one
    end: dict[str, Any]  # the delta of message_delta, or the whole message
    usage: dict[str, Any]  # the last word on usage
    blocks: list[Block]

    def of(self, *types: str) -> list[Block]:
        return [block for block in self.blocks if block.type in types]

    @property
    def stop_reason(self) -> str | None:
        return text(self.end.get("stop_reason")) or None


def typed(events: Iterable[Seen]) -> list[tuple[Seen, str]]:
    """The events that carry an object with a type; the type is the data's, not the event line's."""
    return [(seen, seen.data["type"]) for seen in events if isinstance(seen.data, dict) and isinstance(seen.data.get("type"), str)]


def messages_of(exchange: Exchange) -> list[list[tuple[Seen, str]]]:
    """The client's events, message by message: one list, which is empty where there was no stream.

    Only a log that was printed again by the program that received it can hold two answers, one behind the other's message_stop.
    """
    events = typed(exchange.client_events)
    if exchange.recording is None or exchange.recording.fidelity != "reserialized":
        return [events]
    cuts = [place for place in range(1, len(events)) if events[place][1] == "message_start" and events[place - 1][1] == "message_stop"]
    return [events[begin:end] for begin, end in pairwise([0, *cuts, len(events)])]


def client_answer(exchange: Exchange) -> Answer | None:
    """None where no message reached the client."""
    return _answer(exchange.client.response, exchange.client_events)


def upstream_answer(exchange: Exchange) -> Answer | None:
    """None where there is none, or it is in another protocol."""
    if not native_upstream(exchange):
        return None
    return _answer(exchange.upstream[-1].response, exchange.upstream_events)


def _answer(response: Response | None, events: Iterable[Seen]) -> Answer | None:
    if response is None:
        return None
    return _streamed(events) if response.is_sse else _whole(response)


def _streamed(events: Iterable[Seen]) -> Answer | None:
    head: dict[str, Any] | None = None
    end: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    blocks: list[Block] = []
    for seen, kind in typed(events):
        match kind:
            case "message_start":
                head = object_of(seen.data.get("message"))
                usage = usage or object_of(head.get("usage"))
            case "content_block_start":
                start = object_of(seen.data.get("content_block"))
                blocks.append(Block(place=len(blocks), index=seen.data.get("index"), start=start, seen=seen))
            case "content_block_delta":
                named = [block for block in blocks if block.index == seen.data.get("index")]
                if named:
                    named[-1].deltas.append((seen, object_of(seen.data.get("delta"))))
            case "message_delta":
                end = object_of(seen.data.get("delta"))
                usage = object_of(seen.data.get("usage"))
    for block in blocks:
        if block.is_tool and block.seen is not None:
            pieces = any(delta.get("type") == "input_json_delta" for _, delta in block.deltas)
            begun = object_of(spelled(block.seen.raw.data or "")).get("content_block")
            block.input = block.joined("input_json_delta") if pieces else object_of(begun).get("input")
    return None if head is None else Answer(head=head, end=end, usage=usage, blocks=blocks)


def _whole(response: Response) -> Answer | None:
    body = response.json
    if not isinstance(body, dict) or body.get("type") == "error" or not isinstance(body.get("content"), list):
        return None
    exact = object_of(spelled(response.text)).get("content") or []
    blocks = [
        Block(place=place, index=place, start=object_of(value), input=object_of(exact[place]).get("input"))
        for place, value in enumerate(body["content"])
    ]
    return Answer(head=body, end=body, usage=object_of(body.get("usage")), blocks=blocks)


def usages(exchange: Exchange) -> list[tuple[Seen | None, str, dict[str, Any]]]:
    """Every usage object that reached the client, with its event and pointer; the event is None for a whole body."""
    return _usages(exchange.client.response, exchange.client_events)


def upstream_usages(exchange: Exchange) -> list[tuple[Seen | None, str, dict[str, Any]]]:
    return _usages(exchange.upstream[-1].response if exchange.upstream else None, exchange.upstream_events)


def _usages(response: Response | None, events: Iterable[Seen]) -> list[tuple[Seen | None, str, dict[str, Any]]]:
    if response is None:
        return []
    if not response.is_sse:
        usage = object_of(response.json).get("usage")
        return [(None, "/usage", usage)] if isinstance(usage, dict) else []
    found: list[tuple[Seen | None, str, dict[str, Any]]] = []
    for seen, kind in typed(events):
        inner, pointer = (seen.data.get("message"), "/message/usage") if kind == "message_start" else (seen.data, "/usage")
        if kind in ("message_start", "message_delta") and isinstance(object_of(inner).get("usage"), dict):
            found.append((seen, pointer, inner["usage"]))
    return found


def kept(exchange: Exchange, what: str, chosen: Callable[[Block], bool], said: Callable[[Block], Any], pointer: str) -> Verdict:
    """Whether the chosen blocks say to the client what they said to the gateway; `pointer` is where in the block `said` looks."""
    ours, theirs = client_answer(exchange), upstream_answer(exchange)
    if ours is None:
        return NO_ANSWER
    if theirs is None:
        return NOT_COMPARABLE
    expected, got = [block for block in theirs.blocks if chosen(block)], [block for block in ours.blocks if chosen(block)]
    if not expected and not got:
        return Inconclusive(f"the upstream sent no {what}")
    findings: list[Finding] = []
    for one, other in zip_longest(expected, got):
        block = other or one
        seen = block.seen if other is not None else None
        findings += differences(
            ABSENT if one is None else said(one),
            ABSENT if other is None else said(other),
            pointer=f"/content/{block.place}{pointer}",
            frame=seen.frame if seen else None,
            offset=seen.offset if seen else None,
        )
    return conclude(findings, f"{len(got)} {what}, as the upstream sent them")


def shows(*traits: str) -> Callable[[Case], bool]:
    """For Given.also: the recording shows one of these, or it is played vendor traffic, of which nobody knows beforehand."""
    wanted = {*traits, "played"}
    return lambda case: bool(wanted & case.traits)


def asked(exchange: Exchange) -> dict[str, Any]:
    """What the client asked for; empty where the recording kept no request."""
    return object_of(exchange.client.request.json)


def object_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    return value if type(value) is int else None
