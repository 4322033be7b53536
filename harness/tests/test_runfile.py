import base64
import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.case import Case, Client, Fault, Framing, Key, Outcome, Pace, Play, RecordingFacts, Route, Surface
from harness.data import data_dir
from harness.exchange import (
    AccountReading,
    Balance,
    End,
    Exchange,
    Hop,
    Read,
    Request,
    Response,
    SdkError,
    SdkReading,
    UsageRow,
)
from harness.judged import Arithmetic, Expected, ExpectedKind, Judged
from harness.requirement import Basis, Clause, Requirement, Severity
from harness.runfile import Run, RunFileError, RunHeader, RunWriter, TargetFacts, read_run
from harness.tests.commands import environment
from harness.verdict import Errored, Failed, Finding, Inconclusive, NotApplicable, Passed, Side

SECRET = "sk-byts-Zq81/kW+09+LmN4tY"
HEADER = RunHeader(
    started="2026-11-21T21:40:00+00:00",
    wireproof="0.1.0",
    target=TargetFacts(name="reference", base_url="http://127.0.0.1:9000", declared={"surfaces": ["chat"], "tasks": False}),
    sdks={"openai": "3.54.0"},
    selected=6,
    models=("small",),
    command=("pytest", "suites"),
)
REQUIREMENT = Requirement(
    id="chat/stream/done-last",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat-streaming", section="stream", says="terminated by a data: [DONE] message"),
    text="The last event is [DONE].",
    claims=("contract:12",),
)

KNOWN = Expected(kind=ExpectedKind.FAILURE, reason="known", link="https://example.test/1", expires="2027-01-01")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
small = st.integers(0, 10**6)
headers = st.lists(
    st.tuples(st.sampled_from(["content-type", "X-Request-Id", "x-a"]), st.text(st.characters(max_codepoint=255), max_size=9)), max_size=3
).map(tuple)
bodies = st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
reads = st.lists(st.builds(Read, at_ms=small, data=bodies), max_size=4).map(tuple)
requests = st.builds(
    Request, method=st.sampled_from(["POST", "GET"]), target=st.just("/v1/x?a=b"), headers=headers, body=bodies, at_ms=small
)
responses = st.builds(
    Response, status=st.integers(100, 599), headers=headers, reads=reads, end=st.sampled_from(End), at_ms=small, end_ms=small
)
hops = st.builds(
    Hop,
    request=requests,
    response=st.none() | responses,
    closed_ms=st.none() | small,
    lockstep_missed=st.lists(small, max_size=2).map(tuple),
    error=st.none() | st.text(max_size=9),
)
cases = st.builds(
    Case,
    id=st.text(max_size=9),
    surface=st.sampled_from(Surface),
    play=st.none()
    | st.builds(
        Play,
        recording=st.just("chat/text"),
        pace=st.sampled_from(Pace),
        split_at=st.lists(small, max_size=2).map(tuple),
        framing=st.sampled_from(Framing),
        fault=st.none() | st.from_type(Fault),
    ),
    client=st.sampled_from(Client),
    request=st.none() | st.dictionaries(st.text(max_size=5), json_values, max_size=3),
    body=st.none() | bodies,
    headers=headers,
    key=st.sampled_from(Key),
    outcome=st.just(Outcome.SUCCESS),
    traits=st.frozensets(st.sampled_from(["tools", "thinking", "refusal"])),
)
balances = st.builds(
    Balance,
    available_micro_usd=small,
    rows=st.none()
    | st.lists(st.builds(UsageRow, request_id=st.just("r"), model=st.just("m"), cost_micro_usd=small), max_size=2).map(tuple),
)
exchanges = st.builds(
    Exchange,
    id=st.text(max_size=20),
    case=cases,
    model=st.text(max_size=5),
    route=st.sampled_from(Route),
    marker=st.text(max_size=5),
    client=hops,
    upstream=st.lists(hops, max_size=2).map(tuple),
    sdk=st.none()
    | st.builds(
        SdkReading,
        sdk=st.just("openai 3"),
        call=st.just("chat"),
        events=st.lists(json_values, max_size=3).map(tuple),
        final=json_values,
        error=st.none() | st.builds(SdkError, type=st.just("RateLimitError"), message=st.text(max_size=9)),
    ),
    account=st.none() | st.builds(AccountReading, before=balances, after=balances, prices=st.just({"input": 3})),
    recording=st.none()
    | st.builds(
        RecordingFacts,
        id=st.just("chat/text"),
        vendor=st.just("openai"),
        model=st.just("m"),
        origin=st.just("synthetic"),
        fidelity=st.just("exact"),
        provenance=st.just("recorded"),
    ),
    promises=st.dictionaries(st.text(max_size=5), json_values, max_size=2),
    errored=st.none() | st.text(max_size=9),
)


