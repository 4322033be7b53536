"""Where vendors that speak Messages differ: one value for each, which the writer of requests and the readers of answers are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reference_gateway.translation.items import Maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    maker: Maker  # whose reasoning its answers hold, and the only one whose it is sent
    unproved_thinking: bool  # a thinking block may come back without a signature
    redacted_thinking: bool
    media: bool  # images and documents
    cache_marks: bool
    top_k: bool
    service_tier: bool
    parallel_switch: bool  # `disable_parallel_tool_use`
    effort_beside_budget: bool  # `output_config.effort` where thinking has a budget
    thinking_display: bool  # `thinking.display`
    thinking_with_forced_tool: bool
    thinking_first: bool  # with a thinking budget, a turn of tool calls has to begin with its thoughts
    json_schema: bool
    strict_tools: bool
    max_temperature: float
    failures: Mapping[str, int]  # stop reasons that are no success -> the status they stand for


# Source: anthropic-messages; translation.md 3.1, 3.10.
ANTHROPIC: Final = Dialect(
    maker=Maker.ANTHROPIC,
    unproved_thinking=False,
    redacted_thinking=True,
    media=True,
    cache_marks=True,
    top_k=True,
    service_tier=True,
    parallel_switch=True,
    effort_beside_budget=False,
    thinking_display=True,
    thinking_with_forced_tool=False,
    thinking_first=True,
    json_schema=True,
    strict_tools=True,
    max_temperature=1.0,
    failures={},
)
