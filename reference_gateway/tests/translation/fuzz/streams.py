"""Recorded streams to start from: those that the project ships, and those of the corpus where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from harness.recording.format import Recording
from harness.recording.importers import corpus as corpus_files
from harness.recording.library import SHIPPED, Library
from harness.tests import corpus
from reference_gateway.routes import Surface
from reference_gateway.translation.translator import Dialect

SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
SPOKEN: Final = {
    Dialect.CHAT: Surface.CHAT,
    Dialect.RESPONSES: Surface.RESPONSES,
    Dialect.MESSAGES: Surface.MESSAGES,
    Dialect.GEMINI: Surface.GEMINI,
    Dialect.DEEPSEEK_CHAT: Surface.CHAT,
    Dialect.DEEPSEEK_MESSAGES: Surface.MESSAGES,
}
# All that is translated: a dialect's own surface has a native route.
DIRECTIONS: Final = tuple((dialect, client) for dialect in Dialect for client in SURFACES if client is not SPOKEN[dialect])
_BLANK: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One answer of an upstream that speaks `dialect`."""

    name: str
    dialect: Dialect
    body: bytes

    @property
    def surface(self) -> Surface:
        return SPOKEN[self.dialect]


def frames(body: bytes) -> list[bytes]:
    """Its events, each with its blank line; what is left over is one more."""
    ends = [found.end() for found in _BLANK.finditer(body)]
    if not ends or ends[-1] < len(body):
        ends.append(len(body))
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _of(recording: Recording) -> Iterator[Stream]:
    name, body = str(recording.surface), recording.body
    if not recording.stream or not 200 <= recording.status < 300 or name not in SURFACES:
        return
    if name == "chat" and recording.vendor == "deepseek":
        yield Stream(name=recording.id, dialect=Dialect.DEEPSEEK_CHAT, body=body)
        return
    yield Stream(name=recording.id, dialect=Dialect(name), body=body)
    if name == "messages":  # nobody has recorded DeepSeek's dialect, whose streams are of the same kind
        yield Stream(name=f"{recording.id}, of DeepSeek", dialect=Dialect.DEEPSEEK_MESSAGES, body=body)


@cache
def shipped() -> tuple[Stream, ...]:
    return tuple(stream for recording in Library.open(SHIPPED) for stream in _of(recording))


@cache
def recorded() -> tuple[Stream, ...]:
    """Of the corpus; none where it is not here."""
    folder = corpus.folder()
    if folder is None:
        return ()
    return tuple(stream for made in corpus_files.read_folder(folder) if isinstance(made, Recording) for stream in _of(made))