def made(path: Path, *exchanges: Exchange, secrets: tuple[str, ...] = ()) -> Run:
    with RunWriter(path, HEADER, secrets=secrets) as writer:
        for exchange in exchanges:
            writer.exchange(exchange)
    return read_run(path)


def exchange(**fields: Any) -> Exchange:
    given: dict[str, Any] = {
        "id": "chat/text @ small",
        "case": Case(id="chat/text", surface=Surface.CHAT, play=None),
        "model": "small",
        "route": Route.NATIVE,
        "marker": "m-1",
        "client": Hop(request=Request(method="POST", target="/v1/chat/completions", headers=(), body=b"{}"), response=None),
    }
    return Exchange(**(given | fields))


def answered(*data: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Hop:
    response = Response(status=200, headers=headers, reads=tuple(Read(at_ms=1, data=piece) for piece in data), end=End.EOF)
    return Hop(request=Request(method="POST", target="/v1/chat/completions", headers=(), body=b"{}"), response=response)


def judged(verdict: Any, **fields: Any) -> Judged:
    given = {
        "requirement": REQUIREMENT.id,
        "severity": REQUIREMENT.severity,
        "case": "chat/text",
        "surface": Surface.CHAT,
        "model": "small",
        "verdict": verdict,
    }
    return Judged(**(given | fields))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(exchanges)
def test_an_exchange_comes_back_as_it_was(tmp_path: Path, exchange: Exchange) -> None:
    run = made(tmp_path / "run.jsonl", exchange)
    assert list(run.exchanges) == [exchange.id]
    assert run.exchanges[exchange.id] == exchange
    assert run.facts[exchange.id].recording == exchange.recording


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 10**400, "\ud800 alone", "\u2028", {"deep": [float("inf"), "\udfff"]}])
def test_values_that_json_can_spell_and_python_or_utf8_cannot_hold_come_back(tmp_path: Path, value: Any) -> None:
    odd = exchange(sdk=SdkReading(sdk="openai 3", call="chat", final=value))
    assert made(tmp_path / "run.jsonl", odd).exchanges[odd.id] == odd


