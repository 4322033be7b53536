"""The soak's short variant: whatever wear shows in seconds. The long one is `nox -s soak`."""

from __future__ import annotations

import sys

import pytest

from reference_gateway.tests.soak import soak

# There is no /proc elsewhere to read them from; CI is Linux, so there nothing is left out.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read from /proc")

LEAKS = """
import os, runpy
from reference_gateway import express, gateway
from reference_gateway.request_ids import new_request_id

kept = []

def one_more():
    made = new_request_id()
    kept.append(made)
    if len(kept) % 1000 == 0:
        os.open(os.devnull, os.O_RDONLY)
    return made

express.new_request_id = gateway.new_request_id = one_more
runpy.run_module("reference_gateway.tests.weighed", run_name="__main__", alter_sys=True)
"""


async def test_nothing_is_left_over_after_faults_and_callers_that_leave() -> None:
    tally, figures = await soak(seconds=6, concurrency=40, seed=7, calls=3000, growth_kb=8 * 1024, vendors_hang_up=True)
    assert not tally.broken, "\n".join((*tally.broken, *figures))
    assert {"2xx", "4xx", "5xx", "left at once", "left in the middle"} <= set(tally.answers)


async def test_a_string_left_by_each_call_and_a_descriptor_by_each_thousandth_are_found() -> None:
    tally, figures = await soak(seconds=1, concurrency=40, seed=7, calls=4000, vendors_hang_up=True, program=("-c", LEAKS))
    assert any("file descriptors were open after the second half" in found for found in tally.broken), figures
    assert any("blocks of memory in use" in found for found in tally.broken), figures
