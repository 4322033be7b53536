"""One named corruption of the wire. It breaks one requirement, as a faulty gateway would.

A mutant is data plus pure functions, so that it can be applied to a stored exchange in microseconds, and to live
traffic by the mutating proxy on either leg of any gateway.
"""

import fnmatch
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from harness.case import Case
from harness.exchange import Headers
from harness.wire import sse

ACCOUNT_PATHS: Final = "/api/"  # of the account, its keys and its prices: not what a model answers


class Leg(StrEnum):
    """Between whom the corruption happens."""

    CLIENT = "client"  # between client and gateway: what the client gets is wrong
    UPSTREAM = "upstream"  # between gateway and vendor: what the vendor gets is wrong


class Flow(StrEnum):
    """Corruptions of time and connection; the proxy commits them itself."""

    HOLD_BACK = "hold-back"  # the answer is passed on only once it is complete
    DEAF_TO_ABORT = "deaf-to-abort"  # the client's hanging up is not passed on
    CALL_TWICE = "call-twice"  # the request goes out a second time
    REPLAY = "replay"  # the same request again is answered with what was answered before
    NO_EOF = "no-eof"  # the connection stays open, silent, after the answer's last byte
    EARLY_EOF = "early-eof"  # the connection closes without the last chunk, or short of content-length
    FETCH = "fetch"  # every http address in the request is fetched before it is passed on


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request on its way."""

    method: str
    target: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer on its way back; `body` after transfer- and content-decoding. content-length is set anew by the proxy."""

    status: int
    headers: Headers
    body: bytes
    ask: Ask  # what it answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One account document on its way to the client: the balance, or the usage rows; the other one is empty.

    The counts are of the model calls that went through this proxy.
    """

    balance: dict[str, Any]  # the document of /api/v1/me/account; {} where this is the other
    rows: list[dict[str, Any]]  # the rows of /api/v1/usage, as they stand there
    succeeded: int
    failed: int  # calls that were answered with an error, broke off, or that the client left
    request_ids: tuple[str, ...]  # of all those calls, in order; "" where there was none


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Exactly one of `answer`, `ask`, `books`, `flow` is set."""

    id: str  # permanent slug, for example "messages-drop-event-lines"
    requirement: str  # the slug of the requirement that it breaks
    text: str  # what a gateway with this fault does, one sentence
    leg: Leg = Leg.CLIENT
    answer: Callable[[Answer], Answer] | None = None
    ask: Callable[[Ask], Ask] | None = None
    books: Callable[[Books], Books] | None = None
    flow: Flow | None = None
    paths: str | None = None  # glob: the only paths that `answer` or `ask` concerns; None: all but the account's own under /api/
    where: Callable[[Case], bool] | None = None  # narrows the requirement's own cases to those on which it bites
    defects: tuple[str, ...] = ()  # real cases it stands for, for example "BerriAI/litellm#29201"

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.answer, self.ask, self.books, self.flow)) != 1:
            raise ValueError(f"mutant {self.id}: set just one of answer, ask, books, flow")

    def concerns(self, path: str) -> bool:
        """Whether its `answer` or `ask` may change what goes to that path. `path` is without its query."""
        if self.paths is not None:
            return fnmatch.fnmatchcase(path, self.paths)
        return self.answer is None or not path.startswith(ACCOUNT_PATHS)


# Small parts that mutants are put together from.


def named(*globs: str) -> Callable[[Case], bool]:
    """For `where`: the cases whose ids match one of these."""
    return lambda case: any(fnmatch.fnmatchcase(case.id, glob) for glob in globs)


def on_body(change: Callable[[bytes], bytes]) -> Callable[[Answer], Answer]:
    """Change the body and nothing else."""
    return lambda answer: replace(answer, body=change(answer.body))


def on_frames(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Answer], Answer]:
    """Change the list of SSE frames (each with its blank line)."""

    def apply(body: bytes) -> bytes:
        frames = [frame.raw for frame in sse.frames(body)]
        tail = body[sum(map(len, frames)) :]
        return b"".join([*change(frames), tail])

    return on_body(apply)


def on_data(change: Callable[[int, Any], Any]) -> Callable[[Answer], Answer]:
    """Change the JSON value of each SSE frame; `change` gets its number and value, and returns the value or None to drop the frame.

    A frame whose value stays equal keeps its bytes; `[DONE]` and the like are left alone.
    """

    def apply(frames: list[bytes]) -> list[bytes]:
        changed: list[bytes] = []
        for number, raw in enumerate(frames):
            frame = sse.frames(raw)[0]
            try:
                before = json.loads(frame.data or "")
            except ValueError:
                changed.append(raw)
                continue
            after = change(number, json.loads(frame.data or ""))
            if after == before:
                changed.append(raw)
            elif after is not None:
                name = f"event: {frame.event}\n" if frame.event is not None else ""
                changed.append(f"{name}data: {json.dumps(after, ensure_ascii=False, separators=(',', ':'))}\n\n".encode())
        return changed

    return on_frames(apply)


def on_json(change: Callable[[Any], Any]) -> Callable[[Answer], Answer]:
    """Change the JSON value of a body that is no stream."""
    return on_body(lambda body: json.dumps(change(json.loads(body)), ensure_ascii=False, separators=(",", ":")).encode())


def on_headers(change: Callable[[Headers], Headers]) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, headers=change(answer.headers))


def without_header(name: str) -> Callable[[Answer], Answer]:
    return on_headers(lambda headers: tuple(pair for pair in headers if pair[0].lower() != name.lower()))


def with_header(name: str, value: str) -> Callable[[Answer], Answer]:
    """Set a header, in the place of any it had."""
    return on_headers(lambda headers: (*(pair for pair in headers if pair[0].lower() != name.lower()), (name, value)))


def ask_body(change: Callable[[Any], Any]) -> Callable[[Ask], Ask]:
    """Change the JSON value that goes to the vendor."""
    return lambda ask: replace(ask, body=json.dumps(change(json.loads(ask.body)), ensure_ascii=False, separators=(",", ":")).encode())


def ask_headers(change: Callable[[Headers], Headers]) -> Callable[[Ask], Ask]:
    return lambda ask: replace(ask, headers=change(ask.headers))
