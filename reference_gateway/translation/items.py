"""What every protocol's request and answer come to: an ordered list of items, and a stream of events that builds one.

Nothing here belongs to a vendor. Tool arguments stay the text that the model wrote; a JSON schema stays the value that the client gave.
What a protocol has no word for is refused, or dropped with a `Loss` on the ask: never dropped in silence (translation.md 3.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

# parts of a message


class CacheTtl(StrEnum):
    FIVE_MINUTES = "5m"
    ONE_HOUR = "1h"


class Text(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    text: str
    cache: CacheTtl | None = None  # the prompt up to here is worth caching


class Inline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bytes in the request itself."""

    media_type: str
    base64: str  # as it stood


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An address that the vendor fetches, never the gateway."""

    url: str
    media_type: str | None = None


Source = Inline | Link


class Image(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    source: Source
    detail: str | None = None  # low, high, auto
    cache: CacheTtl | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file of text or PDF."""

    source: Source
    name: str | None = None
    cache: CacheTtl | None = None


class Maker(StrEnum):
    """The model family whose opaque reasoning it is: replayed to that family only (translation.md 3.10)."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    GEMINI = "gemini"
    DEEPSEEK = "deepseek"


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Thoughts. `signature` proves the text, `opaque` stands in its place (redacted_thinking's data, encrypted_content)."""

    text: str = ""
    signature: str | None = None
    opaque: str | None = None
    maker: Maker | None = None  # None: nobody knows
    id: str | None = None  # of the Responses item

    @property
    def proves_text(self) -> bool:
        """It says nothing itself: it is Gemini's signature of the text beside it."""
        return self.maker is Maker.GEMINI and not self.text and self.signature is not None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`arguments` is JSON text as the model wrote it; "" means none. `signature` is Gemini's thoughtSignature of this call."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    maker: Maker | None = None
    cache: CacheTtl | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    call_id: str
    parts: tuple[Text | Image | Document, ...]
    is_error: bool = False
    cache: CacheTtl | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The model's own words of refusal."""

    text: str


class Role(StrEnum):
    SYSTEM = "system"  # one that stands among the turns
    USER = "user"
    ASSISTANT = "assistant"


UserItem = Text | Image | Document | ToolResult
AssistantItem = Text | Image | Reasoning | ToolCall | Refused
Item = Text | Image | Document | Reasoning | ToolCall | ToolResult | Refused


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`path` is where the turn stands in the client's request ("messages[3]"): a refusal names it."""

    role: Role
    items: tuple[Item, ...]
    path: str


# request


class Tool(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A function that the client runs. `schema` is a JSON schema value, None where the client gave none."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    cache: CacheTtl | None = None


class Choice(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


class Named(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One of these tools must be called."""

    names: tuple[str, ...]


class JsonObject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pass


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    schema: Mapping[str, Any]
    name: str = "structured_output"
    description: str | None = None
    strict: bool | None = None


class Effort(StrEnum):
    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


class Thinking(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the client said of thinking, each only where it said it."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    adaptive: bool = False
    show: bool | None = None  # the client wants to see thoughts or their summary


class Loss(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something of the client's request that the upstream is not told. It becomes a warning header of the answer."""

    path: str  # in the client's request: "messages[0].content[1].cache_control"
    reason: str


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request. None means that the client said nothing, which is not the same as a default."""

    model: str
    system: tuple[Text, ...] = ()  # blocks kept apart: each may carry a cache mark
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: Choice | Named | None = None
    parallel_tool_calls: bool | None = None
    search: bool = False  # the vendor may search the web by itself
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    output: JsonObject | JsonSchema | None = None
    thinking: Thinking | None = None
    user: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    stream: bool = False
    include_usage: bool = False  # chat: the client asked for the usage chunk
    echo: Mapping[str, Any] = msgspec.field(default_factory=dict)  # request members that the client's protocol wants back in its answer
    paths: Mapping[str, str] = msgspec.field(default_factory=dict)  # field of the ask -> where it stood, if it is called otherwise there
    losses: tuple[Loss, ...] = ()

    def where(self, name: str) -> str:
        """The path in the client's request of what is `name` here: a writer that refuses or drops it says so."""
        return self.paths.get(name, name)


class Unsupported(Exception):
    """400 unsupported_feature: the upstream has no word for what stands at `path`, and dropping it would change the meaning."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class Malformed(Exception):
    """400 invalid_request_error: the client's request is not one of its own protocol at `path`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class Unwritable(Exception):
    """502: the upstream's answer cannot be said in the client's protocol, such as a call whose arguments are no JSON object."""

    written: bytes = b""  # of a stream: what the same `write` came to before; the client has to get it


# answer


class Stop(StrEnum):
    """Why an answer ended (translation.md 3.7). Each is a success that is paid; what is a failure is `Broken`."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CONTEXT_FULL = "context_full"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    PAUSE = "pause"


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Disjoint classes: `input` counts neither cache reads nor writes; `output` includes `reasoning`. None: the upstream was silent."""

    input: int  # 0 where it was not counted, until the gateway has estimated it
    output: int
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    input_counted: bool = True
    searches: int = 0  # that the vendor ran in the web: a class of their own (translation.md 3.8)


class Started(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Always first. `id` is the vendor's; `tokens` what it says of the prompt already (message_start), not final."""

    id: str
    model: str
    tokens: Tokens | None = None


class PartKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"


class PartStarted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part begins at `index` (0, 1, 2 ... in order of appearance). `id` and `name` are a tool call's."""

    index: int
    kind: PartKind
    id: str = ""
    name: str = ""
    signature: str | None = None  # Gemini: of this call


class Delta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """More text of an open part: of a text, a thought, a refusal, or of a tool call's arguments. Parts may be open side by side."""

    index: int
    text: str


class Signed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The proof of the reasoning part at `index`, or what stands in its place."""

    index: int
    maker: Maker
    signature: str | None = None
    opaque: str | None = None
    id: str | None = None


class PartEnded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    index: int


class Ended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Always last of an answer that is whole: the protocol's own terminal condition was seen. `tokens` is final."""

    stop: Stop
    tokens: Tokens | None
    stop_sequence: str | None = None
    vendor_stop: str = ""  # the vendor's own word, for an extension


class Broken(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Always last of an answer that is not: an error event, a failed response, or bytes that ended too soon. Nothing is billed.

    `status` is what the failure would have been before the first byte (translation.md 3.12).
    """

    status: int
    message: str
    type: str = ""  # the vendor's own word


Event = Started | PartStarted | Delta | Signed | PartEnded | Ended | Broken


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer: what its events come to."""

    id: str
    model: str
    items: tuple[AssistantItem, ...]
    stop: Stop
    tokens: Tokens | None
    stop_sequence: str | None = None
    vendor_stop: str = ""
