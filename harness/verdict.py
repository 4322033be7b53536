"""What a check concludes, and the evidence it shows for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Side(StrEnum):
    """Which witness saw the wrong thing."""

    CLIENT = "client"  # bytes that reached the client
    UPSTREAM = "upstream"  # bytes that the gateway sent to the vendor
    SDK = "sdk"  # what the official SDK made of the client's bytes
    ACCOUNT = "account"  # balance and usage rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One wrong thing: where it stands, what was expected, what came."""

    expected: str
    got: str
    side: Side = Side.CLIENT
    frame: int | None = None  # of the SSE stream, counted from 0
    offset: int | None = None  # bytes into the body, content-decoded
    pointer: str | None = None  # JSON pointer into the frame's data or the body
    step: str | None = None  # of a case with steps: which one's first call; None: the last one's

    def __str__(self) -> str:
        place = [str(self.side)] if self.step is None else [f"{self.side} at {self.step}"]
        if self.frame is not None:
            place.append(f"frame {self.frame}")
        if self.offset is not None:
            place.append(f"byte {self.offset}")
        if self.pointer is not None:
            place.append(self.pointer or "(whole value)")
        return f"{' '.join(place)}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Passed:
    """The check met what it judges, and it was right. `saw` says what was met."""

    saw: str


@dataclass(frozen=True, slots=True, init=False)
class Failed:
    """The target broke the requirement."""

    findings: tuple[Finding, ...]

    def __init__(self, *findings: Finding) -> None:
        if not findings:
            raise ValueError("Failed without a Finding says nothing")
        object.__setattr__(self, "findings", findings)


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """The exchange held nothing to judge. Never a pass."""

    reason: str
    late: bool = False  # it might have, had our own loop been on time


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The target declared beforehand that it does not do this."""

    reason: str


@dataclass(frozen=True, slots=True)
class Errored:
    """Our own fault, or the machine's; never the target's. Turns the run red."""

    reason: str


Verdict = Passed | Failed | Inconclusive | NotApplicable | Errored

WORDS: Final[dict[type[object], str]] = {
    Passed: "passed",
    Failed: "failed",
    Inconclusive: "inconclusive",
    NotApplicable: "not-applicable",
    Errored: "errored",
}


def word(verdict: Verdict) -> str:
    """The verdict's word in run files and reports."""
    return WORDS[type(verdict)]
