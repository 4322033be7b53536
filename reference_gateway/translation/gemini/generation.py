"""What a Gemini model can, by the generation that its name says: where generations differ in how a request is written.

Sources: gemini-thinking "Thinking levels and budgets", gemini-thought-signatures, gemini-function-calling, gemini-structured-output;
translation.md 3.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from reference_gateway.translation.items import Effort

_VERSION: Final = re.compile(r"gemini-(\d+)(?:[.-](\d)(?!\d))?")
_NEWEST: Final = (3, 1)  # gemini-flash-latest and its like

_MINIMAL, _LOW, _MEDIUM, _HIGH = "MINIMAL", "LOW", "MEDIUM", "HIGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    levels: Mapping[Effort, str] | None  # thinkingLevel for each effort; None: thinking has a budget, or there is none
    can_stop: bool = False  # thinking can be switched off, by a budget of 0
    least_budget: int = 0  # of thinkingBudget, if it thinks
    most_budget: int = 0  # 0: it does not think
    json_schema: bool = True  # parametersJsonSchema and responseJsonSchema; else the subset of OpenAPI
    call_ids: bool = True  # functionCall.id and functionResponse.id
    needs_signatures: bool = True  # a call of the history without its thoughtSignature is refused
    knows_signatures: bool = True
    penalties: bool = False
    json_with_tools: bool = True  # a response schema beside functionDeclarations
    media_results: bool = True  # functionResponse.parts


def _levels(minimal: str, medium: str) -> dict[Effort, str]:
    """No effort at all is the least that there is: this generation always thinks."""
    return {
        Effort.NONE: minimal,
        Effort.MINIMAL: minimal,
        Effort.LOW: _LOW,
        Effort.MEDIUM: medium,
        Effort.HIGH: _HIGH,
        Effort.XHIGH: _HIGH,
        Effort.MAX: _HIGH,
    }


# Source: gemini-openai-compatibility, the table of reasoning_effort; each effort at a model of budgets.
BUDGETS: Final = {
    Effort.MINIMAL: 1_024,
    Effort.LOW: 1_024,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 24_576,
    Effort.XHIGH: 32_768,
    Effort.MAX: 32_768,
}


@lru_cache(maxsize=256)  # of a catalogue's models
def generation_of(model: str) -> Generation:
    """A model without a number is taken for one of the newest."""
    found = _VERSION.search(model)
    version = _NEWEST if found is None else (int(found[1]), int(found[2] or 0))
    if version < (2, 5):
        return Generation(
            levels=None,
            json_schema=False,
            call_ids=False,
            needs_signatures=False,
            knows_signatures=False,
            penalties=True,
            json_with_tools=False,
            media_results=False,
        )
    if version < (3, 0):
        pro, lite = "pro" in model, "lite" in model
        return Generation(
            levels=None,
            can_stop=not pro,
            least_budget=128 if pro else 512 if lite else 1,
            most_budget=32_768 if pro else 24_576,
            call_ids=False,
            needs_signatures=False,
            penalties=True,
            json_with_tools=False,
            media_results=False,
        )
    if "pro" not in model:
        return Generation(levels=_levels(_MINIMAL, _MEDIUM))
    return Generation(levels=_levels(_LOW, _HIGH if version == (3, 0) else _MEDIUM))
