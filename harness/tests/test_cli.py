"""The `wireproof` command: what it says, and that an installed wheel needs no checkout."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from harness.cli import COMMANDS, main, parser
from harness.commands.recordings import played
from harness.recording.library import Library
from harness.tests.commands import REPOSITORY, environment, started, wireproof


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_has_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert f"wireproof {name}" in capsys.readouterr().out


def test_the_first_help_teaches_the_two_ways_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Start with `wireproof run`" in text
    assert "--base-url http://127.0.0.1:8080 --upstream-port 9100" in text


def test_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert re.fullmatch(r"wireproof \S+\n", capsys.readouterr().out)


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["report"], ["recordings"], ["upstream", "--no-such-option"]])
def test_what_it_does_not_understand_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage: wireproof" in capsys.readouterr().err


def test_a_command_reads_only_its_own_module() -> None:
    script = "import sys; from harness.cli import parser; parser(); print(*sorted(n for n in sys.modules if n.startswith('harness.')))"
    made = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout.split() == ["harness.cli"]
    assert parser().prog == "wireproof"


def test_what_ships_is_what_the_suites_play() -> None:
    assert played() <= set(Library.open("shipped").ids)


def test_the_shipped_recordings_pass_the_lint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "lint"]) == 0, capsys.readouterr().out


def test_the_upstream_witness_alone_answers_the_call_that_it_prints(tmp_path: Path) -> None:
    words = [sys.executable, "-u", "-m", "harness.cli", "upstream", "chat/text", "messages/text.stream", "--upstream-port", "0"]
    process = started(words, tmp_path)
    try:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(5)]
        url = re.search(r"curl -N (\S+)", told[1])
        body = re.search(r" -d '(.*)'", told[1])
        assert url is not None
        assert body is not None
        request = urllib.request.Request(url[1], data=body[1].encode(), headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["object"] == "chat.completion"
        assert "messages/text.stream" in told[2]
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130
    assert complaint == ""


def test_a_recording_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = wireproof("upstream", "chat/nothing", cwd=tmp_path)
    assert result.returncode == 2
    assert re.fullmatch(r"wireproof: .*chat/nothing\.jsonl cannot be read.*\n", result.stderr)


def test_recording_without_a_key_says_what_to_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = wireproof("record", "--vendor", "anthropic", cwd=tmp_path)
    assert result.returncode == 2
    assert "export ANTHROPIC_API_KEY" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_installed_wheel_runs_from_any_folder(tmp_path: Path) -> None:
    """Schemas, recordings, templates, suites and the lock of the capture environment are found without the checkout."""
    # Without pip, which an environment that uv built has not.
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    wheel = next(tmp_path.glob("wireproof-*.whl"))
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)  # all there is to installing pure Python without scripts
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert not list(site.rglob("tests"))
    assert (site / "harness" / "recording" / "mitmproxy.lock").is_file()
    words = ["run", "--models", "claude-sonnet-4-6", "-k", "messages/schema", "--out", "out"]
    script = (
        f"import sys, harness.cli as cli; assert cli.__file__.startswith({str(site)!r}), cli.__file__; sys.exit(cli.main(sys.argv[1:]))"
    )
    installed = environment(PYTHONPATH=str(site))
    result = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=elsewhere, env=installed, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert (elsewhere / "out" / "report.html").is_file()
