"""What is driven on gemini: every shipped recording, whole and streamed, by the official SDK in its ways and by plain HTTP."""

from collections.abc import Iterator
from typing import Final

from harness.case import Case, Client, Outcome, Play, Surface
from harness.client.drivers.google_sdk import BETA_PATH

_SYNC: Final = Client.GOOGLE_GENAI
_ASYNC: Final = Client.GOOGLE_GENAI_ASYNC
_RAW: Final = Client.RAW

_TRAITS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "blocks": ("text", "multi-block"),
    "tools": ("tools",),
    "parallel-tools": ("tools", "parallel-tools"),
    "thinking": ("text", "thinking"),
    "thinking-tools": ("tools", "thinking"),
    "cache-read": ("text", "cache-read"),
    "structured": ("text", "structured"),
    "refusal": ("refusal",),
    "length": ("text", "length"),
    "stop-sequence": ("text", "stop-sequence"),
    "usage": ("text", "usage", "cache-read"),
    "unicode": ("text", "unicode"),
    "long": ("text", "long"),
    "big-frame": ("text", "big-frame"),
    "empty": ("empty",),
    "blocked": ("blocked",),
}
_WHOLE: Final = {
    "text": _SYNC,
    "blocks": _ASYNC,
    "tools": _SYNC,
    "parallel-tools": _ASYNC,
    "thinking": _SYNC,
    "thinking-tools": _RAW,
    "cache-read": _ASYNC,
    "structured": _SYNC,
    "refusal": _ASYNC,
    "length": _RAW,
    "stop-sequence": _SYNC,
    "usage": _ASYNC,
    "unicode": _RAW,
    "empty": _SYNC,
    "blocked": _ASYNC,
}
_STREAMED: Final = {
    "text": _RAW,
    "blocks": _SYNC,
    "tools": _ASYNC,
    "parallel-tools": _SYNC,
    "thinking": _ASYNC,
    "thinking-tools": _SYNC,
    "cache-read": _RAW,
    "structured": _ASYNC,
    "refusal": _SYNC,
    "length": _ASYNC,
    "stop-sequence": _RAW,
    "usage": _SYNC,
    "unicode": _ASYNC,
    "long": _RAW,
    "big-frame": _ASYNC,
    "empty": _RAW,
    "blocked": _SYNC,
}
# On /v1beta, where the SDK went before its version 3; without the trait it goes to /v1.
_OLDER: Final = {"parallel-tools": False, "thinking": True}
_STATUSES: Final = {400: _SYNC, 401: _ASYNC, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _SYNC, 500: _ASYNC, 503: _RAW}
_STREAMED_STATUSES: Final = {400: _ASYNC, 401: _RAW, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _SYNC, 500: _ASYNC, 503: _RAW}


def _recording(name: str, *, stream: bool) -> str:
    return f"gemini/{name}.stream" if stream else f"gemini/{name}"


def _case(name: str, client: Client, *, stream: bool, called: str = "", more: tuple[str, ...] = ()) -> Case:
    recording = _recording(name, stream=stream)
    return Case(
        id=recording + called,
        surface=Surface.GEMINI,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        traits=frozenset({*_TRAITS[name], "exact", "request-known", *more}),
    )


def _error(status: int, client: Client, *, stream: bool) -> Case:
    recording = _recording(f"error-{status}", stream=stream)
    return Case(
        id=recording,
        surface=Surface.GEMINI,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "exact", "request-known"}),
    )


def _error_event(client: Client, called: str = "") -> Case:
    return Case(
        id=f"gemini/error-event.stream{called}",
        surface=Surface.GEMINI,
        play=Play(recording="gemini/error-event.stream"),
        stream=True,
        client=client,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "error-event", "exact", "request-known"}),
    )


def _array() -> Case:
    """A stream asked for without alt=sse. Not `stream`: that would promise events."""
    return Case(
        id="gemini/array",
        surface=Surface.GEMINI,
        play=Play(recording="gemini/array"),
        client=_RAW,
        path="/v1beta/models/{model}:streamGenerateContent",
        traits=frozenset({"text", "thinking", "array", "exact", "request-known"}),
    )


def _cases() -> Iterator[Case]:
    for name, client in _WHOLE.items():
        yield _case(name, client, stream=False)
    for name, client in _STREAMED.items():
        yield _case(name, client, stream=True)
    for name, stream in _OLDER.items():
        yield _case(name, _ASYNC, stream=stream, called=".v1beta", more=(BETA_PATH,))
    for status, client in _STATUSES.items():
        yield _error(status, client, stream=False)
    for status, client in _STREAMED_STATUSES.items():
        yield _error(status, client, stream=True)
    yield _error_event(_RAW)
    yield _error_event(_SYNC, ".sdk")
    yield _array()


CASES: tuple[Case, ...] = tuple(_cases())
