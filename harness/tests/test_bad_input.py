"""What a user does wrong is told in one sentence, with exit code 2: never a traceback, never a green run, never a hang."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data import data_dir
from harness.tests.commands import pytest_suites, server, wireproof


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, and one sentence on stderr that says all of `words`; stdout holds nothing that looks like a verdict."""
    said = result.stdout + result.stderr
    assert result.returncode == 2, said
    assert "Traceback" not in said
    assert "!!!" not in said
    assert " passed" not in said
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("wireproof: ")
    for word in words:
        assert word in lines[0]


def run(cwd: Path, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    result = wireproof("run", *words, cwd=cwd, **environment)
    if result.returncode == 2:
        assert result.stdout == ""
    return result


def test_a_gateway_without_an_upstream(tmp_path: Path, free_port: int) -> None:
    with server() as url:
        words = ("--base-url", url, "--upstream-port", str(free_port))
        refused(run(tmp_path, *words), "never called the upstream witness", f":{free_port}", "gpt-5-4 503", "configure")
        refused(pytest_suites(*words, "--out", tmp_path), "never called the upstream witness")


def test_a_gateway_whose_upstream_port_nobody_named(tmp_path: Path) -> None:
    with server() as url:
        refused(run(tmp_path, "--base-url", url), "--upstream-port")


def test_a_wrong_key_and_a_missing_one(tmp_path: Path, free_port: int) -> None:
    with server(key="right") as url:
        words = ("--base-url", url, "--upstream-port", str(free_port))
        wrong = run(tmp_path, *words, WIREPROOF_API_KEY="sk-wrong-0123456789")
        refused(wrong, "refused the key", "401", "WIREPROOF_API_KEY")
        assert "sk-wrong" not in wrong.stderr
        refused(run(tmp_path, *words), "wants a key", "WIREPROOF_API_KEY")
        refused(pytest_suites(*words, "--api-key", "sk-wrong-0123456789", "--out", tmp_path), "refused the key")


def test_a_dead_url_and_a_web_page_and_no_url_at_all(tmp_path: Path, free_port: int) -> None:
    upstream = ("--upstream-port", str(free_port))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    refused(run(tmp_path, "--base-url", dead, *upstream), "nothing answers at", dead)
    with server(html=True) as url:
        refused(run(tmp_path, "--base-url", url, *upstream), "web page", "not a gateway's API")
    refused(run(tmp_path, "--base-url", "my-gateway", *upstream), "my-gateway", "not a URL")


def test_who_gave_a_target_file_is_told_of_its_keys(tmp_path: Path, free_port: int) -> None:
    target = tmp_path / "gateway.toml"

    def told(url: str, *more: str, **environment: str) -> str:
        port = "" if "no port" in more else f"upstream_port = {free_port}\n"
        target.write_text(f'[target]\nbase_url = "{url}"\n{port}' + "".join(text for text in more if text.startswith("[")))
        result = run(tmp_path, "--target", "gateway.toml", **environment)
        refused(result, "gateway.toml")
        assert "--" not in result.stderr
        return result.stderr

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert "start the gateway, or correct `base_url` under [target] in gateway.toml" in told(dead)
    assert "write the same `upstream_port = PORT` under [target] in gateway.toml" in told(dead, "no port")
    with server(html=True) as url:
        assert "correct `base_url` under [target] in gateway.toml" in told(url)
    with server(key="right") as url:
        assert "name its variable in `good` under [keys] in gateway.toml" in told(url)
        named = told(url, '[keys]\ngood = ["OUR_KEY"]\n', OUR_KEY="sk-wrong-0123456789")
    assert "export one that it takes in the variable that `good` under [keys] in gateway.toml names" in named
    assert "sk-wrong" not in named


def test_a_model_that_the_gateway_does_not_list(tmp_path: Path, free_port: int) -> None:
    with server() as url:
        refused(
            run(tmp_path, "--base-url", url, "--upstream-port", str(free_port), "--models", "gpt-9"), "lists no model 'gpt-9'", "gpt-5-4"
        )


def test_a_port_that_is_taken(tmp_path: Path, taken_port: int) -> None:
    with server() as url:
        refused(run(tmp_path, "--base-url", url, "--upstream-port", str(taken_port)), f"port {taken_port}", "taken")


@pytest.mark.parametrize(("option", "value"), [("--concurrency", "0"), ("--concurrency", "many"), ("--upstream-port", "70000")])
def test_numbers_that_are_none(tmp_path: Path, option: str, value: str) -> None:
    refused(run(tmp_path, option, value), option, value, "whole number")
    refused(run(tmp_path, **{"WIREPROOF_" + option[2:].replace("-", "_").upper(): value}), option, value)


def test_a_target_file_with_a_typo(tmp_path: Path) -> None:
    target = tmp_path / "gateway.toml"
    target.write_text('[target]\nbase_urll = "http://127.0.0.1:1"\n')
    refused(run(tmp_path, "--target", target), "gateway.toml, line 2", "did you mean `base_url`")
    refused(pytest_suites("--target", target, "--out", tmp_path), "did you mean `base_url`")
    refused(run(tmp_path, "--target", tmp_path / "none.toml"), "none.toml cannot be read")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('requirement = "native/no-such-rule"\nreason = "x"', ("native/no-such-rule", "matches nothing")),
        ('requirement = "native/status"\nreason = "x"\nexpires = 2020-01-31', ("native/status", "expired on 2020-01-31")),
        ('requirement = "native/status"', ("reason",)),
    ],
    ids=["matches nothing", "expired", "no reason"],
)
def test_expectations_that_cannot_stand(tmp_path: Path, entry: str, words: tuple[str, ...]) -> None:
    expectations = tmp_path / "known.toml"
    expectations.write_text(f'[[expect]]\n{entry}\noutcome = "fails"\n')
    refused(run(tmp_path, "--expectations", expectations, "--models", "gpt-5-4", "-k", "native/status"), "known.toml", *words)


