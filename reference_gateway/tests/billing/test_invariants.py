"""What can be proven of the money from outside (billing-and-storage.md 4.3), over sockets, on a clock that the test moves."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.config import load
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Answer, Script, Stage, Upstream, stage
from reference_gateway.tests.services import each_storage, postgres, redis_server
from reference_gateway.tests.wires import BODIES, COSTS, STREAMS, request

__all__ = ["each_storage", "postgres", "redis_server"]
pytestmark = pytest.mark.usefixtures("each_storage")
SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
PATHS = {Surface.CHAT: "/chat/", Surface.RESPONSES: "/responses", Surface.MESSAGES: "/messages", Surface.GEMINI: "/v1beta/"}
USD = 1_000_000


async def answering(call: Upstream) -> None:
    """Whole or streamed, as was asked."""
    surface = next(surface for surface, path in PATHS.items() if path in call.target)
    if b'"stream": true' not in call.body and "stream" not in call.target:
        await call.answer(BODIES[surface])
        return
    await call.head()
    for event in STREAMS[surface]:
        await call.chunk(event)
    await call.end()


def costing(usd: float) -> Script:
    """A script whose answers cost so much: at 1.25 USD a million input tokens."""
    usage = {"prompt_tokens": round(usd * USD / 1.25), "completion_tokens": 0}
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}

    async def script(call: Upstream) -> None:
        await call.answer(json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())

    return script


async def chat(s: Stage, key: str | None = None) -> Answer:
    path, body, _ = request(Surface.CHAT, max_tokens=10)
    return await s.post(path, body, key)


async def new_key(s: Stage, **fields: Any) -> str:
    made = await s.post("/api/v1/keys", {"name": "new", "group_id": "default", **fields})
    assert made.status == 201, made
    secret: str = made.json()["key"]
    return secret


def limits(answer: Answer) -> tuple[str | None, ...]:
    return tuple(answer.header(f"x-ratelimit-{name}") for name in ("limit", "remaining"))


def credits_of(answer: Answer) -> str | None:
    return answer.header("x-quota-remaining-credits")


async def test_every_call_is_one_complete_row_and_the_rows_are_what_the_wallet_lost(tmp_path: Path) -> None:
    """Invariants 1, 2, 11 and 20, and contract:153: failed calls are absent."""
    async with stage(tmp_path, answering) as s:
        expected = []
        for surface in SURFACES:
            for stream in (False, True):
                before = await s.spent()
                path, body, headers = request(surface, stream=stream)
                answer = await s.post(path, body, **headers)
                assert answer.status == 200
                assert await s.spent() - before == COSTS[surface]  # streamed or not
                expected.append((answer.header("x-request-id"), body.get("model", "gemini-3-1-pro"), surface.value, COSTS[surface]))
        assert (await s.post("/v1/chat/completions", {"model": "nobody"})).status == 404
        rows = await s.usage()
        assert sorted((row["request_id"], row["model"], row["surface"], row["cost_micro_usd"]) for row in rows) == sorted(expected)
        for row in rows:
            assert (row["prompt_tokens"], row["completion_tokens"]) == (38 if row["surface"] == "messages" else 30, 5)
            assert not row["estimated"]
        balance = await s.account()
        assert sum(row["cost_micro_usd"] for row in rows) == balance["lifetime_spent_micro_usd"]
        assert balance["lifetime_topup_micro_usd"] - balance["lifetime_spent_micro_usd"] == balance["available_micro_usd"]


async def test_a_failure_moves_nothing(tmp_path: Path) -> None:
    """Invariant 3, contract:154, contract:199."""

    async def overloaded(call: Upstream) -> None:
        await call.answer(b'{"error":{"message":"overloaded"}}', 400)

    async with stage(tmp_path, costing(1)) as s:
        key = await new_key(s, rate_limit_5h=3, quota=10)
        before = await chat(s, key)
        s.script = overloaded
        after = await chat(s, key)
        assert (before.status, after.status) == (200, 400)
        assert (limits(after), credits_of(after)) == (limits(before), credits_of(before)) == (("3.00", "2.00"), "9.00")
        assert len(await s.usage()) == 1


async def test_a_hold_is_seen_while_it_lasts_and_comes_back_whole(tmp_path: Path) -> None:
    """Invariant 5, contract:160, contract:161."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def refusing(call: Upstream) -> None:
        reached.set()
        await go_on.wait()
        await call.answer(b'{"error":{"message":"overloaded"}}', 400)

    async with stage(tmp_path, refusing) as s:
        before = await s.account()
        asked = asyncio.create_task(chat(s))
        await reached.wait()
        during = await s.account()
        held = during["held_micro_usd"]
        assert held > 10 * 10  # ten tokens out, and what was asked
        assert during["available_micro_usd"] == before["available_micro_usd"] - held
        assert during["settled_micro_usd"] == before["settled_micro_usd"]
        go_on.set()
        assert (await asked).status == 400
        assert await s.account() == before


