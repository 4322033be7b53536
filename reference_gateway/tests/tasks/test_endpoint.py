"""Tasks over sockets: submitted, watched, cancelled, called back; and what they cost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.tasks.ulid import is_ulid
from reference_gateway.tests.images.pictures import b64, png
from reference_gateway.tests.images.test_endpoint import LOW, always, openai, words
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.tasks.receiver import receiver

PARAMS = {"prompt": "a cat", "quality": "low", "n": 2}
LIVE = ("pending", "running")


async def submit(s: Stage, key: str | None = None, *, params: Any = PARAMS, model: str = "gpt-image-2", **more: Any) -> Answer:
    return await s.post("/v1/tasks/submit", {"model": model, "params": params, **more}, key)


async def query(s: Stage, task_id: str, key: str | None = None) -> dict[str, Any]:
    answer = await s.post("/v1/tasks/query", {"task_id": task_id}, key)
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json()
    return document


async def ended(s: Stage, task_id: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (document := await query(s, task_id))["status"] in LIVE:  # noqa: ASYNC110  # what is asked is behind a socket
            await asyncio.sleep(0.01)
    return document


class Gate:
    """A vendor that answers when it is let."""

    def __init__(self, data: bytes | None = None) -> None:
        self._data = openai(2) if data is None else data
        self.open = asyncio.Event()

    async def __call__(self, call: Upstream) -> None:
        opened, aborted = asyncio.ensure_future(self.open.wait()), asyncio.ensure_future(call.aborted.wait())
        await asyncio.wait((opened, aborted), return_when=asyncio.FIRST_COMPLETED)
        for wait in (opened, aborted):
            wait.cancel()
        if self.open.is_set():
            await call.answer(self._data)


async def test_a_task_is_submitted_run_and_billed_once(tmp_path: Path) -> None:
    """contract:217, contract:222, contract:226, contract:228; billing-and-storage.md 4.3, invariant 17."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        answer = await submit(s, out_task_id="mine", stream=True)
        receipt = answer.json()
        assert answer.status == 200
        assert set(receipt) == {"task_id", "out_task_id", "status", "estimated_credits", "estimated_micro_usd"}
        assert is_ulid(receipt["task_id"])
        assert (receipt["status"], receipt["out_task_id"]) == ("pending", "mine")
        assert receipt["estimated_credits"] == 2 * LOW / 1_000_000
        await s.called.wait()
        running = await query(s, receipt["task_id"])
        assert running["status"] == "running"
        assert not {"credits_used", "output", "error_code", "error_message"} & set(running)
        assert (await s.account())["held_micro_usd"] == 2 * LOW
        gate.open.set()
        done = await ended(s, receipt["task_id"])
        assert (done["status"], done["credits_used"]) == ("completed", 2 * LOW / 1_000_000)
        assert len(done["output"]) == 2
        image = await s.call("GET", done["output"][1]["url"].removeprefix("http://test"), b"", {})
        assert image.body == png(1)
        for _ in range(3):
            assert await query(s, receipt["task_id"]) == done
        by_own_id = await s.post("/v1/tasks/query", {"out_task_id": "mine"})
        assert by_own_id.json() == done
        assert await s.spent() == 2 * LOW
        (row,) = await s.usage()
        assert row["request_id"] == answer.header("x-request-id") == receipt["task_id"]  # C33
        assert row["images"] == 2
        assert len(s.calls) == 1


