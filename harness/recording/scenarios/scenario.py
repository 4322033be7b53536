"""What one recording holds before it is bytes: the request, and what the vendor's answer says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harness.recording.format import Headers, Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str
    citations: tuple["Citation", ...] = ()
    pieces: tuple[str, ...] | None = None  # as the stream brings it; None: word by word


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A source that a text block names: `quoted` is the source's own words."""

    url: str
    title: str
    quoted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    text: str  # may be empty: some models only sign
    signature: str  # signature, encrypted_content or thoughtSignature; "" where the vendor has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function call. `arguments` is JSON text as the model spelled it."""

    name: str
    arguments: str
    pieces: tuple[str, ...] | None = None  # joined they are `arguments`; None: cut by the writer

    def __post_init__(self) -> None:
        if self.pieces is not None and "".join(self.pieces) != self.arguments:
            raise ValueError(f"call of {self.name}: its pieces do not join to its arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomCall:
    """A call whose input is free text."""

    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch:
    """A search that the vendor ran itself."""

    query: str
    found: tuple[Citation, ...]


Part: TypeAlias = Text | Thinking | Redacted | Call | CustomCall | Refusal | WebSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens. `prompt` counts everything that was read, cached or not; `output` counts reasoning too."""

    prompt: int
    output: int
    cached: int = 0
    written_5m: int = 0
    written_1h: int = 0
    reasoning: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the vendor says. Only chat can have more than one choice."""

    choices: tuple[tuple[Part, ...], ...]
    stop: str  # the surface's own word: finish_reason, stop_reason, status or finishReason
    usage: Usage
    stop_sequence: str | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.choices[0]

    @property
    def text(self) -> str:
        """All text of the first choice."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thinking(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Thinking))

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(part for part in self.parts if isinstance(part, Call))

    @property
    def refusal(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Refusal))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One exchange that a vendor can have with a client.

    `id` is also the recording's. `request` is the client's JSON body without `model` and `stream`; None where there is no body.
    """

    id: str
    surface: Surface
    vendor: str
    model: str  # as asked for
    stream: bool
    method: str
    path: str  # with its query, as the vendor documents it
    request: Mapping[str, Any] | None
    traits: frozenset[str]
    status: int
    headers: Headers  # of the answer, without those that framing decides (content-length, transfer-encoding)
    pieces: tuple[bytes, ...]  # the answer's body, one write each
    answer: Answer | None = None  # None: an error before any answer, or a list
    live: bool = True  # a real vendor can be brought to give it; the others only by our script
    first_byte_ms: int = field(default=180)
    between_ms: int = field(default=24)  # from one write to the next

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def sent(self) -> dict[str, Any] | None:
        """The request's JSON body as the client writes it."""
        if self.request is None:
            return None
        if self.surface is Surface.GEMINI:  # both stand in the path
            return dict(self.request)
        stream = {"stream": True} if self.stream else {}
        return {"model": self.model, **self.request, **stream}


def words(text: str) -> Iterator[str]:
    """The text cut before its spaces, as tokens mostly are: `One`, ` word`."""
    start = 0
    for at in range(1, len(text)):
        if text[at] in " \n" and text[at - 1] not in " \n":
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def cut(text: str, sizes: tuple[int, ...]) -> Iterator[str]:
    """The text in pieces of these sizes, over and over, whatever they cut through."""
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        yield text[at : at + size]
        at += size
        turn += 1
