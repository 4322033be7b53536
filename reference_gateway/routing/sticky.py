"""Which requests belong together, so that one conversation stays on one channel, where its prompt cache is (contract:065).

A session is known by (key, model, what the caller calls it): `prompt_cache_key`, Messages' `metadata.user_id`, or else a hash of how the
conversation begins, which every later turn repeats. The protocol is no part of it: both protocols of one channel share their sessions.
A response that may be continued (`previous_response_id`) is remembered by its id together with its account, since the upstream's own
account is shared by all of ours and would let anyone continue it who knows the id.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from reference_gateway.accounts.keys import Key
from reference_gateway.body import Facts
from reference_gateway.catalog import Routing
from reference_gateway.errors import Fault, Refusal
from reference_gateway.storage.shared import Shared

MAX_OPENING_BYTES: Final = 32 * 1024
_RESPONSE_ID: Final = re.compile(rb'"id"\s*:\s*"(resp_[A-Za-z0-9_-]{1,200})"')
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_NO_SUCH_RESPONSE: Final = Fault(
    status=400,
    openai_type="invalid_request_error",
    openai_code="previous_response_not_found",
    anthropic_type="invalid_request_error",
    google_status="INVALID_ARGUMENT",
)


class Sticky:
    def __init__(self, shared: Shared, routing: Routing) -> None:
        self._shared = shared
        self._session_ttl_s = routing.session_ttl_s
        self._response_ttl_s = routing.response_ttl_s

    async def channel_of_session(self, session: str) -> str | None:
        return await self._shared.recall(session)

    async def keep_session(self, session: str, channel: str) -> None:
        await self._shared.remember(session, channel, self._session_ttl_s)

    async def channel_of_response(self, response_id: str, account: str) -> str | None:
        """Raises Refusal (400) for another account's; None where nobody here knows it."""
        note = await self._shared.recall(f"response:{response_id}")
        if note is None:
            return None
        channel, _, owner = note.partition("\n")
        if owner != account:
            raise Refusal(_NO_SUCH_RESPONSE, f"Previous response with id '{response_id}' not found.", param="previous_response_id")
        return channel

    async def keep_response(self, response_id: str, channel: str, account: str) -> None:
        await self._shared.remember(f"response:{response_id}", f"{channel}\n{account}", self._response_ttl_s)


def session_of(key: Key, model_id: str, facts: Facts) -> str | None:
    """None where nothing tells one conversation from another."""
    if facts.session is not None:
        mark = facts.session.encode("utf-8", "surrogatepass")
    else:
        mark = b"\0".join(opening(bytes(part)) for part in facts.opening)
        if not mark.strip(b"\0"):
            return None
    digest = blake2b(b"%b\0%b\0" % (key.id.encode(), model_id.encode()), digest_size=16)
    digest.update(mark)
    return f"session:{digest.hexdigest()}"


def opening(conversation: bytes) -> bytes:
    """The JSON of a conversation as far as its first user turn: what every later turn of it begins with as well.

    Of anything but an array (a system prompt, a plain input) all, within MAX_OPENING_BYTES.
    """
    if not conversation.startswith(b"["):
        return conversation[:MAX_OPENING_BYTES]
    depth = start = 0
    for match in _TOKEN.finditer(conversation, 0, MAX_OPENING_BYTES):
        if match[0] in (b"{", b"["):
            depth += 1
            if depth == 2:
                start = match.start()
        elif match[0] in (b"}", b"]"):
            depth -= 1
            if depth == 1 and b'"user"' in conversation[start : match.end()]:
                return conversation[: match.end()]
    return conversation[:MAX_OPENING_BYTES]


def response_id(data: bytes) -> str | None:
    """Of a response, or of the first events of its stream."""
    match = _RESPONSE_ID.search(data)
    return match[1].decode() if match is not None else None
