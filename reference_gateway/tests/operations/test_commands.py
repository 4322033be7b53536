"""The operator's commands beside a running gateway, and without one."""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

import pytest

from reference_gateway.operations import cli
from reference_gateway.operations.demo import demo_config
from reference_gateway.tests.scripted import stage


def act(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.main(parser.parse_args(words))


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(demo_config("http://127.0.0.1:9", tmp_path, accounts=1).config)


def test_a_key_is_made_listed_rotated_and_deleted(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert act("keys", "create", "--config", config, "--account", "account-1", "--group", "claude-default", "--name", "laptop") == 0
    key_id, secret = capsys.readouterr().out.split()
    assert secret.startswith("sk-byts-")
    assert act("keys", "list", "--config", config) == 0
    listed = capsys.readouterr().out
    line = next(line for line in listed.splitlines() if line.startswith(key_id))
    assert line.split("\t")[1:5] == [f"sk-byts-...****{secret[-4:]}", "account-1", "claude-default", "laptop"]
    assert secret not in listed
    assert act("keys", "rotate", "--config", config, key_id) == 0
    assert capsys.readouterr().out.split()[1] != secret
    assert act("keys", "delete", "--config", config, key_id) == 0
    assert act("keys", "list", "--config", config, "--account", "account-1") == 0
    assert key_id not in capsys.readouterr().out.splitlines()[1:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keys", "create", "--account", "nobody", "--group", "default"), "there is no account nobody; the configuration has account-1"),
        (("keys", "create", "--account", "account-1", "--group", "none"), "account account-1 has no group none; it has default"),
        (("keys", "rotate", "key_0"), "there is no key key_0; `wireproof gateway keys list` shows those there are"),
        (("keys", "rotate", "key-1"), "This key is declared in the gateway's configuration"),
        (("keys", "suspend", "nobody"), "there is no account nobody"),
        (("topup", "nobody", "5"), "there is no account nobody"),
        (("topup", "account-1", "0"), "the amount must be above 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(config: str, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert act(*words, "--config", config) == 2
    complained = capsys.readouterr().err
    assert complained.startswith(f"gateway: {said}")
    assert len(complained.splitlines()) == 1


def test_an_amount_that_is_none_is_told_by_the_parser(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        act("topup", "account-1", "1.0000001", "--config", config)
    assert "1.0000001 is no amount: write USD such as 25 or 0.50, with at most six decimals" in capsys.readouterr().err


def test_the_same_reference_tops_up_once(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert act("topup", "account-1", "25", "--config", config, "--reference", "invoice-17") == 0
        assert capsys.readouterr().out == "invoice-17: 25.00 USD for account-1, balance then 25.00 USD\n"


async def test_a_running_gateway_takes_over_a_top_up(tmp_path: Path) -> None:
    async with stage(tmp_path, database="gateway.sqlite3") as here:
        before = await here.account()
        assert await asyncio.to_thread(act, "topup", "account-1", "7.50", "--config", str(here.demo.config)) == 0
        async with asyncio.timeout(20):
            while (await here.account())["available_micro_usd"] != before["available_micro_usd"] + 7_500_000:  # noqa: ASYNC110 (over HTTP)
                await asyncio.sleep(0.05)


async def test_the_doctor_finds_nothing_wrong_where_nothing_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    demo = demo_config(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", tmp_path, accounts=1)
    async with listener:
        assert await asyncio.to_thread(act, "doctor", "--config", str(demo.config)) in (0, 1)  # 1: this machine's own limit of open files
    said = capsys.readouterr().out
    assert "ok   configuration: " in said
    assert "ok   database: writable, schema " in said
    assert said.count(" answers\n") >= 4
    assert "FAIL channel" not in said
    assert demo.keys[0] not in said


def test_the_doctor_says_what_is_missing_and_how_to_mend_it(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert act("doctor", "--config", config) == 1
    said = capsys.readouterr().out
    assert "FAIL channel openai: 127.0.0.1:9 cannot be reached" in said
    assert "     mend: look at its base_url and at the network between\n" in said
    Path(config).write_text(Path(config).read_text().replace('pepper_file = "pepper"', 'pepper_env = "NOT_SET_ANYWHERE"'))
    assert act("doctor", "--config", config) == 1
    assert "FAIL configuration: " in capsys.readouterr().out


def test_the_doctor_finds_a_database_that_cannot_be_written(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(config).read_text()
    # Below a file there is no folder, for root neither.
    Path(config).write_text(re.sub(r'^database = ".*"$', f'database = "{Path(config).name}/ledger.sqlite3"', text, flags=re.MULTILINE))
    assert act("doctor", "--config", config) == 1
    assert "FAIL database: " in capsys.readouterr().out
