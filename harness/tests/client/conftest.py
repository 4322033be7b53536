from collections.abc import AsyncIterator

import pytest

from harness.case import Client
from harness.client import ClientWitness, preload


@pytest.fixture(scope="session")
def sdks() -> None:
    preload(Client)


@pytest.fixture
async def witness(sdks: None) -> AsyncIterator[ClientWitness]:
    async with ClientWitness() as opened:
        yield opened
