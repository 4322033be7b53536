"""A protocol's table of losses, applied to the members of a client's request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from reference_gateway.translation.items import Loss, Unsupported
from reference_gateway.translation.losses import FieldRule, Rule

_INDEX: Final = re.compile(r"\[\d+\]")


def by_path(rules: Iterable[FieldRule]) -> Mapping[str, FieldRule]:
    return {rule.path: rule for rule in rules}


@lru_cache(maxsize=1024)  # requests have the same paths again and again
def _before(path: str) -> str:
    """What stands before a member's name in the table."""
    return f"{_INDEX.sub('[]', path)}." if path else ""


class Sieve:
    """One request's: `losses` are those so far."""

    def __init__(self, rules: Mapping[str, FieldRule]) -> None:
        self._rules = rules
        self.losses: list[Loss] = []

    def sift(self, value: Mapping[str, Any], path: str = "") -> None:
        """Each member is told, refused, or left to the code. One that is null, false, zero or empty asks for nothing."""
        rules, before = self._rules, _before(path)
        for name, member in value.items():
            if not member:
                continue
            rule = rules.get(before + (_INDEX.sub("[]", name) if "[" in name else name))
            if rule is not None and rule.rule is not Rule.DROPPED and rule.rule is not Rule.REFUSED:
                continue
            at = f"{path}.{name}" if path else name
            if rule is None:
                self.lose(at, "this member is not known")
            elif rule.rule is Rule.DROPPED:
                self.lose(at, rule.note)
            else:
                raise Unsupported(at, f"{at} is not supported for this model: {rule.note}.")

    def lose(self, path: str, reason: str) -> None:
        self.losses.append(Loss(path=path, reason=reason))
