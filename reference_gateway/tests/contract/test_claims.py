"""The table of claims: whole, honest about what it names, and current."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import suites
from harness.requirement import Requirement, Rule
from harness.tests.absent import missing
from reference_gateway.contract.__main__ import PAGE, ROOT, main
from reference_gateway.contract.claims import Contract, Kind, Status, load
from reference_gateway.contract.harvest import Harvest, harvest

NOT_KEPT: set[int] = set()  # each with its reason in claims.toml: a new one is a decision


@pytest.fixture(scope="module")
def found() -> Harvest:
    return harvest(ROOT)


@pytest.fixture(scope="module")
def contract(found: Harvest) -> Contract:
    return load(found)


def test_every_claim_stands_there_once(contract: Contract) -> None:
    assert [claim.number for claim in contract.claims] == list(range(1, 243))
    assert list(contract.rulings) == [f"C{number}" for number in range(1, 45)]
    assert all(0 < len(claim.says) <= 120 for claim in contract.claims)


def test_whatever_is_named_exists(contract: Contract, found: Harvest) -> None:
    for entries in (contract.claims, contract.rulings.values()):
        assert {item for entry in entries for item in entry.evidence} - found.evidence == set()


def test_no_claim_is_kept_without_evidence(contract: Contract) -> None:
    bare = {claim.number for claim in contract.claims if claim.status in (Status.KEPT, Status.RULED) and not claim.evidence}
    assert bare == set()
    assert {claim.number for claim in contract.claims if claim.status is Status.LACKING} == NOT_KEPT


def test_what_is_ruled_has_its_ruling(contract: Contract) -> None:
    for claim in contract.claims:
        if claim.kind is Kind.RULING:
            assert claim.ruling is not None, claim
    assert [ruling.name for ruling in contract.rulings.values() if not ruling.evidence] == []
    assert {claim.ruling for claim in contract.claims} - {None} == set(contract.rulings)


def test_the_page_is_current() -> None:
    assert main(["--check"]) == 0, "run `python -m reference_gateway.contract`"


def test_a_page_that_is_not_current_is_told_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reference_gateway.contract.__main__.PAGE", tmp_path / "CONTRACT.md")
    assert main(["--check"]) == 1
    assert "run `python -m reference_gateway.contract`" in capsys.readouterr().err
    assert main([]) == main(["--check"]) == 0
    assert (tmp_path / "CONTRACT.md").read_bytes() == PAGE.read_bytes()


def test_what_is_read_of_the_suites_is_what_they_have(found: Harvest) -> None:
    requirements: dict[str, Requirement] = {}
    for module in pkgutil.walk_packages(suites.__path__, "suites."):
        if not module.name.startswith("suites.tests"):
            for rule in getattr(importlib.import_module(module.name), "RULES", ()):
                assert isinstance(rule, Rule)
                requirements[rule.requirement.id] = rule.requirement
    read = {item.removeprefix("requirement:") for item in found.evidence if item.startswith("requirement:")}
    assert read == set(requirements)
    for id_, requirement in requirements.items():
        for claim in requirement.claims:
            assert f"requirement:{id_}" in found.cited[int(claim.removeprefix("contract:"))]


def test_kinds_are_those_of_the_contract(contract: Contract) -> None:
    file = ROOT.parent / "shared" / "spec" / "contract.md"
    if not file.exists():
        missing("the contract itself is not here: put it into ../shared/spec")
    text = file.read_text(encoding="utf-8")
    kinds = {int(number): kind for number, kind in re.findall(r"^(\d+)\. \[(\w)\]", text, re.MULTILINE)}
    assert {claim.number: claim.kind for claim in contract.claims} == kinds
    for number, ruling in re.findall(r"^(\d+)\. .*→ (C\d+)", text, re.MULTILINE):
        assert contract.claims[int(number) - 1].ruling == ruling
