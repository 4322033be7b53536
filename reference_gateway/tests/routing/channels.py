"""A stage whose scripted upstream stands behind several channels: each has a path of its own, by which the script knows it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reference_gateway.tests.scripted import Script, Stage, Upstream, stage

_CHANNELS = re.compile(r"(?:\[channels\.[\w-]+\]\n(?:[^\[\n].*\n)*\n?)+")
_BASE = re.compile(r"http://127\.0\.0\.1:\d+")
_KINDS = {
    "openai": ("gpt-5-5", "gpt-5-4"),
    "anthropic": ("claude-sonnet-4-6",),
    "gemini": ("gemini-3-1-pro",),
    "deepseek": ("deepseek-v4-pro",),
}


def channel(name: str, kind: str = "openai", *, base: str = "{base}", models: tuple[str, ...] | None = None, **more: object) -> str:
    """The configuration of a channel at `base`, by its kind with the demo's models of that kind."""
    ids = ", ".join(f'"{id_}"' for id_ in models or _KINDS[kind])
    lines = [f"[channels.{name}]", f'kind = "{kind}"', f'base_url = "{base}/{name}"', 'key_file = "upstream-key"', f"models = [{ids}]"]
    for key, value in more.items():
        lines.append(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}")
    return "\n".join(lines) + "\n\n"


def rewritten(text: str, blocks: tuple[str, ...], extra: str) -> str:
    """The configuration with these channels instead of its own, and without what they do not serve."""
    base = _BASE.search(text)
    assert base is not None
    ours = "".join(blocks).replace("{base}", base[0])
    served = set(re.findall(r'"([\w-]+)"', " ".join(re.findall(r"^models = \[(.*)\]$", ours, re.MULTILINE))))
    text = _CHANNELS.sub(ours, text, count=1)
    for block in re.findall(r"\[\[models\]\]\n(?:[^\[\n].*\n)*\n*", text):
        if (id_ := re.search(r'^id = "([\w-]+)"', block, re.MULTILINE)) and id_[1] not in served:
            text = text.replace(block, "")
    text = re.sub(r"\[groups\.(?!default\])[\w-]+\]\nmodels = .*\n", lambda match: re.sub(r"models = .*", 'models = ["*"]', match[0]), text)
    text = re.sub(r"\[(?:aliases\.[\w-]+|hints)\]\n(?:[^\[\n].*\n)*", "", text)
    return text.replace("[routing]\nfailures = 0\n", "") + "\n" + extra


@asynccontextmanager
async def channels(folder: Path, script: Script, *blocks: str, extra: str = "", **options: Any) -> AsyncIterator[Stage]:
    async with stage(folder, script, edit=lambda text: rewritten(text, blocks, extra), **options) as here:
        yield here


def name(call: Upstream) -> str:
    return call.target.split("/")[1]


def called(s: Stage) -> list[str]:
    """The channels that were called, in order."""
    return [name(call) for call in s.calls]
