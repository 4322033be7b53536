"""What is driven on chat: every shipped recording, whole and streamed, by the official SDK in its ways and by plain HTTP."""

from collections.abc import Iterator
from typing import Any, Final

from harness.case import MARKER, Case, Client, Outcome, Play, Surface
from harness.recording.scenarios import content

_SYNC: Final = Client.OPENAI
_ASYNC: Final = Client.OPENAI_ASYNC
_RAW: Final = Client.RAW

_TRAITS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "blocks": ("text", "choices", "logprobs"),
    "tools": ("tools", "functions"),
    "parallel-tools": ("tools", "functions", "parallel-tools"),
    "cache-read": ("text", "cache-read"),
    "cache-write": ("text", "cache-write"),
    "structured": ("text", "structured"),
    "refusal": ("refusal", "logprobs"),
    "length": ("text", "length"),
    "stop-sequence": ("text", "stop-sequence", "logprobs"),
    "usage": ("text", "usage"),
    "unicode": ("text", "unicode"),
    "long": ("text", "long"),
    "big-frame": ("text", "big-frame"),
    "empty": ("empty",),
    "custom-tool": ("tools", "custom-tool"),
    "thinking": ("text", "thinking"),
    "thinking-tools": ("tools", "functions", "thinking"),
}
_WHOLE: Final = {
    "text": _SYNC,
    "blocks": _ASYNC,
    "tools": _SYNC,
    "parallel-tools": _ASYNC,
    "cache-read": _SYNC,
    "cache-write": _RAW,
    "structured": _SYNC,
    "refusal": _ASYNC,
    "length": _RAW,
    "stop-sequence": _SYNC,
    "usage": _ASYNC,
    "unicode": _RAW,
    "empty": _SYNC,
    "custom-tool": _ASYNC,
}
_STREAMED: Final = {
    "text": _RAW,
    "blocks": _ASYNC,
    "tools": _SYNC,
    "parallel-tools": _ASYNC,
    "cache-read": _RAW,
    "cache-write": _ASYNC,
    "structured": _ASYNC,
    "refusal": _SYNC,
    "length": _ASYNC,
    "stop-sequence": _RAW,
    "usage": _SYNC,
    "unicode": _ASYNC,
    "long": _RAW,
    "big-frame": _ASYNC,
    "empty": _RAW,
    "custom-tool": _SYNC,
}
# By the SDK's own stream helper, which accumulates: once for each feature that it assembles.
_HELPED: Final = {"blocks": _SYNC, "parallel-tools": _SYNC, "refusal": _ASYNC, "structured": _SYNC}
_WITHOUT_USAGE: Final = ("text", "blocks")  # their streams did not ask for it
_DEEPSEEK_WHOLE: Final = {"deepseek/text": _SYNC, "deepseek/thinking": _RAW, "chat/thinking": _ASYNC, "chat/thinking-tools": _SYNC}
_DEEPSEEK_STREAMED: Final = {"deepseek/text": _ASYNC, "deepseek/thinking": _SYNC, "chat/thinking": _RAW, "chat/thinking-tools": _ASYNC}
_STATUSES: Final = {400: _SYNC, 401: _ASYNC, 403: _SYNC, 404: _ASYNC, 413: _RAW, 429: _SYNC, 500: _ASYNC, 503: _SYNC}
_STREAMED_STATUSES: Final = {400: _ASYNC, 401: _SYNC, 403: _RAW, 404: _SYNC, 413: _ASYNC, 429: _RAW, 500: _SYNC, 503: _ASYNC}


def _case(recording: str, client: Client, *, stream: bool, helper: bool = False, traits: frozenset[str] = frozenset()) -> Case:
    name = recording.partition("/")[2]
    found = f"{recording}.stream" if stream else recording
    shown = frozenset({*_TRAITS[name], "exact", "request-known"}) | traits
    if stream and "vendor-deepseek" not in traits and name not in _WITHOUT_USAGE:
        shown |= {"usage-asked"}
    return Case(
        id=f"{found}.helper" if helper else found,
        surface=Surface.CHAT,
        play=Play(recording=found),
        stream=stream,
        client=client,
        helper=helper,
        traits=shown,
    )


def _error(recording: str, client: Client, *, stream: bool = False, traits: tuple[str, ...] = ()) -> Case:
    return Case(
        id=recording,
        surface=Surface.CHAT,
        play=Play(recording=recording),
        stream=stream,
        client=client,
        outcome=Outcome.UPSTREAM_ERROR,
        traits=frozenset({"error", "exact", "request-known", *traits}),
    )


def _any_json() -> Case:
    """JSON without a schema: the request is our own, the answer the recorded one."""
    asked: dict[str, Any] = {
        "messages": [{"role": "user", "content": f"{content.PROMPTS['structured']} Answer in JSON. {MARKER}"}],
        "response_format": {"type": "json_object"},
    }
    return Case(
        id="chat/json-object",
        surface=Surface.CHAT,
        play=Play(recording="chat/structured"),
        client=_SYNC,
        request=asked,
        traits=frozenset({"text", "structured", "exact", "request-known"}),
    )


def _cases() -> Iterator[Case]:
    for name, client in _WHOLE.items():
        yield _case(f"chat/{name}", client, stream=False)
    for name, client in _STREAMED.items():
        yield _case(f"chat/{name}", client, stream=True)
    for name, client in _HELPED.items():
        yield _case(f"chat/{name}", client, stream=True, helper=True)
    for recording, client in _DEEPSEEK_WHOLE.items():
        yield _case(recording, client, stream=False, traits=frozenset({"vendor-deepseek"}))
    for recording, client in _DEEPSEEK_STREAMED.items():
        yield _case(recording, client, stream=True, traits=frozenset({"vendor-deepseek"}))
    yield _any_json()
    for status, client in _STATUSES.items():
        yield _error(f"chat/error-{status}", client)
    for status, client in _STREAMED_STATUSES.items():
        yield _error(f"chat/error-{status}.stream", client, stream=True)
    yield _error("chat/error-503-plain", _RAW, traits=("plain-text",))
    yield _error("chat/error-event.stream", _SYNC, stream=True, traits=("error-event",))


CASES: tuple[Case, ...] = tuple(_cases())
