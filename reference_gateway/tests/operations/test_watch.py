"""What an operator sees of a running gateway: readiness, metrics, the access log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests import wires
from reference_gateway.tests.scripted import Answer, Client, Upstream, stage

HEADERS = {"anthropic-version": "2023-06-01"}


def operations(**settings: object) -> Any:
    lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    return lambda text: text + "\n[operations]\n" + "\n".join(lines) + "\n"


async def ask(url: str | None, path: str, method: str = "GET") -> Answer:
    assert url is not None
    client = Client(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))
    client.send_request(method, path, b"", {})
    answer = await client.answer()
    client.close()
    return answer


async def chat(call: Upstream) -> None:
    await call.answer(wires.CHAT_BODY)


async def test_metrics_stand_on_the_admin_listener_and_nowhere_else(tmp_path: Path) -> None:
    async with stage(tmp_path, chat, edit=operations(admin_port=0)) as here:
        body = {"model": "gpt-5-5", "messages": [], "max_tokens": 10}
        assert (await here.post("/v1/chat/completions", body)).status == 200
        assert (await here.post("/v1/chat/completions", {**body, "model": "none"})).status == 404
        seen = await ask(here.running.admin_url, "/metrics")
        lines = set(seen.body.decode().splitlines())
        assert {
            'gateway_requests_total{model="gpt-5-5",status="2xx",surface="chat"} 1.0',
            'gateway_requests_total{model="",status="4xx",surface="chat"} 1.0',
            'gateway_tokens_total{class="input",model="gpt-5-5"} 20.0',
            'gateway_tokens_total{class="cache_read",model="gpt-5-5"} 10.0',
            f'gateway_charged_micro_usd_total{{model="gpt-5-5"}} {float(wires.COSTS[Surface.CHAT])}',
            'gateway_upstream_head_seconds_count{channel="openai",status="200"} 1.0',
            "gateway_holds_open 0.0",
            "gateway_streams_open 0.0",
        } <= lines
        assert here.demo.keys[0] not in seen.body.decode()
        assert (await here.get("/metrics")).status == 404
        assert (await ask(here.running.admin_url, "/v1/models")).status == 404
        assert (await ask(here.running.admin_url, "/metrics", "POST")).status == 405


async def test_open_streams_and_holds_are_gauges(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def script(call: Upstream) -> None:
        await call.head()
        await call.chunk(wires.CHAT_STREAM[0])
        await go_on.wait()
        for frame in wires.CHAT_STREAM[1:]:
            await call.chunk(frame)
        await call.end()

    async with stage(tmp_path, script, edit=operations(admin_port=0)) as here:
        body = {"model": "gpt-5-5", "messages": [], "max_tokens": 10, "stream": True}
        answering = asyncio.create_task(here.post("/v1/chat/completions", body))
        await here.called.wait()
        lines = (await ask(here.running.admin_url, "/metrics")).body.decode().splitlines()
        assert {"gateway_streams_open 1.0", "gateway_holds_open 1.0", "gateway_exchanges_open 1.0"} <= set(lines)
        go_on.set()
        assert (await answering).whole


async def test_ready_is_no_word_for_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    async with stage(tmp_path, chat, database="gateway.sqlite3", edit=operations(admin_port=0)) as here:
        assert ((await ask(here.url, "/readyz")).status, (await ask(here.url, "/healthz")).status) == (200, 200)
        other = sqlite3.connect(tmp_path / "gateway.sqlite3", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        refused = await ask(here.running.admin_url, "/readyz")
        assert (refused.status, refused.json()) == (503, {"status": "not ready", "reason": "the ledger cannot be written"})
        assert (await ask(here.url, "/healthz")).status == 200
        other.execute("ROLLBACK")
        other.close()
        assert (await ask(here.url, "/readyz")).json() == {"status": "ready"}


async def test_the_access_log_has_every_request_and_no_secret(tmp_path: Path) -> None:
    async with stage(tmp_path, chat, edit=operations(access_log="access.jsonl")) as here:
        body = {"model": "gpt-5-5", "messages": [{"role": "user", "content": "my secret plan"}], "max_tokens": 10}
        key = here.demo.keys[0]
        first = await here.post("/v1/chat/completions", body)
        second = await here.call("POST", f"/v1/messages?key={key}", b"{}", HEADERS)
        third = await here.get("/api/v1/me/account")
        answers = (first, second, third)
    text = (tmp_path / "access.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["request_id"] for line in lines] == [answer.header("x-request-id") for answer in answers]
    assert [line["status"] for line in lines] == [answer.status for answer in answers]
    assert [line["path"] for line in lines] == ["/v1/chat/completions", "/v1/messages", "/api/v1/me/account"]
    assert [line["bytes"] for line in lines] == [len(answer.body) for answer in answers]
    assert (lines[0]["model"], lines[0]["surface"], lines[0]["key_id"]) == ("gpt-5-5", "chat", "key-1")
    assert lines[0]["cost_micro_usd"] == wires.COSTS[Surface.CHAT]
    assert "secret plan" not in text
    assert key not in text


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_log_may_go_to_standard_output(tmp_path: Path) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    demo.config.write_text(operations(access_log="-")(demo.config.read_text()))
    command = [sys.executable, "-m", "reference_gateway", "--config", str(demo.config), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        assert asyncio.run(ask(url, "/v1/models")).status == 401
        assert json.loads(process.stdout.readline())["status"] == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
