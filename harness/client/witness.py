"""The client witness: drives one client through the recording transport."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self, assert_never

from harness.case import Client
from harness.client.call import Call, ClientResult, DriveError
from harness.client.drivers import anthropic_sdk, google_sdk, openai_sdk, raw
from harness.client.drivers.reading import Notes
from harness.client.drivers.sdk import Sdk, Step, drive_async, drive_sync, is_async
from harness.client.environment import scrubbed_environment
from harness.client.tape import Tape
from harness.client.transport import Pools

# What an SDK imports late, with its first call, is named too.
_MODULES: Final = {
    "openai": ("openai.resources.chat", "openai.resources.responses", "openai.resources.models", "openai.resources.images"),
    "anthropic": ("anthropic.resources.messages", "anthropic.resources.models"),
    "google-genai": ("google.genai.types", "google.genai.models"),
}


class ClientWitness:
    """All clients of one run, over shared connections. One event loop; enter it once, since it scrubs the process's environment."""

    def __init__(self, *, threads: int = 64, tls: SSLContext | None = None) -> None:
        self._threads = threads  # sync SDKs at a time; more calls wait, which their request's at_ms shows
        self._tls = tls  # trusted certificates; None: the system's
        self._open = ExitStack()

    async def __aenter__(self) -> Self:
        self._open.enter_context(scrubbed_environment())
        self._pools = Pools(self._tls)
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="wireproof-sdk")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._pools.aclose()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._open.close()

    async def drive(self, call: Call) -> ClientResult:
        """Sends the call once and reads all of its answer; raises DriveError where the case asks for what its client cannot send.

        What goes wrong on the way (refused, TLS, timeout, reset) is in the hop; what the SDK made of it is in the reading.
        """
        tape = Tape(began=call.began, timeout_s=call.timeout_s, progress=call.progress, without_key=call.key is None)
        try:
            notes = await self._drive(call, tape)
        finally:
            call.progress.close()
        return ClientResult(hop=tape.hop(), sdk=notes.reading() if notes else None)

    async def _drive(self, call: Call, tape: Tape) -> Notes | None:
        client = call.case.client
        if client is Client.RAW:
            await raw.drive(call, self._pools, tape)
            return None
        if call.raw_body is not None:
            raise DriveError(f"case {call.case.id}: an SDK writes the body itself: use the raw client for bytes")
        step, load = _sdk(client)
        planned = step(call)
        if is_async(client):
            return await drive_async(call, self._pools, tape, planned, load)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, context.run, drive_sync, call, self._pools, tape, planned, load)


def preload(clients: Iterable[Client]) -> None:
    """Imports the SDKs of these clients: seconds, so run it in a thread while other things start."""
    for client in clients:
        for module in _MODULES.get(client.value.removesuffix("-async"), ()):
            import_module(module)


def _sdk(client: Client) -> tuple[Callable[[Call], Step], Callable[[Pools], Sdk]]:
    match client:
        case Client.OPENAI | Client.OPENAI_ASYNC:
            return openai_sdk.step, openai_sdk.load
        case Client.ANTHROPIC | Client.ANTHROPIC_ASYNC:
            return anthropic_sdk.step, anthropic_sdk.load
        case Client.GOOGLE_GENAI | Client.GOOGLE_GENAI_ASYNC:
            return google_sdk.step, google_sdk.load
        case Client.RAW:
            raise AssertionError("the raw client is no SDK")
        case _:
            assert_never(client)
