"""What is driven on responses: every shipped recording, whole and streamed, by the official SDK in its ways and by plain HTTP."""

from collections.abc import Iterator
from typing import Any, Final

from harness.case import MARKER, Case, Client, Outcome, Play, Surface
from harness.recording.scenarios import content

_SYNC: Final = Client.OPENAI
_ASYNC: Final = Client.OPENAI_ASYNC
_RAW: Final = Client.RAW

_TRAITS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "blocks": ("text", "multi-block"),
    "tools": ("tools", "functions"),
    "parallel-tools": ("tools", "functions", "parallel-tools"),
    "thinking": ("text", "thinking", "summary"),
    "thinking-tools": ("tools", "functions", "thinking"),
    "cache-write": ("text", "cache-write"),
    "cache-read": ("text", "cache-read"),
    "structured": ("text", "structured"),
    "refusal": ("refusal",),
    "length": ("text", "length", "incomplete"),
    "incomplete": ("text", "incomplete"),
    "failed": ("failed",),
    "usage": ("text", "usage", "cache-read"),
    "unicode": ("text", "unicode"),
    "long": ("text", "long"),
    "big-frame": ("text", "thinking", "big-frame"),
    "empty": ("empty",),
    "web-search": ("text", "server-tools", "citations"),
    "custom-tool": ("tools", "custom-tool"),
}
_WHOLE: Final = {
    "text": _SYNC,
    "blocks": _ASYNC,
    "tools": _SYNC,
    "parallel-tools": _ASYNC,
    "thinking": _SYNC,
    "thinking-tools": _ASYNC,
    "cache-write": _RAW,
    "cache-read": _SYNC,
    "structured": _ASYNC,
    "refusal": _SYNC,
    "length": _ASYNC,
    "incomplete": _RAW,
    "failed": _SYNC,
    "usage": _ASYNC,
    "unicode": _RAW,
    "empty": _SYNC,
    "web-search": _ASYNC,
    "custom-tool": _SYNC,
}
_STREAMED: Final = {
    "text": _RAW,
    "blocks": _SYNC,
    "tools": _ASYNC,
    "parallel-tools": _SYNC,
    "thinking": _ASYNC,
    "thinking-tools": _RAW,
    "cache-write": _ASYNC,
    "cache-read": _RAW,
    "structured": _SYNC,
    "refusal": _ASYNC,
    "length": _SYNC,
    "incomplete": _ASYNC,
    "failed": _RAW,
    "usage": _SYNC,
    "unicode": _ASYNC,
    "long": _RAW,
    "big-frame": _ASYNC,
    "empty": _RAW,
    "web-search": _SYNC,
    "custom-tool": _ASYNC,
}
# By the SDK's own stream helper, which accumulates: once for each feature that it assembles.
_HELPED: Final = {"blocks": _ASYNC, "parallel-tools": _ASYNC, "thinking": _SYNC, "structured": _ASYNC}
_STATUSES: Final = {400: _SYNC, 401: _ASYNC, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _ASYNC, 500: _SYNC, 503: _ASYNC}
_STREAMED_STATUSES: Final = {400: _RAW, 401: _SYNC, 403: _ASYNC, 404: _RAW, 413: _ASYNC, 429: _SYNC, 500: _ASYNC, 503: _RAW}


def _case(name: str, client: Client, *, stream: bool, helper: bool = False) -> Case:
    recording = f"responses/{name}.stream" if stream else f"responses/{name}"
    return Case(
        id=f"{recording}.helper" if helper else recording,
        surface=Surface.RESPONSES,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        helper=helper,
        traits=frozenset({*_TRAITS[name], "exact", "request-known"}),
    )


def _error(name: str, client: Client, *, stream: bool = False, traits: tuple[str, ...] = ()) -> Case:
    recording = f"responses/{name}.stream" if stream else f"responses/{name}"
    return Case(
        id=recording,
        surface=Surface.RESPONSES,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "exact", "request-known", *traits}),
    )


def _any_json() -> Case:
    """JSON without a schema: the request is our own, the answer the recorded one."""
    asked: dict[str, Any] = {
        "input": f"{content.PROMPTS['structured']} Answer in JSON. {MARKER}",
        "text": {"format": {"type": "json_object"}},
    }
    return Case(
        id="responses/json-object",
        surface=Surface.RESPONSES,
        play=Play(recording="responses/structured"),
        client=_SYNC,
        request=asked,
        traits=frozenset({"text", "structured", "exact", "request-known"}),
    )


def _cases() -> Iterator[Case]:
    for name, client in _WHOLE.items():
        yield _case(name, client, stream=False)
    for name, client in _STREAMED.items():
        yield _case(name, client, stream=True)
    for name, client in _HELPED.items():
        yield _case(name, client, stream=True, helper=True)
    yield _any_json()
    for status, client in _STATUSES.items():
        yield _error(f"error-{status}", client)
    for status, client in _STREAMED_STATUSES.items():
        yield _error(f"error-{status}", client, stream=True)
    yield _error("error-event", _SYNC, stream=True, traits=("error-event",))


CASES: tuple[Case, ...] = tuple(_cases())
