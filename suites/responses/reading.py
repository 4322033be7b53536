"""What a Responses answer says, read from the JSON itself: the suite's own reading, apart from `harness.wire` and every gateway.

Nothing here raises: what has the wrong type counts as not there, and the schemas say so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.exchange import Exchange, Response, Seen

TERMINAL: Final = ("response.completed", "response.incomplete", "response.failed")
# Deltas that add up: by the stem of their event, the field of the `.done` event that says the whole.
JOINED: Final = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.mcp_call_arguments": "arguments",
    "response.code_interpreter_call_code": "code",
    "response.shell_call_command": "command",
}
# Where a stream was put together from a log, events are missing or several streams stand in one.
WHOLE: Final = frozenset({"reserialized"})

Place = tuple[Any, Any]  # output_index, and the index inside the item: of a content part, a summary or a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One output item, as the answer's last word has it."""

    index: int
    value: dict[str, Any]

    @property
    def pointer(self) -> str:
        return f"/output/{self.index}"

    @property
    def type(self) -> str:
        return text(self.value.get("type"))


def events(seen: Iterable[Seen]) -> list[Seen]:
    return [one for one in seen if isinstance(one.data, dict)]


def kind(seen: Seen) -> str:
    return text(seen.data.get("type")) if isinstance(seen.data, dict) else ""


def of_kind(seen: Iterable[Seen], *kinds: str) -> list[Seen]:
    return [one for one in seen if kind(one) in kinds]


def snapshots(seen: Iterable[Seen]) -> list[Seen]:
    """The events that carry the whole response object."""
    return [one for one in events(seen) if isinstance(one.data.get("response"), dict)]


def place(seen: Seen) -> Place:
    data = seen.data
    inner = next((data[key] for key in ("content_index", "summary_index", "command_index") if key in data), None)
    return (data.get("output_index"), inner)


def client_answer(exchange: Exchange) -> dict[str, Any] | None:
    """The response object as the client has it in the end; None where none came."""
    return _answer(exchange.client.response, exchange.client_events)


def upstream_answer(exchange: Exchange) -> dict[str, Any] | None:
    return _answer(exchange.upstream[-1].response if exchange.upstream else None, exchange.upstream_events)


def _answer(response: Response | None, seen: Iterable[Seen]) -> dict[str, Any] | None:
    if response is None:
        return None
    if response.is_sse:
        last = of_kind(snapshots(seen), *TERMINAL)
        found = last[-1].data["response"] if last else None
    else:
        found = response.json if isinstance(response.json, dict) and response.json.get("object") == "response" else None
    return found if isinstance(found, dict) else None


def items(answer: dict[str, Any] | None) -> list[Item]:
    return [Item(index=index, value=value) for index, value in enumerate(objects((answer or {}).get("output")))]


def calls(answer: dict[str, Any] | None) -> list[Item]:
    """The calls that the client has to carry out."""
    return [item for item in items(answer) if item.type in ("function_call", "custom_tool_call")]


def call_text(item: Item) -> str:
    return text(item.value.get("arguments" if item.type == "function_call" else "input"))


def content_parts(answer: dict[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part of each message, with its pointer."""
    for item in items(answer):
        if item.type == "message":
            for number, part in enumerate(objects(item.value.get("content"))):
                yield f"{item.pointer}/content/{number}", part


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
