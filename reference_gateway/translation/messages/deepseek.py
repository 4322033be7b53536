"""DeepSeek's base URL that speaks Messages (translation.md 3.15): all that differs from Anthropic's.

No images, no documents but their text, no redacted thinking; cache marks, `top_k`, `service_tier` and `disable_parallel_tool_use` are
ignored there, so they are not sent, and told; only `output_config.effort` of output_config; a budget is ignored; thoughts are
always shown and need no signature; temperature goes to 2. `anthropic-beta` and `anthropic-version` are ignored. A model's name that is
not known there is silently another model: the gateway's catalogue says the name.

Source: api-docs.deepseek.com, "Anthropic API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reference_gateway.translation.codec import Upstream, Written
from reference_gateway.translation.items import Answer, Ask, Broken, Maker
from reference_gateway.translation.messages import answer_in, request_out
from reference_gateway.translation.messages.dialect import Dialect

DEEPSEEK: Final = Dialect(
    maker=Maker.DEEPSEEK,
    unproved_thinking=True,
    redacted_thinking=False,
    media=False,
    cache_marks=False,
    top_k=False,
    service_tier=False,
    parallel_switch=False,
    effort_beside_budget=True,
    thinking_display=False,
    thinking_with_forced_tool=True,
    thinking_first=False,
    json_schema=False,
    strict_tools=False,
    max_temperature=2.0,
    failures={"insufficient_system_resource": 503},
)


def write_request(ask: Ask, upstream: Upstream) -> Written:
    return request_out.write_request(ask, upstream, DEEPSEEK)


def read_answer(body: Mapping[str, Any]) -> Answer | Broken:
    return answer_in.read_answer(body, DEEPSEEK)


class StreamReader(answer_in.StreamReader):
    def __init__(self) -> None:
        super().__init__(DEEPSEEK)
