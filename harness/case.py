"""What is sent, by which client, and what the upstream answers: the "given" of a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from harness.recording.format import Surface as Surface  # one word for it in recordings and cases

CELL: Final = "cell"  # trait of a cell of the translation's matrix
MATRIX: Final = "matrix"  # trait of those that only a run of the whole matrix drives
FORCED_TOOL: Final = "forced_tool"  # stands in a recording for the tool that a request forces
MARKER: Final = "{marker}"  # stands in a case's prompt; the runner puts the exchange's marker there
UPSTREAM: Final = "{upstream}"  # stands in a recording for the host and port at which the gateway called the vendor
UPSTREAM_PORT: Final = "{upstream-port}"  # stands in a case's body for the port at which the upstream witness listens on loopback


class Route(StrEnum):
    NATIVE = "native"
    TRANSLATED = "translated"


class Dialect(StrEnum):
    """What the upstream of a model speaks. With the client's surface it says whether a route is native or translated."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    DEEPSEEK_CHAT = "deepseek-chat"
    DEEPSEEK_ANTHROPIC = "deepseek-anthropic"

    @property
    def surface(self) -> Surface:
        """The protocol of which it is a dialect."""
        match self:
            case Dialect.OPENAI_CHAT | Dialect.DEEPSEEK_CHAT:
                return Surface.CHAT
            case Dialect.OPENAI_RESPONSES:
                return Surface.RESPONSES
            case Dialect.ANTHROPIC | Dialect.DEEPSEEK_ANTHROPIC:
                return Surface.MESSAGES
            case Dialect.GEMINI:
                return Surface.GEMINI
            case _:
                assert_never(self)


class Client(StrEnum):
    """Who speaks to the gateway."""

    OPENAI = "openai"
    OPENAI_ASYNC = "openai-async"
    ANTHROPIC = "anthropic"
    ANTHROPIC_ASYNC = "anthropic-async"
    GOOGLE_GENAI = "google-genai"
    GOOGLE_GENAI_ASYNC = "google-genai-async"
    RAW = "raw"  # plain HTTP: sends just the bytes that the case says


