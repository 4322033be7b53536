"""The JSON form of the shared corpus: one file per exchange (its README.md has the fields)."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from harness.recording import classify, vendor_forms
from harness.recording.format import (
    End,
    Fidelity,
    Origin,
    Provenance,
    Read,
    RecordedRequest,
    Recording,
    Repository,
    Source,
)
from harness.recording.importers.exchange import NO_END_MARK, Imported, Skipped, header_pairs, without_secrets

_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)


def read_folder(root: Path) -> Iterator[Imported]:
    """Every exchange that the corpus's index.jsonl lists."""
    for line in (root / "index.jsonl").read_bytes().splitlines():
        file = json.loads(line)["file"]
        yield read(file, (root / file).read_bytes())


def read(path: str, data: bytes) -> Imported:
    """One exchange; its id is the path without suffix, its body the very bytes of the corpus."""
    try:
        return _recording(path, json.loads(data))
    except _UNREADABLE as error:
        return Skipped(path=path, index=None, reason="not readable as a corpus exchange", detail=repr(error)[:200])


def _recording(path: str, exchange: Any) -> Recording:
    request, response = exchange["request"], exchange["response"]
    query = urlencode(request["query"], doseq=True)
    asked = request["path"] + (f"?{query}" if query else "")
    sent = request["body"]
    body = base64.b64decode(response["body_b64"]) if "body_b64" in response else response["body_text"].encode()
    surface = classify.surface_of(request["method"], asked)
    notes = tuple(note for note in [exchange["fidelity_notes"], *exchange["notes"]] if note)
    end = End.EOF
    if 200 <= response["status"] < 300 and vendor_forms.lacks_end_mark(surface, body):
        end = End.CLIENT_ABORT
        notes = (*notes, NO_END_MARK)
    made = Recording(
        id=path.removesuffix(".json"),
        vendor=exchange["vendor"],
        surface=surface,
        model=exchange["model"],
        stream=exchange["stream"] or classify.stream_asked(asked, b""),
        origin=Origin.IMPORTED,
        recorded_on=date.fromisoformat(exchange["recorded_at"]) if exchange["recorded_at"] else None,
        recorder=exchange["recorded_via"],
        fidelity=Fidelity(exchange["fidelity"]),
        provenance=Provenance(exchange["provenance"]),
        source=Source(
            of=Repository(name=exchange["source_repo"], commit=exchange["source_commit"]),
            sha256=None,
            path=exchange["source_path"],
            index=exchange["source_index"],
            licence=exchange["licence"],
        ),
        redactions=("response body, by the corpus",) if exchange["body_scrubbed"] else (),
        notes=notes,
        request=RecordedRequest(
            method=request["method"],
            path=asked,
            headers=header_pairs(request["headers"]),
            # The corpus keeps the request's JSON value, not its bytes.
            body=b"" if sent is None else json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode(),
        ),
        status=response["status"],
        # The corpus keeps bodies decoded, and the headers as they were.
        headers=tuple(pair for pair in header_pairs(response["headers"]) if pair[0].lower() not in {"content-encoding", "content-length"}),
        reads=(Read(at_ms=0, data=body),),
        end=end,
    )
    cut = without_secrets(made)
    # Which bytes are the vendor's is the corpus's word: its own scrubbing has been proven, and ours finds nothing more in a body.
    return replace(cut, reads=made.reads) if cut.body == made.body else cut
