"""Lists of models, in the three forms that clients know."""

from collections.abc import Iterator
from typing import Any, Final

from harness.recording.format import Surface
from harness.recording.scenarios.build import traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Scenario
from harness.wire.json_text import PRETTY, PRETTY_NEWLINE, TIGHT, write_bytes

_OPENAI: Final = (("gpt-4.1", 1744316542), ("gpt-5.4", 1772654062), ("gpt-5.4-2026-03-05", 1772654190))
_ANTHROPIC: Final = (
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z"),
)
_GEMINI: Final = (("gemini-3.5-flash", "Gemini 3.5 Flash"), ("gemini-2.5-flash", "Gemini 2.5 Flash"))


def scenarios() -> Iterator[Scenario]:
    listed: list[Any] = [{"id": name, "object": "model", "created": created, "owned_by": "system"} for name, created in _OPENAI]
    yield _list("openai", "openai", "/v1/models", write_bytes({"object": "list", "data": listed}, PRETTY))
    yield _list("anthropic", "anthropic", "/v1/models", write_bytes(_anthropic(), TIGHT))
    described: list[Any] = [_gemini(name, title) for name, title in _GEMINI]
    yield _list("gemini", "google", "/v1beta/models", write_bytes({"models": described}, PRETTY_NEWLINE))


def _anthropic() -> dict[str, Any]:
    data = [{"type": "model", "id": name, "display_name": title, "created_at": at} for name, title, at in _ANTHROPIC]
    return {"data": data, "has_more": False, "first_id": _ANTHROPIC[0][0], "last_id": _ANTHROPIC[-1][0]}


def _gemini(name: str, title: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": title,
        "description": f"Stable version of {title}",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }


def _list(form: str, vendor: str, path: str, body: bytes) -> Scenario:
    return Scenario(
        id=f"models/{form}-list",
        surface=Surface.MODELS,
        vendor=vendor,
        model="",
        stream=False,
        method="GET",
        path=path,
        request=None,
        traits=traits("models"),
        status=200,
        headers=headers(vendor, Surface.MODELS, Names(f"models/{form}-list"), status=200, stream=False),
        pieces=(body,),
    )
