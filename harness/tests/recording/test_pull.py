import argparse
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.recording import cli, pip_index, pull
from harness.recording.format import Fidelity, Origin, Package, RecordingError
from harness.recording.importers.exchange import Skipped
from harness.recording.library import Library, cache_dir
from harness.tests.recording import simple_index
from harness.tests.recording.simple_index import SimpleIndex
from harness.tests.recording.test_sdist import made

_ASKING_PIP = pip_index._config_list
URL = "https://api.openai.com/v1/chat/completions"
CHAT = '{\n  "id": "chatcmpl-Aa0Bb1Cc2Dd3Ee4Ff5Gg6Hh7Ii8Jj",\n  "n": %d\n}\n'


def cassette(*interactions: tuple[str, str]) -> bytes:
    rows = [
        {
            "request": {"method": "POST", "uri": url, "headers": {}, "body": '{"model": "gpt-5"}'},
            "response": {"status": {"code": 200}, "headers": {}, "body": {"string": body}},
        }
        for url, body in interactions
    ]
    return yaml.dump({"version": 1, "interactions": rows}).encode()


SDIST = made(
    {
        "setup.py": b"raise SystemExit('a package is never run')",
        "tests/cassettes/one.yaml": cassette((URL, CHAT % 1), (URL, CHAT % 2), (URL, CHAT % 1)),
        "tests/cassettes/two.yaml": cassette((URL, CHAT % 3), ("https://api.mistral.ai/v1/chat/completions", "{}")),
        "tests/cassettes/edited.yaml": cassette((URL, CHAT % 4)),
        "other/three.yaml": cassette((URL, CHAT % 5)),
    }
)
PIN = pull.Pin(
    name="some-package",
    version="1.0",
    sha256=hashlib.sha256(SDIST).hexdigest(),
    licence="MIT",
    globs=("tests/cassettes/**/*.yaml",),
    exclude=(("tests/cassettes/edited.yaml", "file edited by hand"),),
    json=Fidelity.EXACT,
)
PINS_TOML = f"""
[[package]]
name = "some-package"
version = "1.0"
sha256 = "{PIN.sha256}"
licence = "MIT"
globs = ["tests/cassettes/**/*.yaml"]
exclude = [{{ glob = "tests/cassettes/edited.yaml", because = "file edited by hand" }}]
"""


@pytest.fixture(autouse=True)
def _own_pip_and_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of the machine's, neither pip's nor a proxy's; pip itself is asked in one test, since it takes a second."""
    monkeypatch.setattr(pip_index, "_config_list", lambda: "")
    for name in os.environ:
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WIREPROOF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def index() -> Iterator[SimpleIndex]:
    with simple_index.serve(
        {"some_package-1.0.tar.gz": SDIST, "some_package-1.0-py3-none-any.whl": b"", "some_package-1.1.tar.gz": b""}
    ) as served:
        yield served


def run(*pins: pull.Pin, again: bool = False, left_out: list[Skipped] | None = None) -> list[pull.Pulled]:
    seen = left_out if left_out is not None else []
    progress = pull.Progress(fetching=lambda *_: None, converting=lambda *_: None, skipped=lambda _, skip: seen.append(skip))
    with pip_index.Index(pip_index.pip_config()) as found:
        return list(pull.pull(pins, cache_dir(), found, progress, again=again))


