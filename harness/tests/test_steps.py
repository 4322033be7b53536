"""Cases of several steps, driven against a small gateway of our own that makes keys, holds streams open and calls the upstream witness."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from harness.case import MARKER, Case, Client, Fault, FaultKind, Key, Need, Pace, Play, Route, Step, Surface
from harness.client import ClientWitness
from harness.exchange import Exchange
from harness.plan import Planned
from harness.recording.library import Library
from harness.runfile import RunHeader, RunWriter, TargetFacts, read_run
from harness.runner import Runner
from harness.steps import at_pointer
from harness.target import Bases, Target, read_target
from harness.upstream.witness import UpstreamWitness

SECRET: Final = "sk-byts-0123456789abcdef0123456789abcdef"
GOOD: Final = "sk-byts-fedcba9876543210fedcba9876543210"


class Gateway:
    """Passes chat calls on with one connection each, and answers the rest by itself."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.open = 0
        self.most_open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (each.partition(":") for each in rest if each)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = line.split(" ")
        self.asked.append((method, target, headers, body))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if target == "/v1/chat/completions":
                await self._pass_on(head, body, writer)
            else:
                self._answer(writer, target)
            await writer.drain()
        finally:
            self.open -= 1
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, target: str) -> None:
        document: dict[str, Any] = {"id": "key_7", "key": SECRET, "link": "http://127.0.0.1:1/kept?a=b", "away": "http://example.test/x"}
        if target.startswith("/list"):
            document = {"data": [{"id": "key_7", "key": SECRET}]}
        data = json.dumps(document).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_9\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(data), data))

    async def _pass_on(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        upstream.write(re.sub(r"(?i)connection: .*\r\n", "", head).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").encode() + body)
        while data := await reader.read(65536):
            writer.write(data)
        upstream.close()


@asynccontextmanager
async def driving(**more: Any) -> AsyncIterator[tuple[Runner, Gateway]]:
    library = Library.open("shipped")
    witness = UpstreamWitness(library.load)
    await witness.start()
    gateway = Gateway(witness.port)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    bases = Bases.of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    target = Target(name="small", bases=bases, good_keys=(GOOD,), **more)
    async with ClientWitness() as clients:
        runner = Runner(target=target, nodes=target.nodes, library=library, clients=clients, witness=witness, concurrency=8)
        yield runner, gateway
        await runner.close()
    server.close()
    await witness.stop()


async def drive(runner: Runner, *steps: Step) -> Exchange:
    case = Case(id="steps/case", surface=Surface.CHAT, play=None, steps=steps)
    exchange = await asyncio.wait_for(runner.drive(Planned(id="steps/case-m", case=case, model="gpt-5-4", route=Route.NATIVE)), 30)
    assert exchange.errored is None
    return exchange


MADE = Step(name="made", surface=Surface.OTHER, path="/api/v1/keys", request={"group_id": "{group}", "quota": 1}, secret="/key")
TEXT = Play(recording="chat/text")
CHOICES = "{first:/choices}"


async def test_what_a_step_says_may_hang_on_earlier_answers() -> None:
    async with driving(made_group="default") as (runner, gateway):
        exchange = await drive(
            runner,
            MADE,
            Step(name="used", key_from="{made:/key}", request={"messages": [{"role": "user", "content": f"hi {MARKER}"}]}, plays=(TEXT,)),
            Step(name="show", surface=Surface.OTHER, method="GET", path="/list/{made:/id}?of={made:x-request-id}"),
            Step(name="again", surface=Surface.OTHER, path="/seen", request={"of": ["{marker:used}", "{model}", 1]}),
            Step(name="linked", surface=Surface.OTHER, method="GET", path="{made:/link}", key=Key.MISSING),
        )
        made, used, show, again, linked = gateway.asked
    assert json.loads(made[3]) == {"group_id": "default", "quota": 1}
    assert used[2]["authorization"] == f"Bearer {SECRET}"
    assert show[1] == "/list/key_7?of=req_9"
    assert show[2]["authorization"] == f"Bearer {GOOD}"
    marker = json.loads(used[3])["messages"][0]["content"].removeprefix("hi ")
    assert json.loads(again[3]) == {"of": [marker, "gpt-5-4", 1]}
    assert (linked[1], "authorization" in linked[2]) == ("/kept?a=b", False)
    assert [step.status for step in exchange.steps] == [200] * 5
    assert [len(step.upstream) for step in exchange.steps] == [0, 1, 0, 0, 0]
    assert exchange.client == exchange.step("linked").calls[0]
    assert exchange.upstream == ()


async def test_what_an_answer_has_can_be_handed_back_as_it_came() -> None:
    message = "{first:/choices/-1/message}"
    async with driving(ark_image_model="seedream-4-5", gemini_image_model="nano-banana", video_model="seedance-1-5") as (runner, gateway):
        exchange = await drive(
            runner,
            Step(name="first", request={"messages": [{"role": "user", "content": f"hi {MARKER}"}]}, plays=(TEXT,)),
            Step(
                name="then",
                surface=Surface.OTHER,
                path="/seen",
                request={"turns": [message, CHOICES], "whole": CHOICES, "said": f"It said {message}"},
            ),
            Step(name="models", surface=Surface.OTHER, path="/seen", request={"of": ["{ark-images}", "{gemini-images}", "{videos}"]}),
        )
        _, then, models = gateway.asked
    answer = exchange.step("first").answer
    assert answer is not None
    said = answer.json["choices"][0]["message"]
    choices = answer.json["choices"]
    assert json.loads(then[3]) == {"turns": [said, *choices], "whole": choices, "said": f"It said {said}"}
    assert json.loads(models[3]) == {"of": ["seedream-4-5", "nano-banana", "seedance-1-5"]}


async def test_what_an_sdk_put_together_from_a_stream_can_be_handed_back(tmp_path: Path) -> None:
    message = "{first:/choices/0/message}"
    asked = {"messages": [{"role": "user", "content": f"hi {MARKER}"}]}
    streamed: dict[str, Any] = {"stream": True, "client": Client.OPENAI_ASYNC, "helper": True}
    async with driving() as (runner, gateway):
        exchange = await drive(
            runner,
            Step(name="first", request=asked, plays=(Play(recording="chat/tools.stream"),), **streamed),
            Step(name="then", request={"messages": [*asked["messages"], message]}, plays=(Play(recording="chat/text.stream"),), **streamed),
        )
    assert [step.status for step in exchange.steps] == [200, 200]
    first, then = exchange.steps
    assert first.sdk is not None
    assert then.sdk is not None
    put_together = first.sdk.final["choices"][0]["message"]
    assert put_together["tool_calls"]
    assert json.loads(gateway.asked[1][3])["messages"][1] == put_together
    header = RunHeader(started="2026-11-22T00:00:00+00:00", wireproof="0", target=TargetFacts(name="small", base_url=""))
    with RunWriter(tmp_path / "run.jsonl", header) as writer:
        writer.exchange(exchange)
    assert read_run(tmp_path / "run.jsonl").exchanges[exchange.id].steps == exchange.steps


async def test_what_an_sdk_does_not_take_back_is_the_answers_fault_and_what_a_case_made_up_is_ours() -> None:
    streamed: dict[str, Any] = {"surface": Surface.GEMINI, "stream": True, "client": Client.GOOGLE_GENAI_ASYNC, "helper": True}
    first = Step(name="first", surface=Surface.OTHER, method="GET", path="/a")
    handed_back, made_up = (Step(name="then", request={"contents": [{"parts": parts}]}, **streamed) for parts in ("{first:/id}", "x"))
    async with driving() as (runner, _):
        exchange = await drive(runner, first, handed_back)
        assert "has no place for the request" in (exchange.step("then").unsent or "")
        with pytest.raises(AssertionError, match="has no place for the request"):
            await drive(runner, first, made_up)


async def test_a_key_that_a_step_made_is_masked_wherever_it_stands(tmp_path: Path) -> None:
    async with driving(made_group="default") as (runner, _):
        exchange = await drive(
            runner,
            MADE,
            Step(name="used", key_from="{made:/key}", plays=(TEXT,)),
            Step(name="list", surface=Surface.OTHER, method="GET", path="/list"),
        )
    assert SECRET not in repr(exchange)
    for name in ("made", "list"):
        found = exchange.step(name).answer
        assert found is not None
        assert b"[made-key" in found.text
    header = RunHeader(started="2026-11-22T00:00:00+00:00", wireproof="0", target=TargetFacts(name="small", base_url=""))
    path = tmp_path / "run.jsonl"
    with RunWriter(path, header) as writer:
        writer.exchange(exchange)
    assert SECRET.encode() not in path.read_bytes()
    stored = read_run(path).exchanges[exchange.id]
    assert stored.steps == exchange.steps
    assert stored.case == exchange.case


async def test_a_step_whose_words_are_missing_is_not_sent() -> None:
    async with driving() as (runner, gateway):
        exchange = await drive(
            runner,
            Step(name="first", surface=Surface.OTHER, method="GET", path="/a"),
            Step(name="second", surface=Surface.OTHER, method="GET", path="/b/{first:/nothing}"),
            Step(name="third", surface=Surface.OTHER, method="GET", path="/c", headers=(("x-of", "{first:x-nothing}"),)),
            Step(name="away", surface=Surface.OTHER, method="GET", path="{first:/away}"),
            Step(name="last", surface=Surface.OTHER, method="GET", path="/d"),
        )
    assert [target for _, target, _, _ in gateway.asked] == ["/a", "/d"]
    assert exchange.step("second").unsent == "the answer of first has nothing at /nothing"
    assert exchange.step("third").unsent == "the answer of first has nothing at x-nothing"
    assert exchange.step("away").unsent == "the link leads to example.test, and not to the gateway"
    assert exchange.step("last").status == 200


async def test_an_open_step_goes_on_while_the_next_are_sent() -> None:
    async with driving() as (runner, _):
        exchange = await drive(
            runner,
            Step(name="open", stream=True, plays=(Play(recording="chat/text.stream", pace=Pace.RECORDED),), open=True),
            Step(name="meanwhile", surface=Surface.OTHER, method="GET", path="/now"),
            Step(name="after", surface=Surface.OTHER, method="GET", path="/then", last=True),
        )
    opened, meanwhile, after = (exchange.step(name).calls[0] for name in ("open", "meanwhile", "after"))
    assert opened.response is not None
    assert opened.request.at_ms <= meanwhile.request.at_ms < opened.response.end_ms <= after.request.at_ms
    assert opened.response.text.endswith(b"data: [DONE]\n\n")


async def test_one_step_may_be_many_calls_at_once() -> None:
    async with driving() as (runner, gateway):
        exchange = await drive(runner, Step(name="burst", plays=(Play(recording="chat/text", pace=Pace.RECORDED),), at_once=6))
    seen = exchange.step("burst")
    assert [hop.response and hop.response.status for hop in seen.calls] == [200] * 6
    assert len(seen.upstream) == 6
    assert gateway.most_open == 6


async def test_the_upstream_answers_each_call_with_its_play() -> None:
    failing = Play(recording="chat/text", fault=Fault(kind=FaultKind.STATUS, status=503))
    async with driving() as (runner, _):
        exchange = await drive(runner, Step(name="tried", plays=(failing, TEXT), at_once=3))
    seen = exchange.step("tried")
    assert [hop.response and hop.response.status for hop in seen.upstream] == [503, 200, 200]
    assert sorted(hop.response.status for hop in seen.calls if hop.response) == [200, 200, 503]


@pytest.mark.parametrize(
    ("case", "more", "lacks"),
    [
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.MANAGEMENT})), {}, "made_group"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.MANAGEMENT})), {"made_group": "g"}, None),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.CLOCK})), {}, "clock_path"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.FAILOVER})), {}, "failover_model"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.ARK_IMAGES})), {}, "ark_image_model"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.GEMINI_IMAGES})), {}, "gemini_image_model"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.VIDEOS})), {}, "video_model"),
        (Case(id="c", surface=Surface.CHAT, play=None, needs=frozenset({Need.VIDEOS})), {"video_model": "v"}, None),
        (Case(id="c", surface=Surface.CHAT, play=None, steps=(Step(name="a"),), account=True), {}, "no account"),
        (Case(id="c", surface=Surface.CHAT, play=None, steps=(Step(name="a", key=Key.CAPPED),)), {}, "no capped key"),
        (Case(id="c", surface=Surface.CHAT, play=None, key=Key.EXPIRED), {"other_keys": {Key.EXPIRED: ("k",)}}, None),
        (Case(id="c", surface=Surface.CHAT, play=None, steps=(Step(name="a", key=Key.OTHER_ACCOUNT),)), {}, "second account"),
        (Case(id="c", surface=Surface.CHAT, play=None), {}, None),
    ],
)
def test_a_target_says_what_it_lacks_for_a_case(case: Case, more: dict[str, Any], lacks: str | None) -> None:
    found = Target(name="t", bases=None, good_keys=("one",), **more).lacks(case)
    assert found is None if lacks is None else lacks in (found or "")


