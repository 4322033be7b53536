"""Clients as people set them up: by the environment alone, and both vendors' SDKs in one process."""

import asyncio
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import demo_config
from reference_gateway.operations.vendor.server import Vendor
from reference_gateway.tests.scripted import Stage

SHELL: dict[str, Any] = {
    "type": "function",
    "name": "shell",
    "description": "Runs a command",
    "strict": False,
    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"], "additionalProperties": False},
}


async def test_a_coding_agent_on_responses_by_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """contract:004: two variables, streamed Responses, nothing stored, reasoning sealed, a tool called and its result sent back."""
    async with Vendor() as vendor:
        demo = demo_config(vendor.url, tmp_path, database=":memory:")
        async with Running(load(demo.config), stop_within_s=1.0) as running:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
            monkeypatch.setenv("OPENAI_API_KEY", demo.keys[0])
            turns: list[Any] = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Which files are here?"}]}]
            usual: dict[str, Any] = {
                "model": "gpt-5-5",
                "instructions": "You are a coding agent.",
                "tools": [SHELL],
                "tool_choice": "auto",
                "parallel_tool_calls": False,
                "reasoning": {"effort": "medium", "summary": "auto"},
                "store": False,
                "include": ["reasoning.encrypted_content"],
                "prompt_cache_key": "a-conversation",
            }
            async with openai.AsyncOpenAI(max_retries=0) as client:
                async with client.responses.stream(input=turns, **usual) as stream:
                    first = await stream.get_final_response()
                (call,) = (item for item in first.output if item.type == "function_call")
                assert call.name == "shell"
                turns += [item.model_dump(exclude_none=True) for item in first.output]
                turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "README.md"})
                async with client.responses.stream(input=turns, **usual) as stream:
                    last = await stream.get_final_response()
            assert (first.status, last.status) == ("completed", "completed")
            assert last.output_text
            assert len(await Stage(port=int(running.url.rpartition(":")[2]), demo=demo).usage()) == 2


async def test_both_sdks_side_by_side_in_one_process(tmp_path: Path) -> None:
    """contract:019: many at once, each with its own answer, each on its own key's bill."""
    async with Vendor() as vendor:
        demo = demo_config(vendor.url, tmp_path, database=":memory:")
        async with Running(load(demo.config), stop_within_s=1.0) as running:
            here = Stage(port=int(running.url.rpartition(":")[2]), demo=demo, running=running)
            async with (
                openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=demo.keys[0], max_retries=0) as gpt,
                anthropic.AsyncAnthropic(base_url=running.url, api_key=demo.keys[1], max_retries=0) as claude,
            ):

                async def by_openai(text: str) -> str:
                    r = await gpt.chat.completions.create(model="gpt-5-4", messages=[{"role": "user", "content": text}])
                    return r.choices[0].message.content or ""

                async def by_anthropic(text: str) -> str:
                    r = await claude.messages.create(
                        model="claude-sonnet-4-6", max_tokens=100, messages=[{"role": "user", "content": text}]
                    )
                    return "".join(block.text for block in r.content if block.type == "text")

                asked = [f"number {number}" for number in range(10)]
                answers = await asyncio.gather(*(way(text) for text in asked for way in (by_openai, by_anthropic)))
            for number, answer in enumerate(answers):
                assert asked[number // 2] in answer
            assert [row["model"] for row in await here.usage(demo.keys[0])] == ["gpt-5-4"] * 10
            assert [row["model"] for row in await here.usage(demo.keys[1])] == ["claude-sonnet-4-6"] * 10
