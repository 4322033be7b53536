"""Mutations of an event stream as a list of values: drop, add, move and change events, the others keeping their bytes."""

import json
from collections.abc import Callable
from typing import Any

from harness.mutation.mutant import Answer, on_frames, on_json
from harness.wire import sse

Events = list[Any]  # the JSON value of each event; a frame that holds none, such as [DONE] or a comment, is its bytes


def on_events(change: Callable[[Events], Events]) -> Callable[[Answer], Answer]:
    """`change` may change the values in place. An event of a named protocol is named by its `type`."""

    def apply(frames: list[bytes]) -> list[bytes]:
        values = [_value(raw) for raw in frames]
        named = any(sse.frames(raw)[0].event is not None for raw in frames)
        newline = "\r\n" if any(b"\r\n" in raw for raw in frames) else "\n"
        before = {id(value): (json.dumps(value), raw) for value, raw in zip(values, frames, strict=True) if not isinstance(value, bytes)}
        changed: list[bytes] = []
        for value in change([*values]):  # `values` keeps each of them alive, so that no id is given to another
            if isinstance(value, bytes):
                changed.append(value)
                continue
            text, raw = before.get(id(value), ("", b""))
            changed.append(raw if json.dumps(value) == text else _frame(value, named=named, newline=newline))
        return changed

    return on_frames(apply)


def either(stream: Callable[[Answer], Answer], whole: Callable[[Answer], Answer]) -> Callable[[Answer], Answer]:
    """The one for event streams, the other for JSON bodies; an error is left alone."""

    def apply(answer: Answer) -> Answer:
        if answer.status >= 300:
            return answer
        kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
        return (stream if "event-stream" in kind else whole)(answer)

    return apply


def untouched(answer: Answer) -> Answer:
    return answer


def only_stream(change: Callable[[Events], Events]) -> Callable[[Answer], Answer]:
    return either(on_events(change), untouched)


def only_whole(change: Callable[[Any], Any]) -> Callable[[Answer], Answer]:
    return either(untouched, on_json(change))


def _value(raw: bytes) -> Any:
    try:
        value = json.loads(sse.frames(raw)[0].data or "")
    except ValueError:
        return raw
    return value if isinstance(value, dict) else raw


def _frame(value: dict[str, Any], *, named: bool, newline: str) -> bytes:
    name = f"event: {value.get('type')}{newline}" if named else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}{newline}{newline}".encode()