def test_a_target_file_names_its_handles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPPED", "sk-capped")
    path = tmp_path / "target.toml"
    path.write_text(
        '[target]\nbase_url = "http://127.0.0.1:1"\nfailover_model = "m"\nark_image_model = "a"\ngemini_image_model = "i"\n'
        'video_model = "v"\n'
        '[keys]\ncapped = ["CAPPED"]\n'
        '[account]\ndialect = "wireproof"\nmade_group = "g"\nclock_path = "/test/clock"\n'
    )
    target = read_target(path)
    assert (target.failover_model, target.made_group, target.clock_path) == ("m", "g", "/test/clock")
    assert (target.ark_image_model, target.gemini_image_model, target.video_model) == ("a", "i", "v")
    assert target.other_keys == {Key.CAPPED: ("sk-capped",)}
    path.write_text('[target]\nbase_url = "http://127.0.0.1:1"\n[account]\nmade_groups = "g"\n')
    with pytest.raises(Exception, match="did you mean `made_group`"):
        read_target(path)


def test_a_pointer_leads_to_what_stands_there() -> None:
    value = {"a": [{"b/c": 0}], "n": None}
    assert at_pointer(value, "/a/0/b~1c") == 0
    assert at_pointer(value, "/a/-1/b~1c") == 0
    assert [at_pointer(value, pointer) for pointer in ("/a/1", "/a/-2", "/a/x", "/n", "/a/0/b~1c/d")] == [None] * 5
