import argparse
from pathlib import Path

import pytest

from harness.recording import cli
from harness.recording.format import Origin
from harness.recording.library import Library
from harness.tests import corpus

SAMPLES = Path(__file__).parent / "importers" / "samples"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser()
    cli.add_recordings_arguments(parser)
    status = cli.main(parser.parse_args(["import", *words]))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_files_become_recordings_once_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(SAMPLES / "mitmdump.flow"), str(SAMPLES / "mitmdump.har")]
    status, out, _ = run(capsys, *files, "--into", str(tmp_path), "--vendor", "local", "--licence", "MIT")
    assert status == 0
    assert "2 recordings written" in out
    assert "2 duplicate body" in out
    assert "skipped mitmdump.flow, exchange 2: body not kept by the recorder" in out
    made = list(Library.open(str(tmp_path)))
    assert {recording.origin for recording in made} == {Origin.IMPORTED}
    assert {recording.source.licence for recording in made if recording.source} == {"MIT"}


def test_without_a_vendor_an_unknown_host_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, str(SAMPLES / "mitmdump.flow"), "--into", str(tmp_path))
    assert status == 1
    assert "host of no known vendor (127.0.0.1)" in out
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, str(tmp_path / "no.har"), "--into", str(tmp_path))
    assert (status, err.count("\n")) == (2, 1)
    assert "cannot be read" in err


def test_the_corpus_is_imported_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = {exchange.body for exchange in corpus.exchanges()}
    status, _, _ = run(capsys, str(corpus.need()), "--into", str(tmp_path))
    assert status == 0
    assert {recording.body for recording in Library.open(str(tmp_path))} == bodies
