"""A model call on a translated route: what goes to a channel that does not speak the caller's protocol, and what comes back from it.

`Crossing` is one attempt at one channel. It knows protocols and headers; the connection, the money and what happens next are forward.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from reference_gateway import body, errors
from reference_gateway.accounting import Completed, usage_of
from reference_gateway.accounts.keys import Key
from reference_gateway.calls import ModelCall
from reference_gateway.catalog import Model, UpstreamKind
from reference_gateway.content_coding import Corrupt, Decoder
from reference_gateway.errors import Fault, Refusal
from reference_gateway.proxy.relay import Patience, Relay
from reference_gateway.proxy.server import Answer as Caller
from reference_gateway.proxy.upstream import Connection, ResponseHead, UpstreamBroken
from reference_gateway.routes import Surface
from reference_gateway.routing import rewrite
from reference_gateway.routing.router import Lane
from reference_gateway.translation import abilities
from reference_gateway.translation.codec import Naming, Upstream
from reference_gateway.translation.common.estimate import input_tokens
from reference_gateway.translation.items import (
    Answer,
    Ask,
    Broken,
    Effort,
    Ended,
    Loss,
    Malformed,
    Thinking,
    Tokens,
    Unsupported,
)
from reference_gateway.translation.reasoning_store import ReasoningStore
from reference_gateway.translation.seal import Sealer
from reference_gateway.translation.translator import Dialect, Passage, Translator

BYTES_PER_TOKEN: Final = 4
MAX_LOSSES_BYTES: Final = 1024  # of the warning header's value
ANTHROPIC_VERSION: Final = b"2023-06-01"
PATHS: Final = {Surface.CHAT: b"/chat/completions", Surface.RESPONSES: b"/responses", Surface.MESSAGES: b"/v1/messages"}
_NOT_SERVED: Final = "The upstream does not serve the gateway at the moment."
# translation.md 3.12. What the gateway's own key, balance or permissions at a vendor are is nothing that a caller did.
FAULTS: Final = {
    400: errors.INVALID_REQUEST,
    401: errors.BAD_UPSTREAM,
    402: errors.UNAVAILABLE,
    403: errors.BAD_UPSTREAM,
    404: errors.MODEL_NOT_FOUND,
    408: errors.UPSTREAM_TIMEOUT,
    409: errors.CONFLICT,
    413: errors.TOO_LARGE,
    429: errors.RATE_LIMITED,
    503: errors.UNAVAILABLE,
    504: errors.UPSTREAM_TIMEOUT,
    529: errors.UNAVAILABLE,
}
_OWN_AFFAIR: Final = frozenset({401, 402, 403, 429})  # what a vendor says with these may name our account


def fault_of(status: int) -> Fault:
    """What a caller is told of an upstream's failure with this status."""
    return FAULTS.get(status, errors.INVALID_REQUEST if 400 <= status < 500 else errors.BAD_UPSTREAM)


def dialect_of(lane: Lane) -> Dialect:
    if lane.channel.kind is UpstreamKind.DEEPSEEK:
        return Dialect.DEEPSEEK_MESSAGES if lane.spoken is Surface.MESSAGES else Dialect.DEEPSEEK_CHAT
    return Dialect(lane.spoken.value)


def upstream_of(model: Model, upstream_id: str) -> Upstream:
    return abilities.upstream(
        model.id, upstream_id, family=model.family, capabilities=model.capabilities, max_output_tokens=model.max_output_tokens
    )