class Key(StrEnum):
    """Which credential the client shows. The target file says which of them it can offer."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"  # well-formed, never issued
    OTHER_GROUP = "other-group"  # good, but its group lacks the model
    EMPTY_WALLET = "empty-wallet"  # good, but cannot pay for the call
    REVOKED = "revoked"  # was good once
    EXPIRED = "expired"  # was good once
    CAPPED = "capped"  # good, on an account that may have one request under way at a time
    OTHER_ACCOUNT = "other-account"  # good, on another account than the case's own


class Need(StrEnum):
    """What a case wants of the target beside a base URL and a key. The target file says what there is; without it nothing is judged."""

    DIALECT = "dialect"  # the documents and refusals of the contract, as the dialect "wireproof" has them
    MANAGEMENT = "management"  # keys can be made, changed and deleted at /api/v1/keys
    FAILOVER = "failover"  # a model that two channels serve
    ARK_IMAGES = "ark-images"  # a model of Volcengine Ark's that makes images
    GEMINI_IMAGES = "gemini-images"  # a model of Google's that makes images
    VIDEOS = "videos"  # a model that makes videos
    CLOCK = "clock"  # the gateway's time can be moved ahead
    RESTART = "restart"  # its nodes can be killed, and started again


class Outcome(StrEnum):
    """How the exchange must end for the client, as the case set it up."""

    SUCCESS = "success"
    UPSTREAM_ERROR = "upstream-error"  # the vendor answered with an error in its own envelope
    UPSTREAM_BROKEN = "upstream-broken"  # the vendor failed without a proper answer: cut, stall, HTML, wrong bytes
    REFUSED = "refused"  # the gateway itself must refuse; nothing may reach the upstream
    ABORTED = "aborted"  # the client hangs up


class Pace(StrEnum):
    BURST = "burst"  # everything at once
    RECORDED = "recorded"  # as the recording's times say
    LOCKSTEP = "lockstep"  # the next read leaves only after the client got the one before (or two seconds went by)


class FaultKind(StrEnum):
    """What the upstream witness does wrong on purpose. The numbers it needs stand in Fault."""

    STATUS = "status"  # answers `status` with the vendor's error envelope
    STALL_BEFORE = "stall-before"  # takes the request and says nothing until the gateway gives up
    STALL_IN = "stall-in"  # falls silent after `after_frames`
    CUT_FIN = "cut-fin"  # closes in mid-body after `after_bytes`
    CUT_RST = "cut-rst"  # resets in mid-body after `after_bytes`
    WRONG_CONTENT_TYPE = "wrong-content-type"  # a good body under text/plain
    TRUNCATED_GZIP = "truncated-gzip"  # content-encoding: gzip, its end missing
    HTML = "html"  # 200 text/html, as a proxy's error page
    HTML_ERROR = "html-error"  # `status` with an HTML body
    ERROR_IN_OK = "error-in-ok"  # 200 with the vendor's error object as JSON
    ERROR_EVENT = "error-event"  # an error event in the stream after `after_frames`, then EOF
    NO_TERMINAL = "no-terminal"  # a clean EOF after `after_frames`, before the protocol's end
    TERMINAL_TWICE = "terminal-twice"  # the stream's last two events again, then EOF
    REFUSE_CONNECT = "refuse-connect"  # accepts the connection and resets it before a byte
    EMPTY = "empty"  # 200, right content type, no body


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: FaultKind
    status: int = 500
    after_frames: int = 2
    after_bytes: int = 200
    headers: tuple[tuple[str, str], ...] = ()  # added to the faulty answer, for example retry-after


class Framing(StrEnum):
    """Spellings of the same SSE events that a client may not notice (the framing grade)."""

    AS_RECORDED = "as-recorded"
    CRLF = "crlf"
    NO_SPACE = "no-space"  # `data:{...}`
    COMMENTS = "comments"  # `: keep-alive` between the events
    NO_LAST_BLANK = "no-last-blank"  # the last blank line is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How the upstream witness answers."""

    recording: str  # id in the library, for example "messages/parallel-tools.stream"
    pace: Pace = Pace.BURST
    split_every: int | None = None  # bytes per write; None: as recorded
    split_at: tuple[int, ...] = ()  # byte offsets of the body where a write ends
    framing: Framing = Framing.AS_RECORDED
    gzip: bool = False  # send the body with content-encoding: gzip
    gather: int = 0  # no answer leaves before so many calls have come, or 0.3 s went by: those that do come then overlap for certain
    fault: Fault | None = None
    named: bool = False  # MARKER and UPSTREAM in the recording stand for what they say: what the vendor names leads back to this exchange
    if_forced: str | None = None  # played where the request forces a tool: the recording in which FORCED_TOOL stands for that one's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a case that has several; or the same call several times at once.

    In `path`, `model`, header values, `body` and texts of `request`, `{model}` and MARKER stand for what they say; `{failover}`,
    `{ark-images}`, `{gemini-images}`, `{videos}`, `{group}` and `{clock}` for the target's model with two channels, those that make images
    and videos, the group of keys that are made, and the path that moves its clock; and `{name:/pointer}` or `{name:header}` for what the
    answer of the step `name` has at that JSON pointer, or in that header; `{marker:name}` is that step's own marker. A text of `request`
    that is nothing but `{name:/pointer}` becomes whatever stands there: an object, or a list, whose items a list around it gets. Of an
    answer that an SDK read, it is what the SDK made of it that is looked into (`SdkReading.told`). What stands for a path may be a link
    to the gateway.
    """

    name: str
    surface: Surface = Surface.CHAT  # OTHER: `request` is sent as it stands, without a model
    method: str = "POST"
    path: str | None = None
    request: Mapping[str, Any] | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    key: Key = Key.GOOD
    key_from: str | None = None  # a key that an earlier step made, such as "{made:/key}", in the place of `key`
    stream: bool = False
    client: Client = Client.RAW
    helper: bool = False  # drive the SDK's own stream helper in the place of the raw event loop
    model: str | None = None
    plays: tuple[Play, ...] = ()  # what the upstream answers to its first call, its second ...; the last one goes on
    at_once: int = 1
    everywhere: bool = False  # sent to each of the gateway's nodes
    open: bool = False  # the next step goes out while this one is being answered: once the upstream has been called
    last: bool = False  # goes out when no earlier step is open any more
    abort_after_frames: int | None = None
    secret: str | None = None  # JSON pointer to a key in its answer, which is masked wherever it stands
    books: bool = False  # the account is read after it (of an open step: while it is open)
    storm: "Storm | None" = None  # many calls in the place of the one that the fields above describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Many calls, each of them one of `acts` as dice fall that fall alike in each run. Meanwhile the gateway's nodes are killed in turn.

    How many calls at least is for the run to say (--storm-calls). When all have ended, the books are waited for to come to rest.
    """

    acts: tuple[Step, ...]
    under_way: int = 12  # at any moment
    kills: int = 2  # or more, where there are many calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to try, on every model that serves its surface.

    `request` is the surface's own JSON body without `model` and `stream`; MARKER stands in one of its prompt texts.
    For RAW, `path` and `method` replace the surface's own, and `body` is sent in the place of `request`: byte for byte, but for MARKER,
    `{model}` and UPSTREAM_PORT.
    """

    id: str  # permanent slug, for example "messages/parallel-tools.stream"
    surface: Surface
    play: Play | None  # None: nothing may be asked of the upstream
    stream: bool = False
    upstream: Dialect | None = None  # driven on one model whose upstream speaks this; None: on all models that are native on the surface
    client: Client = Client.RAW
    helper: bool = False  # drive the SDK's own stream helper in the place of the raw event loop
    request: Mapping[str, Any] | None = None
    body: bytes | None = None
    method: str = "POST"
    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()  # sent besides the client's own, in this order
    key: Key = Key.GOOD
    key_in: str | None = None  # header or "query" that carries the key; None: the client's own way
    model: str | None = None  # asks for this model id in the place of the planned one
    outcome: Outcome = Outcome.SUCCESS
    abort_after_frames: int | None = None  # hang up after so many frames; 0: right after the head
    traits: frozenset[str] = frozenset()  # what the recording shows: "tools", "thinking", "cache-read", "refusal" ...
    account: bool = False  # balance and usage are read before and after, with no other exchange on the key
    serial: bool = False  # nothing else may run meanwhile
    times: int = 1  # sent so often, one after the other, the same bytes; the client's side of the last call is what is kept
    steps: tuple[Step, ...] = ()  # calls in this order, in the place of the one that the fields above describe
    needs: frozenset[Need] = frozenset()

    @property
    def clients(self) -> frozenset[Client]:
        """All that speak in it."""
        return frozenset({self.client, *(step.client for step in self.steps)})

    def __post_init__(self) -> None:
        if (self.abort_after_frames is not None) != (self.outcome is Outcome.ABORTED):
            raise ValueError(f"case {self.id}: abort_after_frames and Outcome.ABORTED go together")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFacts:
    """On what kind of evidence the upstream's answer rests. Reports say so."""

    id: str
    vendor: str
    model: str
    origin: str  # captured, imported, synthetic
    fidelity: str  # exact, reserialized
    provenance: str  # recorded, curated
