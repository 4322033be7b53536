"""Cases of several calls: sent one step after the other, or while an earlier one is still open, each step kept apart.

What a step says may hang on what an earlier one was answered with: the id of a key that was made, the key itself, a task's id.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from harness import storm
from harness.account import Account
from harness.case import Case, Outcome, Step, Storm, Surface
from harness.client import Call, ClientResult, ClientWitness, DriveError
from harness.exchange import NOT_JSON, Balance, Hop, Request, StepSeen, value
from harness.progress import ClientProgress
from harness.recording.library import Library
from harness.recording.marking import mark, new_marker
from harness.target import Bases, Target, Turn
from harness.upstream.witness import UpstreamWitness

MADE_KEY: Final = "made-key"  # how a key that a step made is named where it is masked
_STANDS_FOR: Final = re.compile(r"\{(marker|model|failover|ark-images|gemini-images|videos|group|clock|[a-z0-9-]+:[^{}\s]+)\}")
_EARLIER: Final = re.compile(r"\{[a-z0-9-]+:/")
_PLACE: Final = re.compile(r"-?[0-9]+")
_FIRST_READ_SECONDS: Final = 0.6  # for the client of an open stream to read something: a gateway may hold an answer back
_PATIENCE_SECONDS: Final = 2.0  # for the upstream to be called by an open step, and to be done with one that is over


class Missing(Exception):
    """An earlier answer lacks what this step is made of; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the steps of one case are driven with."""

    case: Case
    model: str
    target: Target
    turn: Turn
    clients: ClientWitness
    witness: UpstreamWitness
    library: Library
    key: Callable[[Step], str | None]
    account: Account | None
    announce: Callable[[str], None]
    read_books: Callable[[Account], Awaitable[Balance]]
    began: float  # time.perf_counter() when the exchange began
    timeout_s: float
    restart: storm.Restart | None = None  # of a node
    storm_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """All steps in order, the keys that were made on the way, and how many calls it took."""

    steps: tuple[StepSeen, ...]
    secrets: tuple[str, ...]
    calls_made: int


@dataclass(slots=True, kw_only=True)
class _Sent:
    """A step under way or over."""

    step: Step
    marker: str
    calls: asyncio.Task[tuple[ClientResult, ...]] | None  # None: unsent
    seen: StepSeen


async def drive(means: Means) -> Driven:
    """Raises what drives a call and what reads an account raise: that is our fault, or the target's word on itself was wrong."""
    sent: dict[str, _Sent] = {}
    secrets: list[str] = []
    try:
        for step in means.case.steps:
            sent[step.name] = await _step(means, step, sent, secrets)
        for one in sent.values():
            await _finish(means, one)
        for one in sent.values():
            one.seen = replace(one.seen, upstream=means.witness.hops(one.marker))
    finally:
        for one in sent.values():
            if one.calls is not None and not one.calls.done():
                one.calls.cancel()
                await asyncio.gather(one.calls, return_exceptions=True)
            means.witness.forget(one.marker)
    steps = tuple(one.seen for one in sent.values())
    return Driven(steps=steps, secrets=tuple(secrets), calls_made=sum(len(step.calls) + len(step.storm) for step in steps))


async def _step(means: Means, step: Step, sent: Mapping[str, _Sent], secrets: list[str]) -> _Sent:
    if step.last:
        for earlier in sent.values():
            await _finish(means, earlier)
    if step.storm is not None:
        return await _storm(means, step, step.storm, sent)
    marker = new_marker()
    said = _Said(means, marker, sent)
    progress = ClientProgress()
    means.announce(marker)
    means.witness.expect(marker, *step.plays, surface=step.surface, client_progress=progress, began=means.began)
    one = _Sent(step=step, marker=marker, calls=None, seen=StepSeen(name=step.name))
    try:
        call = _call(means, step, said, marker, progress)
    except Missing as why:
        one.seen = replace(one.seen, unsent=str(why), at_s=int(time.time()))
        return one
    one.calls = asyncio.ensure_future(_at_once(means, call, len(means.turn.nodes) if step.everywhere else step.at_once))
    if step.open:
        # Whoever refuses or answers at once is not waited for.
        called = asyncio.ensure_future(_under_way(means.witness, marker, progress, stream=step.stream))
        await asyncio.wait({called, one.calls}, return_when=asyncio.FIRST_COMPLETED)
        called.cancel()
        await asyncio.gather(called, return_exceptions=True)
    else:
        await _finish(means, one)
        secrets += _secrets(step, one.seen)
    if step.books and means.account is not None:
        one.seen = replace(one.seen, books=await (means.account.read() if step.open else means.read_books(means.account)))
    return one


