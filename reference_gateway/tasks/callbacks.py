"""The POST that tells a caller of a task's end (contract:227; the scheme of contract:184: signature, three attempts, 4xx is final).

Signed: `x-bytespike-signature` is the hexadecimal HMAC-SHA256 of `<timestamp>.<body>`, `x-bytespike-timestamp` the timestamp (Unix
seconds). Its secret is the key's own, derived from the pepper, so nothing needs to be stored; the answer to a submission with a
`callback_url` shows it.
"""

from __future__ import annotations

import hmac
import logging
from typing import Final

import msgspec

from reference_gateway.clock import Clock
from reference_gateway.egress import Egress, Forbidden, destination
from reference_gateway.errors import INVALID_REQUEST, Refusal
from reference_gateway.proxy.server import Headers
from reference_gateway.proxy.upstream import UpstreamBroken
from reference_gateway.storage.tasks import TaskTable
from reference_gateway.tasks.task import Task, document

WAITS_S: Final = (30, 300)  # before the second and the third attempt, which is the last
MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_URL_CHARACTERS: Final = 2048
log = logging.getLogger("reference_gateway")


def check(url: object) -> str:
    """Raises Refusal (400). Where the name leads is looked at when it is called, not now."""
    try:
        if not isinstance(url, str) or len(url) > MAX_URL_CHARACTERS:
            raise Forbidden(f"It must be a text of at most {MAX_URL_CHARACTERS} characters.")
        destination(url)
    except Forbidden as why:
        raise Refusal(INVALID_REQUEST, f"callback_url cannot be called: {why}", param="callback_url") from None
    return url


class Signer:
    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"task callbacks", "sha256")

    def secret(self, key_id: str) -> str:
        return "whsec_" + hmac.digest(self._key, key_id.encode(), "sha256").hex()

    def headers(self, key_id: str, body: bytes, now: int) -> Headers:
        signature = hmac.digest(self.secret(key_id).encode(), b"%d.%b" % (now, body), "sha256").hex()
        return [(b"x-bytespike-timestamp", b"%d" % now), (b"x-bytespike-signature", signature.encode())]


class Callbacks:
    def __init__(self, table: TaskTable, signer: Signer, egress: Egress, clock: Clock) -> None:
        self._table = table
        self._signer = signer
        self._egress = egress
        self._clock = clock

    async def send(self, task: Task) -> None:
        """One attempt. The next one is noted down before this one is made, so a crash costs an attempt and never adds one."""
        wait_s = WAITS_S[task.callback_attempts] if task.callback_attempts < len(WAITS_S) else None
        next_ms = None if wait_s is None else int((self._clock() + wait_s) * 1000)
        if task.callback_url is None or not await self._table.attempt_callback(task, next_ms):
            return
        if await self._is_final(task, task.callback_url) and next_ms is not None:
            await self._table.callback_done(task.id)

    async def _is_final(self, task: Task, url: str) -> bool:
        """Whether it needs no further attempt: it was taken, refused for good, or may not be called at all."""
        body = msgspec.json.encode(document(task))
        headers: Headers = [(b"content-type", b"application/json"), (b"user-agent", b"reference-gateway")]
        headers += self._signer.headers(task.key_id, body, int(self._clock()))
        try:
            head, _ = await self._egress.exchange(b"POST", destination(url), headers, body, limit_bytes=MAX_ANSWER_BYTES)
        except Forbidden as why:
            log.warning("the callback of task %s is not made: %s", task.id, why)
            return True
        except UpstreamBroken as why:
            log.info("the callback of task %s failed: %s", task.id, why)
            return False
        return head.status < 500  # 2xx is taken; 3xx and 4xx would be the same again
