"""One key, one wallet, one set of limits, whichever vendor serves; and what every answer shows of them."""

import asyncio
import json
from pathlib import Path

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import create
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.wires import BODIES, COSTS, request

OF_PATH = {"/chat/": Surface.CHAT, "/responses": Surface.RESPONSES, "/messages": Surface.MESSAGES, "/v1beta/": Surface.GEMINI}
OF_OURS = {"x-request-id", "request-id", "x-quota-remaining-credits", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


async def answering(call: Upstream) -> None:
    await call.answer(BODIES[next(surface for path, surface in OF_PATH.items() if path in call.target)])


async def ask(s: Stage, surface: Surface, key: str) -> Answer:
    path, body, headers = request(surface)
    answer = await s.call("POST", path, json.dumps(body).encode(), {"x-api-key": key, **headers})
    assert answer.status == 200, answer
    return answer


async def test_one_limit_for_all_vendors(tmp_path: Path) -> None:
    """contract:188, contract:237: what was spent at one vendor is missing at the next."""
    async with stage(tmp_path, answering) as s:
        key = (await create(s, quota=10, rate_limit_5h=100))["key"]
        spent = 0
        for surface, cost in COSTS.items():
            answer = await ask(s, surface, key)
            spent += cost
            assert answer.header("x-quota-remaining-credits") == f"9.{1_000_000 - spent:06d}"
            assert answer.header("x-ratelimit-limit") == "100.00"
            assert answer.header("x-ratelimit-remaining") == "99.99"
        assert await s.spent() == spent


async def test_no_header_but_those_is_the_gateways_own(tmp_path: Path) -> None:
    """contract:173, C31: no estimate; contract:193, C38: no limit of requests or tokens that there is not."""
    async with stage(tmp_path, answering) as s:
        for surface in COSTS:
            for answer in (await ask(s, surface, s.demo.keys[0]), await s.get("/v1/models")):
                assert {name for name, _ in answer.headers if name.startswith("x-") or "id" in name} <= OF_OURS
                assert answer.header("x-request-id")


async def test_what_counts_as_open_and_what_does_not(tmp_path: Path) -> None:
    """contract:196: images and submissions take a place; queries, cancellations, dials and the account's own documents take none."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def script(call: Upstream) -> None:
        if len(s.calls) == 1:
            reached.set()
            await go_on.wait()
        await answering(call)

    async with stage(tmp_path, script) as s:
        key = s.demo.capped_key
        open_call = asyncio.create_task(ask(s, Surface.CHAT, key))
        await reached.wait()
        for path, body in (
            ("/v1/images/generations", {"model": "gpt-image-2", "prompt": "a cat"}),
            ("/v1/tasks/submit", {"model": "gpt-image-2", "params": {"prompt": "a cat"}}),
        ):
            refused = await s.post(path, body, key)
            assert (refused.status, refused.json()["error"]["code"]) == (429, "concurrency_limit")
            assert [refused.header(name) for name in ("x-ratelimit-reset", "retry-after")] == [None, None]
        assert (await s.post("/v1/tasks/query", {"out_task_id": "none"}, key)).status == 404
        assert (await s.post("/v1/tasks/cancel", {"out_task_id": "none"}, key)).status == 404
        dial = await s.post("/api/v1/dial/test", {"model": "gpt-5-5", "protocol": "chat"}, key)
        assert dial.json()["ok"] is True
        for path in ("/api/v1/me/account", "/api/v1/me/usage", "/api/v1/me/billing/transactions", "/api/v1/keys"):
            assert (await s.get(path, key)).status == 200
        go_on.set()
        await open_call


@pytest.mark.parametrize("surface", OF_PATH.values())
async def test_a_key_in_the_body_is_none(surface: Surface, tmp_path: Path) -> None:
    """contract:026: a good one, under every name that a key has."""
    async with stage(tmp_path) as s:
        key = s.demo.keys[0]
        path, body, headers = request(surface)
        given = {**body, "api_key": key, "key": key, "authorization": f"Bearer {key}", "x-api-key": key}
        answer = await s.call("POST", path, json.dumps(given).encode(), headers)
        assert answer.status == 401
        assert key not in answer.body.decode()
        assert s.calls == []


async def test_an_image_under_way_takes_a_place(tmp_path: Path) -> None:
    """contract:195, contract:196: as a call of text does; and the place is free again when it has come."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def script(call: Upstream) -> None:
        if "images" in call.target:
            reached.set()
            await go_on.wait()
            await call.answer(b'{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}')
        else:
            await answering(call)

    async with stage(tmp_path, script) as s:
        key = s.demo.capped_key
        made = asyncio.create_task(s.post("/v1/images/generations", {"model": "gpt-image-2", "prompt": "a cat"}, key))
        await reached.wait()
        for surface in COSTS:
            path, body, headers = request(surface)
            refused = await s.post(path, body, key, **headers)
            assert refused.status == 429
            assert refused.header("retry-after") is None
        go_on.set()
        assert (await made).status == 200
        assert (await ask(s, Surface.CHAT, key)).status == 200
