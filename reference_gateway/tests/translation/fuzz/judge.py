"""One stream through the translator, and what came of it, judged without a line of the translator's code.

The client's bytes are read by an automaton of its protocol (grammar.py). What they say is compared by the harness' oracle with what the
upstream's bytes say, both read on their own. An upstream's answer that has no end of its own must not get one.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any, Final

from harness.case import Surface as Spoken
from harness.transcript import ToolCall, Transcript, canonical
from harness.transcript_oracle import Losses, compare, failed, heard
from reference_gateway.routes import Surface
from reference_gateway.tests.translation.fuzz import grammar
from reference_gateway.tests.translation.fuzz.grammar import Ending
from reference_gateway.tests.translation.fuzz.streams import SPOKEN
from reference_gateway.translation.codec import Naming, Upstream
from reference_gateway.translation.items import Ask, Broken, Ended, Tokens
from reference_gateway.translation.losses import FieldRule
from reference_gateway.translation.responses import sealed
from reference_gateway.translation.translator import Dialect, Passage, Translator

_STOPS: Final = ("end", "length", "tools", "refused")
NAMING: Final = Naming(id="0" * 24, model="asked", created=1_700_000_000, stands_for={}, request_id="req_1")
_PROOF: Final = re.compile(r"[a-zA-Z0-9+/=_-]{16,}")
_ODD_COUNT: Final = re.compile(rb'"(?:\w*_tokens"\s*:\s*+(?!\d{1,12}\s*[,}]|null)|\w*TokenCount"\s*:\s*+(?!\d{1,12}\s*[,}]))')
_DONE_TOO_SOON: Final = re.compile(rb'"response\.output_text\.done".*"response\.output_text\.delta"', re.DOTALL)
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
PATIENCE_S: Final = 20.0  # for one stream; the slowest takes less than a tenth of a second
ASKED: Final[dict[Surface, dict[str, Any]]] = {
    Surface.CHAT: {"messages": [{"role": "user", "content": "Hello"}], "stream_options": {"include_usage": True}},
    Surface.RESPONSES: {"input": "Hello"},
    Surface.MESSAGES: {"max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}]},
    Surface.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
}


class Outcome(StrEnum):
    TRANSLATED = "translated"  # to the protocol's end, and says what the upstream said
    ERROR = "typed error"  # in the place of the end


class Hang(BaseException):
    """Not an Exception: nothing between here and the clock may catch it."""


class Fault(AssertionError):
    """What is wrong with what the client got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a client got. `array`: a Gemini client that did not ask for events."""

    dialect: Dialect
    client: Surface
    data: bytes
    passage: Passage
    array: bool = False


@cache
def _way(client: Surface, dialect: Dialect, array: bool) -> tuple[Translator, Ask]:
    translator = Translator.of(client, dialect, sealed.UNSEALED, json_array=array)
    return translator, translator.ask({"model": "asked", "stream": True, **ASKED[client]}, model="asked", stream=True)


def estimate(size: int) -> Tokens:
    return Tokens(input=3, output=-(-size // 4))


def passage(client: Surface, dialect: Dialect, *, array: bool = False) -> Passage:
    translator, ask = _way(client, dialect, array)
    prepared = translator.prepare(ask, Upstream(model="m", max_output_tokens=1000, family="gpt"))
    return translator.passage(ask, prepared.form, NAMING, estimate)


def tell(dialect: Dialect, client: Surface, reads: Sequence[bytes], *, array: bool = False, give_up: bool = False) -> Told:
    """`give_up`: the gateway ends the answer itself, as it does when an upstream falls silent."""
    way = passage(client, dialect, array=array)
    data = [way.feed(read) for read in reads]
    if give_up and way.end is None:
        data.append(way.fail(Broken(status=504, message="the upstream has gone silent")))
    data.append(way.close())
    return Told(dialect=dialect, client=client, data=b"".join(data), passage=way, array=array)


def judged(told: Told, body: bytes) -> Outcome:
    """Raises Fault, Ungrammatical. `body` is what the upstream sent."""
    end = told.passage.end
    ending = grammar.read_gemini_array(told.data) if told.array else grammar.read(told.client, told.data)
    if (ending is Ending.CLEAN) != isinstance(end, Ended):
        raise Fault(f"the client's stream ends {ending}, the passage with {end!r:.80}")
    kept = told.passage.keepsakes  # may not raise either
    if ending is Ending.ERROR:
        if not isinstance(kept, Broken):
            raise Fault("thoughts are kept of an answer that failed")
        return Outcome.ERROR
    spoken, client = Spoken(SPOKEN[told.dialect].value), Spoken(told.client.value)
    if told.dialect is not Dialect.GEMINI:  # whose stream may be an array; any other is events, whatever it begins with
        body = b":\n" + body
    said, got = heard(spoken, body), heard(client, told.data, as_client=not told.array)
    if said.complete and said.stop not in _STOPS and not said.order:  # an empty part may count as something said, or not
        return Outcome.TRANSLATED
    if (why := failed(said)) is not None:
        raise Fault(f"a clean end, though the upstream's answer has {why}")
    if told.passage.estimated or _ODD_COUNT.search(body):  # counts that are none
        said = replace(said, usage={})
    if said.usage.get("cache_read", 0) + said.usage.get("cache_write", 0) > 0 == said.usage.get("input"):  # more was read than there is
        said = replace(said, usage={})
    if b"jsonPath" in body:  # a path that is odd may be read in other ways
        said = replace(
            said, calls=tuple(replace(call, arguments=mine.arguments) for call, mine in zip(said.calls, got.calls, strict=False))
        )
    if said.refusal and said.stop not in _STOPS and got.stop == "refused":  # a word that nobody knows, after a refusal that was told as one
        said = replace(said, stop=got.stop)
    alike = said.refusal or told.client in (Surface.CHAT, Surface.GEMINI)
    if alike and sorted(said.text + said.refusal) == sorted(
        got.text + got.refusal
    ):  # parts whose deltas are mixed, or a refusal that is text now
        said = replace(said, text=got.text, refusal=got.refusal)
    if told.client is Surface.GEMINI:  # each call is said when it is whole
        said, got = (replace(each, calls=_sorted(each), order=_calls_last(each)) for each in (said, got))
    if spoken is Spoken.RESPONSES and said.text == got.text and _DONE_TOO_SOON.search(body):  # it goes on after its end: at which place?
        said = replace(said, order=got.order)
    if spoken is Spoken.RESPONSES and said.stop not in _STOPS:  # translation.md 3.6: it was cut short all the same
        said = replace(said, stop=got.stop)
    if (
        told.passage.blocked and told.dialect is Dialect.GEMINI and said.usage and not got.usage.get("output")
    ):  # translation.md 3.5: what a vendor says of it is input
        said = replace(said, usage={**said.usage, "output": 0})
    if any(not _ID.fullmatch(call.id) for call in said.calls):  # Messages takes no others, so they are written otherwise
        said = replace(said, calls=tuple(replace(call, id="") for call in said.calls))
    if not all(map(_PROOF.fullmatch, said.signatures)):  # no proof of any vendor's: Gemini and Responses hold them as base64
        said = replace(said, signatures=(), call_signatures=(), text_signatures=())
    if said.usage.get("reasoning", 0) > said.usage.get("output", 0):  # no count of a part is more than that of the whole
        said, got = (replace(each, usage={**each.usage, "reasoning": 0}) for each in (said, got))
    if findings := compare(said, got, upstream=spoken, client=client, losses=_losses()):
        raise Fault(f"the client was told otherwise: {findings[0]}")
    return Outcome.TRANSLATED


def _sorted(spoken: Transcript) -> tuple[ToolCall, ...]:
    return tuple(sorted(spoken.calls, key=lambda call: (call.id, canonical(call.arguments))))


def _calls_last(spoken: Transcript) -> tuple[str, ...]:
    return tuple(sorted(spoken.order, key=lambda kind: kind == "call"))


@cache
def _losses() -> Losses:
    """The gateway's tables, as JSON would have them."""
    table: dict[str, list[dict[str, str]]] = {}
    for surface in ASKED:
        module = import_module(f"reference_gateway.translation.{surface}.losses")
        rows = [row for value in vars(module).values() if isinstance(value, tuple) for row in value if isinstance(row, FieldRule)]
        table[str(surface)] = [{"path": row.path, "direction": str(row.direction), "rule": str(row.rule)} for row in rows]
    return Losses.read(table)


@contextmanager
def patience() -> Iterator[None]:
    """Raises Hang after PATIENCE_S, where the system has such a clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hangs(number: int, frame: FrameType | None) -> None:
    raise Hang(f"no end within {PATIENCE_S:.0f} s")
