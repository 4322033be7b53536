"""The recorded vendor traffic that some tests need: where it is, and one value per exchange.

It stands outside the repository: WIREPROOF_SHARED_CORPUS names its folder, else ../shared/corpus beside the checkout is tried.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.tests.absent import missing

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One recorded exchange: what its index line says, and the bytes of the answer after content-decoding."""

    id: str
    vendor: str
    api: str
    stream: bool
    status: int | None  # None: not recorded
    model: str | None
    fidelity: str  # exact or reserialized
    provenance: str  # recorded or curated
    recorded_at: str | None  # ISO date
    is_sse: bool
    body: bytes
    file: Path

    @property
    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_bytes())["request"]
        return found


def folder() -> Path | None:
    named = os.environ.get("WIREPROOF_SHARED_CORPUS")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "corpus"
    return path if (path / "index.jsonl").is_file() else None


def need() -> Path:
    """The folder, or the test is skipped; where CI=true it fails, since there the corpus has to stand."""
    return folder() or missing("recorded vendor traffic is not here: set WIREPROOF_SHARED_CORPUS to its folder")


def exchanges(
    vendor: str | None = None,
    api: str | None = None,
    stream: bool | None = None,
    fidelity: str | None = None,
) -> Iterator[Recorded]:
    """Those that match all that is given, in the order of the index; call from inside a test, since it may skip."""
    path = need()
    for line in _index(path):
        wanted = {"vendor": vendor, "api": api, "stream": stream, "fidelity": fidelity}
        if any(value is not None and line[key] != value for key, value in wanted.items()):
            continue
        yield _load(path / line["file"], line)


@cache
def _index(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in (path / "index.jsonl").read_text(encoding="utf-8").splitlines())


def _load(file: Path, line: dict[str, Any]) -> Recorded:
    response = json.loads(file.read_bytes())["response"]
    text = response.get("body_text")
    return Recorded(
        id=line["id"],
        vendor=line["vendor"],
        api=line["api"],
        stream=line["stream"],
        status=line["status"],
        model=line["model"],
        fidelity=line["fidelity"],
        provenance=line["provenance"],
        recorded_at=line["recorded_at"],
        is_sse=response["is_sse"],
        body=base64.b64decode(response.get("body_b64") or "") if text is None else text.encode(),
        file=file,
    )
