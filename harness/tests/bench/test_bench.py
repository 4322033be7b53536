"""`wireproof bench` as a whole, with the smallest durations: that it measures and prints; never how fast anything is."""

import json
import math
import sys
from pathlib import Path

import pytest

from harness.bench import nginx, suites, translated, wire
from harness.bench.processes import BenchError
from harness.bench.wire import FULL, GATEWAY, RELAY
from harness.cli import main


def test_the_wire_gives_finite_ratios(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "bench.json"
    assert main(["bench", "--only", "wire", "--rounds", "1", "--seconds", "0.25", "--json", str(file)]) == 0
    printed = capfd.readouterr().out
    assert all(scenario.text in printed for scenario in wire.SCENARIOS)
    found = json.loads(file.read_text())["wire"]
    assert {GATEWAY, FULL, RELAY} <= found["start_s"].keys()
    for scenario in wire.SCENARIOS:
        told = found["scenarios"][scenario.name]
        assert {GATEWAY, RELAY} <= told["rounds"].keys()
        assert (FULL in told["rounds"]) == (scenario in (wire.PLAIN, wire.ONE))
        assert sys.platform != "linux" or told["rounds"][GATEWAY][0]["memory_mb"] > 0
        ratios = [value for marks in told["gateway"].values() for name, value in marks.items() if not name.startswith(("added", "cpu"))]
        assert all(value is not None and math.isfinite(value) and value > 0 for value in ratios)
    assert found["scenarios"]["plain"]["gateway"]["per_relay"]["answers_per_s"] > 0
    assert found["scenarios"]["bulk"]["gateway"]["per_relay"]["chunks_per_s"] > 0


def test_without_nginx_it_says_so_and_divides_by_the_relay(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(nginx, "find", lambda: None)
    assert main(["bench", "--only", "wire", "--rounds", "1", "--seconds", "0.02"]) == 0
    printed = capfd.readouterr().out
    assert "nginx is not installed" in printed
    assert "/ nginx" not in printed
    assert "/ relay" in printed


def test_translated_routes_are_measured(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    assert main(["bench", "--only", "translated", "--rounds", "1", "--seconds", "0.05", "--json", str(file)]) == 0
    printed = capfd.readouterr().out
    assert "messages < gemini" in printed
    ways = json.loads(file.read_text())["translated"]["ways"]
    assert len(ways) == len(translated.WAYS)
    assert all(way["rounds"]["gateway"][0]["seconds"] > 0 for way in ways.values())


def test_a_litellm_that_does_not_start_is_told_in_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "litellm"
    program.write_text("#!/bin/sh\necho no proxy here >&2\nexit 1\n")
    program.chmod(0o755)
    assert main(["bench", "--only", "wire", "--rounds", "1", "--seconds", "0.02", "--litellm", str(program)]) == 2
    said = capfd.readouterr().err
    assert "litellm gave no answer of the vendor's" in said
    assert "no proxy here" in said


def test_a_run_is_split_into_its_parts_and_judged_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    words = ["bench", "--only", "conformance", "--only", "judging", "--select", "models/", "--rounds", "1", "--json", str(file)]
    assert main(words) == 0
    printed = capfd.readouterr().out
    assert "exchanges a minute" in printed
    assert "json.loads of the same lines" in printed
    found = json.loads(file.read_text())
    driven, rejudged = found["conformance"], found["judging"]
    assert list(driven["parts_s"]) == ["start", "drive", "judge", "report"]
    assert driven["sdk_import_s"] > 0
    assert all(seconds >= 0 for seconds in driven["parts_s"].values())
    assert 0 < sum(driven["parts_s"].values()) <= driven["wall_s"]
    assert (rejudged["exchanges"], rejudged["verdicts"]) == (driven["exchanges"], driven["verdicts"])
    assert rejudged["exchanges"] > 0
    assert rejudged["json_s"][0] > 0


def test_a_run_that_could_not_run_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="exit code 2: wireproof: --concurrency takes a whole number"):
        suites.drive(tmp_path, ["--concurrency", "many"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rounds", "0"], "--rounds takes"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "nan"], "--seconds"),
    ],
)
def test_what_cannot_run_is_one_sentence_and_exit_code_2(words: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    said = capfd.readouterr().err
    assert said.startswith("wireproof: ")
    assert told in said
    assert said.count("\n") == 1