class Borders:
    """What all crossings share."""

    def __init__(self, pepper: bytes, store: ReasoningStore) -> None:
        self._pepper = pepper
        self._sealer = Sealer(pepper)
        self._store = store

    async def cross(self, call: ModelCall, lane: Lane, created: int) -> Crossing:
        """`created`: a Unix time in seconds. Raises Refusal: 400 for what cannot be read, or cannot be said to this channel."""
        try:
            translator, ask = self._asked(call, lane)
            ask = await self._store.restore(call.key.id, ask, translator.vendor.maker)
            return _crossing(call, lane, translator, ask, created)
        except UNSAYABLE as problem:
            raise _unsaid(problem) from None

    @property
    def at_once(self) -> bool:
        """Whether nothing has to be waited for: thoughts are kept in this process."""
        return self._store.at_hand is not None

    def cross_at_once(self, call: ModelCall, lane: Lane, created: int) -> Crossing:
        """As `cross`."""
        try:
            translator, ask = self._asked(call, lane)
            ask = self._store.restore_at_once(call.key.id, ask, translator.vendor.maker)
            return _crossing(call, lane, translator, ask, created)
        except UNSAYABLE as problem:
            raise _unsaid(problem) from None

    def _asked(self, call: ModelCall, lane: Lane) -> tuple[Translator, Ask]:
        array = call.route.gemini_method == b"streamGenerateContent" and b"alt=sse" not in call.head.query
        translator = Translator.of(call.surface, dialect_of(lane), self._sealer.of(call.key.account), json_array=array)
        return translator, self._as_ours(read(translator, call), call)

    def _as_ours(self, ask: Ask, call: ModelCall) -> Ask:
        """What an alias stands for, and the caller's cache key told apart by account, as on native routes."""
        alias, cache_key = call.alias, ask.prompt_cache_key
        if alias is not None and alias.thinking is not None and ask.thinking is None:
            thinking = Thinking(adaptive=True) if alias.thinking else Thinking(effort=Effort.NONE)
            ask = replace(ask, thinking=thinking)
        if cache_key is not None:
            ask = replace(ask, prompt_cache_key=rewrite.cache_key(self._pepper, call.key.account, cache_key))
        return ask

    def count_tokens(self, call: ModelCall) -> int:
        """An estimate, since no vendor can be asked. Raises Refusal."""
        translator = Translator.of(Surface.MESSAGES, Dialect.MESSAGES, self._sealer.of(call.key.account))
        try:
            return input_tokens(read(translator, call, max_tokens=1))  # which such a request does not have
        except (Malformed, Unsupported) as problem:
            raise _unsaid(problem) from None

    async def keep(self, call: ModelCall, crossing: Crossing) -> None:
        """Thoughts that a later turn needs (translation.md 3.10)."""
        kept = crossing.keepsakes
        if kept is not None:
            await self._store.keep(call.key.id, kept, crossing.translator.vendor.maker)

    def keep_at_once(self, key: Key, crossing: Crossing) -> None:
        """As `keep`."""
        kept = crossing.keepsakes
        if kept is not None:
            self._store.keep_at_once(key.id, kept, crossing.translator.vendor.maker)


UNSAYABLE: Final = (Malformed, Unsupported, UnicodeEncodeError)


def _unsaid(problem: Malformed | Unsupported | UnicodeEncodeError) -> Refusal:
    if isinstance(problem, UnicodeEncodeError):
        return Refusal(errors.INVALID_REQUEST, "Send text that is Unicode: the request has half a surrogate pair.")
    fault = errors.INVALID_REQUEST if isinstance(problem, Malformed) else errors.UNSUPPORTED
    return Refusal(fault, str(problem), param=problem.path)


def _crossing(call: ModelCall, lane: Lane, translator: Translator, ask: Ask, created: int) -> Crossing:
    """Raises one of UNSAYABLE."""
    prepared = translator.prepare(ask, upstream_of(call.model, lane.upstream_id))
    data = msgspec.json.encode(prepared.body)
    naming = Naming(
        id=call.request_id.removeprefix("req_"),
        model=call.route.gemini_model or call.facts.model or call.model.id,
        created=created,
        stands_for=prepared.names,
        request_id=call.request_id,
    )
    passage = translator.passage(ask, prepared.form, naming, lambda size: _estimate(call, size))
    return Crossing(call, lane, translator, passage, data=data, losses=prepared.losses)


def read(translator: Translator, call: ModelCall, **more: object) -> Ask:
    """Raises Malformed, Unsupported, Refusal."""
    try:
        members = {**msgspec.json.decode(call.request), **more}  # body.read has seen that it is an object
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:  # such as 1e400, which nothing has looked at so far
        raise Refusal(errors.INVALID_REQUEST, f"Send JSON that can be read for this model: {problem}.") from None
    return translator.ask(members, model=call.model.id, stream=call.streams)


