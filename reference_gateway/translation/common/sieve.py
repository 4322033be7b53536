"""A protocol's table of losses, applied to the members of a client's request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reference_gateway.translation.items import Loss, Unsupported
from reference_gateway.translation.losses import FieldRule, Rule

_INDEX: Final = re.compile(r"\[\d+\]")


class Sieve:
    """One request's: `losses` are those so far."""

    def __init__(self, rules: Iterable[FieldRule]) -> None:
        self._rules = {rule.path: rule for rule in rules}
        self.losses: list[Loss] = []

    def sift(self, value: Mapping[str, Any], path: str = "") -> None:
        """Each member is told, refused, or left to the code. One that is null, false, zero or empty asks for nothing."""
        for name, member in value.items():
            if not member:
                continue
            at = f"{path}.{name}" if path else name
            rule = self._rules.get(_INDEX.sub("[]", at))
            if rule is None:
                self.lose(at, "this member is not known")
            elif rule.rule is Rule.DROPPED:
                self.lose(at, rule.note)
            elif rule.rule is Rule.REFUSED:
                raise Unsupported(at, f"{at} is not supported for this model: {rule.note}.")

    def lose(self, path: str, reason: str) -> None:
        self.losses.append(Loss(path=path, reason=reason))