async def test_the_same_submission_is_the_same_task_and_another_is_refused(tmp_path: Path) -> None:
    """contract:220, C42."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        first = (await submit(s, out_task_id="mine")).json()
        answers = await asyncio.gather(*(submit(s, out_task_id="mine", params=dict(reversed(PARAMS.items()))) for _ in range(5)))
        assert {(answer.status, answer.json()["task_id"]) for answer in answers} == {(200, first["task_id"])}
        assert (await s.account())["held_micro_usd"] == 2 * LOW
        assert words(await submit(s, out_task_id="mine", params={**PARAMS, "n": 1})) == (409, "duplicate_out_task_id", "out_task_id")
        other = (await submit(s, s.demo.keys[1], out_task_id="mine")).json()
        assert other["task_id"] != first["task_id"]
        gate.open.set()
        await ended(s, first["task_id"])
        again = (await submit(s, out_task_id="mine")).json()
        assert (again["task_id"], again["status"]) == (first["task_id"], "completed")
        assert await s.spent() == 2 * LOW


async def test_submissions_at_the_same_moment_are_one_task(tmp_path: Path) -> None:
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        answers = await asyncio.gather(*(submit(s, out_task_id="mine") for _ in range(8)))
        assert len({answer.json()["task_id"] for answer in answers}) == 1
        assert (await s.account())["held_micro_usd"] == 2 * LOW
        gate.open.set()
        await ended(s, answers[0].json()["task_id"])
        assert await s.spent() == 2 * LOW


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "gpt-5-5", "params": PARAMS}, (400, "invalid_param", "model")),  # C41
        ({"model": "gpt-9", "params": PARAMS}, (404, "model_not_found", "model")),
        ({"params": PARAMS}, (400, "invalid_param", "model")),
        ({"model": "gpt-image-2"}, (400, "invalid_param", "params")),
        ({"model": "gpt-image-2", "params": []}, (400, "invalid_param", "params")),
        ({"model": "gpt-image-2", "params": {}}, (400, "invalid_param", "prompt")),
        ({"model": "gpt-image-2", "params": {**PARAMS, "model": "nano-banana"}}, (400, "invalid_param", "params")),
        ({"model": "gpt-image-2", "params": {**PARAMS, "n": 9}}, (400, "invalid_param", "n")),
        ({"model": "gpt-image-2", "params": {**PARAMS, "response_format": "b64_json"}}, (400, "invalid_param", "response_format")),
        ({"model": "nano-banana", "params": {"prompt": "p", "style": "vivid"}}, (400, "unsupported_feature", "style")),
        ({"model": "gpt-image-2", "params": PARAMS, "out_task_id": ""}, (400, "invalid_param", "out_task_id")),
        ({"model": "gpt-image-2", "params": PARAMS, "out_task_id": 7}, (400, "invalid_param", "out_task_id")),
        ({"model": "gpt-image-2", "params": PARAMS, "callback_url": "ftp://x"}, (400, "invalid_param", "callback_url")),
        ({"model": "gpt-image-2", "params": PARAMS, "callback_url": 1}, (400, "invalid_param", "callback_url")),
    ],
)
async def test_what_cannot_be_submitted_holds_nothing(body: object, expected: tuple[int, str, str | None], tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        assert words(await s.post("/v1/tasks/submit", body)) == expected
        assert await s.spent() == 0
        assert s.calls == []


async def test_refusals_of_every_path_have_openais_shape(tmp_path: Path) -> None:
    """contract:200, contract:204, contract:221, contract:223, contract:027."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        task_id = (await submit(s, out_task_id="mine")).json()["task_id"]
        assert words(await s.post("/v1/tasks/query", {})) == (400, "invalid_param", "task_id")
        assert words(await s.post("/v1/tasks/query", {"task_id": task_id, "out_task_id": "mine"})) == (400, "invalid_param", "task_id")
        assert words(await s.post("/v1/tasks/query", {"task_id": 1})) == (400, "invalid_param", "task_id")
        assert words(await s.post("/v1/tasks/query", b"[")) == (400, "invalid_param", None)
        for path, body in (
            ("/v1/tasks/query", {"task_id": task_id}),
            ("/v1/tasks/query", {"out_task_id": "mine"}),
            ("/v1/tasks/cancel", {"task_id": task_id}),
            (f"/v1/tasks/cancel/{task_id}", {}),
        ):
            assert words(await s.post(path, body, s.demo.keys[1])) == (404, "task_not_found", None)
        assert words(await s.get(f"/v1/tasks/stream/{task_id}", s.demo.keys[1])) == (404, "task_not_found", None)
        assert words(await s.get("/v1/tasks/stream/nothing")) == (404, "task_not_found", None)
        assert words(await s.get("/v1/tasks/submit"))[:2] == (405, "method_not_allowed")
        assert words(await s.post("/v1/tasks/else", {}))[:2] == (404, "not_found")
        assert words(await s.post("/v1/tasks/submit", b"x" * (1024 * 1024 + 1)))[:2] == (413, "request_too_large")
        assert words(await s.post("/v1/tasks/submit", {}, anthropic_version="2023-06-01"))[:2] == (400, "invalid_param")
        assert words(await submit(s, s.demo.poor_key)) == (402, "insufficient_balance", None)
        assert words(await submit(s, s.demo.narrow_key)) == (403, "model_not_in_group", "model")
        by_other_header = await s.call("POST", "/v1/tasks/query", b'{"out_task_id": "mine"}', {"x-api-key": s.demo.keys[0]})
        assert by_other_header.status == 200
        gate.open.set()


