from pathlib import Path

import pytest

from harness.settings import OPTIONS, Settings, Storage
from harness.toml_file import UserFileError

WORTH = {
    "base_url": ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "api_key": ("sk-1", "sk-1"),
    "models": ("gpt-5-4, claude-x,", ("gpt-5-4", "claude-x")),
    "target": ("gateway.toml", Path("gateway.toml")),
    "upstream_port": ("9100", 9100),
    "concurrency": ("3", 3),
    "expectations": ("known.toml", Path("known.toml")),
    "out": ("there", Path("there")),
    "recordings": ("corpus", "corpus"),
    "storage": ("postgres", Storage.POSTGRES),
    "nodes": ("2", 2),
    "postgres_url": ("postgresql://a/b", "postgresql://a/b"),
    "redis_url": ("redis://a", "redis://a"),
    "storm_calls": ("100", 100),
    "matrix": ("1", True),
    "run": ("run.jsonl", Path("run.jsonl")),
}


def test_every_option_is_an_environment_variable_too() -> None:
    assert set(WORTH) == {option.name for option in OPTIONS}
    environment = {f"WIREPROOF_{name.upper()}": text for name, (text, _) in WORTH.items()}
    settings = Settings.of({}, environment)
    assert {name: getattr(settings, name) for name in WORTH} == {name: value for name, (_, value) in WORTH.items()}


def test_the_command_line_comes_before_the_environment_and_that_before_the_default() -> None:
    assert Settings.of({"concurrency": "5"}, {"WIREPROOF_CONCURRENCY": "6"}).concurrency == 5
    assert Settings.of({"concurrency": None}, {"WIREPROOF_CONCURRENCY": "6"}).concurrency == 6
    assert Settings.of({}, {}) == Settings()


def test_a_key_never_shows_in_the_settings_as_text() -> None:
    given = {"api_key": "sk-secret", "postgres_url": "postgresql://me:sk-secret@a/b", "redis_url": "redis://:sk-secret@a"}
    assert "sk-secret" not in repr(Settings.of(given, {}))


@pytest.mark.parametrize("number", ["0", "-1", "65536", "1.5", "x", "\u0663", "\u00b2"])
def test_what_is_no_number_of_exchanges_is_refused(number: str) -> None:
    with pytest.raises(UserFileError, match=r"^--concurrency takes a whole number"):
        Settings.of({"concurrency": number}, {})
    with pytest.raises(UserFileError, match=r"^--concurrency \(WIREPROOF_CONCURRENCY\) takes a whole number"):
        Settings.of({}, {"WIREPROOF_CONCURRENCY": number})


def test_an_empty_option_is_refused_and_an_empty_variable_is_none() -> None:
    for name in WORTH:
        if name != "matrix":
            with pytest.raises(UserFileError, match="is empty"):
                Settings.of({name: ""}, {})
    assert Settings.of({}, {f"WIREPROOF_{name.upper()}": "" for name in WORTH}) == Settings()


def test_models_that_are_commas_alone_are_refused() -> None:
    with pytest.raises(UserFileError, match="--models names no model"):
        Settings.of({"models": " , "}, {})


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({}, "latest"),
        ({"base_url": "http://127.0.0.1:8080", "models": "gpt-5-4"}, "latest"),
        ({"matrix": "1"}, "matrix"),
        ({"storage": "postgres", "nodes": "2"}, "postgres"),
        ({"matrix": "1", "storage": "postgres"}, "matrix-postgres"),
        ({"storage": "postgres", "storm_calls": "10000"}, "postgres-storm"),
        ({"recordings": "corpus"}, "corpus"),
        ({"recordings": "mine"}, "own-recordings"),
    ],
)
def test_each_kind_of_run_has_a_folder_of_its_own_unless_it_is_told_one(given: dict[str, str | None], folder: str) -> None:
    assert Settings.of(given, {}).out == Path("reports") / folder
    assert Settings.of({}, {f"WIREPROOF_{name.upper()}": value for name, value in given.items() if value}).out == Path("reports") / folder
    assert Settings.of({**given, "out": "there"}, {}).out == Path("there")
    assert Settings.of(given, {"WIREPROOF_OUT": "there"}).out == Path("there")
