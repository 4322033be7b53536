"""Tasks at work: taken one by one, run, billed and told; and what an earlier process left behind brought to an end.

After a crash a pending task is run as if nothing had happened. A running one has failed (`interrupted`) and costs nothing: whether the
vendor had made it nobody knows. If its images had come already, it is completed and billed. The order of writing sees to that: what
was made is noted down first (`produce`), then billed, then shown as completed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from reference_gateway import errors
from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.billing.interface import Hold, Treasury
from reference_gateway.cancelling import cancel
from reference_gateway.catalog import Model
from reference_gateway.errors import Refusal
from reference_gateway.forward import Forwarder
from reference_gateway.images.endpoint import Images, usage_of
from reference_gateway.images.job import Job
from reference_gateway.images.request import Delivery, read_json
from reference_gateway.images.studio import Made, VendorRefused
from reference_gateway.routes import Surface
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.shared import Messages, Shared
from reference_gateway.storage.tasks import TaskTable
from reference_gateway.tasks.callbacks import Callbacks
from reference_gateway.tasks.task import Output, State, Task
from reference_gateway.videos.request import read as read_video
from reference_gateway.videos.studio import VideoStudio

POLL_S: Final = 1.0
SWEEP_S: Final = 600.0
RECOVER_S: Final = 5.0
AT_ONCE: Final = 8  # tasks running in one process
CALLBACKS_AT_ONCE: Final = 16
INTERRUPTED: Final = (
    "interrupted",
    "The gateway stopped while this task ran; it costs nothing. Submit it again under another out_task_id.",
)
NO_HOLD: Final = ("internal_error", "What was held for this task is no longer there, so it was not run.")
BROKEN: Final = ("internal_error", "The gateway failed.")
log = logging.getLogger("reference_gateway")


def topic(task_id: str) -> str:
    return f"task:{task_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the worker works with. `find` gives a key's model by name or raises Refusal; `alive` names the processes that are."""

    table: TaskTable
    treasury: Treasury
    images: Images
    videos: VideoStudio
    forwarder: Forwarder
    shared: Shared
    keys: KeyRing
    callbacks: Callbacks
    find: Callable[[str, Key], Model]
    alive: Callable[[], Awaitable[Collection[str]]]
    node: str


