"""Exchanges to judge in tests: recorded vendor traffic and the shipped recordings, each as if no gateway stood between."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from harness import schema
from harness.case import Case, Outcome, Play, Route
from harness.exchange import End, Exchange, Hop, Read, Request, Response, value
from harness.mutation.apply import apply
from harness.mutation.events import either, on_events
from harness.mutation.mutant import Answer, Mutant, on_json
from harness.recording.format import Recording, Surface
from harness.recording.importers.corpus import read_folder
from harness.recording.library import SHIPPED, Library
from harness.replay import without_gateway
from harness.requirement import Rule
from harness.tests import corpus
from harness.verdict import Errored, Failed, Passed


def of_corpus(surface: Surface) -> tuple[Exchange, ...]:
    """Every recorded exchange of a surface; call from inside a test, since it may skip."""
    return _of_corpus().get(surface, ())


def successes(surface: Surface) -> tuple[Exchange, ...]:
    """Those of them that no status made an error."""
    return tuple(exchange for exchange in of_corpus(surface) if exchange.case.outcome is Outcome.SUCCESS)


@cache
def _of_corpus() -> dict[Surface, tuple[Exchange, ...]]:
    found: dict[Surface, list[Exchange]] = {}
    for recording in read_folder(corpus.need()):
        assert isinstance(recording, Recording), recording
        found.setdefault(recording.surface, []).append(_with_content_type(without_gateway(recording)))
    return {surface: tuple(exchanges) for surface, exchanges in found.items()}


def of_cases(cases: Sequence[Case]) -> tuple[Exchange, ...]:
    """Each case with its shipped recording, played as it is."""
    for case in cases:
        if case.id not in _MADE:
            _MADE[case.id] = _of_case(case)
    return tuple(_MADE[case.id] for case in cases)


_MADE: dict[str, Exchange] = {}


def _of_case(case: Case) -> Exchange:
    assert case.play is not None
    exchange = without_gateway(_library().load(case.play.recording), replace(case, request=None))
    if case.body is not None:
        sent = replace(exchange.client, request=replace(exchange.client.request, body=case.body))
        return replace(exchange, client=sent, upstream=(sent,))
    if case.request is None:
        return exchange
    asked = json.dumps({"model": "some-model", **case.request}).encode()
    sent = replace(exchange.client, request=replace(exchange.client.request, body=asked))
    return replace(exchange, client=sent, upstream=(sent,) if case.upstream is None else exchange.upstream)


@cache
def _library() -> Library:
    return Library.open(SHIPPED)


def _with_content_type(exchange: Exchange) -> Exchange:
    """Some sources kept no headers; what the body is then says what its type was."""
    response = exchange.client.response
    assert response is not None
    if value(response.headers, "content-type") is not None:
        return exchange
    kind = "text/event-stream" if response.encoded.startswith((b"data:", b"event:")) else "application/json"
    typed: Response = replace(response, headers=(*response.headers, ("content-type", kind)))
    hop = replace(exchange.client, response=typed)
    return replace(exchange, client=hop, upstream=(hop,))


def assert_no_false_alarm(rules: Sequence[Rule], exchanges: Iterable[Exchange]) -> Counter[str]:
    """No rule fails on real traffic, and none is at fault itself. Says how often each passed."""
    passed: Counter[str] = Counter()
    wrong = []
    for exchange in exchanges:
        for rule in rules:
            if not rule.given.holds(exchange.case):
                continue
            match rule.check(exchange):
                case Failed(findings=findings):
                    wrong.append(f"{rule.requirement.id} on {exchange.id}: {findings[0]}")
                case Errored(reason=reason):
                    wrong.append(f"{rule.requirement.id} on {exchange.id} is at fault itself: {reason}")
                case Passed():
                    passed[rule.requirement.id] += 1
                case _:
                    pass
    assert not wrong, "\n".join(wrong[:20])
    return passed


def killers(rules: Sequence[Rule], mutant: Mutant, exchanges: Iterable[Exchange], enough: int = 2) -> tuple[int, int]:
    """On how many exchanges the mutant was tried where its rule passes, and on how many of them its own check failed."""
    own = next(rule for rule in rules if rule.requirement.id == mutant.requirement)
    tried = killed = 0
    for exchange in exchanges:
        if not own.given.holds(exchange.case) or (mutant.where is not None and not mutant.where(exchange.case)):
            continue
        if not isinstance(own.check(exchange), Passed):
            continue
        harmed = apply(mutant, exchange)
        if harmed is None:
            continue
        tried += 1
        killed += isinstance(own.check(harmed), Failed)
        if killed >= enough:
            break
    return tried, killed


def assert_well_kept(rules: Sequence[Rule], mutants: Sequence[Mutant], prefix: str) -> None:
    """Ids are unique and below `prefix`, sources exist, every requirement has a mutant and every mutant its requirement."""
    ids = [rule.requirement.id for rule in rules]
    assert len(ids) == len(set(ids))
    assert all(slug.startswith(prefix) for slug in ids)
    for rule in rules:
        schema.source(rule.requirement.clause.source)
        assert rule.requirement.text.endswith("."), rule.requirement.id
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    assert {mutant.requirement for mutant in mutants} == set(ids)


def garble(answer: Answer) -> Answer:
    """Every second value of the answer turned into one of another type, the events still JSON."""
    return either(on_events(lambda events: [_garbled(event) if isinstance(event, dict) else event for event in events]), on_json(_garbled))(
        answer
    )


def _garbled(value: Any, depth: int = 0) -> Any:
    match value:
        case dict():
            return {key: _garbled(item, depth + number) for number, (key, item) in enumerate(value.items())}
        case list():
            return [_garbled(item, depth + 1) for item in value] if depth % 2 else {"0": value}
        case str() if depth % 3:
            return [value]
        case None | bool() if depth % 2:
            return {}
        case int() if depth % 2:
            return str(value)
        case _:
            return value


def made(surface: Surface, body: bytes, *, asked: dict[str, Any] | None = None, upstream: bytes | None = None) -> Exchange:
    """An exchange put together by hand: a stream where the body looks like one. Without `upstream` the vendor sent the very same."""
    stream = body.startswith((b"data:", b"event:", b":"))
    case = Case(id="made/by-hand", surface=surface, play=Play(recording="made/by-hand"), stream=stream)
    request = Request(method="POST", target="/v1", headers=(), body=json.dumps(asked).encode() if asked is not None else b"")

    def hop(data: bytes) -> Hop:
        kind = "text/event-stream" if stream else "application/json"
        reads = (Read(at_ms=0, data=data),)
        return Hop(request=request, response=Response(status=200, headers=(("content-type", kind),), reads=reads, end=End.EOF))

    sent = body if upstream is None else upstream
    return Exchange(
        id="made/by-hand-m", case=case, model="m", route=Route.NATIVE, marker="", client=hop(body), upstream=(hop(sent),), promises={}
    )


def data_frames(*values: Any) -> bytes:
    """Unnamed events, as chat has them; a text goes out as it stands."""
    return b"".join(b"data: " + (value.encode() if isinstance(value, str) else json.dumps(value).encode()) + b"\n\n" for value in values)


def named_frames(*values: dict[str, Any]) -> bytes:
    """Events named by their type, as Responses has them, numbered in their order where they have no number."""
    return b"".join(
        f"event: {value['type']}\ndata: {json.dumps({'sequence_number': number, **value})}\n\n".encode()
        for number, value in enumerate(values)
    )
