"""What is driven on messages: every shipped recording, whole and streamed, by the official SDK in its ways and by plain HTTP."""

from collections.abc import Iterator
from typing import Final

from harness.case import Case, Client, Outcome, Play, Surface
from harness.client.drivers.anthropic_sdk import OLD_HEADERS

_SYNC: Final = Client.ANTHROPIC
_ASYNC: Final = Client.ANTHROPIC_ASYNC
_RAW: Final = Client.RAW

_TRAITS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "blocks": ("text", "multi-block"),
    "pings": ("text",),
    "tools": ("tools",),
    "parallel-tools": ("text", "tools", "parallel-tools"),
    "thinking": ("text", "thinking"),
    "thinking-tools": ("text", "tools", "thinking"),
    "redacted-thinking": ("text", "thinking", "redacted-thinking"),
    "cache-write": ("text", "cache-write"),
    "cache-read": ("text", "cache-read"),
    "structured": ("text", "structured"),
    "refusal": ("text", "refusal"),
    "length": ("text", "length"),
    "stop-sequence": ("text", "stop-sequence"),
    "usage": ("text", "thinking", "usage", "cache-read", "cache-write"),
    "unicode": ("text", "unicode"),
    "long": ("text", "long"),
    "big-frame": ("text", "big-frame"),
    "empty": ("empty",),
    "web-search": ("text", "web-search", "server-tools"),
    "unknown": ("text", "unknown"),
}
_WHOLE: Final = {
    "text": _SYNC,
    "blocks": _RAW,
    "tools": _ASYNC,
    "parallel-tools": _SYNC,
    "thinking": _ASYNC,
    "thinking-tools": _SYNC,
    "redacted-thinking": _RAW,
    "cache-write": _ASYNC,
    "cache-read": _SYNC,
    "structured": _ASYNC,
    "refusal": _SYNC,
    "length": _RAW,
    "stop-sequence": _ASYNC,
    "usage": _SYNC,
    "unicode": _RAW,
    "empty": _SYNC,
    "web-search": _ASYNC,
    "unknown": _RAW,
}
_STREAMED: Final = {
    "text": _SYNC,
    "blocks": _ASYNC,
    "pings": _RAW,
    "tools": _RAW,
    "parallel-tools": _ASYNC,
    "thinking": _SYNC,
    "thinking-tools": _ASYNC,
    "redacted-thinking": _SYNC,
    "cache-write": _RAW,
    "cache-read": _ASYNC,
    "structured": _SYNC,
    "refusal": _ASYNC,
    "length": _SYNC,
    "stop-sequence": _RAW,
    "usage": _ASYNC,
    "unicode": _SYNC,
    "long": _RAW,
    "big-frame": _ASYNC,
    "empty": _RAW,
    "web-search": _SYNC,
    "unknown": _RAW,
}
# By the SDK's own stream helper, which accumulates: once for each feature that it assembles.
_HELPED: Final = {
    "parallel-tools": _SYNC,
    "thinking-tools": _SYNC,
    "redacted-thinking": _ASYNC,
    "web-search": _ASYNC,
}
# As the SDKs before version 2 sent it: x-api-key and anthropic-version 2023-06-01.
_OLDER: Final = {"text": False, "thinking": True}
_STATUSES: Final = {400: _SYNC, 401: _ASYNC, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _SYNC, 500: _ASYNC, 503: _RAW, 529: _SYNC}
_STREAMED_STATUSES: Final = {400: _ASYNC, 401: _RAW, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _SYNC, 500: _RAW, 503: _ASYNC, 529: _RAW}


def _recording(name: str, *, stream: bool) -> str:
    return f"messages/{name}.stream" if stream else f"messages/{name}"


def _case(name: str, client: Client, *, stream: bool, called: str = "", helper: bool = False, more: tuple[str, ...] = ()) -> Case:
    recording = _recording(name, stream=stream)
    return Case(
        id=recording + called,
        surface=Surface.MESSAGES,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        helper=helper,
        traits=frozenset({*_TRAITS[name], "exact", "request-known", *more}),
    )


def _error(status: int, client: Client, *, stream: bool) -> Case:
    recording = _recording(f"error-{status}", stream=stream)
    return Case(
        id=recording,
        surface=Surface.MESSAGES,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "exact", "request-known"}),
    )


def _error_event(client: Client, called: str = "", *, helper: bool = False) -> Case:
    return Case(
        id=f"messages/error-event.stream{called}",
        surface=Surface.MESSAGES,
        play=Play(recording="messages/error-event.stream"),
        stream=True,
        client=client,
        helper=helper,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "error-event", "exact", "request-known"}),
    )


def _beta(name: str, *values: str) -> Case:
    """The same header more than once, which only plain HTTP can send."""
    return Case(
        id=f"messages/{name}",
        surface=Surface.MESSAGES,
        play=Play(recording="messages/text"),
        client=_RAW,
        headers=(("anthropic-version", "2023-06-01"), *(("anthropic-beta", value) for value in values)),
        traits=frozenset({"text", "beta-header", "exact", "request-known"}),
    )


def _count(called: str, client: Client, *traits: str) -> Case:
    return Case(
        id=f"messages/count-tokens{called}",
        surface=Surface.COUNT_TOKENS,
        play=Play(recording="messages/count-tokens"),
        client=client,
        traits=frozenset({"exact", "request-known", *traits}),
    )


def _cases() -> Iterator[Case]:
    for name, client in _WHOLE.items():
        yield _case(name, client, stream=False)
    for name, client in _STREAMED.items():
        yield _case(name, client, stream=True)
    for name, client in _HELPED.items():
        yield _case(name, client, stream=True, called=".helper", helper=True)
    for name, stream in _OLDER.items():
        yield _case(name, _SYNC, stream=stream, called=".anthropic-2023", more=(OLD_HEADERS,))
    for status, client in _STATUSES.items():
        yield _error(status, client, stream=False)
    for status, client in _STREAMED_STATUSES.items():
        yield _error(status, client, stream=True)
    yield _error_event(_RAW)
    yield _error_event(_ASYNC, ".helper", helper=True)
    yield _beta("beta-header", "prompt-caching-2024-07-31,context-1m-2025-08-07")
    yield _beta(
        "beta-header-duplicates",
        "fine-grained-tool-streaming-2025-05-14",
        "context-1m-2025-08-07, prompt-caching-2024-07-31, context-1m-2025-08-07",
        "fine-grained-tool-streaming-2025-05-14",
    )
    yield _count("", _SYNC)
    yield _count(".anthropic-2023", _ASYNC, OLD_HEADERS)


CASES: tuple[Case, ...] = tuple(_cases())
