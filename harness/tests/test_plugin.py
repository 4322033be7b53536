"""The verdicts as ordinary pytest items, live and from a stored run, by the words that people use on pytest."""

import json
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.conformance import RUN_FILE, Conformance
from harness.data import data_dir
from harness.runfile import BROKEN_OFF, Run, read_run
from harness.settings import Settings
from harness.tests.commands import environment, pytest_suites, server, started, wireproof
from harness.whole_file import PART

SELECTED = "native/status or sse/ or chat/content"
# Put before a command's own start: whatever opens a connection dies of it.
NO_NETWORK = """
import socket, sys
def forbidden(*_): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.bind = socket.create_connection = socket.getaddrinfo = forbidden
from harness.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file of one model, and beside it what the run wrote."""
    folder = tmp_path_factory.mktemp("run")
    junit = folder / "by-pytest.xml"
    result = wireproof("run", "--models", "gpt-5-4", "-k", SELECTED, "--out", folder, "--junitxml", junit, cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / RUN_FILE


@pytest.fixture(scope="module")
def run(stored: Path) -> Run:
    return read_run(stored)


def judged(result: subprocess.CompletedProcess[str]) -> str:
    """Pytest's last line, without its time."""
    return result.stdout.strip().splitlines()[-1].partition(" in ")[0]


def test_a_run_leaves_its_file_and_its_reports(stored: Path, run: Run) -> None:
    assert run.complete
    assert {path.name for path in stored.parent.iterdir()} >= {"run.jsonl", "report.html", "summary.md", "junit.xml", "badge.svg"}
    assert run.arithmetic.selected == len(run.verdicts) > 300
    suite = ET.parse(stored.parent / "by-pytest.xml").getroot()[0]
    assert int(suite.attrib["tests"]) == len(run.verdicts)
    verdicts = [found.attrib["value"] for found in suite.iter("property") if found.attrib["name"] == "verdict"]
    assert len(verdicts) == len(run.verdicts)


def test_a_stored_run_is_judged_again_to_the_same_verdicts_with_no_network(stored: Path, run: Run, tmp_path: Path) -> None:
    words = [sys.executable, "-c", NO_NETWORK, "run", "--run", str(stored), "-k", SELECTED]
    result = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{run.arithmetic.passed} passed" in judged(result)
    before = {(verdict.requirement, verdict.exchange): verdict for verdict in run.verdicts}
    again = Conformance.open(Settings(run=stored))
    questions = [
        asked for module in again.modules for asked in again.questions(module) if (asked.rule.requirement.id, asked.planned.id) in before
    ]
    assert len(questions) == len(before)
    again.begin(questions)
    for asked in questions:
        verdict = again.judge(asked).verdict
        assert verdict == before[asked.rule.requirement.id, asked.planned.id].verdict, asked.name
    assert again.close(complete=True).passed == run.arithmetic.passed


def test_k_and_m_choose(stored: Path, run: Run, tmp_path: Path) -> None:
    chosen = wireproof("run", "--run", stored, "-k", "native/status", cwd=tmp_path)
    assert chosen.returncode == 0, chosen.stdout
    expected = [verdict for verdict in run.verdicts if verdict.requirement == "native/status"]
    assert judged(chosen) == f"{len(expected)} passed, {_deselected(chosen)} deselected"
    marked = wireproof("run", "--run", stored, "-m", "stream and silent_wrong", "-k", "native/status", cwd=tmp_path)
    streams = [verdict for verdict in expected if run.exchanges[verdict.exchange or ""].case.stream]
    assert judged(marked).startswith(f"{len(streams)} passed")


def _deselected(result: subprocess.CompletedProcess[str]) -> int:
    return int(judged(result).split(", ")[-1].split()[0])


def test_x_stops_at_the_first_and_lf_comes_back_to_it(stored: Path, tmp_path: Path) -> None:
    expectations = tmp_path / "known.toml"
    expectations.write_text('[[expect]]\nrequirement = "native/status"\ncase = "chat/*"\noutcome = "fails"\nreason = "it does not"\n')
    words = ("run", "--run", stored, "--expectations", expectations, "-k", "native/status", "-o", f"cache_dir={tmp_path / 'cache'}")
    everything = wireproof(*words, cwd=tmp_path)
    assert everything.returncode == 1
    red = int(judged(everything).split()[0])
    assert red > 1
    assert f"{red} unexpected-pass" in everything.stdout
    assert "short test summary" not in everything.stdout  # which would tell all of it again, below the run's own
    stopped = wireproof(*words, "-x", cwd=tmp_path)
    assert stopped.returncode == 1
    assert judged(stopped).startswith("1 failed")
    assert "broken off" in stopped.stdout
    again = wireproof(*words, "--lf", cwd=tmp_path)
    assert judged(again) == f"{red} failed"


def test_a_requirement_that_meets_nothing_turns_only_a_whole_run_red(tmp_path: Path) -> None:
    # On routes that are translated the requirement has nothing to compare.
    words = ("run", "--models", "claude-sonnet-4-6", "-k", "chat/content/text-kept and chat-anthropic", "--out", tmp_path)
    narrowed = wireproof(*words, cwd=tmp_path)
    assert "Met nothing to judge on any case: chat/content/text-kept" in narrowed.stdout, narrowed.stdout + narrowed.stderr
    assert narrowed.returncode == 0
    assert read_run(tmp_path / RUN_FILE).header.partial
    assert judged(narrowed).partition(" ")[2].startswith("skipped")


def test_collecting_drives_nothing(tmp_path: Path) -> None:
    with server() as url:
        words = ("--base-url", url, "--upstream-port", "0" + str(_free_port()))
        result = wireproof("run", "--collect-only", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "chat/stream/done-last[chat/text.stream-gpt-5-4]" in result.stdout
    assert not (tmp_path / "reports").exists()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_allure_gets_its_results(stored: Path, tmp_path: Path) -> None:
    pytest.importorskip("allure_pytest")
    results = tmp_path / "allure"
    result = wireproof("run", "--run", stored, "-k", "native/status and unicode", "--alluredir", results, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    documents = [json.loads(path.read_bytes()) for path in results.glob("*-result.json")]
    assert len(documents) == int(judged(result).split()[0]) > 0
    assert {document["status"] for document in documents} == {"passed"}


def test_pytest_suites_in_a_checkout_is_the_same(stored: Path, run: Run) -> None:
    expected = [verdict for verdict in run.verdicts if verdict.requirement == "native/status"]
    result = pytest_suites("-q", "-k", "native/status", suites=("suites/wire/native.py",), WIREPROOF_RUN=str(stored))
    assert result.returncode == 0, result.stdout + result.stderr
    assert judged(result).startswith(f"{len(expected)} passed")


def test_ctrl_c_leaves_a_run_that_can_be_read_and_judged_again_and_the_last_whole_one(stored: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(stored.parent, out)
    of_last_time = {path: path.read_bytes() for path in out.iterdir()}
    words = [sys.executable, "-m", "harness.cli", "run", "--models", "gpt-5-4,claude-sonnet-4-6", "--out", str(out)]
    process = started(words, tmp_path)
    try:
        part = out / (RUN_FILE + PART)
        for _ in range(1200):
            if process.poll() is not None or (part.exists() and part.read_bytes().count(b'{"exchange"') > 50):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = "".join(process.communicate(timeout=60))
    finally:
        process.kill()
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == of_last_time
    file = out / BROKEN_OFF / RUN_FILE
    assert f"report  {file.parent.relative_to(tmp_path) / 'report.html'}\n" in said
    assert "out keeps the last whole run, since this one was broken off\n" in said
    broken_off = read_run(file)
    assert not broken_off.complete
    assert len(broken_off.exchanges) > 50
    assert broken_off.arithmetic.unjudged > 0
    report = wireproof("report", file, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "broken off" in report.stdout
    again = wireproof("run", "--run", file, "-k", "native/status", cwd=tmp_path)
    assert again.returncode in (0, 1, 2)
    assert "Traceback" not in again.stdout + again.stderr


def test_a_truncated_run_file_is_refused(stored: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(stored.read_bytes()[:-200])
    for command in (("run", "--run"), ("report",)):
        result = wireproof(*command, cut, cwd=tmp_path)
        assert result.returncode == 2
        assert result.stdout == ""
        assert len(result.stderr.strip().splitlines()) == 1
        assert "cut.jsonl" in result.stderr


def test_recordings_of_ones_own_are_played(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "chat"
    folder.mkdir(parents=True)
    for name in ("text.jsonl", "text.stream.jsonl"):
        (folder / name).write_bytes((data_dir("recordings") / "chat" / name).read_bytes())
    words = ("run", "--models", "gpt-5-4", "--recordings", folder.parent, "-k", "native/body-bytes", "--out", tmp_path / "out")
    result = wireproof(*words, cwd=tmp_path)
    assert judged(result).startswith("2 passed"), result.stdout + result.stderr
    assert {exchange.case.id for exchange in read_run(tmp_path / "out" / RUN_FILE).exchanges.values()} == {
        "played/chat/text",
        "played/chat/text.stream",
    }
