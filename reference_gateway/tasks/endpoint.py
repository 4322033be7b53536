"""The four paths of tasks (contract:217 to contract:229). Always OpenAI's shape (contract:200).

A stream sends `event: status` with the task's document, first as it stands and then at each change, and ends after the terminal one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reference_gateway import errors, headers
from reference_gateway.billing.interface import Treasury
from reference_gateway.billing.prices import Prices
from reference_gateway.calls import MediaCall
from reference_gateway.catalog import Model
from reference_gateway.errors import INVALID_REQUEST, Family, Refusal
from reference_gateway.images.endpoint import hold_amount, link_base
from reference_gateway.images.request import Delivery, read_json
from reference_gateway.images.studio import Studio
from reference_gateway.proxy.server import Answer, Headers
from reference_gateway.routes import Surface
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.shared import Messages, Shared
from reference_gateway.storage.tasks import TaskTable
from reference_gateway.tasks import callbacks, ulid
from reference_gateway.tasks.task import State, Task, document
from reference_gateway.tasks.worker import Worker, topic
from reference_gateway.videos.request import read as read_video

MAX_OUT_ID_CHARACTERS: Final = 128
HEARTBEAT_S: Final = 15.0
JSON: Final = (b"content-type", b"application/json")
EVENT_STREAM: Final = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Submission:
    model: str
    body: bytes  # as the images endpoint would take it
    fingerprint: str
    out_task_id: str | None
    callback_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    table: TaskTable
    treasury: Treasury
    studio: Studio
    shared: Shared
    worker: Worker
    signer: callbacks.Signer
    stopping: asyncio.Event
    public_url: str = ""

    async def submit(self, call: MediaCall) -> None:
        """Raises Refusal. The same submission again is the same task, and holds nothing more."""
        asked = _submission(call.request)
        task = await self._known(call, asked) or await self._submit(call, asked)
        shown = _receipt(task)
        if task.callback_url is not None:
            shown["callback_secret"] = self.signer.secret(call.key.id)
        # A usage row's id is the x-request-id of an answer (C33): that of a task is its submission's.
        request_id = task.id if task.state is State.PENDING and task.started_ms is None else call.request_id
        await self._send(call, shown, request_id)

    async def _known(self, call: MediaCall, asked: _Submission) -> Task | None:
        """Raises Refusal (409) where the id stands for other work."""
        if asked.out_task_id is None:
            return None
        task = await self.table.find(call.key.id, asked.out_task_id)
        if task is not None and task.fingerprint != asked.fingerprint:
            raise Refusal(errors.DUPLICATE_TASK, "out_task_id stands for a task with other params already.", param="out_task_id")
        return task

    async def _submit(self, call: MediaCall, asked: _Submission) -> Task:
        model = call.find(asked.model)
        now_ms = self._now_ms()
        prices = self.treasury.prices.at(model.id, now_ms)
        estimated = self._checked(asked, model, prices)
        task = Task(
            id=ulid.new(now_ms),
            account=call.key.account,
            key_id=call.key.id,
            out_task_id=asked.out_task_id,
            fingerprint=asked.fingerprint,
            model=model.id,
            body=asked.body,
            link_base=link_base(call.head, self.public_url),
            state=State.PENDING,
            callback_url=asked.callback_url,
            callback_attempts=0,
            estimated_micro_usd=estimated,
            created_ms=now_ms,
        )
        hold = await self.treasury.hold(call.key, task.id, task.estimated_micro_usd, prices, task=True)
        added = False
        try:
            added = await self.table.add(task)
        except StorageFailed:
            raise Refusal(errors.UNAVAILABLE, "The task cannot be written at the moment; try again later.") from None
        finally:
            if not added:
                await self.treasury.release(hold)
        if added:
            self.worker.submitted(task, hold)
            return task
        known = await self._known(call, asked)  # submitted twice at the same moment
        if known is None:
            raise Refusal(errors.UNAVAILABLE, "The task cannot be written at the moment; try again later.")
        return known

    def _checked(self, asked: _Submission, model: Model, prices: Prices) -> int:
        """The most that it can cost, in micro-USD. Raises Refusal."""
        if Surface.VIDEOS in model.surfaces:
            return read_video(asked.body).hold_amount(prices)
        if Surface.IMAGES not in model.surfaces:  # C41
            raise Refusal(INVALID_REQUEST, f"The model {model.id} makes no images or videos, and tasks make nothing else.", param="model")
        request = read_json(asked.body)
        if request.delivery is not Delivery.URL:
            raise Refusal(INVALID_REQUEST, "Tasks answer with links: leave response_format out.", param="response_format")
        self.studio.check(request, model)
        return hold_amount(request, model, prices)

    async def query(self, call: MediaCall) -> None:
        """Raises Refusal."""
        await self._send(call, document(await self._named(call, None)))

    async def cancel(self, call: MediaCall, task_id: str | None) -> None:
        """Raises Refusal. What has ended stays as it is; what runs is broken off and costs nothing (contract:224, contract:225)."""
        task = await self._named(call, task_id)
        if not task.state.is_terminal and await self.table.cancel(call.key.id, task.id, self._now_ms()):
            await self.worker.cancelled(task)
        await self._send(call, document(await self._of_key(call, task.id)))

    async def _named(self, call: MediaCall, task_id: str | None) -> Task:
        """The task that path or body names: `task_id` or `out_task_id`, exactly one (contract:221); the path wins (contract:224)."""
        if task_id is not None:
            return await self._of_key(call, task_id)
        members = _members(call.request)
        given = {name: members[name] for name in ("task_id", "out_task_id") if members.get(name) is not None}
        if len(given) != 1:
            raise Refusal(INVALID_REQUEST, "Name the task by exactly one of task_id and out_task_id.", param="task_id")
        (name, value), *_ = given.items()
        if not isinstance(value, str):
            raise Refusal(INVALID_REQUEST, f"{name} must be a string.", param=name)
        if name == "task_id":
            return await self._of_key(call, value)
        return _found(await self.table.find(call.key.id, value))

    async def _of_key(self, call: MediaCall, task_id: str) -> Task:
        return _found(await self.table.get(call.key.id, task_id) if ulid.is_ulid(task_id) else None)

    async def _send(self, call: MediaCall, shown: dict[str, Any], request_id: str | None = None) -> None:
        await self.treasury.refresh(call.key)
        call.answer.send(200, [JSON, *self._own(call, request_id or call.request_id)], msgspec.json.encode(shown))

    def _own(self, call: MediaCall, request_id: str) -> Headers:
        return headers.own(request_id, Family.OPENAI, self.treasury.standing(call.key))

    def _now_ms(self) -> int:
        return int(self.treasury.clock() * 1000)

    # the stream

    async def stream(self, call: MediaCall, task_id: str) -> None:
        """Raises Refusal before the first byte."""
        async with self.shared.subscribe(topic(task_id)) as messages:  # before the first look, so that no change falls between
            task = await self._of_key(call, task_id)
            await self.treasury.refresh(call.key)
            call.answer.start(200, [*EVENT_STREAM, *self._own(call, call.request_id)])
            call.answer.write(_event(task))
            if not task.state.is_terminal:
                await self._follow(call, task, messages)
        call.answer.end()

    async def _follow(self, call: MediaCall, task: Task, messages: Messages) -> None:
        over = asyncio.ensure_future(_over(call.answer, self.stopping))
        change = asyncio.ensure_future(anext(messages))
        try:
            while not task.state.is_terminal:
                await asyncio.wait((over, change), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    return
                if not change.done():
                    call.answer.write(b": still here\n\n")
                    continue
                change = asyncio.ensure_future(anext(messages))
                now = await self.table.get(task.key_id, task.id)
                if now is not None and now.state is not task.state:
                    task = now
                    call.answer.write(_event(task))
        finally:
            for future in (over, change):
                future.cancel()
            await asyncio.gather(over, change, return_exceptions=True)


async def _over(answer: Answer, stopping: asyncio.Event) -> None:
    """Ends when the caller leaves or the gateway stops."""
    gone = asyncio.Event()
    answer.on_gone = gone.set
    if answer.gone:
        return
    waits = [asyncio.ensure_future(event.wait()) for event in (gone, stopping)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        answer.on_gone = None
        for wait in waits:
            wait.cancel()


def _event(task: Task) -> bytes:
    return b"event: status\ndata: %b\n\n" % msgspec.json.encode(document(task))


def _receipt(task: Task) -> dict[str, Any]:
    shown = document(task)
    return {name: shown[name] for name in ("task_id", "out_task_id", "status", "estimated_credits", "estimated_micro_usd") if name in shown}


def _found(task: Task | None) -> Task:
    if task is None:
        raise Refusal(errors.TASK_NOT_FOUND, "There is no such task of this key.")
    return task


def _members(body: bytes) -> dict[str, Any]:
    try:
        members: dict[str, Any] = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(INVALID_REQUEST, f"The request body is not a JSON object: {error}.") from None
    return members


def _submission(request: bytes) -> _Submission:
    """Raises Refusal (400). `stream` is ignored (contract:218)."""
    members = _members(request)
    model, params = members.get("model"), members.get("params")
    if not isinstance(model, str) or not model:
        raise Refusal(INVALID_REQUEST, "model must be a string that names a model.", param="model")
    if not isinstance(params, dict):
        raise Refusal(INVALID_REQUEST, "params must be an object: what the model's own endpoint takes.", param="params")
    if params.get("model", model) != model:
        raise Refusal(INVALID_REQUEST, "params names another model; leave it out there.", param="params")
    out_task_id = members.get("out_task_id")
    if out_task_id is not None and not (isinstance(out_task_id, str) and 1 <= len(out_task_id) <= MAX_OUT_ID_CHARACTERS):
        raise Refusal(INVALID_REQUEST, f"out_task_id must be a text of 1 to {MAX_OUT_ID_CHARACTERS} characters.", param="out_task_id")
    callback_url = members.get("callback_url")
    whole = {**params, "model": model}
    return _Submission(
        model=model,
        body=msgspec.json.encode(whole),
        fingerprint=hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest(),
        out_task_id=out_task_id,
        callback_url=None if callback_url is None else callbacks.check(callback_url),
    )
