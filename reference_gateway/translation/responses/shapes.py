"""What a response, its items and their parts look like: as values, for whole answers, and as forms, for the events of a stream.

A form is made of the value's own function, once, when the program starts: bytes with holes for what differs from stream to stream. Of a
stream's JSON only what is new has to be encoded then, and a text that is told four times, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

# Source: wireproof-corpus, "OpenAI responses": what a response says of a request that said nothing.
ECHO: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,  # whatever was asked for: nothing is kept
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


class Status(StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


# values


def response(
    *,
    id: str,  # noqa: A002
    created_at: int | str,
    status: str,
    error: Mapping[str, str] | str | None,
    incomplete_details: Mapping[str, str] | str | None,
    model: str,
    output: Sequence[Mapping[str, Any] | str],
    echo: Mapping[str, Any],
    usage: Mapping[str, Any] | str | None,
) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "created_at": created_at,
        "status": status,
        "error": error,
        "incomplete_details": incomplete_details,
        "model": model,
        "output": output,
        **echo,
        "usage": usage,
    }


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def summary_part(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def message(id: str, status: str, content: list[Mapping[str, Any] | str]) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "message", "status": status, "content": content, "role": "assistant"}


def thought(id: str, summary: Sequence[Mapping[str, Any] | str], proof: str | None) -> dict[str, Any]:  # noqa: A002
    """Reasoning items have no status (wireproof-corpus)."""
    item: dict[str, Any] = {"id": id, "type": "reasoning"}
    if proof is not None:
        item["encrypted_content"] = proof
    item["summary"] = summary
    return item


def call(id: str, status: str, call_id: str, name: str, arguments: str) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "function_call", "status": status, "arguments": arguments, "call_id": call_id, "name": name}


def image(id: str, base64: str) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "type": "image_generation_call", "status": "completed", "result": base64}


# forms: each hole is filled with JSON, and those of a form in the order in which they stand there

_json: Final = msgspec.json.encode


def _form(value: object) -> bytes:
    """The string "%b" is a hole; "%d" is one for a number."""
    return _json(value).replace(b'"%b"', b"%b").replace(b'"%d"', b"%d")


def _event(kind: str, **members: Any) -> bytes:
    """Members stand in the order of their names; each event has its number."""
    named = dict(sorted([*members.items(), ("sequence_number", "%d")]))
    return b"event: response.%b\ndata: %b\n\n" % (kind.encode(), _form({"type": f"response.{kind}", **named}))


def _delta(kind: str, **members: Any) -> tuple[bytes, bytes]:
    """What stands before and after the text, without its quotes, up to the number. That is the last member: all else is a part's own."""
    named = dict(sorted([*members.items(), ("delta", ""), ("item_id", "%b"), ("output_index", "%b")]))
    before, _, after = _form({"type": f"response.{kind}", **named, "sequence_number": 0}).partition(b'"",')
    return b'event: response.%b\ndata: %b"' % (kind.encode(), before), b'",' + after.removesuffix(b"0}")


def _member(name: str, value: Any) -> bytes:
    return b"%b:%b" % (_json(name), _json(value))


_ECHO: Final = {name: _member(name, value) for name, value in ECHO.items()}


def echoed(echo: Mapping[str, Any]) -> bytes:
    """`RESPONSE`'s members of a request that said this."""
    members = _ECHO.copy()
    for name, value in echo.items():
        members[name] = _member(name, value)
    return b",".join(members.values())


IN_PROGRESS: Final = _json(Status.IN_PROGRESS)
COMPLETED: Final = _json(Status.COMPLETED)
INCOMPLETE: Final = _json(Status.INCOMPLETE)
FAILED: Final = _json(Status.FAILED)

RESPONSE: Final = _form(
    response(
        id="%b",
        created_at="%d",
        status="%b",
        error="%b",
        incomplete_details="%b",
        model="%b",
        output=["%b"],
        echo={"echo": "%b"},
        usage="%b",
    )
).replace(b'"echo":', b"")
TEXT: Final = _form(text_part("%b"))
REFUSAL: Final = _form(refusal_part("%b"))
SUMMARY: Final = _form(summary_part("%b"))
MESSAGE: Final = _form(message("%b", "%b", ["%b"]))
THOUGHT: Final = _form(thought("%b", ["%b"], None))
PROVEN_THOUGHT: Final = _form(thought("%b", ["%b"], "%b"))
CALL: Final = _form(call("%b", "%b", "%b", "%b", "%b"))

STARTED: Final = _event("created", response="%b") + _event("in_progress", response="%b")
ENDED: Final = {_json(status): _event(status.value, response="%b") for status in Status}

_BEGUN: Final = Status.IN_PROGRESS.value
MESSAGE_ADDED: Final = _event("output_item.added", item=message("%b", _BEGUN, []), output_index="%b")
THOUGHT_ADDED: Final = _event("output_item.added", item=thought("%b", [], None), output_index="%b")
CALL_ADDED: Final = _event("output_item.added", item=call("%b", _BEGUN, "%b", "%b", ""), output_index="%b")
ITEM_DONE: Final = _event("output_item.done", item="%b", output_index="%b")

_OF_ITEM: Final = {"item_id": "%b", "output_index": "%b"}
_OF_PART: Final = {"content_index": "%b", **_OF_ITEM}
_OF_SUMMARY: Final = {"summary_index": 0, **_OF_ITEM}
TEXT_ADDED: Final = _event("content_part.added", part=text_part(""), **_OF_PART)
TEXT_DELTA: Final = _delta("output_text.delta", content_index="%b", logprobs=[])
TEXT_DONE: Final = _event("output_text.done", logprobs=[], text="%b", **_OF_PART)
REFUSAL_ADDED: Final = _event("content_part.added", part=refusal_part(""), **_OF_PART)
REFUSAL_DELTA: Final = _delta("refusal.delta", content_index="%b")
REFUSAL_DONE: Final = _event("refusal.done", refusal="%b", **_OF_PART)
PART_DONE: Final = _event("content_part.done", part="%b", **_OF_PART)
SUMMARY_ADDED: Final = _event("reasoning_summary_part.added", part=summary_part(""), **_OF_SUMMARY)
SUMMARY_DELTA: Final = _delta("reasoning_summary_text.delta", summary_index=0)
SUMMARY_DONE: Final = _event("reasoning_summary_text.done", text="%b", **_OF_SUMMARY)
SUMMARY_PART_DONE: Final = _event("reasoning_summary_part.done", part="%b", **_OF_SUMMARY)
ARGUMENTS_DELTA: Final = _delta("function_call_arguments.delta")
ARGUMENTS_DONE: Final = _event("function_call_arguments.done", arguments="%b", name="%b", **_OF_ITEM)

_NUMBERS: Final = [b"%d}\n\n" % number for number in range(1_024)]


def delta_ends(number: int, count: int) -> list[bytes]:
    """What ends so many deltas, the first of them with this number: to write it anew is more than half of the work for a run."""
    past = number + count
    return _NUMBERS[number:past] if past <= len(_NUMBERS) else [b"%d}\n\n" % each for each in range(number, past)]
