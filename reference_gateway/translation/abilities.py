"""What a model's version says about how it is asked, where no capability tag does (translation.md 3.3, 3.10, 3.11).

By the gateway's own id of the model, which is words with dashes: `claude-sonnet-4-6`, `gpt-5-5`, `gemini-3-1-pro`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from reference_gateway.translation.codec import Upstream

_VERSION: Final = re.compile(r"-(\d{1,2})(?:-(\d{1,2}))?(?=-|$)")
_ADAPTIVE_CLAUDE: Final = (4, 6)  # Opus and Sonnet from here on think adaptively, and take an effort instead of a budget
_UNSAMPLED_CLAUDE: Final = (4, 7)  # and refuse temperature and its like from here on
_REASONING_GPT: Final = (5, 0)
_BREAKPOINT_GPT: Final = (5, 6)


@lru_cache(maxsize=1024)
def upstream(id_: str, upstream_id: str, *, family: str, capabilities: Collection[str], max_output_tokens: int) -> Upstream:
    found = _VERSION.search(id_)
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    large_claude = family == "claude" and "haiku" not in id_
    thinks = "thinking" in capabilities
    return Upstream(
        model=upstream_id,
        max_output_tokens=max_output_tokens,
        family=family,
        vision="vision" in capabilities,
        tools="tool_use" in capabilities,
        native_json_schema="json_schema" in capabilities,
        adaptive_thinking=large_claude and version >= _ADAPTIVE_CLAUDE,
        thinking=thinks,
        sampling=not (large_claude and version >= _UNSAMPLED_CLAUDE) and not (family == "gpt" and thinks and version >= _REASONING_GPT),
        cache_breakpoints=family == "gpt" and version >= _BREAKPOINT_GPT,
    )
