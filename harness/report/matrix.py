"""A run as a table: features by models, each cell a count of verdicts by standing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from harness.judged import Judged, Standing, standing
from harness.requirement import Severity
from harness.runfile import Run
from harness.verdict import Failed, Finding

# What a cell is called by: the first of these that it holds.
WORST_FIRST: Final = (
    Standing.FAILED,
    Standing.UNEXPECTED_PASS,
    Standing.ERRORED,
    Standing.FLAKY,
    Standing.EXPECTED,
    Standing.INCONCLUSIVE,
    Standing.PASSED,
    Standing.NOT_APPLICABLE,
)
MEANING: Final[Mapping[Standing, str]] = {
    Standing.PASSED: "met what it judges, and it was right",
    Standing.FAILED: "the target broke the requirement",
    Standing.EXPECTED: "failed, as the expectations file says",
    Standing.FLAKY: "failed, as the expectations file says that it may",
    Standing.UNEXPECTED_PASS: "passed, though the expectations file says that it fails",
    Standing.INCONCLUSIVE: "met nothing to judge; not a pass",
    Standing.NOT_APPLICABLE: "the target declared that it does not do this",
    Standing.ERRORED: "our own fault, not the target's",
}
RED: Final = (Standing.FAILED, Standing.UNEXPECTED_PASS, Standing.ERRORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One feature on one model. Without verdicts it was not tested."""

    counts: Mapping[Standing, int]

    @property
    def worst(self) -> Standing | None:
        return next((found for found in WORST_FIRST if self.counts.get(found)), None)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def said(self) -> str:
        """In words, worst first: "2 failed, 24 passed"."""
        return ", ".join(f"{self.counts[found]:,} {found}" for found in WORST_FIRST if self.counts.get(found)) or "not tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    features: tuple[str, ...]  # in order of their area, then name
    models: tuple[str, ...]  # on which there is a verdict: as the header has them, then any other
    unmet: tuple[str, ...]  # of the header's, those on which there is none
    cells: Mapping[tuple[str, str], Cell]  # (feature, model); missing: not tested

    def cell(self, feature: str, model: str) -> Cell:
        return self.cells.get((feature, model), Cell(counts={}))

    def untested(self, feature: str) -> tuple[str, ...]:
        """The models on which there is no verdict on the feature."""
        return tuple(model for model in self.models if not self.cell(feature, model).total)

    def model_total(self, model: str) -> Cell:
        return self._sum(cell for (_, of), cell in self.cells.items() if of == model)

    def feature_total(self, feature: str) -> Cell:
        return self._sum(cell for (of, _), cell in self.cells.items() if of == feature)

    def areas(self) -> dict[str, list[str]]:
        """The features under the first word of their name."""
        found: dict[str, list[str]] = {}
        for feature in self.features:
            found.setdefault(feature.partition("/")[0], []).append(feature)
        return found

    @staticmethod
    def _sum(cells: Iterable[Cell]) -> Cell:
        counts: Counter[Standing] = Counter()
        for cell in cells:
            counts.update(cell.counts)
        return Cell(counts=counts)


def feature_of(requirement: str) -> str:
    """`messages/stream/delta-in-open-block` is of `messages/stream`, `auth/wrong-key` of `auth`."""
    parts = requirement.split("/")
    return "/".join(parts[: min(2, len(parts) - 1)])


def matrix(run: Run) -> Matrix:
    counts: dict[tuple[str, str], Counter[Standing]] = {}
    for judged in run.verdicts:
        counts.setdefault((feature_of(judged.requirement), judged.model), Counter())[standing(judged)] += 1
    met = {model for _, model in counts}
    return Matrix(
        features=tuple(sorted({feature for feature, _ in counts})),
        models=tuple(model for model in dict.fromkeys([*run.header.models, *sorted(met)]) if model in met),
        unmet=tuple(model for model in run.header.models if model not in met),
        cells={key: Cell(counts=count) for key, count in counts.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A requirement that did not stand as expected, with all verdicts on it that say so."""

    requirement: str
    severity: Severity
    verdicts: tuple[Judged, ...]

    @property
    def first_by_model(self) -> dict[str, Judged]:
        first: dict[str, Judged] = {}
        for judged in self.verdicts:
            first.setdefault(judged.model, judged)
        return first

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.first_by_model)

    @property
    def standing(self) -> Standing:
        met = {standing(judged) for judged in self.verdicts}
        return next(found for found in WORST_FIRST if found in met)

    @property
    def first_finding(self) -> Finding | None:
        return next((judged.verdict.findings[0] for judged in self.verdicts if isinstance(judged.verdict, Failed)), None)


def broken(run: Run) -> tuple[Broken, ...]:
    """What turns the run red, worst severity first."""
    by_requirement: dict[str, list[Judged]] = {}
    for judged in run.verdicts:
        if standing(judged) in RED:
            by_requirement.setdefault(judged.requirement, []).append(judged)
    worst = list(Severity)
    found = [
        Broken(requirement=requirement, severity=verdicts[0].severity, verdicts=tuple(verdicts))
        for requirement, verdicts in by_requirement.items()
    ]
    return tuple(sorted(found, key=lambda each: (worst.index(each.severity), each.requirement)))


def origins(run: Run) -> dict[str, int]:
    """On which recordings the verdicts rest: origin -> verdicts; "none" are those for which the upstream played nothing."""
    counts: Counter[str] = Counter()
    for judged in run.verdicts:
        facts = run.facts.get(judged.exchange) if judged.exchange else None
        counts[facts.recording.origin if facts and facts.recording else "none"] += 1
    return dict(counts.most_common())
