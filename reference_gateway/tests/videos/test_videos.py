"""Videos over sockets: a task that the vendor renders in its own time, billed by the second and a fee, or not at all (contract:171)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.images.vendor import VendorError
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.videos.request import MAX_SECONDS
from reference_gateway.videos.seedance import Rendered, Working, read_state, read_submitted

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256))
SECOND, FEE = 100_000, 50_000  # micro-USD by the demo's prices
TASKS = "/api/v3/contents/generations/tasks"


@dataclass
class Ark:
    """The vendor: one answer to each question, the last of them again and again."""

    states: list[dict[str, Any]]
    submitted: tuple[int, dict[str, Any]] = (200, {"id": "cgt-1"})
    video: tuple[int, bytes] = (200, MP4)
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    begun: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, call: Upstream) -> None:
        self.asked.append((call.method, call.target))
        if call.method == "POST":
            self.begun.append(json.loads(call.body))
            status, document = self.submitted
            await call.answer(json.dumps(document).encode(), status)
        elif call.target == "/videos/1.mp4":
            assert call.header("authorization") == []  # the vendor's store is told nothing
            await call.answer(self.video[1], self.video[0], kind="video/mp4")
        elif call.method == "DELETE":
            await call.answer(b"{}")
        else:
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            await call.answer(json.dumps(state).replace("URL", self.url).encode())


def succeeded(**more: Any) -> dict[str, Any]:
    return {"id": "cgt-1", "status": "succeeded", "content": {"video_url": "URL/videos/1.mp4"}, **more}


RUNNING: dict[str, Any] = {"id": "cgt-1", "status": "running"}


async def submit(s: Stage, **params: Any) -> Answer:
    s.running.media.videos._ask_every_s = 0.01
    return await s.post("/v1/tasks/submit", {"model": "seedance-1-5", "params": {"prompt": "a cat", **params}})


async def ended(s: Stage, task_id: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            document: dict[str, Any] = (await s.post("/v1/tasks/query", {"task_id": task_id})).json()
            if document["status"] not in ("pending", "running"):
                return document
            await asyncio.sleep(0.01)


async def test_a_video_costs_its_seconds_and_a_fee(tmp_path: Path) -> None:
    """contract:171, contract:208, contract:215; the longest it can be is held at the submission."""
    ark = Ark([{**RUNNING, "status": "queued"}, RUNNING, succeeded(duration=4)])
    async with stage(tmp_path, ark) as s:
        ark.url = s.upstream_url
        receipt = (await submit(s, duration=8, resolution="720p", image="https://example.com/first.png")).json()
        assert receipt["estimated_micro_usd"] == 8 * SECOND + FEE
        done = await ended(s, receipt["task_id"])
        assert (done["status"], done["credits_used_micro_usd"]) == ("completed", 4 * SECOND + FEE)
        ((item),) = done["output"]
        assert item["duration"] == 4
        video = await s.call("GET", item["url"].removeprefix("http://test"), b"", {})
        assert (video.status, video.body, video.header("content-type")) == (200, MP4, "video/mp4")
        assert (await s.call("GET", item["url"].removeprefix("http://test") + "0", b"", {})).status == 403
        assert ark.begun == [
            {
                "model": "seedance-1-5",
                "content": [
                    {"type": "text", "text": "a cat"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/first.png"}},
                ],
                "duration": 8,
                "resolution": "720p",
            }
        ]
        assert await s.spent() == 4 * SECOND + FEE
        (row,) = await s.usage()
        assert (row["request_id"], row["surface"], row["upstream_provider"]) == (receipt["task_id"], "videos", "seedance")
        assert (row["video_seconds"], row["images"], row["cost_micro_usd"]) == (4, 0, 4 * SECOND + FEE)
        rates = {entry["model"]: entry["rates"] for entry in (await s.get("/api/pricing")).json()["data"]}["seedance-1-5"]
        assert (rates["per_video_second"], rates["per_video"]) == (0.1, 0.05)


async def test_a_vendor_that_makes_more_than_it_was_asked_for_does_so_at_the_operators_cost(tmp_path: Path) -> None:
    ark = Ark([succeeded(duration=9)])
    async with stage(tmp_path, ark) as s:
        ark.url = s.upstream_url
        done = await ended(s, (await submit(s)).json()["task_id"])
        assert done["credits_used_micro_usd"] == await s.spent() == 5 * SECOND + FEE


@pytest.mark.parametrize(
    ("ark", "code"),
    [
        (Ark([{**RUNNING, "status": "failed", "error": {"code": "InternalServiceError", "message": "tired"}}]), "bad_upstream"),
        (
            Ark([{**RUNNING, "status": "failed", "error": {"code": "OutputVideoSensitiveContentDetected", "message": "no"}}]),
            "content_policy_violation",
        ),
        (Ark([{**RUNNING, "status": "expired"}]), "bad_upstream"),
        (Ark([{**RUNNING, "status": "succeeded"}]), "bad_upstream"),
        (Ark([], submitted=(400, {"error": {"code": "InvalidParameter", "message": "no such ratio"}})), "upstream_error"),
        (Ark([], submitted=(200, {"id": "../../keys"})), "bad_upstream"),
        (Ark([succeeded()], video=(404, b"gone")), "bad_upstream"),
        (Ark([succeeded()], video=(200, b"<html>")), "bad_upstream"),
    ],
)
async def test_a_render_that_failed_costs_nothing_not_even_the_fee(ark: Ark, code: str, tmp_path: Path) -> None:
    """contract:171, contract:159."""
    async with stage(tmp_path, ark) as s:
        ark.url = s.upstream_url
        failed = await ended(s, (await submit(s)).json()["task_id"])
        assert (failed["status"], failed["error_code"]) == ("failed", code)
        assert not {"credits_used", "output"} & set(failed)
        assert await s.spent() == 0
        assert await s.usage() == []


async def test_a_cancelled_render_is_cancelled_at_the_vendor_and_costs_nothing(tmp_path: Path) -> None:
    ark = Ark([RUNNING])
    async with stage(tmp_path, ark) as s:
        task_id = (await submit(s)).json()["task_id"]
        async with asyncio.timeout(10):
            while ("GET", f"{TASKS}/cgt-1") not in ark.asked:  # noqa: ASYNC110  # what is asked is behind a socket
                await asyncio.sleep(0.01)
        cancelled = (await s.post(f"/v1/tasks/cancel/{task_id}", b"")).json()
        assert cancelled["status"] == "cancelled"
        assert "credits_used" not in cancelled
        async with asyncio.timeout(10):
            while ("DELETE", f"{TASKS}/cgt-1") not in ark.asked:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await s.spent() == 0


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"duration": 0}, "duration"),
        ({"duration": MAX_SECONDS + 1}, "duration"),
        ({"duration": 2.5}, "duration"),
        ({"n": 2}, "n"),
        ({"image": "file:///etc/passwd"}, "image"),
        ({"size": "1024x1024"}, "size"),
    ],
)
async def test_what_cannot_be_asked_holds_nothing(params: dict[str, Any], param: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        answer = await submit(s, **params)
        assert (answer.status, answer.json()["error"]["param"]) == (400, param)
        assert await s.spent() == 0


async def test_a_video_is_made_by_tasks_alone(tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        for path, body in (
            ("/v1/images/generations", {"prompt": "a cat"}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a cat"}]}),
        ):
            answer = await s.post(path, {"model": "seedance-1-5", **body})
            assert (answer.status, answer.json()["error"]["code"]) == (400, "unsupported_feature")
        assert s.calls == []


def test_states_of_the_vendors_task() -> None:
    assert read_submitted(200, b'{"id": "cgt-2026-x_1"}') == Working(id="cgt-2026-x_1")
    assert read_state("t", 200, b'{"status": "queued"}') == Working(id="t")
    done = b'{"status": "succeeded", "content": {"video_url": "https://x/y"}, "duration": 4.2}'
    assert read_state("t", 200, done) == Rendered(url="https://x/y", seconds=5)
    unknown = read_state("t", 200, b'{"status": "pondering"}')
    assert isinstance(unknown, VendorError)
    assert unknown.status == 502