async def test_the_windows_roll_and_are_what_was_spent_in_them(tmp_path: Path) -> None:
    """Invariant 12: spend at t0 and t0+4h, look at t0+5h: only the second is still there."""
    async with stage(tmp_path, costing(1)) as s:
        key = await new_key(s, rate_limit_5h=5)
        assert limits(await chat(s, key)) == ("5.00", "4.00")
        assert (await s.post("/test/clock", {"advance_s": 4 * 3600}, key)).status == 200
        s.script = costing(2)
        assert limits(await chat(s, key)) == ("5.00", "2.00")
        s.clock.advance(3600)
        assert limits(await s.get("/v1/models", key)) == ("5.00", "3.00")
        s.clock.advance(4 * 3600 + 10)
        assert limits(await s.get("/v1/models", key)) == ("5.00", "5.00")


async def test_an_exhausted_window_refuses_without_taking_and_admits_right_after_its_reset(tmp_path: Path) -> None:
    """Invariants 13 and 14; contract:187 to contract:199."""
    async with stage(tmp_path, costing(2)) as s:
        key = await new_key(s, rate_limit_5h=1, rate_limit_7d=3)
        assert (await chat(s, key)).status == 200
        calls = len(s.calls)
        refused = [await chat(s, key) for _ in range(3)]
        assert [answer.status for answer in refused] == [429] * 3
        assert len(s.calls) == calls
        answer = refused[-1]
        assert limits(answer) == ("1.00", "0.00")
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        reset = int(answer.header("x-ratelimit-reset") or 0)
        wait = int(answer.header("retry-after") or 0)
        assert 0 < wait <= 5 * 3600 + 1  # rounded up
        assert (
            f"5h window of this key is exhausted: 2.00 of 1.00 USD spent, 0.00 USD held for open requests; it resets at {reset} "
            in error["message"]
        )
        assert (await s.spent()) == 2 * USD
        s.clock.advance(wait)
        assert s.clock() >= reset - 1
        s.clock.advance(max(0.0, reset - s.clock()))
        again = await chat(s, key)
        assert again.status == 200
        assert limits(again) == ("1.00", "0.00")
        s.clock.advance(5 * 3600)
        assert "7d window" in (await chat(s, key)).json()["error"]["message"]  # its own cap stays


async def test_keys_of_one_account_share_its_wallet_and_nothing_else(tmp_path: Path) -> None:
    """Invariant 15, contract:152, contract:174."""
    async with stage(tmp_path, costing(1)) as s:
        first, second = await new_key(s, rate_limit_5h=5, quota=4), await new_key(s, rate_limit_5h=5, quota=4)
        before = await s.get("/v1/models", second)
        assert [(await chat(s, first)).status for _ in range(4)] == [200] * 4
        answer = await chat(s, first)
        assert (answer.status, answer.json()["error"]["code"]) == (402, "quota_exceeded")
        after = await s.get("/v1/models", second)
        assert (limits(after), credits_of(after)) == (limits(before), credits_of(before)) == (("5.00", "5.00"), "4.00")
        assert (await chat(s, second)).status == 200
        assert await s.spent() == 5 * USD


async def test_headers_tell_the_state_at_admission_before_a_stream_and_the_settled_one_after_an_answer(tmp_path: Path) -> None:
    """Invariant 18."""
    async with stage(tmp_path, answering) as s:
        key = await new_key(s, quota=1)
        path, body, _ = request(Surface.CHAT, max_tokens=10)
        whole = await s.post(path, body, key)
        assert credits_of(whole) == "0.999924"
        path, body, _ = request(Surface.CHAT, stream=True, max_tokens=10)
        streamed = await s.post(path, body, key)
        assert credits_of(streamed) == "0.999924"  # what it holds is still in it
        assert credits_of(await s.get("/v1/models", key)) == "0.999848"