def test_every_line_obeys_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, HEADER) as writer:
        writer.exchange(
            exchange(
                client=answered(b"data: 1\n\n", b"\xff", headers=(("content-type", "text/event-stream"),)),
                upstream=(answered(b"ok"),),
                case=Case(id="a", surface=Surface.CHAT, play=Play(recording="chat/text"), body=b"{}"),
                recording=RecordingFacts(id="r", vendor="v", model="m", origin="imported", fidelity="exact", provenance="recorded"),
            )
        )
        for verdict in (
            Passed("one"),
            Failed(Finding(expected="a", got="b", pointer="/a")),
            Inconclusive("i"),
            Inconclusive("i", late=True),
            NotApplicable("n"),
            Errored("e"),
        ):
            writer.verdict(REQUIREMENT, judged(verdict, expected=Expected(kind=ExpectedKind.FLAKE, reason="known")))
    schema = json.loads((data_dir("schemas") / "run" / "run-file.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lines = path.read_bytes().splitlines()
    assert len(lines) == 10
    for line in lines:
        assert [error.message for error in validator.iter_errors(json.loads(line))] == []
    assert list(validator.iter_errors({"verdict": {"word": "fine"}}))


def test_verdicts_and_requirements_come_back_in_order(tmp_path: Path) -> None:
    finding = Finding(expected="[DONE]", got='{"x": 1}', side=Side.CLIENT, frame=4, offset=210, pointer="/x")
    verdicts = [
        judged(Passed("[DONE] after 3 chunks"), exchange="chat/text @ small"),
        judged(Failed(finding, finding)),
        judged(Inconclusive("no stream")),
        judged(Inconclusive("our own loop stood still", late=True)),
        judged(NotApplicable("the target has no chat")),
        judged(Errored("the SDK could not be imported")),
        judged(Failed(finding), expected=KNOWN),
    ]
    path = tmp_path / "run.jsonl"
    with RunWriter(path, HEADER) as writer:
        for verdict in verdicts:
            writer.verdict(REQUIREMENT, verdict)
        writer.calls_made += 9
    run = read_run(path)
    assert run.complete
    assert run.header == HEADER
    assert run.requirements == {REQUIREMENT.id: REQUIREMENT}
    assert list(run.verdicts) == verdicts
    assert path.read_bytes().count(b'{"requirement":{') == 1
    assert run.arithmetic == Arithmetic(
        selected=6, passed=1, failed=1, expected=1, inconclusive=2, not_applicable=1, errored=1, calls_made=9, driven=0
    )


def test_a_run_that_was_broken_off_can_be_read_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    def broken_off() -> None:
        with RunWriter(path, HEADER) as writer:
            writer.exchange(exchange())
            writer.verdict(REQUIREMENT, judged(Passed("one")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    run = read_run(path)
    assert not run.complete
    assert (run.arithmetic.selected, run.arithmetic.passed, run.arithmetic.unjudged) == (6, 1, 5)


def test_a_run_in_progress_is_on_disk_line_by_line_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, HEADER) as writer:
        writer.exchange(exchange())
        assert not path.exists()
        part = path.with_name("run.jsonl.part")
        assert part.read_bytes().count(b"\n") == 2
        with pytest.raises(RunFileError, match="has no footer"):
            read_run(part)
    assert read_run(path).complete
    assert [file.name for file in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_run_that_is_killed_leaves_the_last_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    made(path, exchange(id="of last time"))
    script = (
        "import os, sys; from pathlib import Path; from harness.runfile import RunWriter; "
        "from harness.tests.test_runfile import HEADER, exchange; "
        "writer = RunWriter(Path(sys.argv[1]), HEADER); writer.exchange(exchange()); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], env=environment(), check=False, timeout=60)
    assert done.returncode == -9
    assert list(read_run(path).exchanges) == ["of last time"]
    assert list(made(path, exchange(id="the next")).exchanges) == ["the next"]  # what the killed one left behind is in nobody's way
    assert [file.name for file in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_run_that_was_broken_off_makes_way_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    def broken_off(id_: str) -> Path:
        writer = RunWriter(path, HEADER)
        writer.exchange(exchange(id=id_))
        writer.close(complete=False)
        assert list(read_run(writer.path).exchanges) == [id_]
        return writer.path

    assert broken_off("first") == path
    assert broken_off("second") == path  # of two that were broken off the newer one stays
    made(path, exchange(id="whole"))
    assert broken_off("third") == broken_off("fourth") == tmp_path / "broken-off" / "run.jsonl"
    assert list(read_run(path).exchanges) == ["whole"]


def test_of_two_runs_into_one_folder_the_second_is_refused(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run.jsonl", HEADER) as writer:
        writer.exchange(exchange())
        with pytest.raises(RunFileError, match=r"another run is writing into .*: wait for its end, or give another folder by --out"):
            RunWriter(tmp_path / "run.jsonl", HEADER)
    assert len(read_run(writer.path).exchanges) == 1


def test_a_folder_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunFileError, match=r"no run can be written into .* \(it is a file\): give another folder by --out"):
            RunWriter(folder / "run.jsonl", HEADER)


def test_an_exchange_is_read_once_and_keeps_what_was_worked_out_of_it(tmp_path: Path) -> None:
    run = made(tmp_path / "run.jsonl", exchange(), exchange(id="other"))
    assert run.exchanges["other"] is run.exchanges["other"]
    assert [each.id for each in run.exchanges.values()] == ["chat/text @ small", "other"]


def test_an_exchange_id_stands_once_in_a_run(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run.jsonl", HEADER) as writer:
        writer.exchange(exchange())
        with pytest.raises(ValueError, match="unique"):
            writer.exchange(exchange())


@pytest.mark.parametrize("at", range(0, 1200, 37))
def test_a_file_cut_anywhere_is_refused_in_one_sentence(tmp_path: Path, at: int) -> None:
    path = tmp_path / "run.jsonl"
    made(path, exchange())
    whole = path.read_bytes()
    path.write_bytes(whole[: min(at, len(whole) - 2)])
    with pytest.raises(RunFileError) as refused:
        read_run(path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda data: b"<html>" + data, "is not a run file"),
        (lambda data: b"", "is not a run file"),
        (lambda data: b"[1]\n" + data, "is not a run file"),
        (lambda data: data.replace(b'"wireproof_run":1', b'"wireproof_run":2'), "version 2, and this wireproof reads 1"),
        (lambda data: data.replace(b"chat/completions", b"chat/complexions"), "changed after it was written"),
        (lambda data: data + data, "two runs"),
        (lambda data: data.replace(b'{"exchange"', b'{"exchanges"'), "line 2 cannot be read"),
    ],
)
def test_what_is_no_run_file_is_refused(tmp_path: Path, edit: Any, says: str) -> None:
    path = tmp_path / "run.jsonl"
    made(path, exchange())
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(RunFileError, match=says):
        read_run(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="cannot read the run file"):
        read_run(tmp_path / "none.jsonl")


def test_no_spelling_of_a_secret_gets_into_the_file(tmp_path: Path) -> None:
    spelt = [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), base64.b64encode(f"u:{SECRET}".encode()).decode()]
    half = len(SECRET) // 2
    body = json.dumps(spelt).encode()
    leaking = exchange(
        case=Case(id="c", surface=Surface.CHAT, play=None, body=body, headers=(("X-Api-Key", SECRET),)),
        client=Hop(
            request=Request(
                method="POST",
                target=f"/v1beta/models?key={SECRET}&a=1",
                headers=(("authorization", f"Bearer {SECRET}"), ("Cookie", "session=abcdefgh12345678"), ("x-other", SECRET)),
                body=body,
            ),
            response=answered(b"said: " + SECRET[:half].encode(), SECRET[half:].encode() + b"\xff").response,
            error=f"no route for {SECRET}",
        ),
        upstream=(
            answered(gzip.compress(body)[:200], gzip.compress(body)[200:], headers=(("Content-Encoding", "gzip"),)),
            answered(gzip.compress(body * 40)[:-20], headers=(("content-encoding", "gzip"),)),
        ),
        sdk=SdkReading(sdk="openai 3", call="chat", events=({SECRET: 1},), error=SdkError(type="E", message=SECRET)),
        errored=SECRET,
    )
    path = tmp_path / "run.jsonl"
    header = RunHeader(
        started=HEADER.started,
        wireproof="0.1.0",
        target=TargetFacts(name="x", base_url=f"https://me:{quote(SECRET, safe='')}@example.test/v1?key={SECRET}"),
        command=("pytest", f"--api-key={SECRET}"),
    )
    with RunWriter(path, header, secrets=[SECRET]) as writer:
        writer.exchange(leaking)
        writer.verdict(REQUIREMENT, judged(Failed(Finding(expected="no key", got=SECRET)), exchange=leaking.id))
        writer.verdict(REQUIREMENT, judged(Errored(SECRET)))
    run = read_run(path)
    kept = run.exchanges[leaking.id]
    hops = (kept.client, *kept.upstream)
    everything = path.read_bytes() + b"".join(hop.response.text + hop.response.encoded for hop in hops if hop.response)
    for spelling in spelt:
        assert spelling.encode() not in everything
    assert base64.b64encode(SECRET.encode())[4:-4] not in everything
    assert b"abcdefgh12345678" not in everything
    assert run.header.target.base_url == "https://example.test/v1"
    assert len(kept.client.request.body) == len(body)
    assert kept.client.response is not None
    assert leaking.client.response is not None
    assert kept.upstream[0].response is not None
    assert [len(read.data) for read in kept.client.response.reads] == [len(read.data) for read in leaking.client.response.reads]
    assert len(kept.client.request.target) == len(leaking.client.request.target)
    assert kept.client.request.target.endswith("&a=1")
    assert len(kept.upstream[0].response.body) == len(body)


def test_what_the_runner_masked_by_name_stays_named(tmp_path: Path) -> None:
    masked = (("authorization", "Bearer [client-key............]"), ("x-api-key", "[cut]"), ("x-other", "plain"))
    before = exchange(
        client=Hop(
            request=Request(method="POST", target="/?key=[client-key....]", headers=masked, body=b"[client-key............]"), response=None
        )
    )
    assert made(tmp_path / "run.jsonl", before, secrets=(SECRET,)).exchanges[before.id] == before


def test_an_unknown_credential_is_cut_to_its_length_and_its_scheme_stays(tmp_path: Path) -> None:
    shown = Request(method="POST", target="/", headers=(("Authorization", "Bearer undefined"), ("Cookie", "a=b")), body=b"undefined")
    kept = made(tmp_path / "run.jsonl", exchange(client=Hop(request=shown, response=None))).exchanges["chat/text @ small"].client.request
    assert kept.headers == (("Authorization", "Bearer [cut....]"), ("Cookie", "[c]"))
    assert kept.body == b"undefined"


def test_a_credential_seen_in_a_request_is_cut_wherever_it_is_echoed(tmp_path: Path) -> None:
    upstream_key = "upstream-key-nobody-told-us-0123"
    leaking = exchange(
        client=answered(b"invalid key: " + upstream_key.encode()),
        upstream=(Hop(request=Request(method="POST", target="/", headers=(("x-goog-api-key", upstream_key),), body=b""), response=None),),
    )
    path = tmp_path / "run.jsonl"
    made(path, leaking)
    assert upstream_key.encode() not in path.read_bytes()


def test_a_key_shaped_string_nobody_named_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    made(path, exchange(client=answered(b"Incorrect API key provided: sk-proj-", b"AbCdEfGhIjKlMnOpQrStUvWx")))
    assert b"sk-proj-AbCd" not in path.read_bytes()
    assert b"AbCdEfGhIjKl" not in path.read_bytes()


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_interrupt_beside_the_writing_of_a_line_leaves_a_file_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "run.jsonl"
    writer = RunWriter(path, HEADER)
    writer.exchange(exchange())
    put = writer._put

    def interrupted(tree: dict[str, Any]) -> None:
        if place == "after":
            put(tree)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.exchange(exchange(id="other"))
    writer.close(complete=False)
    run = read_run(path)
    assert len(run.exchanges) == run.arithmetic.driven == (2 if place == "after" else 1)


def test_each_requirement_is_fed_by_a_whole_run_of_what_ships() -> None:
    assert HEADER.feeds_every_requirement
    for other in ({"recordings": "mine"}, {"matrix": True}, {"partial": True}):
        assert not replace(HEADER, **other).feeds_every_requirement
