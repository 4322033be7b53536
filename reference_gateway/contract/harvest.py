"""Which claims tests and requirements say that they show, read from their source; nothing is imported or run.

A requirement of suites/ names its claims (`claims=("contract:141",)`), a test cites them in its docstring (`contract:141`, `C27`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
        makers = {
            maker.name: (maker, made) for maker in tree.body if isinstance(maker, ast.FunctionDef) for made in [_returned(maker)] if made
        }
        inside = {id(made) for _, made in makers.values()}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or id(node) in inside:
                continue
            if node.func.id == "Requirement":
                yield _requirement(node, {})
            elif node.func.id in makers:
                maker, made = makers[node.func.id]
                yield _requirement(made, _bound(maker.args, node))


def _returned(maker: ast.FunctionDef) -> ast.Call | None:
    """The requirement that a function of a module makes of what it is given."""
    last = maker.body[-1]
    made = last.value if isinstance(last, ast.Return) else None
    return made if isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id == "Requirement" else None


def _requirement(made: ast.Call, names: Mapping[str, Any]) -> tuple[str, list[Place]]:
    given = {keyword.arg: keyword.value for keyword in made.keywords}
    claims = _value(given["claims"], names) if "claims" in given else ()
    return f"requirement:{_value(given['id'], names)}", [place for claim in claims for place in _places(claim)]


def _bound(takes: ast.arguments, call: ast.Call) -> dict[str, Any]:
    """What a call gives for the parameters that are texts, or tuples of them; any other says nothing of claims."""
    given = {arg.arg: value for arg, value in zip(takes.args, call.args, strict=False)}
    given |= {arg.arg: value for arg, value in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if value is not None}
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    names: dict[str, Any] = {}
    for name, value in given.items():
        with suppress(ValueError, KeyError):
            names[name] = _value(value, {})
    if takes.vararg is not None:
        names[takes.vararg.arg] = tuple(_value(value, {}) for value in call.args[len(takes.args) :])
    return names


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """A text or a tuple of texts, written out or made of `names`. Raises KeyError, ValueError for what is neither."""
    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.JoinedStr(values=parts):
            return "".join(_value(part.value if isinstance(part, ast.FormattedValue) else part, names) for part in parts)
        case ast.Tuple(elts=items):
            found: list[Any] = []
            for item in items:
                found += _value(item.value, names) if isinstance(item, ast.Starred) else [_value(item, names)]
            return tuple(found)
        case _:
            return ast.literal_eval(node)


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
