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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "`wireproof` needs COMMAND: `wireproof --help` lists what there is"),
        (["rnu"], "there is no 'rnu'; did you mean 'run'?"),
        (["no-such-command"], "there is no 'no-such-command': choose from run, report,"),
        (["--nosuch"], "`wireproof` needs COMMAND"),
        (["report"], "`wireproof report` needs RUN: `wireproof report --help` lists what there is"),
        (["report", "run.jsonl", "another"], "`wireproof report` does not know what to do with 'another': leave it out"),
        (["report", "run.jsonl", "--htlm", "x"], "there is no --htlm; did you mean --html?"),
        (["report", "--html"], "--html stands without its value: `wireproof report --help` says what it takes"),
        (["mutation", "--olny", "x"], "there is no --olny; did you mean --only?"),
        (["mutation", "--matrix"], "--matrix is for `wireproof run` and means nothing to `wireproof mutation`: leave it out"),
        (["mutation", "--nodes", "2"], "--nodes is for `wireproof run`"),
        (["mutation", "--storm-calls=3"], "--storm-calls is for `wireproof run`"),
        (["mutation", "--run", "run.jsonl"], "--run is for `wireproof run`"),
        (["mutation", "--storage", "mysql"], "--storage is one of sqlite, postgres, not 'mysql'"),
        (["recordings"], "`wireproof recordings` needs COMMAND: `wireproof recordings --help` lists what there is"),
        (["recordings", "lnt"], "there is no 'lnt'; did you mean 'lint'?"),
        (["recordings", "lint", "--x"], "there is no --x: `wireproof recordings lint --help` lists what there is"),
        (["recordings", "import", "a.har"], "`wireproof recordings import` needs --into"),
        (["corpus", "pull", "--agian"], "there is no --agian; did you mean --again?"),
        (["upstream", "--no-such-option"], "there is no --no-such-option: `wireproof upstream --help` lists what there is"),
        (["upstream", "--upstream-port", "x"], "--upstream-port takes a whole number, not 'x'"),
        (["upstream", "--upstream-port", "99999"], "--upstream-port takes a whole number from 0 to 65535, not 99999"),
        (["upstream", "--upstream-port", "-1"], "--upstream-port takes a whole number from 0 to 65535, not -1"),
        (["record", "--vendor", "opnai"], "there is no 'opnai' for --vendor; did you mean 'openai'?"),
        (
            ["bench", "--litellm", "no-such-program"],
            "there is no program no-such-program: name LiteLLM's `litellm`, or leave --litellm out",
        ),
        (["bench", "--json", "/proc/none/x.json"], "--json /proc/none/x.json cannot be written"),
        (["bench", "--rounds", "x"], "--rounds takes a whole number, not 'x'"),
        (["bench", "--seconds", "x"], "--seconds takes a number, not 'x'"),
        (["bench", "--only", "everything"], "there is no 'everything' for --only: choose from wire, translated"),
        (["run", "--base-url"], "--base-url stands without its value"),
        (["run", "--base-url", ""], "--base-url is empty: give it a value, or leave it out"),
        (["run", "--matrix=3"], "--matrix takes no value: leave '3' out"),
        (["gateway", "serve", "--demo", "--port", "99999"], "--port: 99999 is no port: give a whole number from 0 to 65535"),
        (["gateway", "srve"], "there is no 'srve'; did you mean 'serve'?"),
        (["gateway", "serve", "--demo", "--prot", "1"], "there is no --prot; did you mean --port?"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_what_it_does_not_understand_is_one_sentence_and_exit_code_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(words)
    except SystemExit as left:  # argparse's way
        code = int(str(left.code))
    told = capsys.readouterr()
    assert code == 2
    assert told.out == ""
    assert told.err.startswith(f"wireproof: {says}")
    assert told.err.count("\n") == 1


def test_options_of_runs_do_not_stand_in_the_help_of_mutation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["mutation", "--help"])
    told = capsys.readouterr().out
    assert "--only" in told
    assert "--concurrency" in told
    for flag in ("--matrix", "--nodes", "--storm-calls", "--expectations", "--recordings", "--run"):
        assert flag + " " not in told


def test_a_command_reads_only_its_own_module() -> None:
    script = "import sys; from harness.cli import parser; parser(); print(*sorted(n for n in sys.modules if n.startswith('harness.')))"
    made = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout.split() == ["harness.cli", "harness.complaints"]
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
