"""DeepSeek's dialect of chat (translation.md 3.15): all that differs from OpenAI's.

Thinking is on unless it is switched off; thoughts come as `reasoning_content` before `content`, and in a turn with tool calls they have to
be sent back; JSON output knows no schema; usage has cache hits and misses, which sum to the prompt; `: keep-alive` comments and blank
lines before the first byte are no token (every reader of ours skips them); a machine short of resources is a failure, not an end.

Source: api-docs.deepseek.com, "Create Chat Completion" and "Thinking Mode" (what it makes of each effort).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reference_gateway.translation.chat import answer_in, request_out
from reference_gateway.translation.chat.dialect import Dialect
from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.items import Answer, Ask, Broken, Effort

DEEPSEEK: Final = Dialect(
    output_cap="max_tokens",
    developer_role=False,
    efforts={
        Effort.MINIMAL: "low",
        Effort.LOW: "low",
        Effort.MEDIUM: "high",
        Effort.HIGH: "high",
        Effort.XHIGH: "high",
        Effort.MAX: "max",
    },
    thinking_switch=True,
    reasoning_back=True,
    text_parts=False,
    json_schema=False,
    refusal=False,
    strict_tools=False,
    parallel_switch=False,
    allowed_tools=False,
    openai_members=False,
    failures={"error": 502, "insufficient_system_resource": 503},
)


def write_request(ask: Ask, upstream: Upstream) -> Written:
    return request_out.write_request(ask, upstream, DEEPSEEK)


def read_answer(body: Mapping[str, Any]) -> Answer | Broken:
    return answer_in.read_answer(body, DEEPSEEK)


class StreamReader(answer_in.StreamReader):
    def __init__(self) -> None:
        super().__init__(DEEPSEEK)
