"""The official SDKs fed with bytes that are at hand, with no server: what each makes of them."""

import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final, cast

import httpx2

from harness.case import Case, Surface
from harness.client.call import Bases, Call
from harness.client.drivers import anthropic_sdk, google_sdk, openai_sdk
from harness.client.drivers.sdk import drive_sync
from harness.client.tape import Tape
from harness.client.transport import Pools
from harness.exchange import SdkReading
from harness.progress import ClientProgress

_BASE: Final = "http://gateway.test"


class Feed:
    """One for many answers: `read` gives the SDK that speaks the case's surface the bytes as if a gateway had sent them."""

    def __init__(self) -> None:
        self._answer = httpx2.Response(200)
        self._pools = Pools(ssl.create_default_context())
        self._pools.sync_inner = cast(Any, httpx2.MockTransport(lambda request: self._answer))

    def read(self, case: Case, request: Mapping[str, Any], body: bytes, content_type: str) -> SdkReading:
        self._answer = httpx2.Response(200, headers={"content-type": content_type, "x-request-id": "req_1"}, content=body)
        progress = ClientProgress()
        asked = {name: value for name, value in request.items() if name not in ("model", "stream")}
        call = Call(
            case=case,
            model="asked",
            body=json.loads(json.dumps(asked)),
            base=Bases(openai=f"{_BASE}/v1", anthropic=_BASE, gemini=_BASE),
            key="key-of-a-test",
            progress=progress,
            began=time.perf_counter(),
            timeout_s=60,
        )
        tape = Tape(began=call.began, timeout_s=60, progress=progress)
        match case.surface:
            case Surface.MESSAGES:
                notes = drive_sync(call, self._pools, tape, anthropic_sdk.step(call), anthropic_sdk.load)
            case Surface.GEMINI:
                notes = drive_sync(call, self._pools, tape, google_sdk.step(call), google_sdk.load)
            case _:
                notes = drive_sync(call, self._pools, tape, openai_sdk.step(call), openai_sdk.load)
        return notes.reading()
