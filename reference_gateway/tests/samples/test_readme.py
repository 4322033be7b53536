"""The README shows the samples that the tests run, letter by letter."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LANGUAGES = {".py": "python", ".sh": "sh", ".ts": "typescript"}
SAMPLES = sorted(path for path in (ROOT / "reference_gateway" / "samples").rglob("*") if path.suffix in LANGUAGES)


def test_there_are_samples_of_both_guides() -> None:
    assert {path.stem.partition("_")[0] for path in SAMPLES} >= {"openai", "anthropic"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_readme_shows_the_sample_as_it_is_run(sample: Path) -> None:
    block = f"```{LANGUAGES[sample.suffix]}\n{sample.read_text(encoding='utf-8').rstrip()}\n```\n"
    assert block in (ROOT / "README.md").read_text(encoding="utf-8")
