"""The operator's commands where the books are in PostgreSQL, with Redis beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reference_gateway.operations.demo import demo_config
from reference_gateway.tests.operations.test_commands import act
from reference_gateway.tests.scripted import Answer, stage
from reference_gateway.tests.services import Postgres, Redis, postgres, redis_server, until

__all__ = ["postgres", "redis_server"]


def servers(folder: Path, postgres: Postgres, redis_server: Redis) -> str:
    for name, url in (("database-url", postgres.fresh(empty=True)), ("redis-url", redis_server.url)):
        (folder / name).write_text(url)
    return '\n[storage]\ndatabase_file = "database-url"\nredis_file = "redis-url"\n'


async def test_a_running_gateway_obeys_what_another_process_writes(
    tmp_path: Path, postgres: Postgres, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    text = await asyncio.to_thread(servers, tmp_path, postgres, redis_server)
    async with stage(tmp_path, edit=lambda config: config + text) as here:
        config = ("--config", str(here.demo.config))
        before = await here.account()
        assert await asyncio.to_thread(act, "topup", "account-1", "7.50", *config) == 0
        assert (await here.account())["available_micro_usd"] == before["available_micro_usd"] + 7_500_000

        capsys.readouterr()
        assert await asyncio.to_thread(act, "keys", "create", "--account", "account-1", "--group", "default", *config) == 0
        key_id, secret = capsys.readouterr().out.split()

        async def answer() -> Answer:
            return await here.get("/v1/models", secret)

        async def admitted() -> bool:
            return (await answer()).status == 200

        async def refused() -> bool:
            return (await answer()).status == 401

        await until(admitted)
        assert await asyncio.to_thread(act, "keys", "delete", key_id, *config) == 0
        await until(refused)


async def test_the_doctor_asks_both_servers(
    tmp_path: Path, postgres: Postgres, redis_server: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    text = await asyncio.to_thread(servers, tmp_path, postgres, redis_server)
    demo.config.write_text(demo.config.read_text() + text)
    await asyncio.to_thread(act, "doctor", "--config", str(demo.config))
    said = capsys.readouterr().out
    assert "ok   database: writable, schema " in said
    assert "ok   redis: answers\n" in said
    (tmp_path / "redis-url").write_text("redis://:a-password@127.0.0.1:9/0")
    (tmp_path / "database-url").write_text("postgresql://someone:a-password@127.0.0.1:9/none")
    assert await asyncio.to_thread(act, "doctor", "--config", str(demo.config)) == 1
    said = capsys.readouterr().out
    assert "FAIL redis: it does not answer" in said
    assert "FAIL database: " in said
    assert "a-password" not in said
