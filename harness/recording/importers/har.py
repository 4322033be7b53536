"""HAR 1.2 files as browsers, mitmproxy and Polly.js write them (http://www.softwareishard.com/blog/har-12-spec/)."""

import base64
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from harness.recording.format import Headers
from harness.recording.importers.exchange import Batch, Imported, Kept, Skipped, header_pairs, recording

_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)


def is_har(path: str) -> bool:
    return path.endswith(".har")


def read(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """Every entry of the log, in its order."""
    try:
        log = json.loads(data)["log"]
        entries = list(log["entries"])
        creator = log.get("creator") or {}
        recorder = f"HAR by {creator.get('name', 'an unknown recorder')} {creator.get('version', '')}".strip()
    except _UNREADABLE as error:
        yield Skipped(path=path, index=None, reason="not readable as HAR 1.2", detail=repr(error)[:200])
        return
    for index, entry in enumerate(entries):
        try:
            kept = _kept(path, index, recorder, entry)
        except _UNREADABLE as error:
            yield Skipped(path=path, index=index, reason="not readable as an entry", detail=repr(error)[:200])
        else:
            yield recording(kept, batch) if isinstance(kept, Kept) else kept


def _kept(path: str, index: int, recorder: str, entry: Any) -> Kept | Skipped:
    request, response = entry["request"], entry["response"]
    if response["status"] <= 0:
        return Skipped(path=path, index=index, reason="no answer recorded", detail=str(response.get("_error") or ""))
    content = response.get("content") or {}
    if "text" not in content and content.get("size", 0) > 0:
        return Skipped(path=path, index=index, reason="body not kept by the recorder")
    return Kept(
        path=path,
        index=index,
        recorder=recorder,
        method=request["method"],
        url=request["url"],
        request_headers=_headers(request["headers"]),
        request_body=_post_data(request.get("postData") or {}),
        status=response["status"],
        headers=_headers(response["headers"]),
        body=_content(content),
        at_ms=_first_byte_ms(entry.get("timings") or {}),
        recorded_on=_day(entry.get("startedDateTime")),
    )


def _headers(headers: Any) -> Headers:
    # Browsers list HTTP/2's pseudo-headers among the others.
    return tuple(pair for pair in header_pairs(headers) if not pair[0].startswith(":"))


def _post_data(post: Any) -> bytes:
    text = post.get("text") or ""
    # Not in HAR 1.2, but mitmproxy writes it for bodies that are no UTF-8.
    return base64.b64decode(text) if post.get("encoding") == "base64" else text.encode("utf-8", "surrogateescape")


def _content(content: Any) -> bytes:
    text = content.get("text") or ""
    if content.get("encoding") != "base64":
        return str(text).encode("utf-8", "surrogateescape")
    if text.startswith("["):
        # Polly.js keeps a coded body as a JSON array of its chunks: base64 each, or hex in its early files.
        return b"".join(_chunk(chunk) for chunk in json.loads(text))
    return base64.b64decode(text)


def _chunk(chunk: str) -> bytes:
    try:
        return bytes.fromhex(chunk)
    except ValueError:
        return base64.b64decode(chunk, validate=True)


def _first_byte_ms(timings: Any) -> int:
    """From the request's first byte to the answer's, both parts of `timings` being ms, or -1 where not known."""
    return round(sum(max(0, timings.get(part) or 0) for part in ("send", "wait")))


def _day(started: Any) -> date | None:
    return date.fromisoformat(started[:10]) if isinstance(started, str) else None
