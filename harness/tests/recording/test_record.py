import argparse
import re
import sys
from pathlib import Path

import pytest

from harness.recording import mitmdump, record
from harness.recording.calls import prefix_of
from harness.recording.format import SUFFIX, Origin, load
from harness.recording.lint import lint
from harness.recording.scenarios import SCENARIOS, by_id


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in record.VENDORS.values():
        monkeypatch.delenv(vendor.key_variable, raising=False)


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--vendor", "anthropic"], "ANTHROPIC_API_KEY"),
        (["--vendor", "openai"], "OPENAI_API_KEY"),
        (["--vendor", "gemini"], "GEMINI_API_KEY"),
        ([], "ANTHROPIC_API_KEY or OPENAI_API_KEY or GEMINI_API_KEY"),
    ],
)
def test_without_a_key_one_sentence_says_what_to_export(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(parsed(*words)) == 2
    said = capsys.readouterr()
    assert f"export {wanted} " in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.usefixtures("no_keys")
def test_the_vendor_is_the_one_whose_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    assert record.choose_vendor(None) == "gemini"


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize(
    ("words", "says"),
    [(["--base-url", "api.example.com"], "is no base URL"), (["--scenarios", "nothing/*"], "matches 'nothing/\\*'")],
)
def test_what_cannot_be_recorded_is_said_in_one_sentence(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    assert record.main(parsed("--vendor", "anthropic", *words)) == 2
    said = capsys.readouterr().err
    assert re.search(says, said)
    assert said.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert record.main(parsed("--vendor", "scripted", "--scenarios", "models/*", "--out", str(tmp_path / "file" / "below"))) == 2
    assert "give another folder by --out" in capsys.readouterr().err


def test_a_real_vendor_is_asked_only_for_what_it_can_give() -> None:
    source = record.Source(vendor="anthropic", base_url="https://api.anthropic.com", key="k", scripted=False)
    ids = {scenario.id for scenario in record.chosen(source, "*")}
    assert {"messages/text", "messages/text.stream", "messages/thinking-tools.stream", "messages/error-401"} <= ids
    assert {scenario_id.split("/")[0] for scenario_id in ids} == {"messages", "models"}
    assert not ids & {"messages/error-529", "messages/big-frame.stream", "messages/empty", "models/openai-list"}
    assert source.origin is Origin.CAPTURED


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [
        ("https://api.openai.com/v1", ""),
        ("https://api.anthropic.com", ""),
        ("https://gateway.example/llm/v1/", "/llm"),
        ("https://gateway.example/llm/v1beta", "/llm"),
        ("https://gateway.example/llm", "/llm"),
    ],
)
def test_a_base_url_may_or_may_not_end_in_the_version(base_url: str, prefix: str) -> None:
    assert prefix_of(base_url) == prefix


def test_the_scripted_vendor_is_recorded_through_mitmdump_by_the_sdks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "recordings"
    stale = out / "chat" / f"gone{SUFFIX}"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    assert record.main(parsed("--vendor", "scripted", "--scenarios", "*/tools*", "--out", str(out), "--prune")) == 0
    wanted = {scenario.id for scenario in SCENARIOS if scenario.id.split("/")[1].startswith("tools")}
    assert len(wanted) == 8
    assert {path.relative_to(out).as_posix().removesuffix(SUFFIX) for path in out.rglob("*") if path.is_file()} == wanted
    assert f"8 recorded into {out}, 0 not" in capsys.readouterr().out
    assert list(lint(out)) == []
    for name in wanted:
        recording, scenario = load(out / f"{name}{SUFFIX}", out), by_id(name)
        assert recording.body == scenario.body
        assert recording.origin is Origin.SYNTHETIC
        agent = next(value for key, value in recording.request.headers if key.lower() == "user-agent")
        assert agent.startswith({"openai": "AsyncOpenAI/", "anthropic": "AsyncAnthropic/", "google": "google-genai-sdk/"}[scenario.vendor])


def test_an_answer_with_another_status_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "SCENARIOS", [by_id("messages/text")])
    monkeypatch.setattr(record, "_headers", lambda scenario, _: {record.ID_HEADER: scenario.id})  # so the vendor knows no scenario
    assert record.main(parsed("--vendor", "scripted", "--out", str(tmp_path))) == 1
    assert "messages/text: answered with status 404, wanted 200" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_lock_pins_by_hash_and_names_no_address() -> None:
    lock = mitmdump.LOCK.read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--index" not in lock
    assert "--extra" not in lock
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith("#")]
    assert "mitmproxy" in {line.split("==")[0] for line in pinned}
    assert all(line.endswith("\\") for line in pinned)
    assert lock.count("--hash=sha256:") >= len(pinned)


def test_the_environment_is_built_once() -> None:
    said: list[str] = []
    first = mitmdump.ensure_environment()
    assert mitmdump.ensure_environment(said.append) == first
    assert said == []


def test_an_environment_that_cannot_be_built_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREPROOF_CACHE", str(tmp_path))
    interpreter = tmp_path / "no-python"
    interpreter.write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(mitmdump.MitmdumpError, match=r"could not be built \(No module named venv\): install"):
        mitmdump.ensure_environment()
    assert list((tmp_path / "environments").iterdir()) == []
