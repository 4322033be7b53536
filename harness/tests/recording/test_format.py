import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recording import format as recordings
from harness.recording.format import (
    End,
    Fidelity,
    Origin,
    Package,
    Provenance,
    Read,
    RecordedRequest,
    Recording,
    RecordingError,
    Repository,
    Source,
    Surface,
)

SAMPLE = Recording(
    id="messages/parallel-tools.stream",
    vendor="anthropic",
    surface=Surface.MESSAGES,
    model="claude-sonnet-5",
    stream=True,
    origin=Origin.CAPTURED,
    recorded_on=date(2026, 11, 2),
    recorder="wireproof 0.1",
    fidelity=Fidelity.EXACT,
    provenance=Provenance.RECORDED,
    source=None,
    redactions=("request header x-api-key",),
    notes=(),
    request=RecordedRequest(method="POST", path="/v1/messages", headers=(("Content-Type", "application/json"),), body=b"{}"),
    status=200,
    headers=(("x-a", "1"), ("x-a", "2")),
    reads=(Read(at_ms=5, data=b"data: \xe2"), Read(at_ms=5, data="\u20ac\u2028\r\n\x0c\x85".encode())),
    end=End.EOF,
)
SOURCES = [
    None,
    Source(of=Package(name="p", version="1"), sha256="0" * 64, path="a/b.yaml", index=3, licence="MIT"),
    Source(of=Repository(name="o/r", commit=None), sha256=None, path="c.har", index=0, licence="Apache-2.0"),
]

json_text = st.text(st.characters(codec="utf-8"))
reads = st.lists(st.tuples(st.integers(0, 10_000), st.binary() | json_text.map(str.encode))).map(
    lambda pairs: tuple(Read(at_ms=at, data=data) for at, (_, data) in zip(sorted(at for at, _ in pairs), pairs, strict=True))
)
header_lists = st.lists(st.tuples(json_text, json_text)).map(tuple)


@given(reads=reads, body=st.binary(), headers=header_lists, source=st.sampled_from(SOURCES), end=st.sampled_from(End))
def test_what_is_dumped_is_loaded(reads: tuple[Read, ...], body: bytes, headers: recordings.Headers, source: Source, end: End) -> None:
    request = replace(SAMPLE.request, body=body, headers=headers)
    recording = replace(SAMPLE, reads=reads, headers=headers, request=request, source=source, end=end)
    assert recordings.loads(recordings.dump(recording), recording.id) == recording


def test_reads_are_text_only_where_they_are_utf8() -> None:
    lines = [json.loads(line) for line in recordings.dump(SAMPLE).split(b"\n")[:-1]]
    assert [sorted(line) for line in lines[3:]] == [["at_ms", "base64"], ["at_ms", "text"], ["end"]]
    assert SAMPLE.body == SAMPLE.reads[0].data + SAMPLE.reads[1].data


def test_save_then_load_gives_the_id_back(tmp_path: Path) -> None:
    path = recordings.save(SAMPLE, tmp_path)
    assert path == tmp_path / "messages" / "parallel-tools.stream.jsonl"
    assert recordings.load(path, tmp_path) == SAMPLE
    assert recordings.load(path).id == "parallel-tools.stream"
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    assert b"\r" not in path.read_bytes()


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recordings.save(SAMPLE, tmp_path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RecordingError, match="No space left"):
        recordings.save(replace(SAMPLE, status=500), tmp_path)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("wrong", ["", "../x", "/x", "a//b", "a/.hidden", "a b", "a\\b", "a/..", "C:x"])
def test_ids_that_leave_the_root_are_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no recording id"):
        recordings.save(replace(SAMPLE, id=wrong), tmp_path)


def test_every_truncation_is_refused() -> None:
    whole = recordings.dump(SAMPLE)
    for cut in range(len(whole)):
        with pytest.raises(RecordingError):
            recordings.loads(whole[:cut], "x")


def _edit(line: int, change: Callable[[dict[str, object]], object]) -> bytes:
    rows = recordings.dump(SAMPLE).split(b"\n")
    value = json.loads(rows[line])
    change(value)
    rows[line] = json.dumps(value).encode()
    return b"\n".join(rows)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"x\.jsonl is cut short"),
        (b"not json\n", r"x\.jsonl, line 1 is not JSON"),
        (b"[]\n", r"line 1 is not a JSON object"),
        (recordings.dump(SAMPLE).replace(b"\n", b"\r\n"), r"line 1 ends in CR LF.*-text"),
        (_edit(0, lambda line: line.update(format=7)), r"format 7 .*install a newer"),
        (_edit(0, lambda line: line.update(format=None)), r"format None"),
        (_edit(0, lambda line: line.pop("vendor")), r"line 1 lacks 'vendor'"),
        (_edit(0, lambda line: line.update(surface="telex")), r"line 1 has a wrong 'surface': expected chat or .*'telex'"),
        (_edit(0, lambda line: line.update(recorded_on="yesterday")), r"wrong 'recorded_on'"),
        (_edit(0, lambda line: line.update(extra=1)), r"line 1 has unknown fields extra"),
        (_edit(2, lambda line: line.update(response={"status": True, "headers": []})), r"line 3 has a wrong 'status'"),
        (_edit(2, lambda line: line.update(response={"status": 200, "headers": [["a"]]})), r"wrong 'headers'"),
        (_edit(3, lambda line: line.update(base64="*")), r"line 4 has a wrong 'base64'"),
        (_edit(4, lambda line: line.update(at_ms=1)), r"line 5 was read at 1 ms, before"),
        (_edit(4, lambda line: line.update(text="\ud800")), r"line 5 has a wrong 'text'"),
        (_edit(5, lambda line: line.update(end="fin")), r"line 6 has a wrong 'end'"),
    ],
)
def test_a_bad_file_is_named_with_its_line(data: bytes, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        recordings.loads(data, "x")


def test_a_file_of_format_0_is_migrated() -> None:
    recording = recordings.load(Path(__file__).parent / "old" / "format-0.jsonl")
    assert (recording.vendor, recording.surface, recording.recorded_on) == ("anthropic", Surface.MESSAGES, date(2026, 3, 4))
    assert recording.request.headers == (("content-type", "application/json"), ("x-api-key", "REDACTED"))
    assert recording.body == b'event: ping\ndata: {"type": "ping"}\n\ndata: "\xe2'
    assert recording.end is End.RESET
    assert recordings.loads(recordings.dump(recording), recording.id) == recording


def test_a_broken_file_of_an_old_format_is_an_error_too() -> None:
    with pytest.raises(RecordingError, match="not what its format 0 promises"):
        recordings.loads(b'{"format": 0}\n{"request": {}}\n{"response": {}}\n{"end": "eof"}\n', "x")


def test_a_missing_file_or_another_kind_of_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        recordings.load(tmp_path / "none.jsonl")
    with pytest.raises(RecordingError, match=r"ends in \.jsonl"):
        recordings.load(tmp_path / "none.json")
