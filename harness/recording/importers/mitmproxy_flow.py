"""mitmproxy's flow files (`mitmdump -w FILE`), read without mitmproxy, which cannot share our environment.

A file is a row of tnetstrings, one dictionary a flow: `type`, `request`, `response` and `error`, bodies as `content`, which
is None where the body was streamed and not stored. Times are Unix seconds.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.recording.format import End
from harness.recording.importers.exchange import Batch, Imported, Kept, Skipped, day_of, header_pairs, recording
from harness.recording.importers.tnetstring import Reader, TnetstringError

_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)


def is_flow_file(path: str) -> bool:
    return path.endswith((".flow", ".flows", ".mitm"))


def read(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """Every HTTP flow, in the order of the file."""
    index = 0
    reader = Reader()
    try:
        for index, flow in enumerate(reader.feed(data)):
            yield _imported(path, index, flow, batch)
        reader.close()
    except TnetstringError as error:
        yield Skipped(path=path, index=index, reason="not readable as a mitmproxy flow file", detail=str(error))


def _imported(path: str, index: int, flow: Any, batch: Batch) -> Imported:
    try:
        kept = _kept(path, index, flow)
    except _UNREADABLE as error:
        return Skipped(path=path, index=index, reason="not readable as a flow", detail=repr(error)[:200])
    return recording(kept, batch) if isinstance(kept, Kept) else kept


def _kept(path: str, index: int, flow: Mapping[str, Any]) -> Kept | Skipped:
    if flow["type"] not in {"http", b"http"}:
        return Skipped(path=path, index=index, reason="no HTTP flow", detail=_text(flow["type"]))
    request, response, error = flow["request"], flow.get("response"), flow.get("error")
    if response is None:
        return Skipped(path=path, index=index, reason="no answer recorded", detail=_text(error["msg"]) if error else "")
    if response["content"] is None:
        return Skipped(path=path, index=index, reason="body not kept by the recorder")
    host = _text(request["host"])
    return Kept(
        path=path,
        index=index,
        recorder=f"mitmproxy (flow format {flow.get('version')})",
        method=_text(request["method"]),
        url=f"{_text(request['scheme'])}://{host}:{request['port']}{_text(request['path'])}",
        request_headers=header_pairs(request["headers"]),
        request_body=request["content"] or b"",
        status=response["status_code"],
        headers=header_pairs(response["headers"]),
        body=response["content"],
        at_ms=max(0, round((response["timestamp_start"] - request["timestamp_start"]) * 1000)),
        end=_end(error),
        recorded_on=day_of(request["timestamp_start"]),
    )


def _end(error: Any) -> End:
    if not error:
        return End.EOF
    return End.CLIENT_ABORT if "client disconnected" in _text(error["msg"]).lower() else End.RESET


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
