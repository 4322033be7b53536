"""The gateway put together and run: store, treasury, upstreams, server, in that order, and down again in the reverse one."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from reference_gateway.billing.treasury import Treasury
from reference_gateway.config import Config
from reference_gateway.forward import Forwarder
from reference_gateway.gateway import Gateway
from reference_gateway.proxy.server import Server
from reference_gateway.storage.sqlite import Store

Ready = Callable[[str], None]
STOP_WITHIN_S: Final = 10.0


class Running:
    """A gateway that serves while the block lasts; `url` is where."""

    def __init__(self, config: Config, *, stop_within_s: float = STOP_WITHIN_S) -> None:
        self._config = config
        self._stop_within_s = stop_within_s

    async def __aenter__(self) -> Self:
        config = self._config
        self._store = Store(config.database, config.synchronous)
        try:
            self.treasury = Treasury(self._store, config.accounts, prices=config.catalog.price_changes)
            await self.treasury.open()
            self._forwarder = Forwarder(config, self.treasury)
            self._gateway = Gateway(config, self.treasury, self._forwarder)
            self._server = Server(self._gateway)
            host, port = await self._server.listen(config.host, config.port)
        except BaseException:
            await self._store.close()
            raise
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    def load(self, config: Config) -> None:
        """Takes over the channels, models, groups, aliases and prices of a configuration read anew."""
        self._gateway.load(config)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._server.stop(self._stop_within_s)
        self._forwarder.close()
        await self.treasury.close()
        await self._store.close()


async def run(config: Config, ready: Ready) -> None:
    """Serves until SIGTERM or SIGINT; tells `ready` the URL."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Running(config) as running:
        gc.collect()
        gc.freeze()  # what start-up has made lives as long as the process: the collector need not look at it again
        gc.set_threshold(10_000, 20, 20)
        ready(running.url)
        await stop.wait()
