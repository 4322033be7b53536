"""Who is let in: from where, until when, and how much at a time."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.routes import Surface
from reference_gateway.tests.accounts.test_manage import KEYS, create, delete, put
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.test_gateway import words
from reference_gateway.tests.wires import BODIES, request

SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]


async def ask(s: Stage, surface: Surface, key: str, **headers: str) -> Answer:
    path, body, own = request(surface)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await s.call("POST", path, json.dumps(body).encode(), {"x-api-key": key, **own, **named})


def answering(surface: Surface) -> Any:
    async def script(call: Upstream) -> None:
        await call.answer(BODIES[surface])

    return script


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_address_outside_the_lists_is_refused(surface: Surface, tmp_path: Path) -> None:
    """contract:037."""
    async with stage(tmp_path, answering(surface)) as s:
        inside = await create(s, ip_whitelist=["127.0.0.0/8", "::1"])
        outside = await create(s, ip_whitelist=["203.0.113.0/24"])
        denied = await create(s, ip_whitelist=["127.0.0.0/8"], ip_blacklist=["127.0.0.1"])
        assert (await ask(s, surface, inside["key"])).status == 200
        for key in (outside, denied):
            answer = await ask(s, surface, key["key"], x_forwarded_for="203.0.113.7")  # nobody trusts this peer's word
            assert answer.status == 403
            assert words(surface, answer) == {Surface.MESSAGES: ("permission_error",), Surface.GEMINI: ("PERMISSION_DENIED",)}.get(
                surface, ("permission_denied", "permission_denied")
            )
            assert (await s.get("/api/v1/me/account", key["key"])).status == 403
        assert len(s.calls) == 1


async def test_behind_a_trusted_proxy_the_forwarded_address_counts(tmp_path: Path) -> None:
    async with stage(tmp_path, answering(Surface.CHAT)) as s:
        config = s.demo.config
        config.write_text(config.read_text().replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.0/8"]\n'))
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            made = await create(s, ip_whitelist=["203.0.113.0/24"])
            for forwarded, status in (
                ("203.0.113.7", 200),
                ("198.51.100.1, 203.0.113.7", 200),
                ("203.0.113.7, 198.51.100.1", 403),
                ("203.0.113.7, 127.0.0.9", 200),
                ("nonsense", 403),
            ):
                assert (await ask(s, Surface.CHAT, made["key"], x_forwarded_for=forwarded)).status == status, forwarded
            assert (await ask(s, Surface.CHAT, made["key"])).status == 403


@pytest.mark.parametrize("surface", SURFACES)
async def test_however_a_key_ended_the_answer_is_one_and_the_same(surface: Surface, tmp_path: Path) -> None:
    """contract:029: expired, deleted, rotated, suspended; nobody learns which."""
    async with stage(tmp_path, answering(surface)) as s:
        expiring, deleted, rotated = await create(s, expires_in_days=1), await create(s), await create(s)
        suspended = await create(s, s.demo.keys[1])
        for key in (expiring, deleted, rotated, suspended):
            assert (await ask(s, surface, key["key"])).status == 200
        await delete(s, f"{KEYS}/{deleted['id']}")
        await s.post(f"{KEYS}/{rotated['id']}/rotate", b"")
        await s.running.directory.suspend("account-2")
        s.clock.advance(86_400)
        assert (await s.get(f"{KEYS}/{expiring['id']}")).json()["status"] == "expired"
        answers = [await ask(s, surface, key["key"]) for key in (expiring, deleted, rotated, suspended)]
        answers.append(await ask(s, surface, "sk-byts-nobody"))
        assert {answer.status for answer in answers} == {401}
        for answer in answers:
            assert words(surface, answer) == {
                Surface.MESSAGES: ("authentication_error",),
                Surface.GEMINI: ("UNAUTHENTICATED",),
            }.get(surface, ("invalid_request_error", "invalid_api_key"))
        messages = {json.dumps(answer.json()["error"]) for answer in answers}
        assert len(messages) == 1
        await put(s, f"{KEYS}/{expiring['id']}", {"expires_in_days": 2})
        assert (await ask(s, surface, expiring["key"])).status == 200


@pytest.mark.parametrize(
    ("path", "cap", "headers"),
    [
        ("/v1/tasks/submit", 1024 * 1024, {}),
        ("/v1/tasks/query", 1024 * 1024, {}),
        ("/v1/tasks/cancel", 1024 * 1024, {"anthropic-version": "2023-06-01"}),
        ("/api/v1/keys", 64 * 1024, {}),
        ("/api/v1/dial/test", 64 * 1024, {}),
    ],
)
async def test_a_body_over_its_paths_cap(path: str, cap: int, headers: dict[str, str], tmp_path: Path) -> None:
    """contract:204: tasks answer in OpenAI's shape whoever asks (contract:200)."""
    async with stage(tmp_path) as s:
        client = await s.client()
        lines = [f"POST {path} HTTP/1.1", "host: t", f"content-length: {cap + 1}", f"x-api-key: {s.demo.keys[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        client.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")  # refused by its length alone
        answer = await client.answer()
        client.close()
        assert answer.status == 413
        assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == ("invalid_request_error", "request_too_large")
        assert answer.header("x-request-id")


async def test_a_key_whose_group_is_gone_reaches_no_model(tmp_path: Path) -> None:
    async with stage(tmp_path, answering(Surface.CHAT)) as s:
        config = s.demo.config
        text = config.read_text().replace('database = ":memory:"', 'database = "gateway.sqlite3"')
        config.write_text(text + '\n[groups.passing]\nmodels = ["gpt-5-5"]\n')
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            made = await create(s, group_id="passing")
            assert (await ask(s, Surface.CHAT, made["key"])).status == 200
        config.write_text(text)
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            assert (await ask(s, Surface.CHAT, made["key"])).status == 403
            assert (await s.get("/v1/models", made["key"])).json()["data"] == []
            assert (await s.get("/api/v1/me/account", made["key"])).json()["allowed_models"] == []
            await put(s, f"{KEYS}/{made['id']}", {"group_id": "default"}, made["key"])
            assert (await ask(s, Surface.CHAT, made["key"])).status == 200
