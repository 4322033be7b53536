"""Images and tasks put together: what the gateway hands their requests to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, assert_never

from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.billing.interface import Treasury
from reference_gateway.calls import MediaCall
from reference_gateway.catalog import Model
from reference_gateway.config import Config
from reference_gateway.egress import Egress
from reference_gateway.forward import Forwarder
from reference_gateway.images import links
from reference_gateway.images.endpoint import Images
from reference_gateway.images.store import ImageStore
from reference_gateway.images.studio import Studio
from reference_gateway.images.wire import Wire
from reference_gateway.proxy.server import Answer
from reference_gateway.routes import Media, MediaAction
from reference_gateway.storage.interface import Database
from reference_gateway.storage.shared import Shared
from reference_gateway.storage.tasks import TaskTable
from reference_gateway.tasks import callbacks
from reference_gateway.tasks.endpoint import Tasks
from reference_gateway.tasks.worker import Rooms, Worker
from reference_gateway.videos.studio import VideoStudio

ASSET_S: Final = 60.0


async def _alone() -> Collection[str]:
    return ()


class MediaRooms:
    """`find` gives a key's model by name or raises Refusal; `alive` names the gateway processes that are up, each by its `node`."""

    def __init__(
        self,
        config: Config,
        *,
        treasury: Treasury,
        forwarder: Forwarder,
        database: Database,
        shared: Shared,
        keys: KeyRing,
        find: Callable[[str, Key], Model],
        node: str,
        alive: Callable[[], Awaitable[Collection[str]]] = _alone,
    ) -> None:
        settings = config.media
        egress = Egress(allow_private=settings.allow_private)
        assets = Egress(allow_private=settings.allow_private, timeout_s=ASSET_S)
        wire = Wire(config.timeouts, config.max_answer_bytes, assets)
        store = ImageStore(settings.folder, treasury.clock)
        studio = Studio(wire, store, forwarder)
        self.videos = VideoStudio(wire, store, forwarder)
        table = TaskTable(database)
        signer = callbacks.Signer(config.pepper)
        self.images = Images(
            treasury=treasury,
            forwarder=forwarder,
            studio=studio,
            store=store,
            signer=links.Signer(config.pepper),
            public_url=settings.public_url,
        )
        self.worker = Worker(
            Rooms(
                table=table,
                treasury=treasury,
                images=self.images,
                videos=self.videos,
                forwarder=forwarder,
                shared=shared,
                keys=keys,
                callbacks=callbacks.Callbacks(table, signer, egress, treasury.clock),
                find=find,
                alive=alive,
                node=node,
            ),
            settings.tasks_at_once,
        )
        self._stopping = asyncio.Event()
        self.tasks = Tasks(
            table=table,
            treasury=treasury,
            studio=studio,
            shared=shared,
            worker=self.worker,
            signer=signer,
            stopping=self._stopping,
            public_url=settings.public_url,
        )

    async def open(self) -> None:
        """After the treasury is open: a task's hold is taken over from there."""
        await self.worker.open()

    def stop(self) -> None:
        """Ends the streams of tasks, which would outlast any patience."""
        self._stopping.set()

    async def drain(self, within_s: float) -> None:
        """No more tasks are taken, and those that run may end within the bound."""
        self._stopping.set()
        await self.worker.drain(within_s)

    async def close(self) -> None:
        """Before the treasury closes: what still runs fails, and its money is given back."""
        await self.worker.close()

    async def serve(self, route: Media, call: MediaCall) -> None:
        """Raises Refusal."""
        name = route.name or None
        match route.action:
            case MediaAction.GENERATE:
                await self.images.create(call, edit=False)
            case MediaAction.EDIT:
                await self.images.create(call, edit=True)
            case MediaAction.SUBMIT:
                await self.tasks.submit(call)
            case MediaAction.QUERY:
                await self.tasks.query(call)
            case MediaAction.CANCEL:
                await self.tasks.cancel(call, name)
            case MediaAction.STREAM:
                await self.tasks.stream(call, route.name)
            case MediaAction.FILE:
                raise AssertionError("a link needs no key, so it is answered before")
            case action:
                assert_never(action)

    async def file(self, route: Media, query: bytes, request_id: str, answer: Answer) -> None:
        """An image by its link, for whoever has the link. Raises Refusal."""
        await self.images.file(route.name, query, request_id, answer)
