"""What a protocol's folder offers: the four interfaces between which `Translator` (translator.py) puts items together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from reference_gateway.translation.common.glue import Look, Run
from reference_gateway.translation.items import Answer, Ask, Broken, Event, Loss


class Naming(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an answer is called towards the client: one value for body and every chunk alike."""

    id: str  # minted by the gateway, without a protocol's prefix: each writer adds its own ("chatcmpl-", "msg_", "resp_")
    model: str  # as the client asked for it
    created: int  # Unix seconds
    stands_for: Mapping[str, str]  # tool names as the upstream knows them -> as the client gave them
    request_id: str = ""  # stands in an error of Messages


class Upstream(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an upstream's model can, where it decides how a request is written."""

    model: str  # as the vendor calls it
    max_output_tokens: int
    family: str  # claude, gpt, gemini, deepseek ...
    vision: bool = True
    tools: bool = True
    native_json_schema: bool = True
    adaptive_thinking: bool = False  # Claude: thinking is adaptive and has an effort, no budget
    thinking: bool = True
    sampling: bool = True  # False: temperature and its like are refused
    cache_breakpoints: bool = False  # chat and Responses: `prompt_cache_breakpoint` is known


class Written(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request in the upstream's protocol. `names` maps each tool name that had to change to the client's own."""

    body: dict[str, Any]
    names: Mapping[str, str]
    losses: tuple[Loss, ...]  # those of reading and of writing


class RequestReader(Protocol):
    def __call__(self, body: Mapping[str, Any], *, model: str, stream: bool) -> Ask:
        """Raises Malformed, Unsupported. `model` and `stream` are given, since Gemini has them in the path."""
        ...


class RequestWriter(Protocol):
    def __call__(self, ask: Ask, upstream: Upstream) -> Written:
        """Raises Unsupported, Malformed."""
        ...


class StreamReader(Protocol):
    """The upstream's SSE bytes, split anywhere. Never raises on what an upstream may send: it gives Broken, after which nothing follows."""

    look: Look

    @property
    def between_events(self) -> bool:
        """What is read next begins an event."""
        ...

    def went_on(self, run: Run) -> None:
        """These events were read elsewhere, by the look that they have: more of the part that `look` has learned of."""
        ...

    def feed(self, data: bytes) -> list[Event]: ...

    def close(self) -> list[Event]:
        """The bytes are over: Broken unless Ended or Broken was given (truncation is decided here)."""
        ...


class AnswerReader(Protocol):
    def __call__(self, body: Mapping[str, Any]) -> Answer | Broken: ...


class StreamWriter(Protocol):
    """The client's SSE bytes, each event as soon as it can be said."""

    def write(self, events: Iterable[Event]) -> bytes:
        """Raises Unwritable, after which it takes a Broken; `written` of it comes before that."""
        ...

    def more(self, index: int, run: Run) -> bytes | None:
        """The same as the deltas of these texts; None, and nothing is said, where they are not only more of a text that has begun."""
        ...


class AnswerWriter(Protocol):
    def __call__(self, answer: Answer, ask: Ask, naming: Naming) -> dict[str, Any]:
        """Raises Unwritable."""
        ...