async def test_a_pending_task_is_cancelled_for_free(tmp_path: Path) -> None:
    """contract:224, contract:225."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        running = [(await submit(s)).json()["task_id"] for _ in range(8)]  # as many as run at once
        pending = (await submit(s)).json()["task_id"]
        assert (await s.account())["held_micro_usd"] == 9 * 2 * LOW
        cancelled = await s.post("/v1/tasks/cancel", {"task_id": pending})
        assert (cancelled.status, cancelled.json()["status"]) == (200, "cancelled")
        assert "credits_used" not in cancelled.json()
        assert (await s.account())["held_micro_usd"] == 8 * 2 * LOW
        again = await s.post("/v1/tasks/cancel", {"task_id": pending})
        assert (again.status, again.json()) == (200, cancelled.json())
        gate.open.set()
        done = [await ended(s, task_id) for task_id in running]
        assert {document["status"] for document in done} == {"completed"}
        assert len(s.calls) == 8
        after = await s.post(f"/v1/tasks/cancel/{running[0]}", {"task_id": pending})  # the path wins, and what has ended stays
        assert after.json() == done[0]
        assert await s.spent() == 8 * 2 * LOW


async def test_a_running_task_is_broken_off_and_costs_nothing(tmp_path: Path) -> None:
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        task_id = (await submit(s)).json()["task_id"]
        await s.called.wait()
        cancelled = (await s.post(f"/v1/tasks/cancel/{task_id}", b"")).json()
        assert (cancelled["status"], "credits_used" in cancelled) == ("cancelled", False)
        assert await s.spent() == 0
        async with asyncio.timeout(10):
            await s.calls[0].aborted.wait()
        assert await query(s, task_id) == cancelled


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"error": {"code": "moderation_blocked", "message": "no"}}', 400, "content_policy_violation"),
        (b'{"error": {"code": "invalid_value", "message": "bad size"}}', 400, "upstream_error"),
        (b"<html>", 500, "upstream_error"),
    ],
)
async def test_a_failed_task_costs_nothing_and_says_why(body: bytes, status: int, code: str, tmp_path: Path) -> None:
    """contract:208, contract:222, contract:228."""
    async with stage(tmp_path, always(body, status)) as s:
        failed = await ended(s, (await submit(s)).json()["task_id"])
        assert (failed["status"], failed["error_code"]) == ("failed", code)
        assert failed["error_message"]
        assert "credits_used" not in failed
        assert "output" not in failed
        assert await s.spent() == 0


async def test_a_task_bills_what_it_delivered_and_declares_the_rest(tmp_path: Path) -> None:
    async with stage(tmp_path, always(openai(1))) as s:
        done = await ended(s, (await submit(s)).json()["task_id"])
        assert (len(done["output"]), [error["code"] for error in done["errors"]]) == (1, ["upstream_error"])
        assert await s.spent() == LOW


async def test_who_hangs_up_after_submitting_keeps_the_task(tmp_path: Path) -> None:
    """contract:229."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        client = await s.client()
        body = json.dumps({"model": "gpt-image-2", "params": PARAMS, "out_task_id": "mine"}).encode()
        client.send_request("POST", "/v1/tasks/submit", body, {"authorization": f"Bearer {s.demo.keys[0]}"})
        async with asyncio.timeout(10):
            await s.called.wait()
        client.reset()
        gate.open.set()
        task_id = (await s.post("/v1/tasks/query", {"out_task_id": "mine"})).json()["task_id"]
        assert (await ended(s, task_id))["status"] == "completed"


