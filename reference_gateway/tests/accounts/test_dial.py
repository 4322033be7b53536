"""contract:039: a small real call over one protocol, on the operator."""

import asyncio
from pathlib import Path

import pytest

from reference_gateway.accounts.dial import MAX_PER_MINUTE
from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import create, delete
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.wires import BODIES, MODELS

DIAL = "/api/v1/dial/test"


@pytest.mark.parametrize("surface", [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI])
async def test_a_dial_reaches_the_model_and_is_never_billed(surface: Surface, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    async with stage(tmp_path, script) as s:
        answer = await s.post(DIAL, {"model": MODELS[surface], "protocol": surface.value, "keyId": "key-1"})
        document = answer.json()
        assert (answer.status, document["ok"], document["status"], document["error"]) == (200, True, 200, None)
        assert document["latency_ms"] >= 0
        assert (document["model"], document["keyId"]) == (MODELS[surface], "key-1")
        again = await s.post(DIAL, {"model": MODELS[surface], "protocol": document["protocol"]})
        assert again.json()["ok"] is True
        assert len(s.calls) == 2
        assert await s.spent() == 0
        assert await s.usage() == []
        assert b"Good day" not in answer.body


async def test_a_dial_with_an_empty_wallet(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        answer = await s.post(DIAL, {"model": MODELS[Surface.CHAT], "protocol": "chat"}, s.demo.poor_key)
        assert answer.json()["ok"] is True


async def test_what_keeps_a_dial_from_its_model_is_in_the_document(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(b'{"error":{"message":"The vendor is tired.","type":"server_error"}}', 503)

    async with stage(tmp_path, script) as s:

        async def dial(model: str, protocol: str, key: str | None = None, **more: str) -> tuple[object, ...]:
            answer = await s.post(DIAL, {"model": model, "protocol": protocol, **more}, key)
            assert answer.status == 200, answer
            document = answer.json()
            assert document["ok"] is False
            return document["status"], document["error"]["code"]

        assert await dial("gpt-9", "chat") == (404, "model_not_found")
        assert await dial(MODELS[Surface.CHAT], "chat", s.demo.narrow_key) == (403, "model_not_in_group")
        assert await dial("gpt-image-2", "gemini") == (400, "unsupported_feature")
        assert s.calls == []
        failed = await s.post(DIAL, {"model": MODELS[Surface.CHAT], "protocol": "chat"})
        assert failed.json()["status"] == 503
        assert await s.spent() == 0


async def test_a_dial_that_cannot_be_asked_for(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        model = MODELS[Surface.CHAT]
        for body, param in (
            ({"protocol": "chat"}, "model"),
            ({"model": model}, "protocol"),
            ({"model": model, "protocol": "telegraph"}, "protocol"),
            ({"model": model, "protocol": "chat", "key": "key-1"}, "key"),
        ):
            answer = await s.post(DIAL, body)
            assert (answer.status, answer.json()["error"]["param"]) == (400, param)
        strange = await s.post(DIAL, {"model": model, "protocol": "chat", "keyId": "key-2"})
        assert (strange.status, strange.json()["error"]["code"]) == (404, "key_not_found")
        assert (await s.call("POST", DIAL, b"{}", {})).status == 401


async def test_an_account_dials_one_at_a_time_and_so_often(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def script(call: Upstream) -> None:
        await go_on.wait()
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        body = {"model": MODELS[Surface.CHAT], "protocol": "chat"}
        first = asyncio.create_task(s.post(DIAL, body))
        async with asyncio.timeout(10):
            await s.called.wait()
        busy = await s.post(DIAL, body)
        assert (busy.status, busy.header("retry-after")) == (429, "1")
        go_on.set()
        assert (await first).status == 200
        for _ in range(MAX_PER_MINUTE - 1):
            assert (await s.post(DIAL, body)).status == 200
        often = await s.post(DIAL, body)
        assert often.status == 429
        assert int(often.header("retry-after") or 0) > 1
        assert (await s.post(DIAL, body, s.demo.keys[1])).status == 200


async def test_a_dial_with_a_key_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        made = await create(s)
        body = {"model": MODELS[Surface.CHAT], "protocol": "chat", "keyId": made["id"]}
        pending = asyncio.create_task(s.post(DIAL, body))
        async with asyncio.timeout(10):
            await s.called.wait()
        await delete(s, f"/api/v1/keys/{made['id']}")
        assert (await pending).json()["status"] == 401
