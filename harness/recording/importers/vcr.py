"""VCR cassettes in YAML, plain or gzipped: vcrpy, its pydantic-ai and langchain serializers, Ruby VCR, R vcr, and go-vcr.

Loaded by CSafeLoader, so a cassette is data and never an object. Layouts, told apart by their keys:

    vcrpy         interactions: [{request: {method, uri, headers, body}, response: {status: {code}, headers, body: {string}}}]
    vcrpy, httpx  the same, but response: {status_code, content, headers}
    pydantic-ai   the same, but bodies as parsed_body (JSON) where they were JSON
    langchain     requests: [..], responses: [..], side by side
    Ruby VCR      http_interactions: [.., body: {encoding, string | base64_string}, recorded_at]; R vcr the same
    go-vcr        interactions: [{request: {method, url, headers, body}, response: {code, headers, body}}]
"""

import base64
import email.utils
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

import yaml

from harness.recording.format import Fidelity
from harness.recording.importers.exchange import Batch, Imported, Kept, Skipped, decoded_text, header_pairs, recording

_SUFFIXES: Final = (".yaml", ".yml", ".yaml.gz", ".yml.gz")
# How deep a loader's own exceptions may come from: a cassette cut off by hand fails anywhere.
_UNREADABLE: Final = (KeyError, TypeError, AttributeError, ValueError, IndexError)


def is_cassette(path: str) -> bool:
    return path.endswith(_SUFFIXES)


def read(path: str, data: bytes, batch: Batch) -> Iterator[Imported]:
    """Every interaction of one cassette, in its order."""
    try:
        text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        # CSafeLoader makes plain values only; safe_load would be the slow Python one.
        cassette = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, OSError, EOFError, zlib.error, ValueError) as error:
        yield Skipped(path=path, index=None, reason="not readable as YAML", detail=" ".join(str(error).split())[:200])
        return
    interactions = _interactions(cassette)
    if interactions is None:
        yield Skipped(path=path, index=None, reason="no VCR cassette")
        return
    recorder = _recorder(cassette)
    for index, interaction in enumerate(interactions):
        try:
            kept = _kept(path, index, recorder, interaction)
        except _UNREADABLE as error:
            yield Skipped(path=path, index=index, reason="not readable as an interaction", detail=repr(error)[:200])
        else:
            yield recording(kept, batch)


def _interactions(cassette: Any) -> list[tuple[Any, Any, Any]] | None:
    match cassette:
        case {"requests": list(requests), "responses": list(responses)}:
            return [(request, response, None) for request, response in zip(requests, responses, strict=False)]
        case {"interactions": list(interactions)} | {"http_interactions": list(interactions)}:
            each = [one if isinstance(one, dict) else {} for one in interactions]
            return [(one.get("request"), one.get("response"), one.get("recorded_at")) for one in each]
        case _:
            return None


def _recorder(cassette: Mapping[str, Any]) -> str:
    match cassette:
        case {"recorded_with": str(recorder)}:
            return recorder
        case {"requests": _}:
            return "vcrpy (langchain serializer)"
        case {"interactions": [{"request": {"url": _}}, *_]}:
            return "go-vcr"
        case {"interactions": [{"response": {"parsed_body": _}}, *_]} | {"interactions": [{"request": {"parsed_body": _}}, *_]}:
            return "vcrpy (pydantic-ai serializer)"
        case _:
            return "vcrpy"


def _kept(path: str, index: int, recorder: str, interaction: tuple[Any, Any, Any]) -> Kept:
    request, response, recorded_at = interaction
    url = request.get("uri") or request.get("url")
    body, fidelity = _response_body(response)
    return Kept(
        path=path,
        index=index,
        recorder=recorder,
        method=request["method"].upper(),
        url=None if not url or "REDACTED" in url.split("?")[0] else url,
        request_headers=header_pairs(request.get("headers")),
        request_body=_body(request),
        status=_status(response),
        headers=header_pairs(response.get("headers")),
        body=body,
        recorded_on=_day(recorded_at),
        fidelity=fidelity,
    )


def _response_body(response: Mapping[str, Any]) -> tuple[bytes, Fidelity | None]:
    if "parsed_body" in response:
        return json.dumps(response["parsed_body"], ensure_ascii=False).encode(), Fidelity.RESERIALIZED
    if "content" in response and "body" not in response:
        return decoded_text(response["content"]), None
    return _body(response), None


def _body(message: Mapping[str, Any]) -> bytes:
    if "parsed_body" in message:
        return json.dumps(message["parsed_body"], ensure_ascii=False).encode()
    match message.get("body"):
        case {"base64_string": str(text)}:
            return base64.b64decode(text)
        case {"string": {"base64_string": str(text)}}:
            return base64.b64decode(text)
        case {"string": str() | bytes() | None as text}:
            return decoded_text(text)
        case {} as empty if not empty:
            return b""
        case str() | bytes() | None as text:
            return decoded_text(text)
        case other:
            raise TypeError(f"a body of {type(other).__name__}")


def _status(response: Mapping[str, Any]) -> int:
    match response:
        case {"status": {"code": code}} | {"status_code": code} | {"code": code}:
            return int(code)
        case {"status": int(code)}:
            return code
        case {"status": {"status_code": code}}:
            return int(code)
        case _:
            raise KeyError("status")


def _day(recorded_at: Any) -> date | None:
    match recorded_at:
        case datetime():
            return recorded_at.date()
        case str():
            # Ruby VCR writes an HTTP date, R vcr "2025-04-01 12:00:00 GMT".
            try:
                return email.utils.parsedate_to_datetime(recorded_at).date()
            except ValueError:
                return _iso_day(recorded_at)
        case _:
            return None


def _iso_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
