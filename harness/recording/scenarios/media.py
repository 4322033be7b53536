"""Images by generateContent, and videos by tasks of Volcengine Ark. A few bytes of PNG, and an MP4 of no track.

Sources: ai.google.dev, "Image generation" (inlineData among the parts, drafts among the thoughts, finishReason IMAGE_SAFETY) and, for
videos, volcengine.com, "Video Generation API" (a task is made, asked after, and ends with content.video_url, for some hours).
In what Ark says, MARKER and UPSTREAM stand for what leads back to the exchange (harness.case.Play.named).
"""

import base64
import struct
from collections.abc import Iterator
from typing import Any, Final

from harness.case import MARKER, UPSTREAM
from harness.recording.format import Headers, Surface
from harness.recording.scenarios.build import traits
from harness.recording.scenarios.headers import headers
from harness.recording.scenarios.images import png
from harness.recording.scenarios.names import Names
from harness.recording.scenarios.scenario import Scenario
from harness.wire.json_text import GEMINI_BODY, TIGHT, write_bytes

IMAGE_MODEL: Final = "gemini-3-pro-image"
VIDEO_MODEL: Final = "doubao-seedance-1-5-pro"
_TASKS: Final = "/api/v3/contents/generations/tasks"
_PROMPT: Final = "A lighthouse at dusk, in few colours."
_CREATED: Final = 1795219200
_IMAGE_TOKENS: Final = 1120

Value = dict[str, Any]


def scenarios() -> Iterator[Scenario]:
    for number in (1, 2, 3):
        yield _image(f"gemini-image-{number}", [*_drafts(number), _picture(number)], "STOP")
    yield _image("gemini-words", [{"text": "I would rather tell you of it: a lighthouse, and the last of the light."}], "STOP")
    yield _image("gemini-image-safety", [], "IMAGE_SAFETY")
    yield _task("ark-begun", {"id": f"cgt-{MARKER}"}, asked=True)
    yield _task("ark-running", _state("running"))
    for seconds in (4, 8):
        yield _task(f"ark-made-{seconds}s", _made(seconds))
    yield _task("ark-failed", _failure("InternalServiceError", "The service encountered an unexpected internal error."))
    yield _task("ark-blocked", _failure("OutputVideoSensitiveContentDetected", "The video may contain sensitive information."))
    yield _file()


def _picture(number: int) -> Value:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png(40 * number)).decode()}}


def _drafts(number: int) -> list[Value]:
    """What the model thinks while it paints is among its parts: words, and a picture that nobody asked for."""
    return [{"text": "A tower at the left, the sun at the right.", "thought": True}, {**_picture(number + 3), "thought": True}]


def _image(name: str, parts: list[Value], stop: str) -> Scenario:
    names = Names(f"media/{name}")
    drawn = _IMAGE_TOKENS if any("inlineData" in part for part in parts) else 0
    candidate = {"content": {**({"parts": parts} if parts else {}), "role": "model"}, "finishReason": stop, "index": 0}
    answer: Value = {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": drawn or 18,
            "totalTokenCount": 9 + (drawn or 18),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
            **({"candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": drawn}]} if drawn else {}),
            "serviceTier": "standard",
        },
        "modelVersion": IMAGE_MODEL,
        "responseId": names.base64url(23),
    }
    config = {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "3:2"}}
    return Scenario(
        id=f"media/{name}",
        surface=Surface.GEMINI,
        vendor="google",
        model=IMAGE_MODEL,
        stream=False,
        method="POST",
        path=f"/v1beta/models/{IMAGE_MODEL}:generateContent",
        request={"contents": [{"role": "user", "parts": [{"text": _PROMPT}]}], "generationConfig": config},
        traits=traits("images", "raw"),
        status=200,
        headers=headers("google", Surface.GEMINI, names, status=200, stream=False),
        pieces=(write_bytes(answer, GEMINI_BODY),),
        live=False,
    )


def _state(state: str, **more: Any) -> Value:
    shown = {"seed": 11, "resolution": "720p", "ratio": "16:9"}
    return {
        "id": f"cgt-{MARKER}",
        "model": VIDEO_MODEL,
        "status": state,
        **more,
        "created_at": _CREATED,
        "updated_at": _CREATED + 41,
        **shown,
    }


def _made(seconds: int) -> Value:
    tokens = 21_780 * seconds
    content = {"video_url": f"http://{UPSTREAM}/videos/{MARKER}.mp4"}
    used = {"completion_tokens": tokens, "total_tokens": tokens}
    return {**_state("succeeded", content=content, usage=used), "duration": seconds, "framespersecond": 24}


def _failure(code: str, message: str) -> Value:
    return _state("failed", error={"code": code, "message": message})


def _task(name: str, answer: Value, *, asked: bool = False) -> Scenario:
    request = {"content": [{"type": "text", "text": _PROMPT}], "duration": 8}
    return _ark(
        name,
        method="POST" if asked else "GET",
        path=_TASKS if asked else f"{_TASKS}/cgt-{MARKER}",
        request=request if asked else None,
        kind="application/json; charset=utf-8",
        body=write_bytes(answer, TIGHT),
    )


def _file() -> Scenario:
    """The boxes that make a file an MP4, and something to tell it by."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    data = box(b"ftyp", b"mp42" + bytes(4) + b"mp42isom") + box(b"mdat", bytes(range(256)))
    return _ark("ark-file", method="GET", path=f"/videos/{MARKER}.mp4", request=None, kind="video/mp4", body=data)


def _ark(name: str, *, method: str, path: str, request: Value | None, kind: str, body: bytes) -> Scenario:
    told: Headers = (
        ("content-type", kind),
        ("date", "Sat, 21 Nov 2026 00:00:00 GMT"),
        ("server", "istio-envoy"),
        ("x-request-id", Names(f"media/{name}/headers").hex(32)),
    )
    return Scenario(
        id=f"media/{name}",
        surface=Surface.OTHER,
        vendor="volcengine",
        model=VIDEO_MODEL if request is not None else "",
        stream=False,
        method=method,
        path=path,
        request=request,
        traits=traits("videos", "raw"),
        status=200,
        headers=told,
        pieces=(body,),
        live=False,
    )
