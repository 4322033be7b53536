"""Recorded vendor traffic through the reference gateway's native routes: it reaches the client byte for byte, and no rule calls it wrong.

What a recording can show decides what is asked of it. POST surfaces are played: the recorded request goes in, the recorded answer has to
come out. A model list is the gateway's own on every gateway, so a recorded one is judged where it stands, with no gateway between. Where
the vendor's own answer was no success (a stream that breaks off, a 200 without an answer in it), bytes need not be equal: the gateway owes
its caller an error then (contract:146, contract:147, contract:158), and the rules say whether it gave one.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.conformance import Live
from harness.exchange import End, Exchange, Response
from harness.plan import judge, rules_of, suite_modules
from harness.recording.format import End as RecordedEnd
from harness.recording.format import Recording, Surface, save
from harness.recording.importers import corpus as corpus_files
from harness.recording.library import Library, cache_dir
from harness.replay import SERVED, without_gateway
from harness.requirement import Rule
from harness.settings import Settings
from harness.tests import corpus
from harness.verdict import Errored, Failed, Passed

RULES = rules_of(suite_modules())


@dataclass(slots=True)
class Tally:
    """What was played of one kind of evidence, and what went wrong with it."""

    played: int = 0
    equal: int = 0
    refused: int = 0  # the vendor's answer was no success, and the gateway said so
    apart: int = 0  # model lists, judged with no gateway between
    verdicts: int = 0
    passed: set[str] = field(default_factory=set)
    alarms: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def shared_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for made in corpus_files.read_folder(corpus.need()):
        if isinstance(made, Recording):
            save(made, folder)
    return folder


@pytest.fixture(scope="session")
def pulled_corpus() -> Path:
    folder = cache_dir()
    if not any(folder.glob("*/*")):
        # It is fetched from public packages at a user's word, and the shipped and shared recordings are judged in any case.
        pytest.skip("no pulled corpus is in the cache: run `wireproof corpus pull`")
    return folder


def test_the_shared_corpus_reaches_the_client_and_raises_no_alarm(shared_corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _prove(shared_corpus, "shared corpus", capsys)


def test_the_pulled_corpus_reaches_the_client_and_raises_no_alarm(pulled_corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _prove(pulled_corpus, "pulled corpus", capsys)


def _prove(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tallies: dict[str, Tally] = {}
    for recording, exchange, natively in _exchanges(folder):
        kind = "curated" if recording.provenance == "curated" else str(recording.fidelity)
        tally = tallies.setdefault(kind, Tally())
        if natively:
            tally.played += 1
            _bytes(recording, exchange, tally)
        else:
            tally.apart += 1
        _rules(exchange, tally)
    with capsys.disabled():
        for kind, tally in sorted(tallies.items()):
            print(  # noqa: T201  # the figures are what this test is for
                f"\n{name}, {kind}: {tally.played} exchanges played, {tally.equal} byte for byte, {tally.refused} refused as no success, "
                f"{tally.apart} model lists judged as they stand, "
                f"{tally.verdicts} verdicts on {len(tally.passed)} requirements, {len(tally.alarms)} false alarms",
                end="",
            )
    assert sum(tally.played for tally in tallies.values()) > 500
    alarms = [f"{kind}: {alarm}" for kind, tally in tallies.items() for alarm in tally.alarms]
    assert not alarms, "\n".join([f"{len(alarms)} false alarms", *_grouped(alarms)])


def _grouped(alarms: list[str]) -> list[str]:
    """One line a rule, worst first: what a person who mends rules wants to see."""
    counts = Counter(alarm.split(" on ")[0] for alarm in alarms)
    return [f"{count} x {next(alarm for alarm in alarms if alarm.startswith(rule))}" for rule, count in counts.most_common(40)]


def _exchanges(folder: Path) -> Iterator[tuple[Recording, Exchange, bool]]:
    """Each served recording with its exchange, and whether a gateway stood between."""
    library = Library.open(str(folder))
    served = [recording for recording in library if recording.surface in SERVED]
    live = Live(Settings(recordings=str(folder), concurrency=16), ())
    try:
        recordings = {f"played/{recording.id}": recording for recording in served}
        live.begin(live.planned)
        for planned in live.planned:
            yield recordings.pop(planned.case.id), live.exchange(planned), True
    finally:
        live.close()
    for recording in recordings.values():
        assert recording.surface is Surface.MODELS or recording.request.method == "GET", f"{recording.id} was not played"
        yield recording, without_gateway(recording), False


def _bytes(recording: Recording, exchange: Exchange, tally: Tally) -> None:
    where = f"bytes on {recording.id}"
    if exchange.errored:
        tally.alarms.append(f"{where}: {exchange.errored}")
        return
    client, sent = exchange.client.response, exchange.upstream[-1].response if exchange.upstream else None
    if client is None or sent is None:
        got = client.text[:200] if client else exchange.client.error
        tally.alarms.append(f"{where}: the gateway did not ask the vendor: {got!r}")
    elif client.status == recording.status == sent.status and client.text == recording.body:
        tally.equal += 1
    elif (200 <= recording.status < 300 and not _success(recording)) and _told_so(recording, client):
        tally.refused += 1
    else:
        tally.alarms.append(f"{where}: {recording.status} became {client.status} {client.text[:200]!r} ({client.end})")


def _success(recording: Recording) -> bool:
    """Whether the vendor's 2xx holds a whole answer, by what each protocol says of its end."""
    if recording.end is not RecordedEnd.EOF:
        return False
    body = recording.body
    if recording.stream and not body.lstrip().startswith((b"{", b"[")):
        match recording.surface:
            case Surface.CHAT:
                return b"data: [DONE]" in body and b'"error":' not in body.split(b"\n")[-3:]
            case Surface.RESPONSES:
                return any(b'"type":"response.' + end in body.replace(b'": "', b'":"') for end in (b"completed", b"incomplete"))
            case Surface.MESSAGES:
                return b"message_stop" in body
            case _:
                return b"finishReason" in body or b"blockReason" in body
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return not (isinstance(answer, dict) and answer.get("error"))


def _told_so(recording: Recording, client: Response) -> bool:
    """The caller learnt that it has no whole answer: a 5xx, an error at the end of what came, or a broken connection."""
    if client.status >= 500:
        return True
    if client.end is not End.EOF:
        return True
    came = client.text
    return b"error" in came[-2000:] and came[:200] == recording.body[: len(came[:200])]


def _rules(exchange: Exchange, tally: Tally) -> None:
    if exchange.errored:
        return
    for rule in _asked(exchange):
        tally.verdicts += 1
        match judge(rule, exchange):
            case Failed(findings=findings):
                tally.alarms.append(f"{rule.requirement.id} on {exchange.case.id}: {findings[0]}")
            case Errored(reason=reason):
                tally.alarms.append(f"{rule.requirement.id} on {exchange.case.id}: {reason}")
            case Passed():
                tally.passed.add(rule.requirement.id)
            case _:
                pass


def _asked(exchange: Exchange) -> Iterator[Rule]:
    return (rule for rule in RULES if exchange.case.surface in rule.given.surfaces and rule.given.holds(exchange.case))