async def test_a_stream_shows_each_change_and_ends(tmp_path: Path) -> None:
    """contract:227."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        task_id = (await submit(s)).json()["task_id"]
        await s.called.wait()
        client = await s.client()
        client.send_request("GET", f"/v1/tasks/stream/{task_id}", b"", {"authorization": f"Bearer {s.demo.keys[0]}"})
        status, headers = await client.head()
        assert (status, dict(headers)["content-type"]) == (200, "text/event-stream; charset=utf-8")
        first = await client.chunk()
        assert first.startswith(b"event: status\ndata: {")
        assert json.loads(first.partition(b"data: ")[2])["status"] == "running"
        gate.open.set()
        last = await client.chunk()
        assert json.loads(last.partition(b"data: ")[2]) == await query(s, task_id)
        assert await client.chunk() == b""
        client.close()
        whole = await s.get(f"/v1/tasks/stream/{task_id}")
        assert whole.body == last  # of what has ended, its end


async def test_streams_of_tasks_end_with_their_caller_and_with_the_gateway(tmp_path: Path) -> None:
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        task_id = (await submit(s)).json()["task_id"]
        await s.called.wait()
        headers = {"authorization": f"Bearer {s.demo.keys[0]}"}
        leaving, staying = await s.client(), await s.client()
        for client in (leaving, staying):
            client.send_request("GET", f"/v1/tasks/stream/{task_id}", b"", headers)
            await client.head()
            await client.chunk()
        leaving.reset()
        s.running.media.stop()
        assert await staying.chunk() == b""
        staying.close()
        gate.open.set()
        assert (await ended(s, task_id))["status"] == "completed"


async def test_a_callback_tells_the_end_and_is_signed(tmp_path: Path) -> None:
    """contract:227, contract:184."""
    async with receiver() as hook, stage(tmp_path, always(openai(2)), allow_private=True) as s:
        receipt = (await submit(s, callback_url=hook.url)).json()
        told = await hook.wait(1)
        assert told == await query(s, receipt["task_id"])
        assert told["status"] == "completed"
        headers, body = hook.got[0]
        stamp = headers["x-bytespike-timestamp"]
        assert int(stamp) == pytest.approx(s.clock(), abs=60)
        wanted = hmac.new(receipt["callback_secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["x-bytespike-signature"] == wanted
        assert headers["content-type"] == "application/json"
        other = (await submit(s, s.demo.keys[1], callback_url=hook.url)).json()
        assert other["callback_secret"] != receipt["callback_secret"]


async def test_a_callback_is_tried_three_times_by_the_clock(tmp_path: Path) -> None:
    async with receiver(500, 503, 500) as hook, stage(tmp_path, always(openai(2)), allow_private=True) as s:
        task_id = (await submit(s, callback_url=hook.url)).json()["task_id"]
        await hook.wait(1)
        await s.running.media.worker.tick()
        assert len(hook.got) == 1
        for number, wait_s in ((2, 30), (3, 300)):
            s.clock.advance(wait_s - 2)
            await s.running.media.worker.tick()
            assert len(hook.got) == number - 1
            s.clock.advance(3)
            await hook.wait(number)
        s.clock.advance(10_000)
        await s.running.media.worker.tick()
        await query(s, task_id)
        assert len(hook.got) == 3


@pytest.mark.parametrize("status", [204, 302, 404, 410])
async def test_a_callback_that_was_answered_is_not_repeated(status: int, tmp_path: Path) -> None:
    async with receiver(status) as hook, stage(tmp_path, always(openai(2)), allow_private=True) as s:
        await submit(s, callback_url=hook.url)
        await hook.wait(1)
        s.clock.advance(10_000)
        await s.running.media.worker.tick()
        assert len(hook.got) == 1


async def test_no_callback_reaches_our_own_network(tmp_path: Path) -> None:
    async with receiver() as hook, stage(tmp_path, always(openai(2))) as s:
        task_id = (await submit(s, callback_url=hook.url)).json()["task_id"]
        assert (await ended(s, task_id))["status"] == "completed"
        s.clock.advance(1)
        await s.running.media.worker.tick()
        assert hook.got == []


async def test_a_cancelled_task_calls_back_too(tmp_path: Path) -> None:
    async with receiver() as hook, stage(tmp_path, Gate(), allow_private=True) as s:
        task_id = (await submit(s, callback_url=hook.url)).json()["task_id"]
        await s.called.wait()
        await s.post(f"/v1/tasks/cancel/{task_id}", b"")
        assert (await hook.wait(1))["status"] == "cancelled"


async def test_a_key_that_is_deleted_takes_its_tasks_along(tmp_path: Path) -> None:
    """contract:036."""
    gate = Gate()
    async with stage(tmp_path, gate) as s:
        made = await s.post("/api/v1/keys", {"name": "second", "group_id": "default"})
        assert made.status in (200, 201), made
        key, key_id = made.json()["key"], made.json()["id"]
        task_id = (await submit(s, key)).json()["task_id"]
        await s.called.wait()
        assert (await s.call("DELETE", f"/api/v1/keys/{key_id}", b"", {"authorization": f"Bearer {s.demo.keys[0]}"})).status in (200, 204)
        async with asyncio.timeout(10):
            await s.calls[0].aborted.wait()
            while (await s.account())["held_micro_usd"]:  # noqa: ASYNC110  # what is asked is behind a socket
                await asyncio.sleep(0.01)
        assert await s.spent() == 0
        assert (await s.post("/v1/tasks/query", {"task_id": task_id}, key)).status == 401


async def test_free_endpoints_move_nothing(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 16; contract:172, contract:196."""
    async with stage(tmp_path, always(openai(2))) as s:
        task_id = (await submit(s)).json()["task_id"]
        await ended(s, task_id)
        before = await s.account()
        for _ in range(3):
            await query(s, task_id)
            await s.post(f"/v1/tasks/cancel/{task_id}", b"")
            await s.get(f"/v1/tasks/stream/{task_id}")
        assert await s.account() == before
        assert b64(png()) not in json.dumps(await query(s, task_id))
