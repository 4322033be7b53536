"""SIGHUP: the configuration as it is now, or, where that has a mistake, as it was."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.operations.demo import demo_config
from reference_gateway.tests.scripted import PATIENCE_S, Stage


async def input_price(s: Stage) -> Any:
    listed = (await s.get("/api/pricing")).json()["data"]
    return next(price["rates"]["input_per_1m"] for price in listed if price["model"] == "gpt-5-5")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP on this system")
async def test_a_configuration_read_anew_brings_its_prices_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reference_gateway", "--config", str(demo.config), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(3 * PATIENCE_S):
            s = Stage(port=int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2]), demo=demo)
            assert await input_price(s) == 1.25
            text = demo.config.read_text()
            demo.config.write_text(text.replace('input = "1.25"', "input = 1.25"))
            process.send_signal(signal.SIGHUP)
            assert b"the configuration was not taken over" in await process.stderr.readline()
            assert await input_price(s) == 1.25
            demo.config.write_text(text.replace('input = "1.25"', 'input = "2.50"'))
            process.send_signal(signal.SIGHUP)
            while await input_price(s) == 1.25:  # noqa: ASYNC110 (another process: there is no event to wait for)
                await asyncio.sleep(0.01)
            assert await input_price(s) == 2.5
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
