"""Videos made: the vendor's task begun, asked after, its video fetched and kept. Whatever goes wrong on the way makes the render fail."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from reference_gateway import errors
from reference_gateway.catalog import Channel, Model
from reference_gateway.errors import Refusal
from reference_gateway.forward import Forwarder
from reference_gateway.images.formats import ImageFormat, is_mp4
from reference_gateway.images.links import Name
from reference_gateway.images.store import ImageStore
from reference_gateway.images.vendor import JSON, Blocked, VendorError
from reference_gateway.images.wire import Wire
from reference_gateway.routes import Surface
from reference_gateway.routing.router import Lane
from reference_gateway.videos import seedance
from reference_gateway.videos.request import VideoRequest
from reference_gateway.videos.seedance import Rendered, State, Working

ASK_EVERY_S: Final = 2.0
RENDER_WITHIN_S: Final = 1800.0
MISSED: Final = 5  # questions in a row that the vendor may leave without an answer
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """`seconds` is None where the vendor does not say how long it is."""

    name: Name
    seconds: int | None
    channel: Channel


class VideoStudio:
    def __init__(self, wire: Wire, store: ImageStore, forwarder: Forwarder, *, ask_every_s: float = ASK_EVERY_S) -> None:
        self._wire = wire
        self._store = store
        self._forwarder = forwarder
        self._ask_every_s = ask_every_s

    async def make(self, request: VideoRequest, group: str, model: Model) -> Video:
        """Raises Refusal. Cancelling it cancels the vendor's task. A channel that does not take the task is followed by the next one."""
        router = self._forwarder.router
        lanes = self._forwarder.lanes(group, model, Surface.VIDEOS)
        tried: list[Lane] = []
        failed: VendorError | None = None
        while len(tried) < router.routing.attempts and (lane := router.pick(lanes, tried)) is not None:
            tried.append(lane)
            state = await self._begin(request, lane)
            if isinstance(state, VendorError) and state.elsewhere:
                failed = failed or state
                continue
            return await self._follow(lane, state)
        raise router.no_channel(lanes) if failed is None else _refusal(failed)

    async def _begin(self, request: VideoRequest, lane: Lane) -> State:
        lane.begin()
        try:
            state = await self._ask(lane, b"POST", seedance.PATH, seedance.submission(request, lane.upstream_id))
        except BaseException:
            lane.abandoned()
            raise
        if isinstance(state, VendorError) and state.status == 429:
            lane.limited(self._forwarder.router.now(), None)
        elif isinstance(state, VendorError) and state.elsewhere:
            lane.failed(self._forwarder.router.now())
        else:
            lane.succeeded()
        return state

    async def _ask(self, lane: Lane, method: bytes, path: bytes, body: bytes = b"", task_id: str = "") -> State:
        heard = await self._wire.ask(lane, method, path, JSON, body)
        if isinstance(heard, VendorError):
            return heard
        if task_id:
            return seedance.read_state(task_id, heard.status, heard.body)
        return seedance.read_submitted(heard.status, heard.body)

    async def _follow(self, lane: Lane, state: State) -> Video:
        if not isinstance(state, Working):
            return await self._ended(lane, state)
        path = b"%b/%b" % (seedance.PATH, state.id.encode())
        try:
            async with asyncio.timeout(RENDER_WITHIN_S):
                return await self._ended(lane, await self._awaited(lane, path, state.id))
        except asyncio.CancelledError:
            await self._cancel(lane, path)
            raise
        except TimeoutError:
            await self._cancel(lane, path)
            raise Refusal(errors.UPSTREAM_TIMEOUT, "The upstream did not finish the video in time.") from None

    async def _awaited(self, lane: Lane, path: bytes, task_id: str) -> State:
        missed = 0
        while True:
            await asyncio.sleep(self._ask_every_s)
            state = await self._ask(lane, b"GET", path, task_id=task_id)
            if isinstance(state, VendorError) and state.elsewhere and state.unheard and missed < MISSED:
                missed += 1
            elif isinstance(state, Working):
                missed = 0
            else:
                return state

    async def _cancel(self, lane: Lane, path: bytes) -> None:
        """As far as the vendor lets one: what it has begun it may finish."""
        await asyncio.shield(self._wire.ask(lane, b"DELETE", path, JSON, b""))

    async def _ended(self, lane: Lane, state: State) -> Video:
        match state:
            case Blocked(message=message):
                raise Refusal(errors.CONTENT_BLOCKED, message, param="prompt")
            case VendorError():
                raise _refusal(state)
            case Rendered(url=url, seconds=seconds):
                return Video(name=await self._kept(lane.channel, url), seconds=seconds, channel=lane.channel)
            case Working():
                raise AssertionError("it has ended")

    async def _kept(self, channel: Channel, url: str) -> Name:
        data = await self._wire.fetch(channel, url, accept=b"video/mp4")
        if data is None or not is_mp4(data):
            raise Refusal(errors.BAD_UPSTREAM, "The video was made but could not be fetched from the upstream; it is not billed.")
        try:
            return await self._store.keep(data, ImageFormat.MP4)
        except OSError as error:
            log.error("a video could not be kept: %s", error)
            raise Refusal(errors.UNAVAILABLE, "The video was made but could not be kept for its link; it is not billed.") from None


def _refusal(error: VendorError) -> Refusal:
    fault = {502: errors.BAD_UPSTREAM, 504: errors.UPSTREAM_TIMEOUT}.get(error.status, errors.upstream_status(error.status))
    return Refusal(fault, error.message)
