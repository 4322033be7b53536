"""Where vendors that speak chat differ: one value for each dialect, which the writer of requests and the readers of answers are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reference_gateway.translation.items import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    output_cap: str  # the request's member that caps the output
    developer_role: bool  # a reasoning model's system messages are the developer's
    efforts: Mapping[Effort, str]  # Effort.NONE is left out where thinking has a switch of its own
    thinking_switch: bool  # `thinking: {type: enabled | disabled}`
    reasoning_back: bool  # an assistant message with tool calls has to bring its `reasoning_content`, if only ""
    text_parts: bool  # content other than the user's may be a list of text parts
    json_schema: bool  # else only json_object
    refusal: bool  # an assistant message may have a `refusal`
    strict_tools: bool
    parallel_switch: bool  # `parallel_tool_calls`
    allowed_tools: bool  # tool_choice `allowed_tools`
    openai_members: bool  # `safety_identifier`, `service_tier`, `prompt_cache_key`, `seed`
    failures: Mapping[str, int]  # finish reasons that are no success -> the status they stand for


# Source: openai-python, types/chat/completion_create_params.py and types/shared/reasoning_effort.py.
OPENAI: Final = Dialect(
    output_cap="max_completion_tokens",
    developer_role=True,
    efforts={
        Effort.NONE: "none",
        Effort.MINIMAL: "minimal",
        Effort.LOW: "low",
        Effort.MEDIUM: "medium",
        Effort.HIGH: "high",
        Effort.XHIGH: "xhigh",
        Effort.MAX: "max",
    },
    thinking_switch=False,
    reasoning_back=False,
    text_parts=True,
    json_schema=True,
    refusal=True,
    strict_tools=True,
    parallel_switch=True,
    allowed_tools=True,
    openai_members=True,
    failures={"error": 502},
)
