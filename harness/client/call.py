"""One call of one client: what the runner asks for, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.case import Case
from harness.exchange import Hop, SdkReading
from harness.progress import ClientProgress


class DriveError(Exception):
    """The case asks a client for what it cannot send: nothing went out, so it is our fault and never the target's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """The base URLs of one target, each as its SDK wants it."""

    openai: str  # ends in /v1: the SDK appends `chat/completions`
    anthropic: str  # without /v1: the SDK appends `/v1/messages`
    gemini: str  # without a version: the SDK puts in `/v1/`


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    case: Case
    model: str
    body: Mapping[str, Any] | None  # the surface's JSON without `model` and `stream`, the marker in it
    raw_body: bytes | None = None  # sent as it stands, by the raw client only
    base: Bases
    key: str | None  # None: no credential is shown
    progress: ClientProgress
    began: float  # time.perf_counter() at the exchange's begin: 0 of every at_ms
    timeout_s: float  # for connecting, for each read, and for the body as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientResult:
    hop: Hop
    sdk: SdkReading | None  # None: the raw client
