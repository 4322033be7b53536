"""The gateway put together and run: store, treasury, upstreams, server, in that order, and down again in the reverse one."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from reference_gateway import errors
from reference_gateway.accounts.directory import Directory
from reference_gateway.billing import books
from reference_gateway.clock import Clock, ShiftedClock, system
from reference_gateway.config import Config, ConfigError
from reference_gateway.forward import BrokenOff, Forwarder
from reference_gateway.gateway import Gateway
from reference_gateway.media import MediaRooms
from reference_gateway.operations.watch import Watch, url_of
from reference_gateway.proxy.server import Server
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.keys import KeyStore

Ready = Callable[[str], None]
LAST_WORDS_S: Final = 2.0
log = logging.getLogger("reference_gateway")


class Running:
    """A gateway that serves while the block lasts; `url` is where."""

    def __init__(self, config: Config, *, stop_within_s: float | None = None, clock: Clock = system) -> None:
        self._config = config
        self._stop_within_s = config.operations.stop_within_ms / 1000 if stop_within_s is None else stop_within_s
        self._clock = clock

    async def __aenter__(self) -> Self:
        config = self._config
        self._opened = AsyncExitStack()
        try:
            self.books = await self._opened.enter_async_context(books.opened(config, self._clock))
            self.treasury = self.books.treasury
            self._watch = Watch(config.operations, self.books.database)
            self._opened.push_async_callback(self._watch.close)
            self.treasury.on_settled = self._watch.journal.settled
            self._forwarder = Forwarder(config, self.treasury, self.books.shared, self._watch.journal)
            self.directory = Directory(
                config.pepper,
                config.accounts,
                KeyStore(self.books.database),
                self._clock,
                self.books.shared,
                node=self.books.node,
                others=self.books.alive,
            )
            await self.directory.open(config.keys)
            self._gateway = Gateway(config, self.treasury, self._forwarder, self.directory)
            if isinstance(self._clock, ShiftedClock):
                self._gateway.movable_clock = self._clock
            self._gateway.journal, self._gateway.ready = self._watch.journal, self._watch.readiness.why_not
            self.media = self._gateway.media = MediaRooms(
                config,
                treasury=self.treasury,
                forwarder=self._forwarder,
                database=self.books.database,
                shared=self.books.shared,
                keys=self._gateway.keys,
                find=lambda name, key: self._gateway.finder(key)(name),
                node=self.books.node,
                alive=self.books.alive,
            )
            await self.media.open()
            self._server = Server(self._gateway)
            host, port = await self._server.listen(config.host, config.port)
            await self._watch.open(self._gauges)
            self.directory.watch()
        except BaseException:
            await self._opened.aclose()
            raise
        self.url = url_of(host, port)
        self._watch.readiness.serving = True
        return self

    @property
    def admin_url(self) -> str | None:
        """Where /metrics stands; None where the configuration opens no admin listener."""
        return self._watch.admin_url

    def _gauges(self) -> dict[str, tuple[str, float]]:
        return {
            "exchanges_open": ("Calls to upstreams under way.", len(self._forwarder.under_way)),
            "streams_open": ("Streams under way.", self._forwarder.open_streams),
            "connections_open": ("Callers' connections.", len(self._server.connections)),
            "holds_open": ("Requests and tasks that money is held for.", self.treasury.open_holds),
        }

    async def load(self, config: Config) -> None:
        """Takes over the channels, models, groups, aliases and prices of a configuration read anew. Raises StorageFailed."""
        await self.treasury.declare(config.catalog.price_changes)  # first: a new model without a price cannot be called
        self._gateway.load(config)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.media.stop()
        self._watch.readiness.serving = False
        await asyncio.gather(self._server.drain(self._stop_within_s), self.media.drain(self._stop_within_s))
        # What has not ended by now is told so in its protocol's own words, and costs nothing.
        self._forwarder.break_off(BrokenOff(errors.UNAVAILABLE, "The gateway is stopping; ask again."))
        await self._server.stop(LAST_WORDS_S)
        await self.media.close()
        await self.directory.close()
        self._forwarder.close()
        await self._opened.aclose()


async def run(config: Config, ready: Ready, *, reload: Callable[[], Config] | None = None, clock: Clock = system) -> None:
    """Serves until SIGTERM or SIGINT; tells `ready` the URL. SIGHUP takes over what `reload` reads; where that fails all stays."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Running(config, clock=clock) as running:
        if reload is not None and hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, lambda: _kept.add(loop.create_task(_reload(running, reload))))
        _start_collecting()
        _keep_freed_memory()
        ready(running.url)
        if any(model.translated for model in config.catalog.models.values()):
            _kept.add(loop.create_task(_load_translation()))
        await stop.wait()


def _start_collecting() -> None:
    gc.freeze()  # what start-up has made lives as long as the process: the collector need not look at it, now or ever
    gc.set_threshold(10_000, 20, 20)
    gc.enable()  # __main__.py has it off


async def _load_translation() -> None:
    """What translated routes alone need, while native ones are served already; a call that comes before waits for its import."""
    await asyncio.to_thread(importlib.import_module, "reference_gateway.translation.halves")
    gc.freeze()


M_TRIM_THRESHOLD: Final = -1  # malloc.h
M_MMAP_THRESHOLD: Final = -3
KEPT_BYTES: Final = 32 * 1024 * 1024


def _keep_freed_memory() -> None:
    """Of glibc: what a large body leaves is kept for the next, not handed to the kernel and fetched again (a tenth of such a call)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES // 8)


_kept: Final[set[asyncio.Task[None]]] = set()  # the loop itself holds its tasks only weakly


async def _reload(running: Running, read: Callable[[], Config]) -> None:
    try:
        await running.load(read())
    except (ConfigError, StorageFailed) as error:
        log.error("the configuration was not taken over: %s", error)
