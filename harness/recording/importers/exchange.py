"""From an exchange as some recorder kept it to a Recording, or to the reason why not."""

import email.utils
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from harness.recording import classify, redact, vendor_forms
from harness.recording.format import (
    End,
    Fidelity,
    Headers,
    Origin,
    Package,
    Provenance,
    Read,
    RecordedRequest,
    Recording,
    Repository,
    Source,
)

NO_END_MARK: Final = "recorded without the vendor's end mark: the client stopped reading, or the source cut it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An exchange that was not taken: the `index`-th of `path` (0-based), None for the file as a whole."""

    path: str
    index: int | None
    reason: str  # the same words for the same cause, so that reasons can be counted
    detail: str = ""


Imported: TypeAlias = Recording | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What holds for every exchange of one import."""

    of: Package | Repository
    sha256: str | None  # of the sdist or file
    licence: str
    vendor: str | None = None  # whose answers these are, whatever their host; None: told by the host, other hosts skipped
    json_fidelity: Fidelity = Fidelity.EXACT  # `reserialized` where the recorder printed JSON bodies again
    vendor_ids_only: bool = False  # skip answers whose id no vendor would give


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One exchange as its recorder kept it. `url` is None where the source cut it."""

    path: str  # of the file it lies in
    index: int
    recorder: str
    method: str
    url: str | None
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes  # may still be content-coded
    at_ms: int = 0
    end: End = End.EOF
    recorded_on: date | None = None  # None: the Date header's
    fidelity: Fidelity | None = None  # None: the batch's
    provenance: Provenance = Provenance.RECORDED
    notes: tuple[str, ...] = ()


def recording(kept: Kept, batch: Batch) -> Imported:
    """The Recording of what was kept; Skipped for another host, an empty or unreadable body, an id that no vendor gave."""

    def skip(reason: str, detail: str = "") -> Skipped:
        return Skipped(path=kept.path, index=kept.index, reason=reason, detail=detail)

    notes = list(kept.notes)
    body, coding = _content_decoded(kept.headers, kept.body)
    if body is None:
        return skip("content coding that we cannot undo", coding)
    if not body:
        return skip("empty body")
    headers = kept.headers
    if coding:
        headers = tuple(pair for pair in headers if pair[0].lower() not in {"content-encoding", "content-length"})
        notes.append(f"{coding} content coding undone by the importer")
    url = kept.url
    if url is None:
        url = _inferred_url(kept.request_body, body)
        if url is None:
            return skip("no address recorded, and the body does not tell it")
        notes.append("address not recorded; inferred from the body")
    parts = urlsplit(url)
    vendor = batch.vendor or classify.vendor_of(parts.hostname or "")
    if vendor is None:
        return skip("host of no known vendor", parts.hostname or "")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    surface = classify.surface_of(kept.method, path)
    succeeded = 200 <= kept.status < 300
    if batch.vendor_ids_only and succeeded and kept.provenance is Provenance.RECORDED:
        foreign = vendor_forms.foreign_id(vendor, surface, body)
        if foreign is not None:
            return skip("id not of the vendor's form", foreign)
    end = kept.end
    if succeeded and end is End.EOF and vendor_forms.lacks_end_mark(surface, body):
        end = End.CLIENT_ABORT
        notes.append(NO_END_MARK)
    fidelity = kept.fidelity or (Fidelity.EXACT if vendor_forms.is_event_stream(body) else batch.json_fidelity)
    if succeeded and fidelity is Fidelity.EXACT and not vendor_forms.has_vendor_layout(vendor, surface, body):
        fidelity = Fidelity.RESERIALIZED
        notes.append("laid out unlike the vendor's other answers, so taken as printed again by the source")
    made = Recording(
        id="unnamed",
        vendor=vendor,
        surface=surface,
        model=classify.model_asked(path, kept.request_body),
        stream=classify.stream_asked(path, kept.request_body) or (not kept.request_body and vendor_forms.is_event_stream(body)),
        origin=Origin.IMPORTED,
        recorded_on=kept.recorded_on or _day(headers),
        recorder=kept.recorder,
        fidelity=fidelity,
        provenance=kept.provenance,
        source=Source(of=batch.of, sha256=batch.sha256, path=kept.path, index=kept.index, licence=batch.licence),
        redactions=(),
        notes=tuple(notes),
        request=RecordedRequest(method=kept.method, path=path, headers=kept.request_headers, body=kept.request_body),
        status=kept.status,
        headers=headers,
        reads=(Read(at_ms=kept.at_ms, data=body),),
        end=end,
    )
    return named(without_secrets(made))