@pytest.mark.parametrize("html", [False, True], ids=["JSON", "HTML"])
def test_a_pull_brings_recordings_and_counts_what_it_left(index: SimpleIndex, html: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    index.html = html
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    left_out: list[Skipped] = []
    (pulled,) = run(PIN, left_out=left_out)
    skipped = {"duplicate body": 1, "host of no known vendor": 1, "file edited by hand": 1}
    assert (pulled.taken, pulled.exact, pulled.streams, pulled.skipped) == (3, 3, 0, skipped)
    assert [(skip.path, skip.index, skip.reason) for skip in left_out] == [
        ("tests/cassettes/one.yaml", 2, "duplicate body"),
        ("tests/cassettes/two.yaml", 1, "host of no known vendor"),
        ("tests/cassettes/edited.yaml", None, "file edited by hand"),
    ]
    library = Library.open("corpus")
    assert sorted(recording.body for recording in library) == [(CHAT % n).encode() for n in (1, 2, 3)]
    (recording, *_) = library
    assert recording.origin is Origin.IMPORTED
    assert recording.source is not None
    assert (recording.source.of, recording.source.sha256, recording.source.licence) == (
        Package(name="some-package", version="1.0"),
        PIN.sha256,
        "MIT",
    )
    assert index.asked == ["/simple/some-package/", "/files/some_package-1.0.tar.gz"]


def test_what_lies_there_is_not_fetched_again_unless_asked(index: SimpleIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    (first,) = run(PIN)
    index.asked.clear()
    (second,) = run(PIN)
    assert second == replace(first, was_there=True)
    assert index.asked == []
    (third,) = run(PIN, again=True)
    assert third == first
    assert len(Library.open("corpus")) == 3


def test_a_body_that_another_package_brought_is_skipped(index: SimpleIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    run(PIN)
    folder = cache_dir() / "some-package"
    manifest = json.loads((folder / pull.MANIFEST).read_bytes())
    folder.rename(cache_dir() / "other-package")
    manifest_path = cache_dir() / "other-package" / pull.MANIFEST
    manifest_path.write_text(json.dumps({**manifest, "bodies": manifest["bodies"][:2]}))
    (pulled,) = run(PIN)
    assert (pulled.taken, pulled.skipped["duplicate body"]) == (1, 3)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_pull_that_stops_half_way_leaves_nothing_half(
    index: SimpleIndex, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())

    def stop(*_: object) -> None:
        assert list(cache_dir().rglob("*.jsonl"))
        raise error

    progress = pull.Progress(fetching=lambda *_: None, converting=stop, skipped=lambda *_: None)
    with pip_index.Index(pip_index.pip_config()) as found, pytest.raises(error):
        list(pull.pull([PIN], cache_dir(), found, progress))
    assert list(cache_dir().iterdir()) == []
    with pytest.raises(RecordingError, match="run `wireproof corpus pull`"):
        Library.open("corpus")
    run(PIN)
    assert len(Library.open("corpus")) == 3


def test_what_a_killed_pull_left_is_unseen_and_swept_later(index: SimpleIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    run(PIN)
    (cache_dir() / "some-package").rename(cache_dir() / ".part-some-package-1")
    with pytest.raises(RecordingError, match="no recordings"):
        Library.open("corpus")
    os.utime(cache_dir() / ".part-some-package-1", (0, 0))
    run(PIN)
    assert [path.name for path in cache_dir().iterdir()] == ["some-package"]


def test_the_index_of_pips_configuration_file_and_its_password_are_used(
    index: SimpleIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_index, "_config_list", _ASKING_PIP)
    index.password = "p@ss"
    (tmp_path / "pip.conf").write_text(f"[global]\nindex_url = {index.url('u:p%40ss@')}\ntimeout = 7\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert pip_index.pip_config().timeout_seconds == 7.0
    (pulled,) = run(PIN)
    assert pulled.taken == 3


def test_a_password_of_netrc_is_used(index: SimpleIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.password = "secret"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login u password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    (pulled,) = run(PIN)
    assert pulled.taken == 3


def test_extra_indexes_and_local_folders_are_asked_too(index: SimpleIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "simple" / "some-package").mkdir(parents=True)
    (tmp_path / "simple" / "some-package" / "index.html").write_text('<a href="../../some_package-1.0.tar.gz">x</a>')
    (tmp_path / "some_package-1.0.tar.gz").write_bytes(SDIST)
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    index.files.clear()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "simple").as_uri())
    (pulled,) = run(PIN)
    assert pulled.taken == 3
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (pulled,) = run(PIN, again=True)
    assert pulled.taken == 3


def test_a_configuration_without_pip_comes_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://own.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example/simple https://b.example/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "a.example")
    config = pip_index.pip_config()
    assert config.indexes == ("https://own.example/simple", "https://a.example/simple", "https://b.example/simple")
    assert config.trusted_hosts == {"a.example"}


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser()
    cli.add_corpus_arguments(parser)
    status = cli.main(parser.parse_args(["pull", *words]))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def pins(tmp_path: Path) -> str:
    (tmp_path / "corpus.toml").write_text(PINS_TOML)
    return str(tmp_path / "corpus.toml")


def test_the_command_prints_counts_and_reasons(
    index: SimpleIndex, pins: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = command(capsys, "--pins", pins, "--list-skipped")
    assert status == 0
    assert "some-package" in out
    assert "1 duplicate body" in out
    assert f"3 recordings in {cache_dir()}" in out
    assert "skipped tests/cassettes/two.yaml, exchange 1: host of no known vendor (api.mistral.ai)" in out


def test_what_goes_wrong_is_one_sentence_and_exit_2(
    index: SimpleIndex, pins: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(says: str, *words: str) -> None:
        status, _, err = command(capsys, "--pins", pins, *words)
        assert status == 2
        assert says in err
        assert err.startswith("wireproof: ")
        assert err.count("\n") == 1
        assert not list(cache_dir().rglob("*.jsonl"))

    refused("no pin is named nonsense: choose from some-package", "nonsense")
    monkeypatch.setenv("PIP_INDEX_URL", index.url("u:hidden@"))
    index.password = "another"
    refused("answers 401")
    _, _, err = command(capsys, "--pins", pins)
    assert "hidden" not in err
    index.password = None
    index.cut_after = 100
    refused("broke off")
    index.cut_after = None
    index.files["some_package-1.0.tar.gz"] += b"x"
    refused("with another hash")
    index.files.clear()
    refused("no index has that version")
    index.not_json = True
    refused("does not speak the simple API")
    monkeypatch.setenv("PIP_CERT", "/no/such/file")
    refused("certificate or proxy that cannot be used")
    monkeypatch.delenv("PIP_CERT")
    monkeypatch.setenv("PIP_TIMEOUT", "soon")
    refused("make it a number of seconds")
    monkeypatch.delenv("PIP_TIMEOUT")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
        refused("cannot be reached")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    refused("no index (no-index)")


def test_a_cache_folder_that_cannot_be_one_is_one_sentence(
    pins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WIREPROOF_CACHE", str(tmp_path / "file"))
    status, _, err = command(capsys, "--pins", pins)
    assert (status, err.count("\n")) == (2, 1)
    assert "name another folder with WIREPROOF_CACHE" in err


def test_a_list_of_pins_with_a_mistake_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "[[package]]\nname = 'a'\n", "not toml"):
        (tmp_path / "corpus.toml").write_text(text)
        status, _, err = command(capsys, "--pins", str(tmp_path / "corpus.toml"))
        assert (status, "is no list of pins" in err) == (2, True)


def test_the_pins_that_ship_are_whole() -> None:
    shipped = pull.read_pins(Path(__file__).parents[3] / "recordings" / "corpus.toml")
    assert len(shipped) == 17
    assert len({pin.name for pin in shipped}) == 17
    assert all(len(bytes.fromhex(pin.sha256)) == 32 and pin.globs and pin.licence in {"MIT", "Apache-2.0"} for pin in shipped)


def test_globs_that_match_nothing_are_said(index: SimpleIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url())
    with pytest.raises(pull.PullError, match="holds no recording where its pin says"):
        run(replace(PIN, globs=("nowhere/*.yaml",)))
    assert list(cache_dir().iterdir()) == []
