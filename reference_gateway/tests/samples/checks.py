"""What each sample of the guides must bring, and how it is run: shared by the tests of every SDK generation."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import demo_config
from reference_gateway.operations.vendor.server import Vendor

SAMPLES: Final = Path(__file__).parents[2] / "samples"
DRIVE: Final = Path(__file__).with_name("drive.py")
URL, KEY = "http://127.0.0.1:8080", "sk-byts-demo"  # as the samples have them
PATIENCE_S: Final = 120.0

Check = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`check` sees what the sample's `r` is. `model`, if given, stands in place of the one in the file."""

    file: str
    check: Check
    model: tuple[str, str] | None = None
    again: bool = False

    @property
    def name(self) -> str:
        name = self.file if self.model is None else f"{self.file} with {self.model[1]}"
        return f"{name} again" if self.again else name


def _pong(r: dict[str, Any]) -> None:
    assert r["choices"][0]["message"]["content"] == "pong"
    assert r["usage"]["total_tokens"] == r["usage"]["prompt_tokens"] + r["usage"]["completion_tokens"]


def _chat_weather(r: dict[str, Any]) -> None:
    (call,) = r["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Tokyo"}
    assert r["choices"][0]["finish_reason"] == "tool_calls"


def _streamed(r: Any) -> None:
    assert "".join(r).endswith("You wrote: Count to three")
    assert len(r) > 3


def _river(r: dict[str, Any]) -> None:
    document = json.loads(r["choices"][0]["message"]["content"])
    assert isinstance(document.pop("river"), str)
    assert isinstance(document.pop("length_km"), int)
    assert not document


def _image(r: dict[str, Any]) -> None:
    (item,) = r["data"]
    assert item["url"].startswith("http://")


def _summary(r: dict[str, Any]) -> None:
    assert r["status"] == "completed"
    assert [item["type"] for item in r["output"]] == ["reasoning", "message"]
    assert r["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


def _hello(r: dict[str, Any]) -> None:
    assert (r["type"], r["stop_reason"]) == ("message", "end_turn")
    assert r["content"][0]["text"]


def _messages_weather(r: dict[str, Any]) -> None:
    block = next(block for block in r["content"] if block["type"] == "tool_use")
    assert (block["name"], block["input"], r["stop_reason"]) == ("get_weather", {"city": "Tokyo"}, "tool_use")


def _written_to_cache(r: dict[str, Any]) -> None:
    assert r["usage"]["cache_creation_input_tokens"] > 1024
    assert r["usage"]["cache_read_input_tokens"] == 0


def _read_from_cache(r: dict[str, Any]) -> None:
    """Step 7 of the guide: the second identical call reads what the first has written (contract:241)."""
    assert r["usage"]["cache_creation_input_tokens"] == 0
    assert r["usage"]["cache_read_input_tokens"] > 1024


def _thought(r: dict[str, Any]) -> None:
    assert [block["type"] for block in r["content"]] == ["thinking", "text"]


OPENAI: Final = (
    Sample(file="openai_chat.py", check=_pong),
    *(Sample(file="openai_chat.py", check=_pong, model=("gpt-5-4", name)) for name in ("gpt-5-5", "gpt-5-4-mini", "gpt-5-4-nano")),
    Sample(file="openai_chat.py", check=_pong, model=("gpt-5-4", "deepseek-v4-pro")),
    # S1, "Chat completion": "or swap to gpt-5-5 / claude-sonnet-4-6 / gemini-3-1-pro"
    Sample(file="openai_chat.py", check=_pong, model=("gpt-5-4", "claude-sonnet-4-6")),
    Sample(file="openai_chat.py", check=_pong, model=("gpt-5-4", "gemini-3-1-pro")),
    # S1, "Tool use": Claude with the OpenAI SDK, and "works against gpt-5, claude, gemini, etc."
    Sample(file="openai_tools.py", check=_chat_weather),
    Sample(file="openai_tools.py", check=_chat_weather, model=("claude-sonnet-4-6", "gemini-3-1-pro")),
    Sample(file="openai_tools.py", check=_chat_weather, model=("claude-sonnet-4-6", "gpt-5-5")),
    Sample(file="openai_tools.py", check=_chat_weather, model=("claude-sonnet-4-6", "deepseek-v4-pro")),
    Sample(file="openai_stream.py", check=_streamed),
    Sample(file="openai_structured.py", check=_river),
    Sample(file="openai_responses.py", check=_summary),
    # S1, "Responses API": "Works against every model in the catalog"
    Sample(file="openai_responses.py", check=_summary, model=("gpt-5-5", "claude-sonnet-4-6")),
    Sample(file="openai_responses.py", check=_summary, model=("gpt-5-5", "gemini-3-1-pro")),
    Sample(file="openai_images.py", check=_image),
    Sample(file="openai_images.py", check=_image, model=("seedream-4-5", "nano-banana")),
    Sample(file="openai_images.py", check=_image, model=("seedream-4-5", "gpt-image-2")),
)
ANTHROPIC: Final = (
    Sample(file="anthropic_messages.py", check=_hello),
    Sample(file="anthropic_explicit.py", check=_hello),
    Sample(file="anthropic_stream.py", check=_hello),
    Sample(file="anthropic_tools.py", check=_messages_weather),
    Sample(file="anthropic_tools.py", check=_messages_weather, model=("claude-sonnet-4-6", "deepseek-v3-anthropic")),
    # S2, "Tool use": "and the translated routes (gemini-3-1-pro, gpt-5-5 via Messages shape)"
    Sample(file="anthropic_tools.py", check=_messages_weather, model=("claude-sonnet-4-6", "gemini-3-1-pro")),
    Sample(file="anthropic_tools.py", check=_messages_weather, model=("claude-sonnet-4-6", "gpt-5-5")),
    Sample(file="anthropic_caching.py", check=_written_to_cache),
    Sample(file="anthropic_caching.py", check=_read_from_cache, again=True),
    Sample(file="anthropic_thinking.py", check=_thought),
)


def check(sample: Sample, result: dict[str, Any]) -> None:
    assert "r" in result, result
    sample.check(result["r"])


@dataclass(frozen=True, kw_only=True)
class DemoGateway:
    url: str
    key: str = field(repr=False)

    def replace(self, sample: Sample) -> dict[str, str]:
        swap = {} if sample.model is None else {f'model="{sample.model[0]}"': f'model="{sample.model[1]}"'}
        return {URL: self.url, KEY: self.key, **swap}

    @property
    def environ(self) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.key}


@asynccontextmanager
async def demo_gateway(folder: Path) -> AsyncIterator[DemoGateway]:
    async with Vendor() as vendor:
        demo = demo_config(vendor.url, folder, accounts=1, database=":memory:")
        async with Running(load(demo.config), stop_within_s=1.0) as running:
            yield DemoGateway(url=running.url, key=demo.keys[0])


async def drive(demo: DemoGateway, samples: Iterable[Sample], python: str = sys.executable) -> dict[str, Any]:
    """{"versions": ..., "results": by the sample's name}, from one process of that Python."""
    jobs = [
        {"name": s.name, "file": str(SAMPLES / "python" / s.file), "replace": demo.replace(s), "environ": demo.environ} for s in samples
    ]
    told: dict[str, Any] = json.loads(await run_command(python, str(DRIVE), stdin=json.dumps(jobs).encode()))
    return told


async def run_command(*command: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None, folder: Path | None = None) -> bytes:
    vendors = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith(vendors)}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**plain, **(environ or {})},
        cwd=folder,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, complained = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complained.decode()[-3000:]
    return said
