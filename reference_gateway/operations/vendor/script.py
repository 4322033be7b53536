"""What a request asks, whatever its protocol, and what the demo's model says to it.

The rules: a tool result is told back; else tools are called; else a JSON schema gets a document valid against it; else the prompt is
answered in words. Thinking, where asked for, comes before any of them. A cap on the output cuts the words off.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reference_gateway.operations.vendor import made

BYTES_PER_TOKEN: Final = 4
CACHE_TTL_S: Final = 300.0
_CACHE_MAX: Final = 4096
_WORD: Final = re.compile(r"\S+\s*")


def tokens(text: str) -> int:
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`parameters` is a JSON Schema, of whichever dialect the protocol has."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `prompt` is the newest user text, `results` the tool results that came after it."""

    model: str
    prompt: str
    whole: str  # all that the vendor would count as input
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None
    results: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    json_mode: bool = False
    thinks: bool = False
    stream: bool = False
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`calls` and `text` exclude each other; `cut`: the cap on the output was reached."""

    thinking: str = ""
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    cut: bool = False

    @property
    def thinking_tokens(self) -> int:
        return tokens(self.thinking)

    @property
    def output_tokens(self) -> int:
        return max(1, self.thinking_tokens + tokens(self.text) + sum(tokens(call.name + call.text) for call in self.calls))


def reply_to(asked: Asked) -> Reply:
    thinking = f"The user wrote: {_short(asked.prompt)}. What is wanted is plain, so the answer can be short." if asked.thinks else ""
    if asked.results:
        return _cut(asked, thinking, f"The tool says: {' '.join(asked.results)}")
    if asked.tools:
        chosen = _choose(asked)
        return Reply(thinking=thinking, calls=(ToolCall(name=chosen.name, arguments=made.arguments(chosen.parameters, asked.prompt)),))
    if asked.schema is not None:
        return _cut(asked, thinking, json.dumps(made.value(asked.schema, asked.prompt), ensure_ascii=False))
    if asked.json_mode:
        return _cut(asked, thinking, json.dumps({"answer": _short(asked.prompt)}, ensure_ascii=False))
    if asked.prompt.strip().lower() == "ping":
        return _cut(asked, thinking, "pong")
    return _cut(asked, thinking, f"This is the demo of {asked.model}: a script, no model. You wrote: {_short(asked.prompt)}")


def _choose(asked: Asked) -> Tool:
    """The forced tool, else one whose name shares a word with the prompt, else the first."""
    for tool in asked.tools:
        if tool.name == asked.forced_tool:
            return tool
    words = set(re.findall(r"[a-z]+", asked.prompt.lower()))
    return next((tool for tool in asked.tools if words & set(tool.name.lower().split("_"))), asked.tools[0])


def _cut(asked: Asked, thinking: str, text: str) -> Reply:
    room = None if asked.max_tokens is None else max(0, asked.max_tokens - tokens(thinking)) * BYTES_PER_TOKEN
    if room is None or len(text.encode()) <= room:
        return Reply(thinking=thinking, text=text)
    return Reply(thinking=thinking, text=text.encode()[:room].decode(errors="ignore"), cut=True)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 200 else plain[:200] + "..."


def pieces(text: str) -> Sequence[str]:
    """The text as a stream brings it: word by word."""
    return _WORD.findall(text) or ([text] if text else [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """Tokens of a prompt's reusable beginning: found, or written now."""

    read: int = 0
    written: int = 0


@dataclass(slots=True)
class PromptCache:
    """Remembers beginnings of prompts by their hash, for five minutes from the last use, as the vendors do (contract:119).

    The vendors cache nothing under 1,024 tokens. Here anything is cached, so that a try with a short prompt shows the counts too.
    """

    _seen: dict[bytes, float] = field(default_factory=dict)

    def use(self, model: str, beginning: str) -> Cached:
        if not beginning:
            return Cached()
        now = time.monotonic()
        key = hashlib.sha256(f"{model}\0{beginning}".encode()).digest()
        until = self._seen.pop(key, 0.0)
        while len(self._seen) >= _CACHE_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = now + CACHE_TTL_S
        count = tokens(beginning)
        return Cached(read=count) if now < until else Cached(written=count)