def without_secrets(made: Recording) -> Recording:
    """The recording with its secrets as `x`, and one line in `redactions` for each place that had one."""
    request = made.request
    cut_request = RecordedRequest(
        method=request.method,
        path=redact.redact_path(request.path),
        headers=tuple(redact.redact_headers(request.headers)),
        body=redact.redact(request.body),
    )
    reads = redact.redact_reads(read.data for read in made.reads)
    redactions = [f"request header {name.lower()}" for name in redact.secret_headers(request.headers)]
    redactions += ["request query"] * (cut_request.path != request.path)
    redactions += [f"request body {secret.kind}" for secret in redact.find_secrets(request.body)]
    redactions += [f"response header {name.lower()}" for name in redact.secret_headers(made.headers)]
    redactions += [f"response body {secret.kind}" for secret in redact.find_secrets(made.body)]
    return replace(
        made,
        request=cut_request,
        headers=tuple(redact.redact_headers(made.headers)),
        reads=tuple(replace(read, data=data) for read, data in zip(made.reads, reads, strict=True)),
        redactions=(*made.redactions, *dict.fromkeys(redactions)),
    )


def named(made: Recording) -> Recording:
    """The recording with an id that its source and content give: `mirascope/messages/some-test-0a1b2c3d4e.stream`."""
    source = made.source
    assert source is not None, "an imported recording has a source"
    content = json.dumps([made.request.method, made.request.path, made.status]).encode() + made.request.body + b"\n" + made.body
    digest = hashlib.sha256(content).hexdigest()[:10]
    stem = source.path.rsplit("/", 1)[-1].split(".")[0]
    name = f"{_slug(source.of.name)}/{made.surface}/{_slug(stem)[:70]}-{digest}{'.stream' if made.stream else ''}"
    return replace(made, id=name)


def decoded_text(text: str | bytes | None) -> bytes:
    """A body as a YAML or JSON loader gave it: bytes stay, text was UTF-8."""
    if text is None:
        return b""
    # A recorder that met bytes it could not decode kept them as lone surrogates.
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def header_pairs(headers: Any) -> Headers:
    """Headers as recorders keep them: an object of name to value or values, or a list of {name, value} or of pairs."""
    pairs: list[tuple[str, str]] = []
    items: Iterable[Any] = headers.items() if isinstance(headers, dict) else headers or ()
    for item in items:
        name, value = (item["name"], item["value"]) if isinstance(item, dict) else item
        values = value if isinstance(value, list) else [value]
        pairs += [(_header_text(name), _header_text(one)) for one in values]
    return tuple(pairs)


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else "" if value is None else str(value)


def _content_decoded(headers: Headers, body: bytes) -> tuple[bytes | None, str]:
    """The body without its content-coding, and the coding's name; None for the body where we cannot undo it."""
    coding = next((value.strip().lower() for name, value in headers if name.lower() == "content-encoding"), "")
    # Some recorders undo the coding and keep the header, others lose the header: the magic number decides.
    if body.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(body), "gzip"
        except (OSError, EOFError, zlib.error):
            return None, "gzip, broken"
    if coding == "deflate":
        try:
            return zlib.decompress(body), coding
        except zlib.error:
            return body, coding
    if coding in {"", "identity", "gzip"} or _is_text(body):
        return body, "" if coding == "identity" else coding
    return None, coding


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


def _day(headers: Headers) -> date | None:
    for name, value in headers:
        if name.lower() == "date":
            try:
                return email.utils.parsedate_to_datetime(value).astimezone(UTC).date()
            except ValueError:
                return None
    return None


def day_of(seconds: float | None) -> date | None:
    """The UTC day of a Unix time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date()


# What an answer says it is, and where that kind of answer comes from.
_TELLING: Final = (
    (re.compile(rb'"object": ?"chat\.completion'), "https://api.openai.com/v1/chat/completions"),
    (re.compile(rb'"(object|type)": ?"(response|response\.created)"'), "https://api.openai.com/v1/responses"),
    (re.compile(rb'"object": ?"embedding"'), "https://api.openai.com/v1/embeddings"),
    (re.compile(rb'"type": ?"(message|message_start)"'), "https://api.anthropic.com/v1/messages"),
    (re.compile(rb'"candidates": ?\['), "https://generativelanguage.googleapis.com/v1beta/models/unknown:generateContent"),
)


def _inferred_url(request_body: bytes, body: bytes) -> str | None:
    url = next((url for pattern, url in _TELLING if pattern.search(body[:4000])), None)
    asked = classify.json_object(request_body)
    if url is None and "error" in classify.json_object(body):
        # An error says not what it answers, but the question does.
        url = _TELLING[1][1] if "input" in asked and "messages" not in asked else _TELLING[0][1] if "messages" in asked else None
    return url


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"
