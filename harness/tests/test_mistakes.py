"""Words of pytest's that `wireproof run` was given wrong, and files with a slip in them: one sentence, exit code 2, nothing driven."""

from pathlib import Path

import pytest

from harness.expectations import read_expectations
from harness.target import read_target
from harness.tests.test_bad_input import refused, run
from harness.toml_file import UserFileError

TARGET = '[target]\nbase_url = "http://127.0.0.1:8080"\nupstream_port = 9100\n'


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--bse-url", "http://127.0.0.1:8080"], "there is no --bse-url; did you mean --base-url?"),
        (["--nothing-like-it"], "there is no --nothing-like-it: `wireproof run --help` lists what there is"),
        (["--duratoins=3"], "there is no --duratoins; did you mean --durations?"),
        (["--durations", "x"], "--durations takes a whole number, not 'x'"),
        (["--tb", "shrt"], "there is no 'shrt' for --tb; did you mean 'short'?"),
        (["-Z"], "there is no -Z"),
        (["no-such-file"], "there is no no-such-file: give a file of suites"),
        (["no_such.py::name"], "there is no no_such.py::name"),
        (["-n", "2"], "a run is one process"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_pytest_does_not_understand(words: list[str], says: str, tmp_path: Path) -> None:
    refused(run(tmp_path, *words), f"wireproof: {says}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["-k", "-m"])
def test_an_expression_that_cannot_be_read_drives_nothing(flag: str, tmp_path: Path) -> None:
    refused(run(tmp_path, "--models", "gpt-5-4", flag, "chat and"), f"{flag} cannot be read: chat and: at column 9", "'chat and not sdk'")
    assert list(tmp_path.iterdir()) == []


def test_an_out_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(run(tmp_path, "--models", "gpt-5-4", "-k", "native/status", "--out", "file"), "file (it is a file)", "--out")
    assert (tmp_path / "file").read_text() == "mine"


def test_servers_for_a_storage_that_was_not_asked_for(tmp_path: Path) -> None:
    refused(run(tmp_path, "--redis-url", "redis://127.0.0.1"), "--postgres-url and --redis-url are for --storage postgres")


def test_what_is_said_of_the_embedded_gateway_where_another_is_driven(tmp_path: Path) -> None:
    words = ("--base-url", "http://127.0.0.1:8080", "--upstream-port", "9100")
    refused(run(tmp_path, *words, "--nodes", "2", "--storage", "postgres"), "--storage is for the embedded gateway")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[[models]]\nid = 3\n", "line 5: `id` in [[models]] must be text in quotes, not 3"),
        ('[[models]]\nid = ""\n', "line 4: a [[models]] entry needs `id`"),
        ("[timeouts]\nidle_ms = -4\n", "line 5: `idle_ms` in [timeouts] must be a whole number from 1 on, not -4"),
        ("[timeouts]\nidle_ms = 2.5\n", "line 5: `idle_ms` in [timeouts] must be a whole number, not 2.5"),
        ("[account]\nsettle_ms = -1\n", "`settle_ms` in [account] must be a whole number from 0 on, not -1"),
        ('[[not_applicable]]\nrequirement = 3\nreason = "x"\n', "line 5: `requirement` in [[not_applicable]] must be text in quotes"),
    ],
)
def test_values_of_a_target_file_that_cannot_be(more: str, says: str, tmp_path: Path) -> None:
    assert says in _target(tmp_path, TARGET + more)


def test_a_target_file_with_a_list_in_the_place_of_tables(tmp_path: Path) -> None:
    for key in ("models", "not_applicable"):
        assert f"line 1: `{key}` in a target file must be tables: write [[{key}]] above each" in _target(
            tmp_path, f'{key} = ["a"]\n{TARGET}'
        )


@pytest.mark.parametrize("port", ["99999", "0", "-1"])
def test_a_target_file_with_a_port_that_is_none(port: str, tmp_path: Path) -> None:
    said = _target(tmp_path, TARGET.replace("9100", port))
    assert f"line 3: `upstream_port` in [target] must be a whole number from 1 to 65535, not {port}" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://127.0.0.1:x", "http://[::1", "ftp://127.0.0.1", "http://"])
def test_a_target_file_with_a_url_that_is_none(url: str, tmp_path: Path) -> None:
    assert f"line 2: base_url '{url}' is not a URL" in _target(tmp_path, TARGET.replace("http://127.0.0.1:8080", url))


def _target(folder: Path, text: str) -> str:
    path = folder / "target.toml"
    path.write_text(text)
    with pytest.raises(UserFileError) as caught:
        read_target(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('expect = ["a"]\n', "line 1: `expect` in an expectations file must be tables: write [[expect]] above each"),
        ('[[expect]]\nrequirement = "a"\nreason = "x"\nmodel = 3\n', "line 4: `model` in [[expect]] must be text in quotes, not 3"),
        ('[[expect]]\nrequirement = ["a"]\nreason = "x"\n', "line 2: `requirement` in [[expect]] must be text in quotes"),
    ],
)
def test_values_of_an_expectations_file_that_cannot_be(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(UserFileError) as caught:
        read_expectations(path)
    assert says in str(caught.value)


@pytest.mark.parametrize("words", [("--junitxml", "x.xml"), ("--alluredir", "kept")])
def test_what_a_run_wrote_before_is_no_file_of_suites(words: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<testsuites/>")
    (tmp_path / "kept").mkdir()
    done = run(tmp_path, "--collect-only", "-q", *words, "-k", "headers/request-id")
    assert done.returncode == 0, done.stderr
    assert "suites/headers/to_client.py" in done.stdout
