"""Finds the shared corpus of real vendor traffic, for the tests that judge us by it."""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).parents[2].parent / "shared" / "corpus"


def root() -> Path:
    """The corpus folder: WIREPROOF_SHARED_CORPUS, or ../shared/corpus beside the checkout. Skips the test where there is neither."""
    folder = Path(os.environ.get("WIREPROOF_SHARED_CORPUS") or _BESIDE_THE_CHECKOUT)
    if not (folder / "index.jsonl").is_file():
        pytest.skip(f"no shared corpus at {folder}: set WIREPROOF_SHARED_CORPUS to run this test")
    return folder


@cache
def index() -> tuple[dict[str, Any], ...]:
    """The summary lines of index.jsonl."""
    return tuple(json.loads(line) for line in (root() / "index.jsonl").read_bytes().splitlines())


def exchanges() -> Iterator[dict[str, Any]]:
    """Every exchange in the corpus's own JSON form (its README.md has the fields)."""
    folder = root()
    for line in index():
        yield json.loads((folder / line["file"]).read_bytes())
