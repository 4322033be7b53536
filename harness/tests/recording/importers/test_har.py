import base64
import gzip
import json
from pathlib import Path

import pytest

from harness.recording.format import Fidelity, Recording, Repository, Surface
from harness.recording.importers import har
from harness.recording.importers.exchange import Batch, Imported, Skipped

BATCH = Batch(of=Repository(name="local", commit=None), sha256=None, licence="unpublished")
SSE = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def entry(content: dict[str, object], status: int = 200, **more: object) -> dict[str, object]:
    request = {
        "method": "POST",
        "url": "https://api.anthropic.com/v1/messages?beta=true",
        "headers": [{"name": ":authority", "value": "api.anthropic.com"}, {"name": "X-Api-Key", "value": "k"}],
        "postData": {"mimeType": "application/json", "text": '{"model":"claude-sonnet-5","stream":true}'},
    }
    response = {"status": status, "headers": [{"name": "content-type", "value": "text/event-stream"}], "content": content}
    return {"request": request, "response": response, "startedDateTime": "2026-11-02T10:00:00.000Z", **more}


def read(*entries: object) -> list[Imported]:
    log = {"log": {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}, "entries": list(entries)}}
    return list(har.read("x.har", json.dumps(log).encode(), BATCH))


def test_a_browsers_entry() -> None:
    timings = {"blocked": 3.2, "dns": -1, "send": 0.4, "wait": 411.3, "receive": 1200}
    (made,) = read(entry({"size": 51, "text": SSE}, timings=timings))
    assert isinstance(made, Recording)
    assert (made.surface, made.model, made.stream, str(made.recorded_on)) == (Surface.MESSAGES, "claude-sonnet-5", True, "2026-11-02")
    assert [(read.at_ms, read.data) for read in made.reads] == [(412, SSE.encode())]
    assert made.request.headers == (("X-Api-Key", "x"),)
    assert (made.recorder, made.fidelity) == ("HAR by WebInspector 537.36", Fidelity.EXACT)


@pytest.mark.parametrize(
    "content",
    [
        {"text": base64.b64encode(SSE.encode()).decode(), "encoding": "base64"},
        {"text": json.dumps([gzip.compress(SSE.encode()).hex()]), "encoding": "base64"},
        {"text": json.dumps([base64.b64encode(gzip.compress(SSE.encode())).decode()]), "encoding": "base64"},
        {"text": json.dumps([SSE[:9].encode().hex(), SSE[9:].encode().hex()]), "encoding": "base64"},
    ],
    ids=["base64", "Polly hex gzip", "Polly base64 gzip", "Polly hex chunks"],
)
def test_coded_content(content: dict[str, object]) -> None:
    (made,) = read(entry(content))
    assert isinstance(made, Recording)
    assert made.body == SSE.encode()


def test_what_is_left_out_says_why() -> None:
    found = read(entry({"size": 10}), entry({}, status=0), {"request": {}}, entry({"size": 0, "text": ""}))
    reasons = [each.reason for each in found if isinstance(each, Skipped)]
    assert reasons == ["body not kept by the recorder", "no answer recorded", "not readable as an entry", "empty body"]
    (skipped,) = har.read("x.har", b"{}", BATCH)
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "not readable as HAR 1.2"


def test_a_file_of_a_real_mitmdump() -> None:
    batch = Batch(of=BATCH.of, sha256=None, licence="unpublished", vendor="local")
    data = (Path(__file__).parent / "samples" / "mitmdump.har").read_bytes()
    chat, messages, cut = har.read("mitmdump.har", data, batch)
    assert isinstance(chat, Recording)
    assert chat.body.startswith(b'{\n  "id": "chatcmpl-')
    assert "request header authorization" in chat.redactions
    assert isinstance(messages, Recording)
    assert messages.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert isinstance(cut, Skipped)
