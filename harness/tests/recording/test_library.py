from dataclasses import replace
from pathlib import Path

import pytest

from harness.recording import format as recordings
from harness.recording.features import Feature
from harness.recording.format import Read, RecordingError, Surface
from harness.recording.library import Library, cache_dir
from harness.tests.recording.test_format import SAMPLE

ERROR = replace(SAMPLE, id="chat/error-404", surface=Surface.CHAT, vendor="openai", model="gpt-5", status=404, stream=False)
CALLS = b'{"content":[{"type":"tool_use","id":"toolu_1"},{"type":"tool_use","id":"toolu_2"}],"usage":{"cache_read_input_tokens":7}}'
PARALLEL = replace(SAMPLE, id="messages/parallel", reads=(Read(at_ms=0, data=CALLS),), stream=False)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for made in (SAMPLE, ERROR, PARALLEL):
        recordings.save(made, tmp_path)
    (tmp_path / "__init__.py").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.jsonl").write_text("half")
    return Library.open(str(tmp_path))


def test_recordings_are_listed_by_id_and_read_when_asked_for(library: Library) -> None:
    assert library.ids == ("chat/error-404", "messages/parallel", "messages/parallel-tools.stream")
    library.path("messages/parallel").write_text("broken")
    assert library.load("chat/error-404") == ERROR
    assert library.load("chat/error-404") is library.load("chat/error-404")
    with pytest.raises(RecordingError, match=r"parallel\.jsonl is cut short"):
        library.load("messages/parallel")


def test_recordings_are_found_by_what_they_are(library: Library) -> None:
    assert list(library.find(surface=Surface.CHAT)) == [ERROR]
    assert list(library.find(model="claude-sonnet-5", stream=True)) == [SAMPLE]
    assert list(library.find(vendor="openai", status=404)) == [ERROR]
    assert list(library.find(status=200, having=frozenset({Feature.PARALLEL_TOOL_CALLS, Feature.CACHE_READ}))) == [PARALLEL]
    assert list(library.find(having=frozenset({Feature.ERROR}))) == [ERROR]
    assert list(library.find(surface=Surface.GEMINI)) == []


@pytest.mark.parametrize("wrong", ["../secret", "none", "/etc/passwd"])
def test_an_id_that_is_not_there_is_an_error(library: Library, wrong: str) -> None:
    with pytest.raises(RecordingError):
        library.load(wrong)


def test_a_folder_without_recordings_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordingError, match="give `shipped`, `corpus` or a folder"):
        Library.open(str(tmp_path))
    monkeypatch.setenv("WIREPROOF_CACHE", str(tmp_path))
    with pytest.raises(RecordingError, match="run `wireproof corpus pull`"):
        Library.open("corpus")


def test_the_cache_folder_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIREPROOF_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path / "corpus"
    monkeypatch.delenv("WIREPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir().name == "corpus"
    assert "wireproof" in cache_dir().parts
