import argparse
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from reference_gateway.operations import cli
from reference_gateway.operations.demo import demo_config


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def test_it_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    command = [sys.executable, "-m", "reference_gateway", "--config", str(demo.config), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert json.load(answer) == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_configuration_that_is_wrong_is_one_sentence_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[security]\npepper_env = "NOT_SET_ANYWHERE"\n')
    assert cli.main(parse("--config", str(file))) == 2
    assert capsys.readouterr().err == f"gateway: {file}:2: pepper_env names NOT_SET_ANYWHERE, which is not set; export NOT_SET_ANYWHERE\n"


def test_an_address_that_is_taken_is_one_sentence_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    assert cli.main(parse("--config", str(demo.config), "--host", "192.0.2.1", "--port", "0")) == 2
    assert capsys.readouterr().err.startswith("gateway: cannot listen there: ")


def test_check_only_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    assert cli.main(parse("--config", str(demo.config), "--check")) == 0
    assert " models, " in capsys.readouterr().out
    assert not (tmp_path / "gateway.sqlite3").exists()


def test_the_demo_prints_a_key_and_answers_without_any_vendor() -> None:
    command = [sys.executable, "-m", "reference_gateway", "serve", "--demo", "--json", "--port", "0", "--demo-pause-ms", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        body = json.dumps({"model": "gpt-5-4", "messages": [{"role": "user", "content": "ping"}]}).encode()
        request = urllib.request.Request(
            f"{told['listening']}/v1/chat/completions",
            data=body,
            headers={"authorization": f"Bearer {told['keys'][0]}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"] == "pong"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)
        assert (process.returncode, out, err) == (0, "", "")


def test_check_config_says_what_would_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=1)
    assert cli.main(parse("check-config", str(demo.config))) == 0
    said = capsys.readouterr().out
    surfaces = "messages, chat (translated), gemini (translated), responses (translated)"
    assert f"  claude-opus-4-8: {surfaces}; groups default, claude-default\n" in said
    assert "  account account-1: declared keys key-1\n" in said
    assert demo.keys[0] not in said


def test_groups_are_listed_with_their_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = demo_config("http://127.0.0.1:9", tmp_path, accounts=2)
    assert cli.main(parse("groups", "list", "--config", str(demo.config))) == 0
    assert "claude-default: claude-sonnet-4-6, claude-opus-4-8, claude-haiku-4-5 (1 declared keys)\n" in capsys.readouterr().out


def test_no_command_is_one_sentence_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(parse()) == 2
    assert capsys.readouterr().err.startswith("gateway: say what to do: ")
