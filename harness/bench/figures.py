"""What was measured, round by round, and the ratios that are made of it."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.bench.load import Figures

Of = Callable[[Figures], float | None]  # one figure of a measurement

BUSY = 0.9  # a process that has this share of a core is taken to be what limits a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to load a target."""

    name: str
    text: str
    what: str
    chunks: int
    connections: int
    times: int = 10  # how long the prompt is; see talk.request


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All rounds of one scenario: per target, one Figures a round, in the same order of rounds. `direct` has no target between."""

    scenario: Scenario
    rounds: dict[str, list[Figures]] = field(default_factory=dict)

    def ratio(self, target: str, to: str, of: Of) -> float | None:
        """The median over the rounds of target / `to`, both of the same round."""
        found = []
        for ours, theirs in zip(self.rounds.get(target, ()), self.rounds.get(to, ()), strict=False):
            above, below = of(ours), of(theirs)
            if above is not None and below:
                found.append(above / below)
        return statistics.median(found) if found else None

    def median(self, target: str, of: Of) -> float | None:
        values = _known(of(figures) for figures in self.rounds.get(target, ()))
        return statistics.median(values) if values else None

    def least(self, target: str, of: Of) -> float | None:
        """The least disturbed round: for CPU time, which others can only make more."""
        values = _known(of(figures) for figures in self.rounds.get(target, ()))
        return min(values) if values else None

    def added(self, target: str, of: Of) -> float | None:
        """The median over the rounds of target - direct, both of the same round."""
        pairs = zip(self.rounds.get(target, ()), self.rounds.get("direct", ()), strict=False)
        values = _known(
            None if (ours := of(figures)) is None or (theirs := of(direct)) is None else ours - theirs for figures, direct in pairs
        )
        return statistics.median(values) if values else None

    def least_ratio(self, target: str, to: str, of: Of) -> float | None:
        """The least disturbed round of each."""
        ours, theirs = self.least(target, of), self.least(to, of)
        return ours / theirs if ours is not None and theirs else None

    def added_ratio(self, target: str, to: str, of: Of) -> float | None:
        """None where `to` added nothing that could be measured."""
        ours, theirs = self.added(target, of), self.added(to, of)
        return ours / theirs if ours is not None and theirs is not None and theirs > 0 else None

    def load_was_the_limit(self, target: str) -> bool:
        """Whether the load generator, or the vendor, and not the target used up its core: then the target could do more than was seen."""
        return (self.median(target, harness_share) or 0) >= BUSY


def harness_share(figures: Figures) -> float:
    """Share of one core that the busier of load generator and vendor took; on two cores they share one, so together."""
    return (figures.own_cpu_s + (figures.vendor_cpu_s or 0)) / figures.seconds


def answers_per_s(figures: Figures) -> float:
    return figures.answers / figures.seconds


def chunks_per_s(figures: Figures) -> float:
    return figures.chunks / figures.seconds


def cpu_us_per_answer(figures: Figures) -> float | None:
    return _per(figures.target_cpu_s, figures.answers)


def cpu_us_per_chunk(figures: Figures) -> float | None:
    return _per(figures.target_cpu_s, figures.chunks)


def _per(seconds: float | None, count: int) -> float | None:
    return None if seconds is None or not count else seconds * 1e6 / count


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def memory_mb(figures: Figures) -> float | None:
    return figures.memory_mb


def p50(pair: tuple[float, float] | None) -> float | None:
    return pair[0] if pair else None


def p99(pair: tuple[float, float] | None) -> float | None:
    return pair[1] if pair else None
