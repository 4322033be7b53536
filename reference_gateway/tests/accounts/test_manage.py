"""`/api/v1/keys` over the wire: what a key may do to its account's keys, and when a change is in force."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Answer, Stage, Upstream, stage
from reference_gateway.tests.test_gateway import words
from reference_gateway.tests.wires import BODIES, COSTS, STREAMS, request

SURFACES = [Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
KEYS = "/api/v1/keys"


async def put(s: Stage, path: str, data: dict[str, Any], key: str | None = None) -> Answer:
    return await s.call("PUT", path, json.dumps(data).encode(), {"authorization": f"Bearer {key or s.demo.keys[0]}"})


async def delete(s: Stage, path: str, key: str | None = None) -> Answer:
    return await s.call("DELETE", path, b"", {"authorization": f"Bearer {key or s.demo.keys[0]}"})


async def create(s: Stage, key: str | None = None, **fields: Any) -> dict[str, Any]:
    answer = await s.post(KEYS, {"name": "mine", "group_id": "default", **fields}, key)
    assert answer.status == 201, answer
    document: dict[str, Any] = answer.json()
    return document


async def answering(call: Upstream) -> None:
    await call.answer(BODIES[Surface.CHAT])


async def chat(s: Stage, key: str) -> Answer:
    path, body, _ = request(Surface.CHAT)
    return await s.post(path, body, key)


async def test_a_key_is_made_used_shown_masked_and_never_again_in_clear(tmp_path: Path) -> None:
    """contract:020, contract:031 to contract:034, C4."""
    async with stage(tmp_path, answering) as s:
        made = await create(
            s,
            quota=12.5,
            expires_in_days=30,
            rate_limit_5h="1.00",
            rate_limit_1d=2,
            rate_limit_7d=3,
            ip_whitelist=["127.0.0.0/8", "::1"],
            ip_blacklist=["203.0.113.0/24"],
        )
        secret, path = made["key"], f"{KEYS}/{made['id']}"
        assert secret.startswith("sk-byts-")
        assert made["masked_key"] == f"sk-byts-...****{secret[-4:]}"
        assert (await chat(s, secret)).status == 200
        shown = await s.get(path)
        listed = await s.get(KEYS, secret)
        for answer in (shown, listed):
            assert secret not in answer.body.decode()
        assert shown.json() == {
            **made,
            "key": made["masked_key"],
            "quota_used": COSTS[Surface.CHAT] / 1_000_000,
        }
        assert {name: made[name] for name in ("quota", "rate_limit_5h", "rate_limit_1d", "rate_limit_7d")} == {
            "quota": 12.5,
            "rate_limit_5h": 1.0,
            "rate_limit_1d": 2.0,
            "rate_limit_7d": 3.0,
        }
        assert made["ip_whitelist"] == ["127.0.0.0/8", "::1/128"]
        assert made["ip_blacklist"] == ["203.0.113.0/24"]
        assert made["expires_at"] > made["created_at"]
        assert [key["id"] for key in listed.json()["data"]] == ["key-1", made["id"]]
        for key in (None, secret):
            reveal = await s.get(f"{path}/reveal", key)
            assert (reveal.status, reveal.json()["error"]["code"]) == (410, "gone")


async def test_a_secret_of_ones_own(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        mine = "sk-byts-" + "My-own_secret-0123456789"
        assert (await create(s, custom_key=mine))["key"] == mine
        assert (await chat(s, mine)).status == 200
        for taken in (mine, s.demo.keys[1]):
            answer = await s.post(KEYS, {"name": "x", "group_id": "default", "custom_key": taken})
            assert (answer.status, answer.json()["error"]["param"]) == (409, "custom_key")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"group_id": None}, "group_id"),
        ({"group_id": "nobody"}, "group_id"),
        ({"group_id": ["default"]}, "group_id"),
        ({"quota": -1}, "quota"),
        ({"rate_limit_5h": "much"}, "rate_limit_5h"),
        ({"rate_limit_1d": 0.0000001}, "rate_limit_1d"),
        ({"rate_limit_7d": True}, "rate_limit_7d"),
        ({"expires_in_days": -3}, "expires_in_days"),
        ({"ip_whitelist": ["10.0.0.1/8"]}, "ip_whitelist"),
        ({"ip_blacklist": "10.0.0.0/8"}, "ip_blacklist"),
        ({"custom_key": "hunter2"}, "custom_key"),
        ({"rate_limit_5hours": 1}, "rate_limit_5hours"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(fields: dict[str, Any], param: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as s:
        answer = await s.post(KEYS, {"name": "x", "group_id": "default", **fields})
        assert (answer.status, answer.json()["error"]["param"]) == (400, param)
        assert answer.json()["error"]["code"] == "invalid_param"
        key = (await create(s))["id"]
        if None not in fields.values():
            changed = await put(s, f"{KEYS}/{key}", fields)
            assert (changed.status, changed.json()["error"]["param"]) == (400, param)
        assert [entry["id"] for entry in (await s.get(KEYS)).json()["data"]] == ["key-1", key]


async def test_a_change_is_in_force_for_the_next_request(tmp_path: Path) -> None:
    """billing-and-storage.md 4.3, invariant 14: also for a window that is exhausted, and for the quota."""
    async with stage(tmp_path, answering) as s:
        price = COSTS[Surface.CHAT] / 1_000_000
        made = await create(s, rate_limit_5h=price)
        secret, path = made["key"], f"{KEYS}/{made['id']}"
        assert (await chat(s, secret)).status == 200
        exhausted = await chat(s, secret)
        assert (exhausted.status, exhausted.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert exhausted.header("retry-after")
        assert (await put(s, path, {"rate_limit_5h": 1})).json()["rate_limit_5h"] == 1.0
        raised = await chat(s, secret)
        assert (raised.status, raised.header("x-ratelimit-limit")) == (200, "1.00")
        await put(s, path, {"quota": 2 * price})
        empty = await chat(s, secret)
        assert (empty.status, empty.json()["error"]["code"]) == (402, "quota_exceeded")
        await put(s, path, {"quota": None, "group_id": "claude-default"})
        assert (await chat(s, secret)).status == 403
        await put(s, path, {"group_id": "default", "ip_blacklist": ["127.0.0.1"]})
        assert (await chat(s, secret)).status == 403
        await put(s, path, {"ip_blacklist": [], "name": "renamed"})
        assert (await chat(s, secret)).status == 200
        shown = (await s.get(path)).json()
        assert (shown["name"], shown["rate_limit_5h"], shown["group_id"]) == ("renamed", 1.0, "default")


async def test_a_rotated_secret_is_dead_at_once(tmp_path: Path) -> None:
    """contract:035."""
    async with stage(tmp_path, answering) as s:
        made = await create(s, rate_limit_5h=1)
        assert (await chat(s, made["key"])).status == 200
        rotated = (await s.post(f"{KEYS}/{made['id']}/rotate", b"", made["key"])).json()
        assert rotated["id"] == made["id"]
        assert rotated["key"] not in (made["key"], rotated["masked_key"])
        assert (await chat(s, made["key"])).status == 401
        fresh = await chat(s, rotated["key"])
        assert (fresh.status, fresh.header("x-ratelimit-limit")) == (200, "1.00")
        assert (await s.get(f"{KEYS}/{made['id']}")).json()["quota_used"] == 2 * COSTS[Surface.CHAT] / 1_000_000


async def test_a_deleted_key_is_dead_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        made = await create(s)
        path = f"{KEYS}/{made['id']}"
        assert (await chat(s, made["key"])).status == 200
        gone = await delete(s, path, made["key"])  # it may delete itself
        assert (gone.status, gone.json()) == (200, {"id": made["id"], "object": "key", "deleted": True})
        assert (await chat(s, made["key"])).status == 401
        assert (await delete(s, path)).status == (await s.get(path)).status == 404
        assert [row["key_id"] for row in await s.usage()] == [made["id"]]  # what it has spent stays in the books


@pytest.mark.usefixtures("cold_and_warm")
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_key_deleted_in_mid_stream_ends_its_stream_in_its_protocols_words(surface: Surface, tmp_path: Path) -> None:
    """contract:036, contract:151, C5: an authentication error, no terminal marker, the connection closed, nothing billed."""
    frames = STREAMS[surface]

    async def script(call: Upstream) -> None:
        await call.head()
        for part in frames[:-2]:
            await call.chunk(part)
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        made = await create(s)
        path, body, headers = request(surface, stream=True)
        client = await s.client()
        client.send_request("POST", path, json.dumps(body).encode(), {"x-api-key": made["key"], **headers})
        status, _ = await client.head()
        seen = b""
        while len(seen) < len(b"".join(frames[:-2])):
            seen += await client.chunk()
        assert status == 200
        assert (await delete(s, f"{KEYS}/{made['id']}")).status == 200
        last = b""
        while piece := await client.chunk():
            last += piece
        event = last.decode()
        assert event.startswith({Surface.RESPONSES: "event: error\n", Surface.MESSAGES: "event: error\n"}.get(surface, "data: {"))
        data = json.loads(event.partition("data: ")[2])
        match surface:
            case Surface.CHAT:
                assert (data["choices"], data["error"]["type"]) == ([], "authentication_error")
            case Surface.RESPONSES:
                assert (data["type"], data["error"]["type"]) == ("error", "authentication_error")
            case Surface.MESSAGES:
                assert data["error"]["type"] == "authentication_error"
            case _:
                assert (data["error"]["code"], data["error"]["status"]) == (401, "UNAUTHENTICATED")
        assert event.count("data: ") == 1  # no [DONE], no message_stop
        assert await client.reader.read() == b""  # closed
        async with asyncio.timeout(10):
            await s.calls[0].aborted.wait()
        assert await s.spent() == 0
        assert await s.usage() == []
        client.close()


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_key_deleted_while_its_answer_is_made_gets_a_401(surface: Surface, tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.aborted.wait()

    async with stage(tmp_path, script) as s:
        made = await create(s)
        path, body, headers = request(surface)
        pending = asyncio.create_task(s.call("POST", path, json.dumps(body).encode(), {"x-api-key": made["key"], **headers}))
        async with asyncio.timeout(10):
            await s.called.wait()
        assert (await delete(s, f"{KEYS}/{made['id']}")).status == 200
        answer = await pending
        assert answer.status == 401
        assert words(surface, answer) == {Surface.MESSAGES: ("authentication_error",), Surface.GEMINI: ("UNAUTHENTICATED",)}.get(
            surface, ("invalid_request_error", "invalid_api_key")
        )
        assert len(s.calls) == 1  # and no other upstream was asked
        assert await s.spent() == 0


async def test_other_keys_go_on_when_one_is_deleted(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def script(call: Upstream) -> None:
        await go_on.wait()
        await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        made = await create(s)
        pending = asyncio.create_task(chat(s, s.demo.keys[0]))
        async with asyncio.timeout(10):
            await s.called.wait()
        await delete(s, f"{KEYS}/{made['id']}")
        go_on.set()
        assert (await pending).status == 200


async def test_another_accounts_keys_are_unknown(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        stranger = s.demo.keys[1]
        made = await create(s)
        path = f"{KEYS}/{made['id']}"
        assert [key["id"] for key in (await s.get(KEYS, stranger)).json()["data"]] == ["key-2"]
        never = await s.get(f"{KEYS}/key_never", stranger)
        for answer in (
            await s.get(path, stranger),
            await put(s, path, {"quota": 1}, stranger),
            await delete(s, path, stranger),
            await s.post(f"{path}/rotate", b"", stranger),
            await s.get(f"{path}/reveal", stranger),
        ):
            assert answer.status == never.status == 404
            assert answer.json()["error"]["code"] == never.json()["error"]["code"] == "key_not_found"
        assert (await chat(s, made["key"])).status == 200


async def test_a_declared_key_belongs_to_the_configuration(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        for answer in (
            await put(s, f"{KEYS}/key-1", {"quota": 1}),
            await delete(s, f"{KEYS}/key-1"),
            await s.post(f"{KEYS}/key-1/rotate", b""),
        ):
            assert answer.status == 409
            assert "configuration" in answer.json()["error"]["message"]
        assert (await s.get(f"{KEYS}/key-1")).json()["declared"] is True
        assert (await chat(s, s.demo.keys[0])).status == 200


async def test_keys_outlive_a_restart_and_declared_ones_follow_the_configuration(tmp_path: Path) -> None:
    async with stage(tmp_path, answering) as s:
        config = s.demo.config
        text = config.read_text().replace('database = ":memory:"', 'database = "gateway.sqlite3"')
        config.write_text(text)
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            kept = await create(s, rate_limit_5h=1, ip_whitelist=["127.0.0.1"])
            lost = await create(s)
            await delete(s, f"{KEYS}/{lost['id']}")
            assert (await chat(s, s.demo.keys[1])).status == 200
        start = text.index('[[keys]]\nid = "key-2"')
        config.write_text(text[:start] + text[text.index("[", start + 8) :])
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            assert (await s.get(f"{KEYS}/{kept['id']}")).json() == {**kept, "key": kept["masked_key"]}
            assert (await chat(s, kept["key"])).status == 200
            assert (await chat(s, lost["key"])).status == 401
            assert (await chat(s, s.demo.keys[1])).status == 401  # no longer declared
            assert (await chat(s, s.demo.keys[0])).status == 200
        config.write_text(text)
        async with Running(load(config), stop_within_s=1.0) as running:
            s.port = int(running.url.rpartition(":")[2])
            assert (await chat(s, s.demo.keys[1])).status == 200  # declared again


async def test_every_key_of_a_suspended_account_is_unknown(tmp_path: Path) -> None:
    """contract:038."""

    async def script(call: Upstream) -> None:
        if len(s.calls) == 1:
            await call.aborted.wait()
        else:
            await call.answer(BODIES[Surface.CHAT])

    async with stage(tmp_path, script) as s:
        made = await create(s)
        pending = asyncio.create_task(chat(s, made["key"]))
        async with asyncio.timeout(10):
            await s.called.wait()
        await s.running.directory.suspend("account-1")
        assert (await pending).status == 401
        for key in (s.demo.keys[0], made["key"]):
            assert (await chat(s, key)).status == (await s.get("/v1/models", key)).status == 401
        assert (await chat(s, s.demo.keys[1])).status == 200
        await s.running.directory.suspend("account-1", False)
        assert (await chat(s, made["key"])).status == 200
        assert await s.spent() == COSTS[Surface.CHAT]
