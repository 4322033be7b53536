"""What an exchange is, told from its address and its bodies: vendor, surface, model, stream."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from harness.recording.format import Surface

# In order; the first whose pattern is found in the host.
_HOSTS: Final = (
    (re.compile(r"(^|\.)api\.openai\.com$"), "openai"),
    (re.compile(r"(^|\.)api\.anthropic\.com$"), "anthropic"),
    (re.compile(r"^generativelanguage\.googleapis\.com$"), "google"),
    (re.compile(r"(^|-|\.)aiplatform\.googleapis\.com$"), "google-vertex"),
    (re.compile(r"^api\.deepseek\.com$"), "deepseek"),
    (re.compile(r"\.(openai|cognitiveservices|services\.ai)\.azure\.com$"), "azure-openai"),
)

# In order; the method, then the end of the path without its query. What an OpenAI-compatible vendor serves is named by path too.
_PATHS: Final = (
    ("POST", re.compile(r"/chat/completions$"), Surface.CHAT),
    ("POST", re.compile(r"/responses$"), Surface.RESPONSES),
    ("POST", re.compile(r"/messages/count_tokens$"), Surface.COUNT_TOKENS),
    ("POST", re.compile(r"(?<!/threads)/messages$|/publishers/anthropic/models/[^/]+:(streamRawPredict|rawPredict)$"), Surface.MESSAGES),
    ("POST", re.compile(r"/(models|endpoints)/[^/]+:(generateContent|streamGenerateContent)$"), Surface.GEMINI),
    ("POST", re.compile(r"/models/[^/]+:countTokens$"), Surface.COUNT_TOKENS),
    ("POST", re.compile(r"/images/(generations|edits|variations)$"), Surface.IMAGES),
    ("GET", re.compile(r"/models(/[^/]+)?$"), Surface.MODELS),
)
_THREAD: Final = re.compile(r"/threads/")
_MODEL_IN_PATH: Final = re.compile(r"/(?:models|deployments)/([^/:?]+)")


def vendor_of(host: str) -> str | None:
    """The vendor whose API this host is, None for any other."""
    return next((vendor for pattern, vendor in _HOSTS if pattern.search(host)), None)


def surface_of(method: str, path: str) -> Surface:
    """The protocol that is spoken on this method and path; the path may have a query."""
    bare = path.partition("?")[0].rstrip("/")
    # Assistants have a /threads/ID/messages of their own.
    if _THREAD.search(bare):
        return Surface.OTHER
    return next((surface for verb, pattern, surface in _PATHS if verb == method and pattern.search(bare)), Surface.OTHER)


def model_asked(path: str, body: bytes) -> str | None:
    """The model named in the request's body, or in its path (Gemini, Azure, one model's description)."""
    model = json_object(body).get("model")
    if isinstance(model, str):
        return model
    found = _MODEL_IN_PATH.search(path)
    return found[1] if found else None


def stream_asked(path: str, body: bytes) -> bool:
    """Whether a stream was asked for: `stream: true`, or Gemini's and Vertex's stream methods.

    Gemini without `alt=sse` streams one JSON array, which counts: it comes in pieces too.
    """
    parts = urlsplit(path)
    by_query = parse_qs(parts.query).get("stream") == ["true"]
    return by_query or parts.path.endswith((":streamGenerateContent", ":streamRawPredict")) or json_object(body).get("stream") is True


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in `body`; an empty one where it holds anything else."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
