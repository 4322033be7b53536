"""Every code sample of the two migration guides, run as it stands against the demo: only base URL and key are put in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from harness.tests.absent import missing
from reference_gateway.tests.samples import checks
from reference_gateway.tests.samples.checks import ANTHROPIC, OPENAI, SAMPLES, demo_gateway, drive, run_command


async def test_the_python_samples_of_the_openai_guide(tmp_path: Path) -> None:
    async with demo_gateway(tmp_path) as demo:
        told = await drive(demo, OPENAI)
        url = told["results"]["openai_images.py"]["r"]["data"][0]["url"]
        assert url.startswith(demo.url)
        picture = await run_command("curl", "-sS", url)
    for sample in OPENAI:
        checks.check(sample, told["results"][sample.name])
    assert picture.startswith(b"\x89PNG")


async def test_the_python_samples_of_the_anthropic_guide(tmp_path: Path) -> None:
    async with demo_gateway(tmp_path) as demo:
        told = await drive(demo, ANTHROPIC)
    for sample in ANTHROPIC:
        checks.check(sample, told["results"][sample.name])


async def test_the_shell_samples(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed: install it to run the shell samples")
    async with demo_gateway(tmp_path) as demo:
        said = {}
        for file in sorted((SAMPLES / "shell").iterdir()):
            script = file.read_text().replace(checks.URL, demo.url).replace(checks.KEY, demo.key)
            said[file.name] = json.loads(await run_command("sh", "-c", script))
    assert said["openai_chat.sh"]["choices"][0]["message"]["content"] == "pong"
    assert said["anthropic_messages.sh"]["content"][0]["type"] == "text"
    assert {"gpt-5-4", "claude-sonnet-4-6", "gemini-3-1-pro"} <= {model["id"] for model in said["models.sh"]["data"]}


async def test_the_catalog_has_every_model_the_guides_name(tmp_path: Path) -> None:
    named = {
        *("gpt-5-5", "gpt-5-4", "gpt-5-4-mini", "gpt-5-4-nano", "claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-4-5"),
        *("gemini-3-1-pro", "deepseek-v4-pro", "deepseek-v3-anthropic", "gpt-image-2", "seedream-4-5", "nano-banana"),
    }
    async with demo_gateway(tmp_path) as demo:
        listed = await run_command("curl", "-sS", f"{demo.url}/v1/models", "-H", f"x-api-key: {demo.key}")
    assert named <= {model["id"] for model in json.loads(listed)["data"]}
