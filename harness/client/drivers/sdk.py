"""One SDK call, sync or async: plain, as a loop over raw events, or through the SDK's stream helper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from inspect import signature
from typing import Any, Final

import httpx2

from harness.case import Case, Client
from harness.client.call import Call, DriveError
from harness.client.drivers.reading import Notes, json_value
from harness.client.tape import Tape
from harness.client.transport import AsyncRecorder, Pools, SyncRecorder

# What httpx2 offers depends on what is installed beside it; the witness decodes these.
_OFFERED: Final = {"Accept-Encoding": "gzip, deflate"}
STAND_IN_KEY: Final = "wireproof-no-key"  # for Key.MISSING: SDKs want one; the transport cuts it out


class Shape(StrEnum):
    PLAIN = "plain"
    EVENTS = "events"
    HELPER = "helper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do with a client once it is built."""

    method: Callable[[Any], Callable[..., Any]]  # from the SDK's client, for example to `client.messages.create`
    arguments: Mapping[str, Any]
    shape: Shape
    name: str  # for example "messages.stream"
    final: str = ""  # HELPER: the getter of what the SDK accumulated
    to_json: Callable[[Any], Any] = json_value
    split_unknown: bool = True  # put what the method does not know into extra_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One vendor's SDK: how its clients are built, and how its answers are told."""

    root: str  # package
    name: str  # distribution and version
    request_id_header: str | None
    sync_client: Callable[[Call, httpx2.Client], Any]
    async_client: Callable[[Call, httpx2.AsyncClient], Any]


def drive_sync(call: Call, pools: Pools, tape: Tape, step: Step, load: Callable[[Pools], Sdk]) -> Notes:
    """Blocks: run it in a thread."""
    notes = Notes(call.case, call=step.name)
    recorder = SyncRecorder(pools, tape)
    try:
        sdk = load(pools)
        notes.sdk, notes.root = sdk.name, sdk.root
        client = sdk.sync_client(call, httpx2.Client(transport=recorder, trust_env=False, headers=_OFFERED))
        method = step.method(client)
        arguments = _arguments(method, step)
        match step.shape:
            case Shape.PLAIN:
                answer = method(**arguments)
                notes.request_id = _request_id(answer, sdk)
                notes.final = step.to_json(answer)
            case Shape.EVENTS:
                stream = method(**arguments)
                notes.request_id = _request_id(stream, sdk)
                try:
                    _loop(stream, notes, step)
                finally:
                    stream.close()
            case Shape.HELPER:
                with method(**arguments) as stream:
                    notes.request_id = _request_id(stream, sdk)
                    _loop(stream, notes, step)
                    if not notes.enough():
                        notes.final = step.to_json(getattr(stream, step.final)())
    except Exception as error:  # what an SDK raises is evidence; `failed` raises the rest again
        notes.failed(error, tape)
    finally:
        recorder.finish(hang_up=notes.enough())
    return notes


async def drive_async(call: Call, pools: Pools, tape: Tape, step: Step, load: Callable[[Pools], Sdk]) -> Notes:
    notes = Notes(call.case, call=step.name)
    recorder = AsyncRecorder(pools, tape)
    try:
        sdk = load(pools)
        notes.sdk, notes.root = sdk.name, sdk.root
        client = sdk.async_client(call, httpx2.AsyncClient(transport=recorder, trust_env=False, headers=_OFFERED))
        method = step.method(client)
        arguments = _arguments(method, step)
        match step.shape:
            case Shape.PLAIN:
                answer = await method(**arguments)
                notes.request_id = _request_id(answer, sdk)
                notes.final = step.to_json(answer)
            case Shape.EVENTS:
                stream = await method(**arguments)
                notes.request_id = _request_id(stream, sdk)
                try:
                    await _loop_async(stream, notes, step)
                finally:
                    await getattr(stream, "aclose" if hasattr(stream, "aclose") else "close")()
            case Shape.HELPER:
                async with method(**arguments) as stream:
                    notes.request_id = _request_id(stream, sdk)
                    await _loop_async(stream, notes, step)
                    if not notes.enough():
                        notes.final = step.to_json(await getattr(stream, step.final)())
    except Exception as error:  # what an SDK raises is evidence; `failed` raises the rest again
        notes.failed(error, tape)
    finally:
        await recorder.finish(hang_up=notes.enough())
    return notes


def is_async(client: Client) -> bool:
    return client.value.endswith("-async")


def extra_headers(case: Case) -> dict[str, str]:
    """The case's headers as an SDK takes them: one value per name."""
    headers = dict(case.headers)
    if len({name.lower() for name in headers}) != len(case.headers):
        raise DriveError(f"case {case.id}: an SDK cannot send a header twice: use the raw client")
    if case.key_in is not None:
        raise DriveError(f"case {case.id}: an SDK shows the key in its own way, not in {case.key_in}: use the raw client")
    return headers


def _loop(stream: Any, notes: Notes, step: Step) -> None:
    if notes.enough():
        return
    for event in stream:
        notes.events.append(step.to_json(event))
        if notes.enough():
            return


async def _loop_async(stream: Any, notes: Notes, step: Step) -> None:
    if notes.enough():
        return
    async for event in stream:
        notes.events.append(step.to_json(event))
        if notes.enough():
            return


def _arguments(method: Callable[..., Any], step: Step) -> dict[str, Any]:
    """A user hands the SDK what it knows by name, and the rest through extra_body."""
    if not step.split_unknown:
        return dict(step.arguments)
    known = _parameters(getattr(method, "__func__", method))
    named = {name: given for name, given in step.arguments.items() if name in known}
    unknown = {name: given for name, given in step.arguments.items() if name not in known}
    if unknown:
        named["extra_body"] = {**named.get("extra_body", {}), **unknown}
    return named


@cache
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(signature(function).parameters)


def _request_id(found: Any, sdk: Sdk) -> str | None:
    """The request id as the SDK shows it: on the answer, on the stream, or in the stream's response headers."""
    for name in ("request_id", "_request_id"):
        own = getattr(found, name, None)
        if isinstance(own, str):
            return own
    response = getattr(found, "response", None) or getattr(found, "_response", None)
    if sdk.request_id_header is None or not isinstance(response, httpx2.Response):
        return None
    header: str | None = response.headers.get(sdk.request_id_header)
    return header
