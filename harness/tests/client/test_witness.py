import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.case import Client, Surface
from harness.client import ClientWitness, DriveError, scrubbed_environment
from harness.client.tape import Tape
from harness.client.transport import AsyncRecorder, Pools
from harness.exchange import End, value
from harness.progress import ClientProgress
from harness.tests.client import answers
from harness.tests.client.scripted import KEY, LAST_CHUNK, Step, call, case, chunk, frames_of, head, json_answer, serve, sse_answer

ALL = {
    Client.RAW: Surface.CHAT,
    Client.OPENAI: Surface.CHAT,
    Client.OPENAI_ASYNC: Surface.RESPONSES,
    Client.ANTHROPIC: Surface.MESSAGES,
    Client.ANTHROPIC_ASYNC: Surface.MESSAGES,
    Client.GOOGLE_GENAI: Surface.GEMINI,
    Client.GOOGLE_GENAI_ASYNC: Surface.GEMINI,
}


async def test_fifty_exchanges_at_once_do_not_mix(witness: ClientWitness) -> None:
    def echo(request: bytes) -> list[Step]:
        number = request.partition(b"number-")[2][:2].decode()
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {"id": number}},
            *({"type": "ping", "n": number} for _ in range(3)),
        ]
        return sse_answer(frames_of(events, named=True), (("X-Number", number),))

    async def one(number: int, client: Client) -> None:
        surface = ALL[client]
        text = f"number-{number:02}"
        body = json.loads(json.dumps(call(server, case(surface)).body).replace("hello", text))
        asked = call(server, case(surface, client, stream=True), body=body)
        result = await witness.drive(asked)
        response = result.hop.response
        assert response is not None
        assert text.encode() in result.hop.request.body
        assert value(response.headers, "x-number") == f"{number:02}"
        assert response.encoded.count(f'"{number:02}"'.encode()) == len(response.reads) == 4
        assert asked.progress.received == len(response.encoded)

    clients = list(ALL)
    async with serve(echo) as server:
        await asyncio.gather(*(one(number, clients[number % len(clients)]) for number in range(50)))
    assert len(server.requests) == 50


async def test_sync_sdks_do_not_block_the_loop(witness: ClientWitness) -> None:
    all_there, gate = asyncio.Event(), asyncio.Event()

    def held_back(_: bytes) -> list[Step]:
        if len(server.requests) == 5:
            all_there.set()
        return [head(content_type="text/event-stream"), gate, *map(chunk, answers.frames(Surface.CHAT)), LAST_CHUNK]

    async with serve(held_back) as server:
        asked = [call(server, case(Surface.CHAT, Client.OPENAI, stream=True), timeout_s=30) for _ in range(5)]
        driving = [asyncio.create_task(witness.drive(one)) for one in asked]
        await asyncio.wait_for(all_there.wait(), 20)  # all are under way at once, and this loop still turns
        assert not any(task.done() for task in driving)
        gate.set()
        for result in await asyncio.gather(*driving):
            assert result.sdk is not None
            assert list(result.sdk.events) == answers.EVENTS[Surface.CHAT]


async def test_closing_the_witness_wakes_its_threads(sdks: None) -> None:
    async with serve([head(), chunk(b"{"), asyncio.Event()]) as server:
        async with ClientWitness() as opened:
            asked = call(server, case(Surface.CHAT, Client.OPENAI), timeout_s=600)
            driving = asyncio.create_task(opened.drive(asked))
            assert await asked.progress.wait(1, 10)
        result = await asyncio.wait_for(driving, 10)
    assert result.hop.response is not None
    assert result.hop.response.end is End.RESET
    assert not any(thread.name.startswith("wireproof-sdk") and thread.is_alive() for thread in _joined(threading.enumerate()))


def _joined(threads: list[threading.Thread]) -> list[threading.Thread]:
    for thread in threads:
        if thread.name.startswith("wireproof-sdk"):
            thread.join(10)
    return threads