async def _storm(means: Means, step: Step, asked: Storm, sent: Mapping[str, _Sent]) -> _Sent:
    marker = new_marker()
    means.witness.expect(marker, surface=step.surface, client_progress=None, began=means.began)
    one = _Sent(step=step, marker=marker, calls=None, seen=StepSeen(name=step.name))
    if means.restart is None or means.account is None:
        one.seen = replace(one.seen, unsent="the gateway cannot be killed, or shows no account", at_s=int(time.time()))
        return one

    def make_call(act: Step, marker: str, progress: ClientProgress) -> Call:
        means.announce(marker)
        return _call(means, act, _Said(means, marker, sent), marker, progress)

    try:
        for act in asked.acts:  # what it is made of is there, or the storm is not sent
            _call(means, act, _Said(means, marker, sent), marker, ClientProgress())
    except Missing as why:
        one.seen = replace(one.seen, unsent=str(why), at_s=int(time.time()))
        return one
    before = await means.account.read()
    calls, kills = await storm.drive(
        storm.Means(
            storm=asked,
            calls=means.storm_calls,
            turn=means.turn,
            restart=means.restart,
            make_call=make_call,
            clients=means.clients,
            witness=means.witness,
            library=means.library,
            began=means.began,
        )
    )
    books = await storm.at_rest(means.account, before, means.target.sweep_ms / 1000)
    one.seen = replace(one.seen, storm=calls, kills=kills, books=books, at_s=int(time.time()))
    return one


async def _finish(means: Means, one: _Sent) -> None:
    if one.calls is None or one.seen.calls:
        return
    try:
        results = await one.calls
    except DriveError as why:
        if not _EARLIER.search(json.dumps(one.step.request)):
            raise
        # Not our fault: what the gateway answered is such that an SDK does not take it back.
        one.seen = replace(one.seen, unsent=str(why), at_s=int(time.time()))
        return
    if one.step.surface is not Surface.OTHER:  # whose work may go on when it has been answered
        await means.witness.settled(one.marker, timeout=_PATIENCE_SECONDS)
    one.seen = replace(one.seen, calls=tuple(result.hop for result in results), sdk=results[0].sdk, at_s=int(time.time()))


async def _at_once(means: Means, call: Call, count: int) -> tuple[ClientResult, ...]:
    """The same call so often, each to the next node."""
    # Each counts what it read by itself; the upstream's lockstep follows the first.
    calls = [call, *(replace(call, progress=ClientProgress(), base=means.turn()) for _ in range(count - 1))]
    return tuple(await asyncio.gather(*map(means.clients.drive, calls)))


async def _under_way(witness: UpstreamWitness, marker: str, progress: ClientProgress, *, stream: bool) -> None:
    if await witness.called(marker, timeout=_PATIENCE_SECONDS) and stream:
        await progress.wait(1, _FIRST_READ_SECONDS)


def _call(means: Means, step: Step, said: "_Said", marker: str, progress: ClientProgress) -> Call:
    """Raises Missing."""
    case = Case(
        id=f"{means.case.id}/{step.name}",
        surface=step.surface,
        play=step.plays[0] if step.plays else None,
        stream=step.stream,
        client=step.client,
        helper=step.helper,
        method=step.method,
        path=None if step.path is None else said.path(step.path),
        headers=tuple((name, said.text(text)) for name, text in step.headers),
        outcome=Outcome.SUCCESS if step.abort_after_frames is None else Outcome.ABORTED,
        abort_after_frames=step.abort_after_frames,
    )
    body, raw_body = _body(means, step, said, marker)
    return Call(
        case=case,
        model=said.text(step.model) if step.model is not None else means.model,
        body=body,
        raw_body=raw_body,
        base=means.turn() if said.node is None else said.node,
        key=means.key(step) if step.key_from is None else said.text(step.key_from),
        progress=progress,
        began=means.began,
        timeout_s=means.timeout_s,
    )


