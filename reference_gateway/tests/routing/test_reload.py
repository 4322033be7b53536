"""SIGHUP to a gateway that runs: contract:067 as an operator does it."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from reference_gateway.routes import Surface
from reference_gateway.tests.routing.channels import called, channel, channels
from reference_gateway.tests.scripted import Stage, Upstream
from reference_gateway.tests.wires import CHAT_BODY, request


async def serve(call: Upstream) -> None:
    await call.answer(CHAT_BODY)


async def ask(s: Stage) -> str:
    """The channel that served."""
    path, body, _ = request(Surface.CHAT, prompt_cache_key=f"conversation {len(s.calls)}")
    assert (await s.post(path, body)).status == 200
    return called(s)[-1]


async def until_told(process: asyncio.subprocess.Process, words: bytes) -> bytes:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while words not in (line := await process.stderr.readline()):
            assert line, "the gateway has stopped"
    return line


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
async def test_a_hang_up_takes_over_the_configuration_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    async with channels(tmp_path, serve, channel("a", schedulable=True), channel("b", priority=2)) as s:
        file = s.demo.config
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reference_gateway", "serve", "--config", str(file), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            s.port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
            assert await ask(s) == "a"
            text = file.read_text()
            file.write_text(text.replace("schedulable = true", "schedulable = 1"))
            process.send_signal(signal.SIGHUP)
            assert b"schedulable is 1; it must be true or false" in await until_told(process, b"not taken over")
            assert await ask(s) == "a"
            file.write_text(text.replace("schedulable = true", "schedulable = false"))
            process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(20):
                while await ask(s) != "b":  # noqa: ASYNC110 (it says nothing where all is well)
                    await asyncio.sleep(0.01)
        finally:
            process.terminate()
            await process.communicate()
        assert process.returncode == 0