@pytest.mark.parametrize("client", [Client.RAW, Client.OPENAI_ASYNC])
async def test_a_cancelled_call_hangs_up(witness: ClientWitness, client: Client) -> None:
    async with serve([head(), chunk(b"{"), asyncio.Event()]) as server:
        asked = call(server, case(Surface.CHAT, client), timeout_s=600)
        driving = asyncio.create_task(witness.drive(asked))
        assert await asked.progress.wait(1, 10)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert asked.progress.closed


HOSTILE = {
    "OPENAI_API_KEY": "sk-from-the-environment",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "OPENAI_ORG_ID": "org-from-the-environment",
    "OPENAI_PROJECT_ID": "project-from-the-environment",
    "OPENAI_CUSTOM_HEADERS": "X-From-The-Environment: 1",
    "ANTHROPIC_API_KEY": "sk-from-the-environment",
    "ANTHROPIC_AUTH_TOKEN": "from-the-environment",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_CUSTOM_HEADERS": "X-From-The-Environment: 1",
    "ANTHROPIC_PROFILE": "from-the-environment",
    "GEMINI_API_KEY": "from-the-environment",
    "GOOGLE_API_KEY": "from-the-environment",
    "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_GENAI_API_VERSION": "v9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("client", list(ALL))
async def test_the_environment_changes_no_request(sdks: None, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, given in HOSTILE.items():
        monkeypatch.setenv(name, given)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "default.json").write_text('{"base_url": "http://127.0.0.1:9"}')
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    before = dict(os.environ)
    async with ClientWitness() as opened, serve(answers.good(ALL[client], stream=False)) as server:
        for key in (KEY, None):
            result = await opened.drive(call(server, case(ALL[client], client), key=key))
            assert result.hop.response is not None
    assert len(server.requests) == 2
    sent = b"".join(server.requests).lower()
    assert b"from-the-environment" not in sent
    assert b"openai-organization" not in sent
    assert b"/v9/" not in sent
    assert dict(os.environ) == before


def test_scrubbing_is_undone_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "mine")

    def inside() -> None:
        with scrubbed_environment():
            assert "OPENAI_LOG" not in os.environ
            assert list(Path(os.environ["ANTHROPIC_CONFIG_DIR"]).iterdir()) == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        inside()
    assert (os.environ["OPENAI_LOG"], os.environ["ANTHROPIC_CONFIG_DIR"]) == ("debug", "mine")


async def test_a_second_request_in_one_exchange_is_refused() -> None:
    import httpx2

    pools = Pools()
    tape = Tape(began=0, timeout_s=5, progress=ClientProgress())
    async with serve(json_answer({})) as server, httpx2.AsyncClient(transport=AsyncRecorder(pools, tape), trust_env=False) as client:
        await client.get(server.url)
        with pytest.raises(DriveError, match="second request"):
            await client.get(server.url)
        await pools.aclose()
    assert len(server.requests) == 1
    with pytest.raises(DriveError, match="second request"):
        tape.hop()


async def test_a_bug_of_ours_is_not_taken_for_the_sdks(witness: ClientWitness, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(found: object) -> object:
        raise LookupError("our own bug")

    monkeypatch.setattr("harness.client.drivers.google_sdk._restore", broken)
    monkeypatch.setattr("harness.client.drivers.reading._OURS", str(Path(__file__).parents[2]))
    async with serve(answers.good(Surface.GEMINI, stream=False)) as server:
        for client in (Client.GOOGLE_GENAI, Client.GOOGLE_GENAI_ASYNC):
            with pytest.raises(LookupError, match="our own bug"):
                await witness.drive(call(server, case(Surface.GEMINI, client)))


@pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")
async def test_google_goes_on_at_a_word_it_does_not_know(witness: ClientWitness) -> None:
    answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "BRAND_NEW"}]}
    async with serve(json_answer(answer)) as server:
        result = await witness.drive(call(server, case(Surface.GEMINI, Client.GOOGLE_GENAI_ASYNC)))
    assert result.sdk is not None
    assert result.sdk.error is None
    assert result.sdk.final == answer
