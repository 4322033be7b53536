"""The gateway's tests run on the loop that the gateway runs on: uvloop, or asyncio's own where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from reference_gateway.tests import scripted

try:
    import uvloop
except ImportError:
    LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
else:
    LOOPS = {"uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


@pytest.fixture(params=["cold", "warm"])
def cold_and_warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs twice: with connections to upstreams still to be made, on a coroutine, and with idle ones, on the express way."""
    if request.param == "warm":
        monkeypatch.setattr(scripted, "WARM", 2)
