"""The gate, and that exchanges are driven together: a gateway that answers nobody before eight have asked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from harness.case import Case, Pace, Play, Route, Step, Surface
from harness.client import ClientWitness
from harness.plan import Planned
from harness.recording.library import Library
from harness.runner import Gate, Pulse, Runner, patience
from harness.target import Bases, Target
from harness.upstream.witness import UpstreamWitness


async def _until_idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_gate_lets_so_many_in_and_no_more() -> None:
    gate, inside, leave = Gate(3), [], asyncio.Event()

    async def visitor(number: int) -> None:
        async with gate.enter(alone=False):
            inside.append(number)
            await leave.wait()

    visitors = [asyncio.create_task(visitor(number)) for number in range(5)]
    await _until_idle()
    assert inside == [0, 1, 2]
    leave.set()
    await asyncio.gather(*visitors)
    assert sorted(inside) == [0, 1, 2, 3, 4]


async def test_who_must_be_alone_waits_for_the_others_and_they_for_him() -> None:
    gate, seen = Gate(8), []
    together, alone_may_go = asyncio.Event(), asyncio.Event()

    async def other(name: str, leave: asyncio.Event) -> None:
        async with gate.enter(alone=False):
            seen.append(f"{name} in")
            await leave.wait()
            seen.append(f"{name} out")

    async def alone() -> None:
        async with gate.enter(alone=True):
            seen.append("alone in")
            await alone_may_go.wait()
            seen.append("alone out")

    first = asyncio.create_task(other("first", together))
    await _until_idle()
    single = asyncio.create_task(alone())
    await _until_idle()
    last = asyncio.create_task(other("last", together))
    await _until_idle()
    assert seen == ["first in"]
    together.set()
    await _until_idle()
    assert seen == ["first in", "first out", "alone in"]
    alone_may_go.set()
    await asyncio.gather(first, single, last)
    assert seen[2:] == ["alone in", "alone out", "last in", "last out"]


async def test_two_that_must_be_alone_take_turns() -> None:
    gate, inside, most = Gate(4), 0, 0

    async def alone() -> None:
        nonlocal inside, most
        async with gate.enter(alone=True):
            inside += 1
            most = max(most, inside)
            await _until_idle()
            inside -= 1

    await asyncio.gather(*(alone() for _ in range(6)))
    assert most == 1


@asynccontextmanager
async def gateway_that_waits_for(count: int) -> AsyncIterator[str]:
    """Answers nobody before `count` requests are open at the same time."""
    everybody = asyncio.Barrier(count)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(length)
        await everybody.wait()
        body = json.dumps({"waited_for": count}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("account", [False, True], ids=["no account", "an account that the target does not show"])
async def test_exchanges_are_driven_together(account: bool) -> None:
    library = Library.open("shipped")
    witness = UpstreamWitness(library.load)
    await witness.start()
    async with ClientWitness() as clients, gateway_that_waits_for(8) as url:
        bases = Bases.of(url)
        target = Target(name="barrier", bases=bases, good_keys=("sk-one-0123456789",))
        runner = Runner(target=target, nodes=target.nodes, library=library, clients=clients, witness=witness, concurrency=8)
        case = Case(id="plain", surface=Surface.CHAT, play=Play(recording="chat/text"), account=account)
        planned = [Planned(id=f"plain-{number}", case=case, model="gpt-5-4", route=Route.NATIVE) for number in range(8)]
        exchanges = await asyncio.wait_for(asyncio.gather(*map(runner.drive, planned)), 30)
        await runner.close()
    await witness.stop()
    assert [exchange.errored for exchange in exchanges] == [None] * 8
    assert [exchange.client.response and exchange.client.response.json for exchange in exchanges] == [{"waited_for": 8}] * 8
    assert len({exchange.marker for exchange in exchanges}) == 8


def test_the_client_waits_longer_than_the_gateway_promised_to() -> None:
    case, nothing_said = Case(id="c", surface=Surface.CHAT, play=None), Target(name="says nothing", bases=None)
    usual = patience(nothing_said, case)
    assert patience(Target(name="quick", bases=None, first_byte_ms=300, idle_ms=300), case) == usual
    assert patience(Target(name="patient", bases=None, first_byte_ms=30_000, idle_ms=90_000), case) > 90
    lockstep = Play(recording="chat/long.stream", pace=Pace.LOCKSTEP)
    for many_turns in (replace(case, play=lockstep), replace(case, steps=(Step(name="s", plays=(lockstep,)),))):
        assert patience(nothing_said, many_turns) > 2 * usual


async def test_a_pulse_that_is_overdue_counts_as_late() -> None:
    pulse = Pulse()
    began = time.perf_counter()
    assert pulse.worst_ms(began) == 0
    pulse.start()
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251  our loop is to stand still
    overdue_ms = pulse.worst_ms(began)
    await asyncio.sleep(0.1)
    assert 200 <= overdue_ms <= pulse.worst_ms(began)
    assert pulse.worst_ms(time.perf_counter()) < 200
    await pulse.stop()


@pytest.mark.parametrize(("lags", "driven"), [((0,), 1), ((2600, 0), 2), ((2600, 2600, 2600), 3)])
async def test_what_was_driven_while_our_own_loop_stood_still_is_driven_again_and_not_for_ever(
    lags: tuple[int, ...], driven: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library.open("shipped")
    witness = UpstreamWitness(library.load)
    await witness.start()
    async with ClientWitness() as clients, gateway_that_waits_for(1) as url:
        bases = Bases.of(url)
        target = Target(name="barrier", bases=bases, good_keys=("sk-one-0123456789",))
        runner = Runner(target=target, nodes=target.nodes, library=library, clients=clients, witness=witness, concurrency=1)
        waiting = iter(lags)
        monkeypatch.setattr(Pulse, "worst_ms", lambda self, since: next(waiting))
        case = Case(id="plain", surface=Surface.CHAT, play=Play(recording="chat/text"))
        exchange = await asyncio.wait_for(runner.drive(Planned(id="plain", case=case, model="gpt-5-4", route=Route.NATIVE)), 30)
        await runner.close()
    await witness.stop()
    assert exchange.errored is None
    assert exchange.lag_ms == lags[-1]
    assert runner.calls_made == driven
