"""Known failures and flakes of one target, written down with their reason: TOML, one [[expect]] each.

[[expect]]
requirement = "messages/stream/delta-in-open-block"   # a slug or a glob
model = "claude-*"                                      # optional, a glob
case = "messages/parallel-*"                            # optional, a glob
outcome = "fails"                                       # or "flaky"
reason = "blocks interleave when two tools run"
link = "https://example.org/issues/12"
expires = 2027-01-31                                    # from the next day on, the entry itself fails the run
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from harness.judged import Expected, ExpectedKind
from harness.toml_file import TomlFile, UserFileError

_TEXTS: Final = ("requirement", "reason", "link", "model", "case")


class Outcome(StrEnum):
    """The words of the file."""

    FAILS = "fails"
    FLAKY = "flaky"  # may fail or pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    requirement: str
    outcome: Outcome
    reason: str
    link: str | None = None
    expires: date | None = None
    model: str = "*"
    case: str = "*"
    line: int = 0

    def as_expected(self) -> Expected:
        kind = ExpectedKind.FAILURE if self.outcome is Outcome.FAILS else ExpectedKind.FLAKE
        return Expected(kind=kind, reason=self.reason, link=self.link, expires=self.expires.isoformat() if self.expires else None)

    def covers(self, requirement: str, case: str, model: str) -> bool:
        return (
            fnmatch.fnmatchcase(requirement, self.requirement)
            and fnmatch.fnmatchcase(case, self.case)
            and fnmatch.fnmatchcase(model, self.model)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    path: Path | None = None
    entries: tuple[Expectation, ...] = ()

    def of(self, requirement: str, case: str, model: str) -> Expectation | None:
        return next((entry for entry in self.entries if entry.covers(requirement, case, model)), None)

    def check(self, planned: Iterable[tuple[str, str, str]], today: date) -> None:
        """Raise UserFileError for an entry that matches nothing of what is `planned` (requirement, case, model), or is past its day."""
        triples = tuple(planned)
        for entry in self.entries:
            where = f"{self.path}, line {entry.line}"
            if entry.expires is not None and entry.expires < today:
                raise UserFileError(
                    f"{where}: the expectation for {entry.requirement} expired on {entry.expires}: mend the target or renew it"
                )
            if not any(entry.covers(*triple) for triple in triples):
                raise UserFileError(
                    f"{where}: the expectation {entry.requirement} (case {entry.case}, model {entry.model}) matches nothing "
                    "that this run judges: correct it or take it out"
                )


def read_expectations(path: Path) -> Expectations:
    file = TomlFile(path)
    file.only(file.values, ("expect",), "an expectations file")
    entries = []
    for number, entry in enumerate(file.tables("expect", "an expectations file")):
        file.only(entry, ("requirement", "outcome", "reason", "link", "expires", "model", "case"), "[[expect]]")
        texts = {
            name: file.take(entry, name, str, "[[expect]]", "", nth=number) for name in ("requirement", "reason", "link", "model", "case")
        }
        for name in ("requirement", "reason"):
            if not texts[name].strip():
                raise file.error("expect", f"an [[expect]] entry needs `{name}`", nth=number)
        outcome = entry.get("outcome", Outcome.FAILS)
        if outcome not in tuple(Outcome):
            raise file.error("outcome", f"`outcome` must be one of {', '.join(Outcome)}, not {outcome!r}")
        expires = entry.get("expires")
        if expires is not None and type(expires) is not date:
            raise file.error("expires", "`expires` must be a day such as 2027-01-31, without quotes")
        entries.append(
            Expectation(
                requirement=entry["requirement"],
                outcome=Outcome(outcome),
                reason=entry["reason"],
                link=entry.get("link"),
                expires=expires,
                model=entry.get("model", "*"),
                case=entry.get("case", "*"),
                line=file.line("expect", nth=number),
            )
        )
    return Expectations(path=path, entries=tuple(entries))
