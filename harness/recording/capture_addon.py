"""mitmproxy add-on: every exchange that passes becomes a recording, its reads with their times, its secrets cut before the disk.

mitmdump loads this file by path, inside an environment where this project is not installed: so it imports mitmproxy, the standard
library, and the neighbours `format`, `redact` and `classify`, which keep to the standard library as well.

A request may say how it wants to be recorded, by headers that go no further than here: `x-wireproof-recording: messages/tools.stream`
is the recording's id (without it, the path and a number are), `x-wireproof-vendor` names the vendor in the place of the option, and
`x-wireproof-host` is recorded as the host in the place of an address that says nothing. No other `x-wireproof-` header is recorded.
"""

import json
import logging
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mitmproxy import ctx, http, version  # type: ignore[import-not-found]  # lives in mitmdump's own environment

_HERE: Final = Path(__file__).resolve().parent


def _make_neighbours_importable() -> None:
    """Lets `harness.recording.x` be imported from this folder without the rest of the environment that it was installed in."""
    for name, folder in (("harness", _HERE.parent), ("harness.recording", _HERE)):
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package


_make_neighbours_importable()

from harness.recording.classify import model_asked, stream_asked, surface_of  # noqa: E402  # only now can they be found
from harness.recording.format import (  # noqa: E402
    End,
    Fidelity,
    Headers,
    Origin,
    Provenance,
    Read,
    RecordedRequest,
    Recording,
    RecordingError,
    Surface,
    save,
)
from harness.recording.redact import find_secrets, redact, redact_headers, redact_path, redact_reads, secret_headers  # noqa: E402

ID_HEADER: Final = "x-wireproof-recording"
VENDOR_HEADER: Final = "x-wireproof-vendor"
HOST_HEADER: Final = "x-wireproof-host"
OUR_HEADERS: Final = "x-wireproof-"
_FLOW_KEY: Final = "wireproof"
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Capture:
    """What is known so far of one exchange."""

    recording_id: str | None
    vendor: str | None
    host: str | None
    began: float  # perf_counter() when the head of the request was there
    reads: list[Read] = field(default_factory=list)

    def keep(self, data: bytes) -> bytes:
        if data:  # an empty one says that the body is complete
            self.reads.append(Read(at_ms=round((time.perf_counter() - self.began) * 1000), data=data))
        return data


class Capture:
    def __init__(self) -> None:
        self._unnamed = 0

    def load(self, loader: Any) -> None:
        for name, default, text in (
            ("wireproof_out", "", "folder for the recordings"),
            ("wireproof_ready", "", "file that gets the port when the proxy listens"),
            ("wireproof_vendor", "unknown", "vendor named in the recordings"),
            ("wireproof_origin", str(Origin.CAPTURED), "captured or synthetic"),
            ("wireproof_recorder", "wireproof", "recorder named in the recordings"),
        ):
            loader.add_option(name, str, default, text)

    def running(self) -> None:
        addresses = ctx.master.addons.get("proxyserver").listen_addrs()
        if not ctx.options.wireproof_ready:
            return
        ready = Path(ctx.options.wireproof_ready)
        part = ready.with_name(ready.name + ".part")
        part.write_text(json.dumps({"port": addresses[0][1]}))
        part.replace(ready)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        headers = flow.request.headers
        flow.metadata[_FLOW_KEY] = _Capture(
            recording_id=headers.pop(ID_HEADER, None),
            vendor=headers.pop(VENDOR_HEADER, None),
            host=headers.pop(HOST_HEADER, None),
            began=time.perf_counter(),
        )

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        # A callable here makes mitmproxy pass each piece on at once instead of holding the body back.
        flow.response.stream = flow.metadata[_FLOW_KEY].keep

    def response(self, flow: http.HTTPFlow) -> None:
        self._save(flow, End.EOF)

    def error(self, flow: http.HTTPFlow) -> None:
        capture = flow.metadata.get(_FLOW_KEY)
        if capture is None or flow.response is None or flow.response.stream is False:
            _log.warning("wireproof: no answer to record for %s: %s", flow.request.path.partition("?")[0], flow.error.msg)
            return
        self._save(flow, End.CLIENT_ABORT if "client disconnected" in flow.error.msg.lower() else End.RESET)

    def _save(self, flow: http.HTTPFlow, end: End) -> None:
        capture: _Capture = flow.metadata[_FLOW_KEY]
        recording = self._recording(flow, capture, end)
        try:
            save(recording, Path(ctx.options.wireproof_out))
        except RecordingError as error:
            _log.error("wireproof: %s", error)

    def _recording(self, flow: http.HTTPFlow, capture: _Capture, end: End) -> Recording:
        sent = flow.request.raw_content or b""
        path = flow.request.path
        surface = surface_of(flow.request.method, path)
        stream = stream_asked(path, sent)
        request_headers, request_cuts = _clean(_pairs(flow.request.headers, host=capture.host), "request")
        response_headers, response_cuts = _clean(_pairs(flow.response.headers), "response")
        raw = [read.data for read in capture.reads]
        cut_bodies = {f"body: {secret.kind}" for body in (sent, b"".join(raw)) for secret in find_secrets(body)}
        cut_path = {"request parameter in path"} if redact_path(path) != path else set()
        cut_host = {"request header host"} if capture.host else set()
        return Recording(
            id=capture.recording_id or self._name(surface, stream=stream),
            vendor=capture.vendor or ctx.options.wireproof_vendor,
            surface=surface,
            model=model_asked(path, sent),
            stream=stream,
            origin=Origin(ctx.options.wireproof_origin),
            recorded_on=datetime.now(UTC).date(),
            recorder=f"{ctx.options.wireproof_recorder}, mitmproxy {version.VERSION}",
            fidelity=Fidelity.EXACT,
            provenance=Provenance.RECORDED,
            source=None,
            redactions=tuple(sorted({*request_cuts, *response_cuts, *cut_bodies, *cut_path, *cut_host})),
            notes=(),
            request=RecordedRequest(method=flow.request.method, path=redact_path(path), headers=request_headers, body=redact(sent)),
            status=flow.response.status_code,
            headers=response_headers,
            reads=tuple(Read(at_ms=read.at_ms, data=data) for read, data in zip(capture.reads, redact_reads(raw), strict=True)),
            end=end,
        )

    def _name(self, surface: Surface, *, stream: bool) -> str:
        self._unnamed += 1
        return f"{surface}/recorded-{self._unnamed:04d}{'.stream' if stream else ''}"


def _pairs(headers: http.Headers, host: str | None = None) -> list[tuple[str, str]]:
    """In the order and spelling of the wire. Latin-1 gives every byte a character."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.fields]
    ours = [(name, host if host and name.lower() == "host" else value) for name, value in pairs]
    return [pair for pair in ours if not pair[0].lower().startswith(OUR_HEADERS)]


def _clean(pairs: list[tuple[str, str]], side: str) -> tuple[Headers, list[str]]:
    return tuple(redact_headers(pairs)), [f"{side} header {name.lower()}" for name in secret_headers(pairs)]


addons = [Capture()]
