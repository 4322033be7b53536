"""Answers that an SDK's own test suite keeps: raw Messages streams, and JSON snapshots of request and response.

fixtures/*.txt, *.sse       one raw response body; curated: true layout, possibly edited content; no request kept
__inline_snapshot__/*.json  [{request: {method, url, headers, body}, response: {status_code, headers, body}}, ..]; JSON printed again
"""

import json
from collections.abc import Iterator
from typing import Any

from harness.recording import vendor_forms
from harness.recording.format import Fidelity, Provenance
from harness.recording.importers.exchange import Batch, Imported, Kept, Skipped, decoded_text, header_pairs, recording

_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)


def is_saved_body(path: str) -> bool:
    return path.endswith((".txt", ".sse"))


def is_snapshot(path: str) -> bool:
    return path.endswith(".json")


def read_saved_body(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """The one answer in a file that holds nothing but a response body."""
    if not vendor_forms.is_event_stream(data):
        yield Skipped(path=path, index=None, reason="not a saved event stream")
        return
    kept = Kept(
        path=path,
        index=0,
        recorder="raw response body kept as SDK test data",
        method="POST",
        url=None,
        request_headers=(),
        request_body=b"",
        status=200,
        headers=(("content-type", "text/event-stream; charset=utf-8"),),
        body=data,
        provenance=Provenance.CURATED,
        notes=("request not recorded; status and content-type inferred from the body",),
    )
    yield recording(kept, batch)


def read_snapshot(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """Every exchange of one snapshot file."""
    try:
        exchanges = json.loads(data)
    except ValueError as error:
        yield Skipped(path=path, index=None, reason="not readable as JSON", detail=str(error))
        return
    if not isinstance(exchanges, list):
        yield Skipped(path=path, index=None, reason="no snapshot of exchanges")
        return
    for index, exchange in enumerate(exchanges):
        try:
            kept = _kept(path, index, exchange)
        except _UNREADABLE as error:
            yield Skipped(path=path, index=index, reason="not readable as an exchange", detail=repr(error)[:200])
        else:
            yield recording(kept, batch)


def _kept(path: str, index: int, exchange: Any) -> Kept:
    request, response = exchange["request"], exchange["response"]
    body, fidelity = _body(response.get("body"))
    return Kept(
        path=path,
        index=index,
        recorder="JSON snapshot saved by an SDK's test suite",
        method=request["method"],
        url=request["url"],
        request_headers=header_pairs(request["headers"]),
        request_body=_body(request.get("body"))[0],
        status=response["status_code"],
        headers=header_pairs(response["headers"]),
        body=body,
        fidelity=fidelity,
    )


def _body(body: Any) -> tuple[bytes, Fidelity | None]:
    """Text is a stream kept as it was; a JSON value was parsed, so its printing is ours."""
    if body is None or isinstance(body, str):
        return decoded_text(body), None
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), Fidelity.RESERIALIZED
