"""Claims and rulings as claims.toml has them, joined with what tests and requirements cite."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from reference_gateway.contract.harvest import Harvest

FILE: Final = Path(__file__).with_name("claims.toml")


class Kind(StrEnum):
    PROBE = "P"
    CLOCK_OR_ADMIN = "K"  # needs a test clock, the operator's hand or a second account
    RULING = "R"  # the documents disagree
    ADVICE = "A"


class Status(StrEnum):
    KEPT = "kept"
    RULED = "ruled"
    ADVICE = "advice"
    LACKING = "not kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """`lacks` says in a few words what is not there; `note` says how far a kept claim reaches here."""

    number: int
    kind: Kind
    says: str
    ruling: str | None
    evidence: tuple[str, ...]
    lacks: str | None = None
    note: str | None = None

    @property
    def status(self) -> Status:
        if self.kind is Kind.ADVICE:
            return Status.ADVICE
        if self.lacks is not None:
            return Status.LACKING
        return Status.RULED if self.kind is Kind.RULING else Status.KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What this gateway does where the documents disagree."""

    name: str
    keeps: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    claims: tuple[Claim, ...]
    rulings: Mapping[str, Ruling]


def load(harvest: Harvest, file: Path = FILE) -> Contract:
    """Raises OSError, tomllib.TOMLDecodeError, KeyError, TypeError or ValueError for a file that is not as it should be."""
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    rulings = {name: _ruling(name, entry, harvest) for name, entry in data["rulings"].items()}
    return Contract(claims=tuple(_claim(entry, rulings, harvest) for entry in data["claims"]), rulings=rulings)


def _ruling(name: str, entry: dict[str, Any], harvest: Harvest) -> Ruling:
    own = entry.pop("shown_by", ())
    return Ruling(name=name, **entry, evidence=_together(own, harvest.cited.get(name, ())))


def _claim(entry: dict[str, Any], rulings: Mapping[str, Ruling], harvest: Harvest) -> Claim:
    """What a ruling is shown by shows its claims too."""
    ruling = entry.pop("ruling", None)
    kind, own = Kind(entry.pop("kind")), entry.pop("shown_by", ())
    ruled = rulings[ruling].evidence if ruling is not None else ()
    evidence = _together(own, harvest.cited.get(entry["number"], ()), ruled)
    return Claim(**entry, kind=kind, ruling=ruling, evidence=evidence)


def _together(*shown: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for some in shown for item in some))
