import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.recording import cli, lint
from harness.recording import format as recordings
from harness.recording.format import Origin, Read, Recording, Repository, Source, Surface
from harness.tests.recording.test_format import SAMPLE

GOOD = replace(SAMPLE, request=replace(SAMPLE.request, body=b'{"stream": true}'))
KEY = "sk-" + "ant-" + "Ab3" * 12
SOURCE = Source(of=Repository(name="o/r", commit="c"), sha256=None, path="p", index=0, licence="MIT")


def with_body(body: bytes) -> Recording:
    return replace(GOOD, reads=(Read(at_ms=0, data=body),))


def with_request(**change: object) -> Recording:
    return replace(GOOD, request=replace(GOOD.request, **change))  # type: ignore[arg-type]  # one helper for every field


def rules(root: Path, used: set[str] | None = None) -> list[str]:
    return [finding.rule for finding in lint.lint(root, used)]


def test_a_good_recording_has_no_findings(tmp_path: Path) -> None:
    recordings.save(GOOD, tmp_path)
    assert rules(tmp_path) == []
    assert rules(tmp_path, {GOOD.id}) == []


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (with_body(f"data: {KEY}".encode()), ["secret", "secret"]),
        (with_body(KEY.encode().join([b"\xff", b""])), ["secret"]),  # seen only once the base64 is undone
        (with_body(f'{{"a": "\\u0022{KEY}"}}'.encode()), ["secret", "secret"]),
        (with_request(headers=(("Authorization", "Bearer abc"),)), ["secret"]),
        (with_request(path="/v1/messages?key=abc"), ["secret"]),
        (replace(GOOD, headers=(("set-cookie", "a=b"),)), ["secret"]),
        (replace(GOOD, origin=Origin.IMPORTED), ["label"]),
        (replace(GOOD, origin=Origin.SYNTHETIC, source=SOURCE), ["label"]),
        (replace(GOOD, redactions=()), ["label"]),
        (replace(GOOD, surface=Surface.CHAT), ["label", "path"]),
        (replace(GOOD, stream=False), ["label"]),
        (replace(GOOD, id="chat/x"), ["path"]),
    ],
)
def test_each_fault_is_found(made: Recording, expected: list[str], tmp_path: Path) -> None:
    recordings.save(made, tmp_path)
    assert rules(tmp_path) == expected


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def _blanks(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"end": ', b'{"end":'))


def _half(path: Path) -> None:
    path.rename(path.with_name(f".{path.name}.7.part"))


@pytest.mark.parametrize(("damage", "rule"), [(_cut, "schema"), (_crlf, "schema"), (_blanks, "form"), (_half, "name")])
def test_a_damaged_file_is_found(damage: Callable[[Path], None], rule: str, tmp_path: Path) -> None:
    damage(recordings.save(GOOD, tmp_path))
    assert rules(tmp_path) == [rule]


def test_a_secret_in_an_unreadable_file_is_found_too(tmp_path: Path) -> None:
    path = recordings.save(with_body(f"data: {KEY}".encode()), tmp_path)
    _cut(path)
    assert rules(tmp_path) == ["secret", "schema"]


def test_duplicates_dead_and_missing_recordings_are_found(tmp_path: Path) -> None:
    recordings.save(GOOD, tmp_path)
    recordings.save(replace(GOOD, id="messages/same"), tmp_path)
    recordings.save(replace(with_request(body=b'{"stream": true, "n": 2}'), id="messages/same-answer-other-question"), tmp_path)
    found = list(lint.lint(tmp_path, {GOOD.id, "messages/same", "messages/gone"}))
    assert [(finding.path, finding.rule) for finding in found] == [
        ("messages/same-answer-other-question.jsonl", "dead"),
        ("messages/same.jsonl", "duplicate"),
        ("messages/gone.jsonl", "missing"),
    ]
    assert GOOD.id in found[1].says


def test_the_command_fails_on_findings_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        cli.add_recordings_arguments(parser)
        status = cli.main(parser.parse_args(["lint", *words]))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    recordings.save(GOOD, tmp_path)
    assert run(str(tmp_path))[:2] == (0, "1 recordings, 0 findings\n")
    recordings.save(replace(with_body(KEY.encode()), id="messages/leak"), tmp_path)
    status, out, _ = run(str(tmp_path))
    assert status == 1
    assert "messages/leak.jsonl: secret: line 4 holds what looks like a secret (anthropic-key)" in out
    assert KEY not in out
    status, _, err = run(str(tmp_path / "none"))
    assert status == 2
    assert err.startswith("wireproof: there are no recordings in ")
