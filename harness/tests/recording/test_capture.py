"""mitmdump, really run from its own environment, between a client and a local TLS vendor.

Nothing here measures time: order is forced by gates, and the only bound is the one after which a hang is a failure.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from harness.case import Play, Surface
from harness.recording import mitmdump, scenarios
from harness.recording.format import SUFFIX, End, Origin, Recording, load
from harness.recording.lint import lint
from harness.recording.marking import mark, new_marker
from harness.recording.scenarios.scenario import Scenario
from harness.recording.vendor import SCENARIO_HEADER, BreakOff, Vendor, make_authority, serving
from harness.upstream.witness import UpstreamWitness

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANG_S = 60
KEY = "sk-ant-api03-" + "Zx8" * 12
BODY_KEY = "AIza" + "Qw7" * 12
ANSWER_KEY = "sk-proj-" + "Ab9" * 12


@dataclass(slots=True)
class Gates:
    """The pace of the scripted vendor, in the hands of the tests: a scenario without a gate is written at once."""

    before: dict[tuple[str, int], asyncio.Event] = field(default_factory=dict)
    reached: dict[tuple[str, int], asyncio.Event] = field(default_factory=dict)
    break_off: set[tuple[str, int]] = field(default_factory=set)

    async def __call__(self, scenario: Scenario, number: int) -> None:
        at = (scenario.id, number)
        if at in self.break_off:
            raise BreakOff
        if at in self.before:
            self.reached.setdefault(at, asyncio.Event()).set()
            await asyncio.wait_for(self.before[at].wait(), HANG_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    front: str  # address of mitmdump
    out: Path
    vendor: Vendor
    gates: Gates
    http: httpx2.AsyncClient
    made_up: dict[str, Scenario]  # scenarios of one test

    def ask(self, scenario: Scenario, name: str, **headers: str) -> dict[str, Any]:
        sent = {"x-wireproof-recording": name, SCENARIO_HEADER: scenario.id, "x-api-key": KEY, **headers}
        return {"method": scenario.method, "url": self.front + scenario.path, "json": scenario.sent, "headers": sent}

    async def recorded(self, name: str) -> Recording:
        """The recording, once it is there."""
        path = self.out / f"{name}{SUFFIX}"
        for _ in range(HANG_S * 50):
            if path.exists():
                return load(path, self.out)
            await asyncio.sleep(0.02)
        raise AssertionError(f"{path} was never written")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("capture")
    authority, out, gates = make_authority(folder), folder / "out", Gates()
    made_up: dict[str, Scenario] = {}
    vendor = Vendor(gates, lambda name: made_up.get(name) or scenarios.by_id(name))
    python = await asyncio.to_thread(mitmdump.ensure_environment)
    async with serving(vendor, authority.server) as upstream:
        front = mitmdump.Front(upstream=upstream, out=out, vendor="anthropic", origin=Origin.SYNTHETIC, recorder="a test", ca=authority.ca)
        async with mitmdump.running(front, python) as address, httpx2.AsyncClient(trust_env=False, timeout=HANG_S) as http:
            yield Stage(front=address, out=out, vendor=vendor, gates=gates, http=http, made_up=made_up)


async def test_each_chunk_is_with_the_client_before_the_vendor_sends_the_next(stage: Stage) -> None:
    scenario = scenarios.by_id("messages/text.stream")
    writes = range(1, len(scenario.pieces))
    stage.gates.before |= {(scenario.id, number): asyncio.Event() for number in writes}
    received = b""
    async with stage.http.stream(**stage.ask(scenario, "messages/lockstep.stream")) as response:
        reads = response.aiter_raw()
        for number, piece in enumerate(scenario.pieces):
            wanted = len(received) + len(piece)
            while len(received) < wanted:
                received += await asyncio.wait_for(anext(reads), HANG_S)
            # The vendor stands before its next write: had the proxy held anything back, this would hang.
            assert received == b"".join(scenario.pieces[: number + 1])
            if number + 1 in writes:
                stage.gates.before[scenario.id, number + 1].set()
        assert [read async for read in reads] == []
    recording = await stage.recorded("messages/lockstep.stream")
    assert [read.data for read in recording.reads] == list(scenario.pieces)
    times = [read.at_ms for read in recording.reads]
    assert times == sorted(times)
    assert times[-1] > times[0]
    assert (recording.end, recording.body) == (End.EOF, scenario.body)


async def test_an_abort_of_the_vendor_is_recorded_as_reset(stage: Stage) -> None:
    scenario = scenarios.by_id("messages/long.stream")
    arrived, last = asyncio.Event(), 3
    stage.gates.before[scenario.id, last] = arrived
    stage.gates.break_off.add((scenario.id, last + 1))

    async def read_all() -> None:
        received = b""
        async with stage.http.stream(**stage.ask(scenario, "messages/vendor-abort.stream")) as response:
            async for read in response.aiter_raw():
                received += read
                if received == b"".join(scenario.pieces[:last]):
                    arrived.set()

    with pytest.raises(httpx2.RemoteProtocolError):
        await read_all()
    recording = await stage.recorded("messages/vendor-abort.stream")
    assert recording.end is End.RESET
    assert scenario.body.startswith(recording.body)
    assert len(recording.body) >= len(b"".join(scenario.pieces[:last]))


async def test_an_abort_of_the_client_is_recorded_as_such_and_reaches_the_vendor(stage: Stage) -> None:
    scenario = scenarios.by_id("messages/blocks.stream")
    stage.gates.before[scenario.id, 4] = asyncio.Event()  # never opened
    asked = len(stage.vendor.asked)
    async with stage.http.stream(**stage.ask(scenario, "messages/client-abort.stream")) as response:
        received = b""
        async for read in response.aiter_raw():
            received += read
            if received == b"".join(scenario.pieces[:4]):
                break
    recording = await stage.recorded("messages/client-abort.stream")
    assert recording.end is End.CLIENT_ABORT
    assert recording.body == received
    for _ in range(HANG_S * 50):
        if stage.vendor.asked[asked].aborted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the vendor was never told that the client had gone")


async def test_no_secret_ever_touches_the_disk(stage: Stage) -> None:
    plain = scenarios.by_id("messages/text.stream")
    first, second = f'data: {{"leaked": "{ANSWER_KEY[:20]}'.encode(), f'{ANSWER_KEY[20:]}"}}\n\n'.encode()
    path = f"/v1/messages?key={BODY_KEY}"
    scenario = replace(plain, id="messages/secrets.stream", pieces=(first, second), path=path, request={"note": f"mine is {BODY_KEY}"})
    stage.made_up[scenario.id] = scenario
    gate = asyncio.Event()
    stage.gates.before[scenario.id, 1] = gate
    request = stage.ask(scenario, "messages/secrets.stream", authorization=f"Bearer {ANSWER_KEY}", cookie=f"session={KEY}")
    async with stage.http.stream(**request) as response:
        received = b""
        async for read in response.aiter_raw():
            received += read
            gate.set()
    assert received == first + second  # the client gets what was sent; only the recording is cut
    recording = await stage.recorded("messages/secrets.stream")
    assert len(recording.body) == len(received)
    assert recording.request.path == "/v1/messages?key=" + "x" * len(BODY_KEY)
    assert dict(recording.request.headers)["authorization"] == "Bearer " + "x" * len(ANSWER_KEY)
    assert {"request header x-api-key", "request header cookie", "body: openai-key", "body: google-key"} <= set(recording.redactions)
    for path_on_disk in stage.out.rglob("*"):
        if path_on_disk.is_file():
            data = path_on_disk.read_bytes()
            assert not any(secret.encode() in data for secret in (KEY, BODY_KEY, ANSWER_KEY)), path_on_disk
    assert [finding for finding in lint(stage.out) if finding.rule == "secret"] == []


async def test_what_is_ours_is_neither_sent_nor_recorded(stage: Stage) -> None:
    scenario = scenarios.by_id("messages/tools")
    asked = len(stage.vendor.asked)
    wishes = {"x-wireproof-vendor": "someone", "x-wireproof-host": "api.example.com"}
    await stage.http.request(**stage.ask(scenario, "messages/wishes", **wishes))
    recording = await stage.recorded("messages/wishes")
    assert recording.vendor == "someone"
    assert {name.lower(): value for name, value in recording.request.headers}["host"] == "api.example.com"
    assert not [name for name, _ in recording.request.headers if name.lower().startswith("x-wireproof")]
    sent = {name for name, _ in stage.vendor.asked[asked].headers if name.startswith("x-wireproof")}
    assert sent == {SCENARIO_HEADER}


async def test_a_body_is_recorded_readable_though_the_client_takes_gzip(stage: Stage) -> None:
    scenario = scenarios.by_id("messages/parallel-tools")
    request = stage.ask(scenario, "messages/plain", **{"accept-encoding": "gzip, br"})
    response = await stage.http.request(**request)
    assert response.content == scenario.body
    recording = await stage.recorded("messages/plain")
    assert recording.body == scenario.body
    assert "content-encoding" not in {name.lower() for name, _ in recording.headers}


async def test_an_exchange_without_a_name_gets_one_from_its_path(stage: Stage) -> None:
    scenario = scenarios.by_id("gemini/text.stream")
    request = stage.ask(scenario, "unused")
    del request["headers"]["x-wireproof-recording"]
    await stage.http.request(**request)
    recording = await stage.recorded("gemini/recorded-0001.stream")
    assert (recording.surface, recording.model, recording.stream) == ("gemini", scenario.model, True)


async def test_a_recording_passes_lint_and_plays_back_byte_for_byte(stage: Stage) -> None:
    names = ("messages/parallel-tools.stream", "messages/cache-write", "messages/unicode.stream", "messages/error-429")
    for name in names:
        await stage.http.request(**stage.ask(scenarios.by_id(name), name))
    recordings = {name: await stage.recorded(name) for name in names}
    assert [finding for finding in lint(stage.out) if finding.path.removesuffix(SUFFIX) in names] == []
    witness = UpstreamWitness(recordings.__getitem__)
    await witness.start()
    try:
        for name, recording in recordings.items():
            marker, scenario = new_marker(), scenarios.by_id(name)
            witness.expect(marker, Play(recording=name), surface=Surface.MESSAGES, client_progress=None, began=0.0)
            body = mark(scenario.surface, scenario.sent or {}, marker)
            response = await stage.http.post(f"{witness.url}{scenario.path}", json=body)
            assert (response.status_code, response.content) == (scenario.status, scenario.body)
            kept = {key: value for key, value in recording.headers if key in ("content-type", "request-id", "retry-after")}
            assert kept.items() <= dict(response.headers).items()
    finally:
        await witness.stop()
