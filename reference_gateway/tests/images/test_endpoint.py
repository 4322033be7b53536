"""The images surface over sockets: what callers get, what vendors are sent, what is billed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.tests.images.pictures import b64, png
from reference_gateway.tests.images.test_request import form
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage

URL = {"model": "gpt-image-2", "prompt": "a cat", "quality": "low"}
LOW, MEDIUM, HIGH, SEEDREAM, BANANA = 11_000, 42_000, 167_000, 30_000, 39_000  # micro-USD an image by the demo's prices


def openai(count: int = 1, **more: Any) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": b64(png(shade))} for shade in range(count)], **more}).encode()


def always(data: bytes, status: int = 200, *headers: str) -> Any:
    async def script(call: Upstream) -> None:
        await call.answer(data, status, *headers)

    return script


async def generate(s: Stage, key: str | None = None, **members: Any) -> Answer:
    return await s.post("/v1/images/generations", {**URL, **members}, key)


async def fetch(s: Stage, url: str) -> Answer:
    """By its link alone: no key."""
    root, slash, path = url.partition("/v1/")
    assert root == "http://test"  # the name by which the caller found the gateway
    return await s.call("GET", slash + path, b"", {})


def words(answer: Answer) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.header("x-request-id")
    return answer.status, error["code"], error["param"]


async def test_an_image_has_a_link_of_our_own_and_is_billed_once(tmp_path: Path) -> None:
    """contract:210, contract:211, contract:169."""
    async with stage(tmp_path, always(openai(1, size="1024x1024", quality="low"), 200, "x-request-id: up-1")) as s:
        answer = await generate(s)
        assert (answer.status, answer.header("x-images-delivered"), answer.header("x-upstream-request-id")) == (200, "1", "up-1")
        document = answer.json()
        assert set(document) == {"created", "data", "size", "quality"}
        ((item),) = document["data"]
        assert set(item) == {"url", "revised_prompt"}
        image = await fetch(s, item["url"])
        assert (image.status, image.body, image.header("content-type")) == (200, png(), "image/png")
        assert image.header("x-content-type-options") == "nosniff"
        client = await s.client()
        client.send_request("HEAD", item["url"].removeprefix("http://test"), b"", {})
        status, headers = await client.head()
        assert (status, dict(headers)["content-length"]) == (200, str(len(png())))
        client.close()
        assert await s.spent() == LOW
        (row,) = await s.usage()
        assert (row["request_id"], row["model"], row["surface"]) == (answer.header("x-request-id"), "gpt-image-2", "images")
        assert (row["cost_micro_usd"], row["images"]) == (LOW, 1)
        assert json.loads(s.calls[0].body) == URL  # as it stood
        assert s.calls[0].target == "/v1/images/generations"


async def test_base64_is_the_vendors_own_answer(tmp_path: Path) -> None:
    body = openai(2, usage={"total_tokens": 5}).replace(b", ", b" ,  ")
    async with stage(tmp_path, always(body)) as s:
        answer = await generate(s, n=2, response_format="b64_json")
        assert (answer.status, answer.body) == (200, body)
        assert json.loads(s.calls[0].body) == {**URL, "n": 2}  # the vendor does not take response_format
        assert await s.spent() == 2 * LOW
        assert not (tmp_path / "images").exists()


async def test_a_link_ends_after_a_day_and_cannot_be_bent(tmp_path: Path) -> None:
    async with stage(tmp_path, always(openai())) as s:
        url = (await generate(s)).json()["data"][0]["url"]
        path = url.removeprefix("http://test")
        assert words(await s.call("GET", path[:-1] + ("0" if path[-1] != "0" else "1"), b"", {}))[:2] == (403, "link_refused")
        assert words(await s.call("GET", path.partition("?")[0], b"", {}))[:2] == (403, "link_refused")
        for bent in ("../gateway.toml", "..%2Fgateway.toml", "%2e%2e%2fgateway.toml", "pepper", "a.png"):
            answer = await s.call("GET", f"/v1/images/files/{bent}?{path.partition('?')[2]}", b"", {})
            assert answer.status in (403, 404)
        assert (await s.call("POST", path, b"", {})).status == 405
        (file,) = (tmp_path / "images").iterdir()
        file.unlink()
        assert words(await s.call("GET", path, b"", {}))[:2] == (404, "not_found")
        s.clock.advance(24 * 3600 - 60)
        assert (await s.call("GET", path, b"", {})).status == 404
        s.clock.advance(60)
        assert words(await s.call("GET", path, b"", {}))[:2] == (403, "link_refused")


async def test_seedream_makes_each_image_by_itself(tmp_path: Path) -> None:
    """contract:212, contract:214."""

    async def script(call: Upstream) -> None:
        assert call.target == "/api/v3/images/generations"
        seed = json.loads(call.body)["seed"]
        await call.answer(json.dumps({"data": [{"b64_json": b64(png(seed)), "size": "2048x2048"}]}).encode())

    async with stage(tmp_path, script) as s:
        answer = await s.post(
            "/v1/images/generations", {"model": "seedream-4-5", "prompt": "a cat", "n": 4, "seed": 7, "negative_prompt": "dogs"}
        )
        assert answer.status == 200, answer
        images = [(await fetch(s, item["url"])).body for item in answer.json()["data"]]
        assert images == [png(shade) for shade in range(7, 11)]
        assert len(s.calls) == 4
        assert await s.spent() == 4 * SEEDREAM
        (row,) = await s.usage()
        assert row["images"] == 4


async def test_nano_banana_goes_through_generate_content(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        assert call.target == "/v1beta/models/nano-banana:generateContent"
        assert call.header("x-goog-api-key")
        part = {"inlineData": {"mimeType": "image/png", "data": b64(png(3))}}
        await call.answer(json.dumps({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}).encode())

    async with stage(tmp_path, script) as s:
        answer = await s.post("/v1/images/generations", {"model": "nano-banana", "prompt": "a cat", "size": "1024x1024"})
        assert (await fetch(s, answer.json()["data"][0]["url"])).body == png(3)
        assert await s.spent() == BANANA


async def test_an_edit_is_a_form(tmp_path: Path) -> None:
    async with stage(tmp_path, always(openai())) as s:
        body = form(("model", b"gpt-image-2", None), ("prompt", b"a hat", None), ("quality", b"high", None), ("image", png(), "cat.png"))
        answer = await s.post("/v1/images/edits", body, content_type="multipart/form-data; boundary=b")
        assert answer.status == 200, answer
        assert (s.calls[0].target, s.calls[0].body) == ("/v1/images/edits", body)
        assert s.calls[0].header("content-type") == ["multipart/form-data; boundary=b"]
        assert await s.spent() == HIGH
        assert words(await s.post("/v1/images/edits", {"model": "gpt-image-2"}))[:2] == (400, "invalid_param")


async def test_what_did_not_come_is_declared_and_not_billed(tmp_path: Path) -> None:
    """billing-and-storage.md 4.2, images; contract:159."""

    async def script(call: Upstream) -> None:
        match json.loads(call.body)["seed"]:
            case 0:
                await call.answer(json.dumps({"data": [{"b64_json": b64(png())}]}).encode())
            case 1:
                await call.answer(b'{"error": {"code": "OutputImageSensitiveContentDetected", "message": "no"}}', 400)
            case 2:
                await call.answer(b'{"data": [{"url": "http://127.0.0.1:9/gone.png"}]}')
            case _:
                call.reset()

    async with stage(tmp_path, script) as s:
        answer = await s.post("/v1/images/generations", {"model": "seedream-4-5", "prompt": "a cat", "n": 4, "seed": 0})
        document = answer.json()
        assert answer.status == 200
        assert (answer.header("x-images-requested"), answer.header("x-images-delivered")) == ("4", "1")
        assert len(document["data"]) == 1
        assert sorted(error["code"] for error in document["errors"]) == ["content_policy_violation", "undeliverable", "upstream_error"]
        assert await s.spent() == SEEDREAM


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b'{"error": {"code": "moderation_blocked", "message": "no"}}', 400, (451, "content_policy_violation", "prompt")),
        (b'{"data": [{"error": {"code": "moderation_blocked", "message": "no"}}]}', 200, (451, "content_policy_violation", "prompt")),
        (b'{"data": []}', 200, (502, "bad_upstream", None)),
        (b'{"data": [{"b64_json": "PHN2Zz4="}]}', 200, (502, "bad_upstream", None)),  # <svg>
        (b"<html>", 200, (502, "bad_upstream", None)),
        (b'{"error": {"message": "late"}}', 200, (502, "bad_upstream", None)),
        (b'{"error": {"message": "your key sk-..."}}', 401, (502, "bad_upstream", None)),
    ],
)
async def test_what_came_to_nothing_costs_nothing(body: bytes, status: int, expected: tuple[int, str, str | None], tmp_path: Path) -> None:
    """contract:153, contract:158, contract:208: never a 200 without an image."""
    async with stage(tmp_path, always(body, status)) as s:
        assert words(await generate(s)) == expected
        assert await s.spent() == 0
        assert await s.usage() == []


async def test_the_vendors_own_error_is_the_callers_to_see(tmp_path: Path) -> None:
    body = b'{"error": {"message": "bad size",  "type": "invalid_request_error", "code": "invalid_value", "param": "size"}}'
    async with stage(tmp_path, always(body, 400, "retry-after: 3")) as s:
        answer = await generate(s)
        assert (answer.status, answer.body, answer.header("retry-after")) == (400, body, "3")
        assert await s.spent() == 0


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"n": 5}, (400, "invalid_param", "n")),
        ({"prompt": ""}, (400, "invalid_param", "prompt")),
        ({"stream": True}, (400, "unsupported_feature", "stream")),
        ({"model": "gpt-5-5"}, (400, "unsupported_feature", "model")),
        ({"model": "gpt-9"}, (404, "model_not_found", "model")),
        ({"model": "seedream-4-5", "style": "vivid", "quality": None}, (400, "unsupported_feature", "style")),
    ],
)
async def test_what_cannot_be_asked_reaches_no_vendor(
    members: dict[str, Any], expected: tuple[int, str, str | None], tmp_path: Path
) -> None:
    async with stage(tmp_path) as s:
        assert words(await generate(s, **members)) == expected
        assert words(await generate(s, s.demo.narrow_key)) == (403, "model_not_in_group", "model")
        assert words(await generate(s, s.demo.poor_key)) == (402, "insufficient_balance", None)
        assert words(await generate(s, "sk-byts-none")) == (401, "invalid_api_key", None)
        assert await s.spent() == 0
        assert s.calls == []


async def test_the_dearest_that_it_may_be_is_held_and_what_it_was_is_billed(tmp_path: Path) -> None:
    """contract:160, contract:161, contract:170."""

    async def script(call: Upstream) -> None:
        balance = await s.account()
        assert balance["held_micro_usd"] == 3 * HIGH
        await call.answer(openai(3, quality="medium", size="1024x1024"))

    async with stage(tmp_path, script) as s:
        assert (await generate(s, quality="auto", n=3)).status == 200
        assert await s.spent() == 3 * MEDIUM
        assert (await generate(s, size="2048x2048", n=3)).status == 200
        assert await s.spent() == 3 * MEDIUM + 3 * HIGH


async def test_a_url_of_the_vendors_is_fetched_kept_and_never_shown(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        if call.method == "GET":
            assert call.header("authorization") == []
            await call.answer(png(5), kind="application/octet-stream")
        else:
            await call.answer(json.dumps({"data": [{"url": f"http://{call.header('host')[0]}/asset.png?sig=1"}]}).encode())

    async with stage(tmp_path, script) as s:
        for delivery in ("url", "b64_json"):
            answer = await generate(s, response_format=delivery)
            assert "asset.png" not in answer.body.decode()
            (item,) = answer.json()["data"]
            assert (item.get("b64_json") == b64(png(5))) if delivery == "b64_json" else (await fetch(s, item["url"])).body == png(5)
        assert [call.target for call in s.calls if call.method == "GET"] == ["/asset.png?sig=1"] * 2


async def test_a_caller_who_leaves_pays_nothing_and_the_vendor_is_told(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        client = await s.client()
        body = json.dumps(URL).encode()
        client.send_request("POST", "/v1/images/generations", body, {"authorization": f"Bearer {s.demo.keys[0]}"})
        async with asyncio.timeout(10):
            await s.called.wait()
            client.reset()
            await s.calls[0].aborted.wait()
            while (await s.account())["held_micro_usd"]:  # noqa: ASYNC110  # what is asked is behind a socket
                await asyncio.sleep(0.01)
        assert await s.spent() == 0


async def test_a_folder_that_cannot_be_written_is_a_failure_that_costs_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, always(openai())) as s:
        (tmp_path / "images").write_text("a file where the folder should be")
        assert words(await generate(s)) == (502, "bad_upstream", None)
        assert (await generate(s, response_format="b64_json")).status == 200
        assert await s.spent() == LOW


@pytest.mark.parametrize("failure", ["status", "limit", "reset"])
async def test_where_one_channel_gives_nothing_the_next_one_does(failure: str, tmp_path: Path) -> None:
    """contract:064, contract:206; billing-and-storage.md 4.3, invariant 7."""

    async def script(call: Upstream) -> None:
        if call.target.startswith("/second"):
            await call.answer(json.dumps({"data": [{"b64_json": b64(png(9))}]}).encode())
        elif failure == "reset":
            call.reset()
        else:
            await call.answer(b'{"error": {"message": "busy"}}', 429 if failure == "limit" else 500)

    async with stage(tmp_path, script) as s:
        config = s.demo.config
        second = f'[channels.second]\nkind = "seedream"\nbase_url = "{s.upstream_url}/second"\nkey_file = "upstream-key"\n'
        config.write_text(config.read_text() + second + 'priority = 2\nmodels = ["seedream-4-5"]\n')
        async with Running(load(config), stop_within_s=1.0) as running:
            s.running, s.port = running, int(running.url.rpartition(":")[2])
            answer = await s.post("/v1/images/generations", {"model": "seedream-4-5", "prompt": "a cat", "response_format": "b64_json"})
            assert answer.json()["data"][0]["b64_json"] == b64(png(9))
            assert [call.target.split("/")[1] for call in s.calls] == ["api", "second"]
            assert await s.spent() == SEEDREAM
            assert len(await s.usage()) == 1


async def test_a_limit_at_the_vendor_says_when_to_come_back(tmp_path: Path) -> None:
    """contract:233."""
    async with stage(tmp_path, always(b'{"error": {"message": "slow down"}}', 429, "retry-after: 7")) as s:
        answer = await s.post("/v1/images/generations", {"model": "seedream-4-5", "prompt": "a cat"})
        assert (answer.status, answer.header("retry-after")) == (429, "7")
        assert await s.spent() == 0


async def test_a_key_that_is_deleted_takes_its_image_along(tmp_path: Path) -> None:
    """contract:036: what is under way on it ends with 401, unbilled, and the vendor is told."""

    async def script(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        made = (await s.post("/api/v1/keys", {"name": "second", "group_id": "default"})).json()
        pending = asyncio.create_task(generate(s, made["key"]))
        async with asyncio.timeout(10):
            await s.called.wait()
            await s.call("DELETE", f"/api/v1/keys/{made['id']}", b"", {"authorization": f"Bearer {s.demo.keys[0]}"})
            assert words(await pending)[:2] == (401, "invalid_api_key")
            await s.calls[0].aborted.wait()
        assert await s.spent() == 0


async def test_a_model_priced_by_tokens_is_billed_by_the_vendors_count(tmp_path: Path) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100}
    async with stage(tmp_path, always(openai(1, usage=usage))) as s:
        config = s.demo.config
        text = config.read_text()
        priced = 'prices = { images = { default = "0.04", low = "0.011", medium = "0.042", high = "0.167" } }'
        assert priced in text
        config.write_text(text.replace(priced, 'prices = { input = "5.00", output = "40.00" }'))
        async with Running(load(config), stop_within_s=1.0) as running:
            s.running, s.port = running, int(running.url.rpartition(":")[2])
            assert (await generate(s)).json()["usage"] == usage
            assert await s.spent() == 100 * 5 + 1000 * 40
            (row,) = await s.usage()
            assert (row["output_tokens"], row["images"]) == (1000, 1)
