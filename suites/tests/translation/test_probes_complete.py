"""Every probe of translators and every known defect of a translated route has a requirement, and a mutant that is that very defect."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.data import data_dir
from harness.mutation.matrix import all_mutants
from harness.plan import rules_of, suite_modules
from harness.recording.format import SUFFIX
from harness.tests import corpus
from harness.tests.absent import missing
from suites.translation import loops, stream_loops
from suites.translation.probes_cases import CASES

LISTED: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "translation" / "probes.json").read_text(encoding="utf-8"))
PROBES, DEFECTS = 23, 73
MUTANTS = {mutant.id: mutant for mutant in all_mutants()}


def test_none_is_missing() -> None:
    names = [entry["of"] for entry in LISTED]
    assert names[:PROBES] == [f"3.16/{number}" for number in range(1, PROBES + 1)]
    defects = names[PROBES:]
    assert len(set(defects)) == len(defects) == DEFECTS


def test_the_list_is_the_specifications() -> None:
    """Where the specification stands beside the checkout."""
    folder = corpus.REPOSITORY.parent / "shared" / "spec"
    if not folder.is_dir():
        missing("the specification is not here: put it into ../shared/spec")
    told = [json.loads(line) for line in (folder / "defects.jsonl").read_text(encoding="utf-8").splitlines()]
    translated = {defect["id"]: defect["source"] for defect in told if defect["route"] == "translated"}
    assert {entry["of"]: entry["thread"] for entry in LISTED[PROBES:]} == translated
    table = (folder / "translation.md").read_text(encoding="utf-8").partition("## 3.16")[2]
    assert sum(line.startswith("| ") for line in table.splitlines()) - 1 == PROBES  # its head


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: entry["of"])
def test_each_has_a_requirement_and_a_mutant_that_breaks_it(entry: dict[str, Any]) -> None:
    known = {rule.requirement.id for rule in rules_of(suite_modules())}
    mutants = [MUTANTS[name] for name in entry["mutants"]]
    assert mutants
    assert {mutant.requirement for mutant in mutants} == set(entry["requirements"]) <= known
    if "thread" in entry:
        assert all(entry["thread"] in mutant.defects for mutant in mutants)


def test_every_recording_of_a_probe_is_played() -> None:
    root = data_dir("recordings")
    shipped = {path.relative_to(root).as_posix().removesuffix(SUFFIX) for path in root.glob(f"probes/*{SUFFIX}")}
    assert shipped == {name for name in _played() if name.startswith("probes/")}


def _played() -> Iterator[str]:
    for case in (*CASES, *loops.CASES, *stream_loops.CASES):
        yield from (play.recording for play in (case.play, *(play for step in case.steps for play in step.plays)) if play is not None)
