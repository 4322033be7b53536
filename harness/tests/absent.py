"""What a developer's machine may lack, and CI may not."""

import os
from typing import NoReturn

import pytest


def missing(sentence: str) -> NoReturn:
    """Skips the test, since `nox -s tests` is to work on a machine without Debian's servers; in CI it fails, so nothing goes untested."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test: {sentence}")
    pytest.skip(sentence)  # on a developer's machine alone: under CI the line above has failed it