class Worker:
    def __init__(self, rooms: Rooms, at_once: int = AT_ONCE) -> None:
        self._rooms = rooms
        self._at_once = at_once
        self._holds: dict[str, Hold] = {}  # of tasks submitted to this process that have not been started
        self._running: dict[str, asyncio.Task[None]] = {}
        self._calling: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._swept_at = self._recovered_at = 0.0
        self._loop: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Recovers what an earlier process left, before anything new is taken on."""
        await self._recover()
        self._loop = asyncio.create_task(self._work())

    async def drain(self, within_s: float) -> None:
        """What runs may end within the bound; what is pending stays so, and is run by whoever starts next."""
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await self._loop
        if jobs := [*self._running.values(), *self._calling.values()]:
            await asyncio.wait(jobs, timeout=within_s)

    async def close(self) -> None:
        """After `drain`: what still runs fails."""
        jobs = [*self._running.values(), *self._calling.values()]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def submitted(self, task: Task, hold: Hold) -> None:
        self._holds[task.id] = hold
        self._wake.set()

    async def cancelled(self, task: Task) -> None:
        """After its row says so: gives its hold back and tells everyone, the process that runs it included."""
        await self._release(task)
        await self._tell(task.id, State.CANCELLED)

    async def tick(self) -> None:
        """Everything that is due now is begun."""
        await self._take_pending()
        await self._call_back()
        now = self._rooms.treasury.clock()
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            await self._rooms.images.store.sweep()
        if now - self._recovered_at >= RECOVER_S:
            await self._recover()

    async def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self.tick()
            except StorageFailed as error:
                log.error("tasks wait for the database: %s", error)
            except Exception:  # the loop outlives whatever one round stumbles over; the traceback is the operator's
                log.exception("a round of tasks failed")
            try:
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _take_pending(self) -> None:
        room = self._at_once - len(self._running)
        if room <= 0 or self._stopping:
            return
        for task in await self._rooms.table.pending(room):
            if task.id not in self._running:
                self._begin(self._running, task.id, self._run(task))

    async def _call_back(self) -> None:
        room = CALLBACKS_AT_ONCE - len(self._calling)
        if room <= 0 or self._stopping:
            return
        for task in await self._rooms.table.callbacks_due(self._now_ms(), room):
            if task.id not in self._calling:
                self._begin(self._calling, task.id, self._rooms.callbacks.send(task))

    def _begin(self, jobs: dict[str, asyncio.Task[None]], task_id: str, work: Coroutine[Any, Any, None]) -> None:
        async def job() -> None:
            try:
                await work
            except StorageFailed as error:
                log.error("task %s waits for the database: %s", task_id, error)
            except Exception:  # nobody awaits it, so it is said here
                log.exception("task %s failed", task_id)
            finally:
                del jobs[task_id]
                self._wake.set()

        jobs[task_id] = asyncio.create_task(job())

    # one task

    async def _run(self, task: Task) -> None:
        rooms = self._rooms
        if not await rooms.table.start(task.id, rooms.node, self._now_ms()):
            return
        await self._tell(task.id, State.RUNNING)
        hold = await self._hold(task)
        if hold is None:
            await self._fail(task, *NO_HOLD)
            return
        job: Job[Output] = Job(hold.key)
        rooms.forwarder.under_way.add(job)
        try:
            async with rooms.shared.subscribe(topic(task.id)) as messages, _while(self._watch(task, messages, job)):
                output = await job.result(self._made(task, hold))
            if output is not None:
                await self._finish(task, hold, output)
        except VendorRefused as refused:
            await self._fail(task, "upstream_error", str(refused), hold)
        except Refusal as refusal:
            await self._fail(task, refusal.fault.openai_code or "internal_error", refusal.message, hold)
        except asyncio.CancelledError:  # the process is stopping
            await self._fail(task, *INTERRUPTED, hold)
            raise
        except Exception:
            await self._fail(task, *BROKEN, hold)
            raise
        finally:
            rooms.forwarder.under_way.discard(job)

    async def _made(self, task: Task, hold: Hold) -> Output:
        """Raises Refusal, VendorRefused."""
        rooms = self._rooms
        if not rooms.keys.is_live(hold.key, rooms.treasury.clock()) or hold.key.id not in rooms.keys.by_id:
            raise Refusal(errors.INVALID_KEY, "The API key of this task is no longer valid.")
        model = rooms.find(task.model, hold.key)
        if Surface.VIDEOS in model.surfaces:
            return await self._video(task, hold, model)
        request = read_json(task.body)
        made: Made = await rooms.images.studio.make(request, hold.key.group, model)
        return Output(
            items=tuple(rooms.images.item(image, Delivery.URL, task.link_base) for image in made.delivered),
            errors=tuple({"code": shortfall.code, "message": shortfall.message} for shortfall in made.shortfalls),
            usage=usage_of(request, made, hold.prices),
            provider=made.channel.kind,
            channel=made.channel.name,
        )

    async def _video(self, task: Task, hold: Hold, model: Model) -> Output:
        """contract:171. Raises Refusal."""
        request = read_video(task.body)
        video = await self._rooms.videos.make(request, hold.key.group, model)
        seconds = request.seconds if video.seconds is None else video.seconds
        return Output(
            items=({"url": self._rooms.images.link(video.name, task.link_base), "duration": seconds},),
            usage=request.usage(seconds),
            provider=video.channel.kind,
            channel=video.channel.name,
            surface=Surface.VIDEOS,
        )

    async def _watch(self, task: Task, messages: Messages, job: Job[Output]) -> None:
        """Ends the job once the task is cancelled, wherever that is. Looks once by itself: it may have been before anyone listened."""
        while True:
            current = await self._rooms.table.get(task.key_id, task.id)
            if current is None or current.state is State.CANCELLED:
                job.cancel()
                return
            await anext(messages)

    async def _finish(self, task: Task, hold: Hold, output: Output) -> None:
        if await self._rooms.table.produce(task.id, output):
            await self._settle(task, hold, output)
        else:  # cancelled in the last moment
            await self._rooms.treasury.release(hold)

    async def _settle(self, task: Task, hold: Hold, output: Output) -> None:
        charged = await self._rooms.treasury.settle(
            hold, output.usage, model=task.model, surface=output.surface, provider=output.provider, channel=output.channel
        )
        if await self._rooms.table.complete(task.id, charged, self._now_ms()):
            await self._tell(task.id, State.COMPLETED)

    async def _fail(self, task: Task, code: str, message: str, hold: Hold | None = None) -> None:
        """The money first: whoever reads `failed` finds it back."""
        if hold is not None:
            await self._rooms.treasury.release(hold)
        if await self._rooms.table.fail(task.id, code, message, self._now_ms()):
            await self._tell(task.id, State.FAILED)

    async def _tell(self, task_id: str, state: State) -> None:
        await self._rooms.shared.publish(topic(task_id), state.value)
        if state.is_terminal:
            self._wake.set()  # its callback is due

    # money

    async def _hold(self, task: Task) -> Hold | None:
        hold = self._holds.pop(task.id, None)
        return hold if hold is not None else await self._rooms.treasury.adopt(task.id, self._key(task), task.model)

    async def _release(self, task: Task) -> None:
        hold = await self._hold(task)
        if hold is not None:
            await self._rooms.treasury.release(hold)

    def _key(self, task: Task) -> Key:
        """The task's key; of one that is deleted, as much as the books need to give its money back."""
        key = self._rooms.keys.by_id.get(task.key_id)
        return key if key is not None else Key(id=task.key_id, hash=b"", account=task.account, group="", revoked=True)

    def _now_ms(self) -> int:
        return int(self._rooms.treasury.clock() * 1000)

    # what others left

    async def _recover(self) -> None:
        """Running tasks of processes that are no more."""
        self._recovered_at = self._rooms.treasury.clock()
        running = [task for task in await self._rooms.table.running() if task.node != self._rooms.node]
        if not running:
            return
        alive = await self._rooms.alive()
        for task in running:
            if task.node in alive:
                continue
            hold = await self._hold(task)
            if task.output is None:
                await self._fail(task, *INTERRUPTED, hold)
            elif hold is not None:
                await self._settle(task, hold, task.output)
            elif await self._rooms.table.complete(task.id, await self._rooms.table.charged(task.id), self._now_ms()):
                await self._tell(task.id, State.COMPLETED)  # its settlement was the last thing its process wrote


@asynccontextmanager
async def _while(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work goes on beside the block and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel(task)
