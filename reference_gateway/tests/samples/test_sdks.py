"""The samples with every generation of the official SDKs, each in an environment of its own (`nox -s sdks`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reference_gateway.tests.samples import checks, environments
from reference_gateway.tests.samples.checks import ANTHROPIC, OPENAI, SAMPLES, demo_gateway, drive, run_command


@pytest.mark.parametrize("name", environments.GENERATIONS)
async def test_the_samples_run_with_this_generation(name: str, tmp_path: Path) -> None:
    python = environments.python(name)
    package, major = name.split("-")
    samples = OPENAI if package == "openai" else ANTHROPIC
    async with demo_gateway(tmp_path) as demo:
        told = await drive(demo, samples, python)
    assert told["versions"][package].split(".")[0] == major
    for sample in samples:
        checks.check(sample, told["results"][sample.name])


async def test_the_typescript_samples(tmp_path: Path) -> None:
    folder = environments.node()
    said = {}
    async with demo_gateway(tmp_path) as demo:
        for file in sorted((SAMPLES / "typescript").iterdir()):
            # They hold no type annotation, so that node runs them as they stand, whichever version it is.
            script = folder / f"{file.stem}.mjs"
            script.write_text(file.read_text().replace(checks.URL, demo.url).replace(checks.KEY, demo.key))
            said[file.stem] = json.loads(await run_command("node", str(script), folder=folder))
    assert said["openai_chat"]["choices"][0]["message"]["content"] == "pong"
    assert said["openai_responses"]["status"] == "completed"
    assert said["anthropic_tools"]["stop_reason"] == "tool_use"