def _body(means: Means, step: Step, said: "_Said", marker: str) -> tuple[Mapping[str, Any] | None, bytes | None]:
    """The surface's JSON, or bytes that are sent as they stand."""
    if step.body is not None:
        return None, said.text(step.body.decode("latin-1")).encode("latin-1")
    if step.surface is Surface.OTHER:
        return None, None if step.request is None else json.dumps(said.value(step.request)).encode()
    if step.method == "GET":
        return None, None
    request = step.request
    if request is None and step.plays:
        request = json.loads(means.library.load(step.plays[0].recording).request.body)
    body = {key: value for key, value in said.value(request or {}).items() if key not in ("model", "stream")}
    if marker in json.dumps(body):
        return body, None
    return mark(step.surface, body, marker), None


class _Said:
    """What stands in braces, in the words of this run."""

    def __init__(self, means: Means, marker: str, sent: Mapping[str, _Sent]) -> None:
        self._means = means
        self._marker = marker
        self._sent = sent
        self.node: Bases | None = None  # to which a link leads, where there is one

    def text(self, text: str) -> str:
        """Raises Missing."""
        return _STANDS_FOR.sub(lambda found: self._word(found[1]), text)

    def path(self, text: str) -> str:
        """A path, or what follows the host of a link to the gateway itself. Raises Missing."""
        said = self.text(text)
        parts = urlsplit(said)
        if not parts.netloc:
            return said
        nodes = self._means.turn.nodes
        if parts.hostname not in {urlsplit(node.root).hostname for node in nodes}:
            raise Missing(f"the link leads to {parts.hostname}, and not to the gateway")
        self.node = next((node for node in nodes if urlsplit(node.root).netloc == parts.netloc), None)
        return said.partition(parts.netloc)[2]

    def value(self, value: Any) -> Any:
        """A JSON value with all of its texts said. Raises Missing."""
        match value:
            case str() if (whole := _STANDS_FOR.fullmatch(value)) is not None:
                return self._value(whole[1])
            case str():
                return self.text(value)
            case Mapping():
                return {name: self.value(item) for name, item in value.items()}
            case list() | tuple():
                return [said for item in value for said in self._items(item)]
            case _:
                return value

    def _items(self, item: Any) -> list[Any]:
        """Of a list's item that stands for a list, its items."""
        said = self.value(item)
        return said if isinstance(item, str) and isinstance(said, list) else [said]

    def _value(self, word: str) -> Any:
        """What stands there itself, where it is more than a word."""
        name, _, place = word.partition(":")
        found = at_pointer(_document(self._sent[name].seen), place) if place.startswith("/") else None
        return found if isinstance(found, dict | list) else self._word(word)

    def _word(self, word: str) -> str:
        match word:
            case "marker":
                return self._marker
            case "model":
                return self._means.model
            case "failover":
                return self._means.target.failover_model or ""
            case "ark-images":
                return self._means.target.ark_image_model or ""
            case "gemini-images":
                return self._means.target.gemini_image_model or ""
            case "videos":
                return self._means.target.video_model or ""
            case "group":
                return self._means.target.made_group or ""
            case "clock":
                return self._means.target.clock_path or ""
        name, _, place = word.partition(":")
        if name == "marker":
            return self._sent[place].marker
        seen = self._sent[name].seen
        if place.startswith("/"):
            found = at_pointer(_document(seen), place)
        else:
            found = value(seen.answer.headers, place) if seen.answer is not None else None
        if found is None:
            raise Missing(f"the answer of {name} has nothing at {place}")
        return str(found)


def _document(seen: StepSeen) -> Any:
    if seen.sdk is not None:
        return seen.sdk.told
    return seen.answer.json if seen.answer is not None else NOT_JSON


def _secrets(step: Step, seen: StepSeen) -> list[str]:
    found = at_pointer(_document(seen), step.secret) if step.secret is not None else None
    return [found] if isinstance(found, str) else []


def at_pointer(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer; None where there is nothing. -1 is a list's last item."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _PLACE.fullmatch(name) and -len(value) <= int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return None if value is NOT_JSON else value


def nothing_sent(case: Case) -> Hop:
    return Hop(request=Request(method=case.method, target=case.path or "", headers=(), body=b""), response=None)


__all__ = ["MADE_KEY", "Driven", "Means", "Missing", "at_pointer", "drive", "nothing_sent"]
