"""The soak's short variant: whatever wear shows in seconds. The long one is `nox -s soak`."""

from __future__ import annotations

import sys

import pytest

from reference_gateway.tests.soak import soak


@pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read from /proc")
async def test_nothing_is_left_over_after_faults_and_callers_that_leave() -> None:
    tally, figures = await soak(seconds=6, concurrency=40, seed=7, growth_kb=24 * 1024)
    assert not tally.broken, "\n".join((*tally.broken, *figures))
    assert {"2xx", "4xx", "5xx", "left at once", "left in the middle"} <= set(tally.answers)