def test_words_that_select_nothing_leave_the_last_report_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.jsonl").write_text("of last time\n")
    refused(run(tmp_path, "--models", "gpt-5-4", "--out", out, "-k", "nosuchthing"), "no verdict was selected", "-k")
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("run.jsonl", "of last time\n")]


def test_run_files_that_are_none(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("hello\n")
    refused(run(tmp_path, "--run", words), "words.txt is not a run file")
    refused(pytest_suites("--run", words), "not a run file")
    refused(run(tmp_path, "--run", tmp_path / "none.jsonl"), "none.jsonl")


def test_recordings_that_are_not_there_or_broken(tmp_path: Path) -> None:
    refused(run(tmp_path, "--recordings", tmp_path / "nowhere"), "no recordings in", "nowhere")
    folder = tmp_path / "mine" / "chat"
    folder.mkdir(parents=True)
    whole = (data_dir("recordings") / "chat" / "text.jsonl").read_bytes()
    (folder / "text.jsonl").write_bytes(whole)
    (folder / "wrong.jsonl").write_bytes(whole[: len(whole) // 2])
    refused(run(tmp_path, "--recordings", folder.parent), "wrong.jsonl", "cut short")


def test_a_recording_with_a_secret_in_it_fails_the_lint(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(data_dir("recordings") / "chat", folder / "chat")
    file = folder / "chat" / "text.jsonl"
    file.write_bytes(file.read_bytes().replace(b"lighthouse", b"sk-proj-" + b"aB3dE5fG7h" * 5, 1))
    result = wireproof("recordings", "lint", folder, cwd=tmp_path)
    assert result.returncode == 1
    assert "chat/text.jsonl: secret:" in result.stdout
    assert "sk-proj-aB3" not in result.stdout + result.stderr