@pytest.mark.parametrize("surface", SURFACES)
async def test_more_at_once_than_the_account_may_have_is_a_429_without_reset(surface: Surface, tmp_path: Path) -> None:
    """contract:195, contract:196."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def waiting(call: Upstream) -> None:
        reached.set()
        await go_on.wait()
        await call.answer(BODIES[surface])

    async with stage(tmp_path, waiting) as s:
        key = s.demo.capped_key
        path, body, headers = request(surface)
        first = asyncio.create_task(s.post(path, body, key, **headers))
        await reached.wait()
        refused = await s.post(path, body, key, **headers)
        assert refused.status == 429
        if surface in (Surface.CHAT, Surface.RESPONSES):
            assert refused.json()["error"]["code"] == "concurrency_limit"
        assert [refused.header(name) for name in ("x-ratelimit-reset", "retry-after")] == [None, None]
        assert refused.header("x-ratelimit-limit") is not None
        for free in ("/v1/models", "/api/v1/me/account", "/api/v1/usage"):
            assert (await s.get(free, key)).status == 200
        go_on.set()
        assert (await first).status == 200
        assert (await s.post(path, body, key, **headers)).status == 200
        assert len(s.calls) == 2


async def test_the_price_at_admission_is_the_price_billed(tmp_path: Path) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def waiting(call: Upstream) -> None:
        reached.set()
        await go_on.wait()
        await costing(1)(call)

    async with stage(tmp_path, waiting) as s:
        first = asyncio.create_task(chat(s))
        await reached.wait()
        config = s.demo.config
        config.write_text(config.read_text().replace('input = "1.25"', 'input = "2.50"'))
        s.clock.advance(1)
        await s.running.load(load(config))
        go_on.set()
        assert (await first).status == 200
        assert await s.spent() == USD
        assert (await chat(s)).status == 200
        assert await s.spent() == 3 * USD


async def test_a_clock_that_is_moved_is_asked_for_by_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        before = (await s.get("/test/clock")).json()["now"]
        after = (await s.post("/test/clock", {"advance_s": 100})).json()["now"]
        assert after - before >= 100
        for body in (b"{}", b"[]", b'{"advance_s": -1}', b'{"advance_s": 1e99}', b"\xff"):
            assert (await s.post("/test/clock", body)).status == 400
        assert (await s.call("DELETE", "/test/clock", b"", {"authorization": f"Bearer {s.demo.keys[0]}"})).status == 405
        assert (await s.call("GET", "/test/clock", b"", {})).status == 401


@pytest.mark.parametrize("surface", SURFACES)
async def test_the_worst_case_is_held(surface: Surface, tmp_path: Path) -> None:
    """contract:160: output up to its cap, and what was asked at the dearest input price; without a cap, all that the model can say."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def waiting(call: Upstream) -> None:
        reached.set()
        await go_on.wait()
        await answering(call)

    async def held(s: Stage, cap: int | None) -> int:
        reached.clear()
        go_on.clear()
        path, body, headers = request(surface)
        body = {name: value for name, value in body.items() if name != "max_tokens"}
        if surface is Surface.GEMINI:
            body |= {} if cap is None else {"generationConfig": {"maxOutputTokens": cap}}
        elif cap is not None:
            name = {Surface.CHAT: "max_completion_tokens", Surface.RESPONSES: "max_output_tokens"}.get(surface, "max_tokens")
            body[name] = cap
        asked = asyncio.create_task(s.post(path, body, **headers))
        await reached.wait()
        amount: int = (await s.account())["held_micro_usd"]
        go_on.set()
        assert (await asked).status == 200
        assert (await s.account())["held_micro_usd"] == 0
        return amount

    output = {Surface.MESSAGES: 15, Surface.GEMINI: 12}.get(surface, 10)  # micro-USD a token
    most = {Surface.MESSAGES: 64_000, Surface.GEMINI: 65_536}.get(surface, 128_000)
    async with stage(tmp_path, waiting) as s:
        little, much = await held(s, 10), await held(s, 1010)
        assert little > 10 * output
        assert much - little in range(1000 * output, 1000 * output + 20)  # the cap's own digits are in the request
        assert await held(s, None) in range(most * output, most * output + 200)
        assert await held(s, 10_000_000) in range(most * output, most * output + 200)
