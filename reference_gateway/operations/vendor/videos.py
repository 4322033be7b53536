"""Videos as Volcengine's Ark makes them: a task that is there at once, and a file of the right kind with nothing to see in it."""

from __future__ import annotations

import struct
import time
from typing import Any, Final

from reference_gateway.operations.vendor.wire import Unreadable, count, new_id

TASKS: Final = b"/api/v3/contents/generations/tasks"
VIDEO_PATH: Final = b"/videos/"


def submitted(body: dict[str, Any]) -> dict[str, Any]:
    """How long it is stands in its id, so that nothing has to be remembered."""
    content = body.get("content")
    texts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    seconds = count(body.get("duration", 5))
    if not any(isinstance(text, str) and text for text in texts):
        raise Unreadable("Missing required parameter: 'content'.")
    if seconds is None or not 1 <= seconds <= 60:
        raise Unreadable("'duration' must be from 1 to 60.")
    return {"id": f"{new_id('cgt-', 16)}-{seconds}"}


def state(task_id: str, base_url: str) -> dict[str, Any] | None:
    seconds = task_id.rpartition("-")[2]
    if not task_id.startswith("cgt-") or not seconds.isdigit():
        return None
    return {
        "id": task_id,
        "status": "succeeded",
        "content": {"video_url": f"{base_url}{VIDEO_PATH.decode()}{task_id}.mp4"},
        "duration": int(seconds),
        "created_at": int(time.time()),
    }


def file() -> bytes:
    """The boxes that make an MP4 file one, without a track."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    return box(b"ftyp", b"mp42" + bytes(4) + b"mp42isom") + box(b"mdat", b"")