def _estimate(call: ModelCall, content_bytes: int) -> Tokens:
    """Where an upstream counts nothing: what is billed then, so that the caller is told the same."""
    return Tokens(input=body.estimate_input_tokens(call.request), output=-(-content_bytes // BYTES_PER_TOKEN))


class Crossing:
    """One attempt. `whole` and `passage` bring the answer back; nothing here is used for a second one."""

    def __init__(
        self, call: ModelCall, lane: Lane, translator: Translator, passage: Passage, *, data: bytes, losses: tuple[Loss, ...]
    ) -> None:
        self._call = call
        self._lane = lane
        self._losses = losses
        self._answer: Answer | None = None
        self.translator = translator
        self.passage = passage
        self.data = data

    def head(self) -> bytes:
        """The request's head but for its length. No header of the caller's goes there: those of one protocol mean nothing in another."""
        lane, call = self._lane, self._call
        path, lines = PATHS.get(lane.spoken, b""), b""
        if lane.spoken is Surface.GEMINI:
            method = b"streamGenerateContent?alt=sse" if call.streams else b"generateContent"
            path = b"/v1beta/models/%b:%b" % (quote(lane.upstream_id, safe="").encode(), method)
        elif lane.spoken is Surface.MESSAGES:
            lines = b"anthropic-version: %b\r\n" % ANTHROPIC_VERSION
        accept = b"text/event-stream" if call.streams else b"application/json"
        return b"POST %b%b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\naccept: %b\r\naccept-encoding: identity\r\n%b%b" % (
            lane.base_path,
            path,
            lane.host_header,
            accept,
            lines,
            lane.auth_line,
        )

    def lines(self, response: ResponseHead, own: bytes) -> bytes:
        """The headers of the answer: ours, what of the request the upstream was not told, and the vendor's id of the request."""
        upstream_id = response.header.get(b"x-request-id") or response.header.get(b"request-id")
        named = b"x-upstream-request-id: %b\r\n" % upstream_id if upstream_id is not None else b""
        return b"content-type: %b\r\n%b%b%b" % (self.content_type, named, warning(self._losses), own)

    def refusal(self, status: int, plain: bytes | None) -> Refusal:
        """The upstream's own error in the gateway's words of the caller's protocol (translation.md 3.12)."""
        said = _error_of(plain)
        told = self.translator.vendor.failure(said) if said is not None else None
        if status >= 500 and told is not None and told.status == 429:
            status = 429  # a gateway between wraps what it was refused in a failure of its own
        message = _NOT_SERVED
        if status not in _OWN_AFFAIR:
            message = f"The upstream answered with status {status}."
            host = self._lane.channel.endpoint.host.encode()
            if told is not None and plain is not None and host not in plain:
                message = told.message or message
        fault = fault_of(status)
        return Refusal(fault, message)

    # a whole answer

    def whole(self, plain: bytes, *, sse: bool) -> bytes:
        """What the caller gets. Raises Refusal where it is no answer, Unwritable where it cannot be said."""
        if sse:
            answer = self.passage.gathered(plain)
        else:
            try:
                answer = self.passage.whole(msgspec.json.decode(plain))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise Refusal(errors.BAD_UPSTREAM, "The upstream failed: its answer is not JSON.") from None
        if isinstance(answer, Broken):
            raise refusal_of(answer)
        self._answer = answer
        if self._call.streams:
            return self.passage.stream(answer)
        return msgspec.json.encode(self.passage.document(answer))

    @property
    def content_type(self) -> bytes:
        return self.passage.content_type if self._call.streams else b"application/json"

    @property
    def completed(self) -> Completed:
        """What an answer that has ended comes to in money: the very tokens that the caller was told."""
        end = self.passage.end
        tokens = end.tokens if isinstance(end, Ended) else None
        usage = None if tokens is None or self.passage.estimated else usage_of(tokens)
        return Completed(usage=usage, content_bytes=self.passage.content_bytes, blocked=self.passage.blocked)

    @property
    def keepsakes(self) -> Answer | None:
        kept = self._answer or self.passage.keepsakes
        return kept if isinstance(kept, Answer) else None


def refusal_of(broken: Broken) -> Refusal:
    return Refusal(fault_of(broken.status), broken.message)


def warning(losses: Iterable[Loss]) -> bytes:
    """`x-wireproof-losses: path (reason); ...`: one line of printable ASCII, bounded."""
    found = list(dict.fromkeys(f"{loss.path} ({loss.reason})" for loss in losses))
    if not found:
        return b""
    shown: list[str] = []
    size = 0
    for text in found:
        size += len(text) + 2
        if size > MAX_LOSSES_BYTES - 16:
            shown.append(f"and {len(found) - len(shown)} more")
            break
        shown.append(text)
    line = "; ".join(shown).encode("ascii", "replace")
    return b"x-wireproof-losses: %b\r\n" % bytes(byte if 32 <= byte < 127 else 63 for byte in line)


def _error_of(plain: bytes | None) -> object:
    """The `error` member of a vendor's error; Google sends a list of one, too."""
    try:
        value = msgspec.json.decode(plain or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    return value.get("error") if isinstance(value, dict) else None


class Ferry(Relay):
    """A stream on its way through a passage: what each read comes to is written at once; the end waits for the settlement."""

    def __init__(
        self,
        connection: Connection,
        answer: Caller,
        passage: Passage,
        decoder: Decoder | None,
        *,
        start: Callable[[], None],
        patience: Patience,
        max_body_bytes: int,
    ) -> None:
        self._passage = passage
        self._decoder = decoder
        self._over = False
        super().__init__(
            connection,
            answer,
            start=start,
            feed=passage.feed,
            not_stream=b"{[<",
            sse=True,
            patience=patience,
            max_body_bytes=max_body_bytes,
        )

    def on_read(self, read: bytes) -> None:
        self._last_move = self._loop.time()
        if self._decoder is not None:
            try:
                read = self._decoder.feed(read)
            except Corrupt:
                self._connection.abort(UpstreamBroken("The upstream's stream cannot be decoded."))
                return
        if not self._read_any:
            first = read.lstrip()[:1]
            self._read_any = bool(first)
            if first and first in self._not_stream:
                self._gathered = []
        if self._gathered is not None:
            self._gather(self._gathered, read)
        elif not self._over:
            data = self._passage.feed(read)
            if self._passage.end is not None:
                self._over = True
                self._park(data)
            elif data:  # whole events, always
                if not self.started:
                    self._begin()
                self._answer.write(data)

    def on_end(self) -> None:
        self._ended = True
        if not self._over and self._gathered is None:
            self._over = True
            self._parked, self._is_parked = [self._passage.close()], True
        self._wake()
