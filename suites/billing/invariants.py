"""The invariants of the money, and which requirement proves each: `python -m suites.billing.invariants` writes INVARIANTS.md anew."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from harness.requirement import Requirement

PAGE: Final = Path(__file__).with_name("INVARIANTS.md")
INVARIANTS: Final = {
    1: "Price identity: a call costs its own tokens by class times the price table, within one micro-USD.",
    2: "Ledger identity: what was paid in less what was spent is there, and the rows add up to what the wallet lost.",
    3: "Zero on failure: nothing taken, no row, no window or quota moved, however the vendor fails.",
    4: "No call before funds: what cannot be paid is refused with 402, and no vendor hears of it.",
    5: "Holds are seen while a call is open, and return exactly.",
    6: "No overspend, however many calls come at once, and to whichever node.",
    7: "Exactly once: one row after a failover, a retry, or an end that is told twice.",
    8: "A retry after a 200 is billed again.",
    9: "Disconnect bounds: nothing before the first content, then no less the later, never more than the whole.",
    10: "Cache discount: three rates, the same over every protocol.",
    11: "A stream costs what the whole answer costs.",
    12: "Window arithmetic: limit less remaining is what was spent, and what is old rolls out.",
    13: "A 429 takes nothing, says when it ends, and after that a call is admitted.",
    14: "Independent caps: a spent window leaves the quota's header alone, a raised cap works on the next call.",
    15: "Isolation: one key's spend and failures move no other key's headers; the wallet loses the sum.",
    16: "Free endpoints: models, queries, cancels and one's own account move neither wallet nor window.",
    17: "Task laws: a duplicate adds no hold, a completed task is billed once, a cancelled one gives the hold back.",
    18: "Header truth: the state at admission before a stream, the settled one after a whole answer.",
    19: "Conservation under kill -9: rows are the wallet's loss, nothing is held after the sweep, never negative.",
    20: "Row completeness: request id, model, token classes and cost; no failed call among the rows.",
}
_HEAD: Final = """# The invariants of the money

Made by `python -m suites.billing.invariants`. Each requirement has a mutant that its own check finds. All of them are proven
on SQLite with one process, and on PostgreSQL and Redis with two, whose calls go to both in turn; 19 where the run is asked for it:

```console
$ wireproof run                                                            # SQLite, one process
$ wireproof run --storage postgres --nodes 2 --storm-calls 10000           # PostgreSQL and Redis, two, killed in the midst of 10,000 calls
```

| | Invariant | Requirements |
|---|---|---|
"""


def proving(requirements: Iterable[Requirement]) -> Mapping[int, list[str]]:
    """The ids of the requirements that prove each."""
    found: dict[int, list[str]] = {number: [] for number in INVARIANTS}
    for requirement in requirements:
        for number in requirement.invariants:
            found[number].append(requirement.id)
    return found


def page(requirements: Iterable[Requirement]) -> str:
    proven = proving(requirements)
    lines = [f"| {number} | {text} | {' '.join(f'`{name}`' for name in sorted(proven[number]))} |" for number, text in INVARIANTS.items()]
    return _HEAD + "\n".join(lines) + "\n"


def main() -> None:
    from harness.plan import rules_of, suite_modules  # which imports this module too

    PAGE.write_text(page(rule.requirement for rule in rules_of(suite_modules())), encoding="utf-8")


if __name__ == "__main__":
    main()
