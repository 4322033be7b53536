"""Which claims tests and requirements say that they show, read from their source; nothing is imported or run.

A requirement of suites/ names its claims (`claims=("contract:141",)`), a test cites them in its docstring (`contract:141`, `C27`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CLAIM: Final = re.compile(r"\bcontract:(\d{1,3})\b")
_RULING: Final = re.compile(r"\bC\d{1,2}\b")

Place = int | str  # a claim by its number, a ruling by its name ("C8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """`evidence` is everything that exists, whether it cites a claim or not: `requirement:ID` or `test:FILE::NAME`."""

    evidence: frozenset[str]
    cited: Mapping[Place, tuple[str, ...]]


def harvest(root: Path) -> Harvest:
    """`root` is the checkout. Raises OSError, SyntaxError."""
    found = [*_requirements(root), *_tests(root)]
    cited: dict[Place, list[str]] = {}
    for evidence, places in found:
        for place in places:
            cited.setdefault(place, []).append(evidence)
    return Harvest(
        evidence=frozenset(evidence for evidence, _ in found), cited={place: tuple(dict.fromkeys(shown)) for place, shown in cited.items()}
    )


def _requirements(root: Path) -> Iterator[tuple[str, list[Place]]]:
    for _, tree in _sources(root, "suites", "*.py"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Requirement":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                id_ = ast.literal_eval(given["id"])
                claims = ast.literal_eval(given["claims"]) if "claims" in given else ()
                yield f"requirement:{id_}", [place for claim in claims for place in _places(claim)]


def _tests(root: Path) -> Iterator[tuple[str, list[Place]]]:
    for file, tree in _sources(root, "reference_gateway/tests", "test_*.py"):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"test:{file}::{node.name}", _places(ast.get_docstring(node) or "")


def _sources(root: Path, folder: str, pattern: str) -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((root / folder).rglob(pattern)):
        name = file.relative_to(root).as_posix()
        if not name.startswith("suites/tests/"):
            yield name, ast.parse(file.read_text(encoding="utf-8"), filename=name)


def _places(text: str) -> list[Place]:
    """The numbers and names that stand in so many words: of "contract:020 to contract:029" the first and the last."""
    return [*map(int, _CLAIM.findall(text)), *_RULING.findall(text)]
