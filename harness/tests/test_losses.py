"""A gateway's declared losses: read as data, with each mistake named, and cut to the route of an exchange."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.case import Case, Dialect, Play, Surface
from harness.losses import EMBEDDED, read_losses
from harness.route_losses import OnRoute
from harness.target import Target, read_target
from harness.toml_file import UserFileError

ROW = {"path": "seed", "direction": "request_in", "rule": "kept"}


def test_the_reference_gateways_file_is_read() -> None:
    declared = read_losses(EMBEDDED)
    assert declared.warning_header == "x-wireproof-losses"
    route = declared.on(Surface.CHAT, Dialect.DEEPSEEK_CHAT)
    assert route["request_in"]["n"] == "refused"
    assert route["request_out"]["seed"] == "dropped"  # in which DeepSeek's dialect differs from OpenAI's
    assert "seed" not in declared.on(Surface.MESSAGES, Dialect.OPENAI_CHAT)["request_out"]
    assert declared.on(Surface.MESSAGES, Dialect.OPENAI_CHAT)["request_out"]["tools[].cache"] == "silent"


def test_an_exchange_carries_what_concerns_its_route() -> None:
    target = Target(name="t", bases=None, losses=read_losses(EMBEDDED))
    case = Case(id="translation/x", surface=Surface.CHAT, play=Play(recording="x"), upstream=Dialect.GEMINI)
    route = OnRoute.of(target.promises(case), Surface.CHAT, Surface.GEMINI)
    assert route.written("parallel_tool_calls") == "refused"
    assert route.written("temperature") == "kept"
    assert route.answers.of_answer(Surface.CHAT, "items.order") == "dropped"
    assert "losses" not in target.promises(replace(case, upstream=None))
    assert "losses" not in target.promises(replace(case, upstream=Dialect.OPENAI_CHAT))
    assert OnRoute.of({}, Surface.CHAT, Surface.GEMINI).written("top_k") == "kept"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], 'needs "protocols"'),
        ({"protocols": [], "warning_header": "x"}, 'needs "protocols"'),
        ({"protocols": {}, "warning_header": 3}, '"warning_header" must be the name of a header'),
        ({"protocols": {"smtp": []}}, "has a protocol 'smtp'"),
        ({"protocols": {"chat": {}}}, "chat must be a list of rows"),
        ({"protocols": {"chat": ["seed"]}}, 'row 0 of chat needs a "path"'),
        ({"protocols": {"chat": [ROW, {**ROW, "path": "n", "direction": "in"}]}}, 'row 1 of chat (n) needs a "direction"'),
        ({"protocols": {"chat": [{**ROW, "rule": "lost"}]}}, 'row 0 of chat (seed) needs a "rule"'),
        ({"protocols": {"chat": [ROW, ROW]}}, "row 1 of chat gives seed a second rule"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, value: Any, told: str) -> None:
    (tmp_path / "losses.json").write_text(json.dumps(value))
    (tmp_path / "target.toml").write_text('[target]\nbase_url = "http://127.0.0.1:1"\nlosses = "losses.json"\n')
    with pytest.raises(UserFileError) as wrong:
        read_target(tmp_path / "target.toml")
    assert str(wrong.value).startswith(f"{tmp_path}/target.toml, line 3: {tmp_path}/losses.json")
    assert told in str(wrong.value)


def test_a_missing_file_and_one_that_is_no_json_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match="cannot be read"):
        read_losses(tmp_path / "nowhere.json")
    (tmp_path / "losses.json").write_text("{")
    with pytest.raises(UserFileError, match="is not JSON"):
        read_losses(tmp_path / "losses.json")


def test_a_target_names_its_own(tmp_path: Path) -> None:
    (tmp_path / "losses.json").write_text(json.dumps({"protocols": {"chat": [{**ROW, "rule": "dropped"}]}}))
    (tmp_path / "target.toml").write_text('[target]\nbase_url = "http://127.0.0.1:1"\nlosses = "losses.json"\n')
    declared = read_target(tmp_path / "target.toml").losses
    assert declared is not None
    assert declared.on(Surface.CHAT, Dialect.GEMINI)["request_in"] == {"seed": "dropped"}
