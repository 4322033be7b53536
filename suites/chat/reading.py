"""What a chat answer says, read from the JSON itself: the suite's own reading, apart from `harness.wire` and every gateway.

Nothing here raises: what has the wrong type counts as not there, and the schemas say so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from harness.exchange import Exchange, Response, Seen

# Other vendors' imitations of the protocol, recorded beside OpenAI's, Azure's and DeepSeek's: no `index`, role and text in each chunk.
IMITATIONS: Final = frozenset({"vendor-google", "vendor-anthropic"})
DONE: Final = "[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One choice of one chunk."""

    seen: Seen
    place: int  # in the chunk's `choices`
    index: int | None  # the choice's own word
    choice: dict[str, Any]
    delta: dict[str, Any]

    @property
    def pointer(self) -> str:
        return f"/choices/{self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One entry of one delta's `tool_calls`."""

    part: Part
    place: int
    value: dict[str, Any]

    @property
    def pointer(self) -> str:
        return f"{self.part.pointer}/delta/tool_calls/{self.place}"


@dataclass(slots=True, kw_only=True)
class Call:
    """A tool call, put together from its fragments or read whole."""

    id: str = ""
    type: str = ""
    name: str = ""
    text: str = ""  # `arguments` of a function, `input` of a custom tool: as spelled
    pointer: str = ""


@dataclass(slots=True, kw_only=True)
class Choice:
    """What one choice says in the end."""

    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    calls: dict[int, Call] = field(default_factory=dict)
    finish: str | None = None
    logprobs: list[Any] = field(default_factory=list)  # each `logprobs` value that was there, null included
    pointer: str = ""


def chunks(events: Iterable[Seen]) -> list[Seen]:
    """The events that are chunks; Azure's first, which is about the prompt and has no id, left out."""
    return [
        seen
        for seen in events
        if isinstance(seen.data, dict)
        and isinstance(seen.data.get("choices"), list)
        and not (seen.data.get("id") == "" and not seen.data["choices"])
    ]


def parts(events: Iterable[Seen]) -> Iterator[Part]:
    for seen in chunks(events):
        for place, choice in enumerate(seen.data["choices"]):
            if isinstance(choice, dict):
                index = choice.get("index")
                yield Part(
                    seen=seen,
                    place=place,
                    index=index if type(index) is int else None,
                    choice=choice,
                    delta=choice["delta"] if isinstance(choice.get("delta"), dict) else {},
                )


def fragments(events: Iterable[Seen]) -> Iterator[Fragment]:
    for part in parts(events):
        for place, value in enumerate(objects(part.delta.get("tool_calls"))):
            yield Fragment(part=part, place=place, value=value)


def tool(value: dict[str, Any]) -> dict[str, Any]:
    """The `function` or `custom` object of a call or of a fragment."""
    found = value.get("function") or value.get("custom")
    return found if isinstance(found, dict) else {}


def tool_text(value: dict[str, Any]) -> str:
    inner = tool(value)
    return text(inner.get("arguments")) or text(inner.get("input"))


def client_choices(exchange: Exchange) -> dict[int, Choice]:
    return _choices(exchange.client.response, exchange.client_events)


def upstream_choices(exchange: Exchange) -> dict[int, Choice]:
    response = exchange.upstream[-1].response if exchange.upstream else None
    return _choices(response, exchange.upstream_events)


def _choices(response: Response | None, events: Iterable[Seen]) -> dict[int, Choice]:
    """By index; empty where there is no chat answer."""
    if response is None:
        return {}
    return _streamed(events) if response.is_sse else _whole(response.json)


def _streamed(events: Iterable[Seen]) -> dict[int, Choice]:
    found: dict[int, Choice] = {}
    for part in parts(events):
        choice = found.setdefault(part.index or 0, Choice(pointer=f"/choices/{part.index or 0}"))
        choice.content = _joined(choice.content, part.delta.get("content"))
        choice.refusal = _joined(choice.refusal, part.delta.get("refusal"))
        choice.reasoning = _joined(choice.reasoning, part.delta.get("reasoning_content"))
        choice.finish = choice.finish or text(part.choice.get("finish_reason")) or None
        if "logprobs" in part.choice:
            choice.logprobs.append(part.choice["logprobs"])
        for place, value in enumerate(objects(part.delta.get("tool_calls"))):
            index = value["index"] if type(value.get("index")) is int else place
            call = choice.calls.setdefault(index, Call(pointer=f"{choice.pointer}/tool_calls/{index}"))
            call.id = call.id or text(value.get("id"))
            call.type = call.type or text(value.get("type"))
            call.name = call.name or text(tool(value).get("name"))
            call.text += tool_text(value)
    return found


def _whole(body: Any) -> dict[int, Choice]:
    found: dict[int, Choice] = {}
    for place, choice in enumerate(objects(body.get("choices") if isinstance(body, dict) else None)):
        message = choice["message"] if isinstance(choice.get("message"), dict) else {}
        pointer = f"/choices/{place}"
        found[place] = Choice(
            content=_joined(None, message.get("content")),
            refusal=_joined(None, message.get("refusal")),
            reasoning=_joined(None, message.get("reasoning_content")),
            calls={
                number: Call(
                    id=text(value.get("id")),
                    type=text(value.get("type")),
                    name=text(tool(value).get("name")),
                    text=tool_text(value),
                    pointer=f"{pointer}/message/tool_calls/{number}",
                )
                for number, value in enumerate(objects(message.get("tool_calls")))
            },
            finish=text(choice.get("finish_reason")) or None,
            logprobs=[choice["logprobs"]] if "logprobs" in choice else [],
            pointer=pointer,
        )
    return found


def usages(exchange: Exchange) -> list[tuple[Seen | None, dict[str, Any]]]:
    """Every usage object that reached the client, with the event it came in; None for a whole body."""
    return _usages(exchange.client.response, exchange.client_events)


def upstream_usages(exchange: Exchange) -> list[tuple[Seen | None, dict[str, Any]]]:
    return _usages(exchange.upstream[-1].response if exchange.upstream else None, exchange.upstream_events)


def _usages(response: Response | None, events: Iterable[Seen]) -> list[tuple[Seen | None, dict[str, Any]]]:
    if response is None:
        return []
    if response.is_sse:
        return [(seen, seen.data["usage"]) for seen in chunks(events) if isinstance(seen.data.get("usage"), dict)]
    body = response.json
    return [(None, body["usage"])] if isinstance(body, dict) and isinstance(body.get("usage"), dict) else []


def asked(exchange: Exchange) -> dict[str, Any] | None:
    """What the client asked for; None where the recording kept no request."""
    found = exchange.client.request.json
    return found if isinstance(found, dict) and found else None


def objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    return value if type(value) is int else None


def _joined(before: str | None, piece: Any) -> str | None:
    return (before or "") + piece if isinstance(piece, str) else before
