"""The sample report: how it is made, and what of it is committed."""

import re
import struct
from pathlib import Path

import pytest

from harness.report import sample
from harness.tests.report import browser, made

COMMITTED = Path(__file__).parents[3] / "reports" / "sample"
FILES = {"report.html", "summary.md", "badge.svg", "report.png"}
PNG = b"\x89PNG\r\n\x1a\n"


def test_it_is_made_from_a_run_with_a_picture_of_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREPROOF_CHROMIUM", browser.chromium())
    made.run(tmp_path, green=True)
    folder = tmp_path / "sample"
    assert sample.main([str(tmp_path / "run.jsonl"), "--out", str(folder)]) == 0
    assert {file.name for file in folder.iterdir()} == FILES
    picture = (folder / "report.png").read_bytes()
    assert picture.startswith(PNG)
    assert struct.unpack(">II", picture[16:24]) == (1280, 1080)
    assert len(picture) > 20_000  # an empty page of this size is some 5 KB


def test_a_run_that_was_broken_off_is_no_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.run(tmp_path, complete=False)
    assert sample.main([str(tmp_path / "run.jsonl"), "--out", str(tmp_path / "sample")]) == 2
    assert "broken off" in capsys.readouterr().err


def test_a_browser_that_takes_no_picture_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WIREPROOF_CHROMIUM", str(tmp_path / "none"))
    made.run(tmp_path, green=True)
    assert sample.main([str(tmp_path / "run.jsonl"), "--out", str(tmp_path / "sample")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("wireproof: ")
    assert "took no picture" in said
    assert said.count("\n") == 1


def test_the_committed_sample_is_whole_small_and_says_nothing_of_the_machine_that_made_it() -> None:
    assert {file.name for file in COMMITTED.iterdir()} == FILES
    assert (COMMITTED / "report.png").stat().st_size < 300_000
    assert (COMMITTED / "report.html").stat().st_size < 1_500_000
    for name in FILES - {"report.png"}:
        text = (COMMITTED / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w./])/(?:home|root|tmp|work|Users)/", text), name
    assert "Everything stood as expected." in (COMMITTED / "summary.md").read_text(encoding="utf-8")
