import json

from harness.recording.format import End, Fidelity, Package, Provenance, Recording, Surface
from harness.recording.importers import bodies
from harness.recording.importers.exchange import Batch, Skipped

BATCH = Batch(of=Package(name="sdk", version="1"), sha256=None, licence="MIT")
SSE = b'event: message_start\ndata: {"type":"message_start"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_a_saved_stream_is_curated_and_without_a_request() -> None:
    (made,) = bodies.read_saved_body("fixtures/basic.txt", SSE, BATCH)
    assert isinstance(made, Recording)
    assert (made.surface, made.vendor, made.provenance, made.fidelity) == (
        Surface.MESSAGES,
        "anthropic",
        Provenance.CURATED,
        Fidelity.EXACT,
    )
    assert (made.body, made.stream, made.end, made.request.body) == (SSE, True, End.EOF, b"")


def test_a_stream_whose_last_blank_line_was_stripped_is_not_exact() -> None:
    (made,) = bodies.read_saved_body("fixtures/basic.txt", SSE.rstrip(b"\n"), BATCH)
    assert isinstance(made, Recording)
    assert (made.body, made.fidelity, made.end) == (SSE.rstrip(b"\n"), Fidelity.RESERIALIZED, End.EOF)


def test_a_snapshot_keeps_streams_as_they_were_and_prints_json_again() -> None:
    request = {"method": "POST", "url": "https://api.anthropic.com/v1/messages", "headers": {"x-api-key": "k"}, "body": {"stream": True}}
    exchanges = [
        {"request": request, "response": {"status_code": 200, "headers": {"a": "b"}, "body": SSE.decode()}},
        {"request": request, "response": {"status_code": 429, "headers": {}, "body": {"type": "error", "error": {"message": "é"}}}},
        {"request": request},
    ]
    stream, error, broken = bodies.read_snapshot("s.json", json.dumps(exchanges).encode(), BATCH)
    assert isinstance(stream, Recording)
    assert (stream.body, stream.fidelity, stream.headers) == (SSE, Fidelity.EXACT, (("a", "b"),))
    assert isinstance(error, Recording)
    assert (error.status, error.fidelity, error.body) == (
        429,
        Fidelity.RESERIALIZED,
        '{"type":"error","error":{"message":"é"}}'.encode(),
    )
    assert isinstance(broken, Skipped)
    assert broken.index == 2


def test_other_files_are_left_out() -> None:
    for found in (
        bodies.read_saved_body("a.txt", b"hello", BATCH),
        bodies.read_snapshot("a.json", b"{}", BATCH),
        bodies.read_snapshot("a.json", b"{", BATCH),
    ):
        (skipped,) = found
        assert isinstance(skipped, Skipped)
