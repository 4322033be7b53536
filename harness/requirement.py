"""What must hold, how we know, and on which exchanges it can be judged."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from harness.case import Case, Outcome, Surface
from harness.exchange import Exchange
from harness.verdict import Verdict

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:/[a-z0-9]+(?:-[a-z0-9]+)*)+")

TEXT_SURFACES: Final = frozenset({Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI})


class Severity(StrEnum):
    """What the caller suffers when it is broken, worst first."""

    SECURITY = "security"
    SILENT_WRONG = "silent-wrong"
    COST = "cost"
    BREAKS_SDK = "breaks-sdk"
    COSMETIC = "cosmetic"


class Basis(StrEnum):
    """How we know that it must hold."""

    DOCUMENTED = "documented"
    SCHEMA = "schema"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    source: str  # key in schemas/sources.toml: URL, day read, hash
    section: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A permanent slug and one sentence that can be true or false of an exchange."""

    id: str  # never renamed, reused or numbered
    severity: Severity
    basis: Basis
    clause: Clause
    text: str
    claims: tuple[str, ...] = ()  # for example "contract:141"
    invariants: tuple[int, ...] = ()  # of the money (billing-and-storage 4.3), each listed in suites/billing/INVARIANTS.md
    defects: tuple[str, ...] = ()  # real cases it would have caught, for example "initializ/forge#434"

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.id):
            raise ValueError(f"requirement id {self.id!r} is not a slug such as messages/stream/delta-in-open-block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """On which cases a requirement is judged. Every field that is set must agree."""

    surfaces: frozenset[Surface] = TEXT_SURFACES
    stream: bool | None = None
    outcomes: frozenset[Outcome] = frozenset({Outcome.SUCCESS})
    traits: frozenset[str] = frozenset()  # the case has all of these
    without: frozenset[str] = frozenset()  # and none of these
    account: bool | None = None
    sdk: bool | None = None  # driven by an official SDK
    sees_upstream: bool | None = None  # the upstream witness was to be asked
    steps: bool = False  # the case has several calls
    also: Callable[[Case], bool] | None = field(default=None, compare=False)  # what the fields above cannot say

    def holds(self, case: Case) -> bool:
        return (
            case.surface in self.surfaces
            and bool(case.steps) is self.steps
            and (self.stream is None or case.stream is self.stream)
            and case.outcome in self.outcomes
            and self.traits <= case.traits
            and not self.without & case.traits
            and (self.account is None or case.account is self.account)
            and (self.sdk is None or (case.client != "raw") is self.sdk)
            and (self.sees_upstream is None or (case.play is not None) is self.sees_upstream)
            and (self.also is None or self.also(case))
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement with the check that judges it and the cases on which it can."""

    requirement: Requirement
    check: Callable[[Exchange], Verdict]
    given: Given
