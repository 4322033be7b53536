"""A protocol's table of losses, applied to the members of a client's request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from reference_gateway.translation.items import Loss, Unsupported
from reference_gateway.translation.losses import FieldRule, Rule

_INDEX: Final = re.compile(r"\[\d+\]")
_NONE: Final[set[str]] = set()


class Rules(dict[str, FieldRule]):
    """By the member's path. `left` has the names of those that are left to the code, by the path of the object in which they stand."""

    def __init__(self, rules: Iterable[FieldRule]) -> None:
        super().__init__({rule.path: rule for rule in rules})
        self.left: dict[str, set[str]] = {}
        for path, rule in self.items():
            if rule.rule is not Rule.DROPPED and rule.rule is not Rule.REFUSED:
                before, _, name = path.rpartition(".")
                self.left.setdefault(before, set()).add(name)


@lru_cache(maxsize=1024)  # requests have the same paths again and again
def _in_table(path: str) -> str:
    return _INDEX.sub("[]", path)


class Sieve:
    """One request's: `losses` are those so far."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.losses: list[Loss] = []

    def sift(self, value: Mapping[str, Any], path: str = "") -> None:
        """Each member is told, refused, or left to the code. One that is null, false, zero or empty asks for nothing."""
        rules, object_ = self._rules, _in_table(path)
        if rules.left.get(object_, _NONE).issuperset(value):
            return
        before = f"{object_}." if object_ else ""
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
