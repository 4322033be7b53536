"""How much a model shall think: budgets of tokens and words for effort, each in the other's terms (translation.md 3.10)."""

from __future__ import annotations

from typing import Final

from reference_gateway.translation.items import Effort, Thinking

# A budget of at most so many tokens is this effort; any above is high.
BUCKETS: Final = ((1_024, Effort.LOW), (8_192, Effort.MEDIUM))


def effort_of(thinking: Thinking) -> Effort | None:
    """The effort that was asked for, in so many words or by a budget. Adaptive without a word is high, the vendor's own default."""
    if thinking.effort is not None:
        return thinking.effort
    budget = thinking.budget_tokens
    if budget is None:
        return Effort.HIGH if thinking.adaptive else None
    if budget <= 0:
        return Effort.NONE
    return next((effort for most, effort in BUCKETS if budget <= most), Effort.HIGH)
