"""A model call: the request's bytes to the vendor, the vendor's bytes to the caller, and the money by what they say.

Where a channel fails before the caller has had anything, the next one of the group is tried (contract:064, contract:206); the caller
sees the answer that ends the matter and no other, and pays for that one at most.

A native route is a byte pipe. What the gateway writes itself is its own headers, and, where an upstream fails, an error in the caller's
envelope: a failure that comes as a 200 becomes a 5xx (contract:158), a stream that breaks ends in its protocol's own error event
(contract:146, contract:147). A channel that does not speak the caller's protocol is reached by a `Crossing` (crossing.py), which has the
bytes of both; all else is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, assert_never
from urllib.parse import quote

from msgspec.structs import replace

from reference_gateway import body, content_coding, errors, headers
from reference_gateway.accounting import Completed, Failed, StreamWatch, judge_answer, usage_of
from reference_gateway.accounts import keys
from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Hold, Treasury
from reference_gateway.calls import ModelCall
from reference_gateway.catalog import Model, Usage
from reference_gateway.config import Config
from reference_gateway.content_coding import Corrupt, Decoder
from reference_gateway.crossing import Borders, Crossing, Ferry, refusal_of
from reference_gateway.errors import Fault, Refusal
from reference_gateway.operations.journal import Asked, Journal
from reference_gateway.proxy.relay import CallerGone, Milestone, Patience, Relay
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.proxy.upstream import Connection, Gather, ResponseHead, UpstreamBroken, UpstreamTimeout, too_large
from reference_gateway.routes import Call, Surface
from reference_gateway.routing import rewrite
from reference_gateway.routing.router import Lane, Lanes, Router
from reference_gateway.routing.sticky import Sticky, response_id, session_of
from reference_gateway.storage.shared import Alone, Shared
from reference_gateway.translation.items import Broken, Ended, Unwritable
from reference_gateway.translation.reasoning_store import Memory, ReasoningStore
from reference_gateway.translation.translator import Passage

JSON: Final = (b"content-type", b"application/json")
KEPT_ON_REWRITE: Final = (b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-upstream-request-id")
BYTES_PER_TOKEN: Final = 4
# Ours that end one attempt only. What one protocol has no word for another may have.
ANOTHER: Final = (errors.BAD_UPSTREAM, errors.UPSTREAM_TIMEOUT, errors.UNAVAILABLE, errors.RATE_LIMITED, errors.UNSUPPORTED)
ELSEWHERE: Final = frozenset({401, 402, 408, 429})  # an upstream's 4xx that another channel may not give


class BrokenOff(UpstreamBroken):
    """The gateway itself ends an exchange: the upstream is not to blame, and no other one is asked.

    `fault` is what a caller gets that has had nothing yet, `in_band` what one gets in the middle of its stream.
    """

    def __init__(self, fault: Fault, message: str, *, in_band: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.in_band = in_band or fault


class UnderWay(Protocol):
    """Something at work for a key that the gateway may have to end before its time."""

    @property
    def key(self) -> Key: ...

    @property
    def streams(self) -> bool: ...

    def break_off(self, reason: BrokenOff) -> None: ...


class Forwarder:
    def __init__(self, config: Config, treasury: Treasury, shared: Shared | None = None, journal: Journal | None = None) -> None:
        self.treasury = treasury
        self.timeouts = config.timeouts
        self.max_answer_bytes = config.max_answer_bytes
        self.pepper = config.pepper
        self.router = Router(config.catalog, config.routing, connect_s=config.timeouts.connect_ms / 1000)
        self.sticky = Sticky(shared or Alone(), config.routing)
        notes = Memory() if shared is None or isinstance(shared, Alone) else shared
        self.borders = Borders(config.pepper, ReasoningStore(notes))
        self.patience = Patience(
            first_s=config.timeouts.first_byte_ms / 1000,
            idle_s=config.timeouts.idle_ms / 1000,
            stall_s=config.timeouts.client_stall_ms / 1000,
        )
        self.under_way: set[UnderWay] = set()
        self.journal = journal or Journal()

    def lanes(self, group: str, model: Model, surface: Surface) -> Lanes:
        """The channels that may serve the call; none for a count of tokens that is estimated here.

        Raises Refusal: 503 where none can be called now, 400 where none serves the surface.
        """
        if surface not in model.surfaces and surface not in model.translated:
            if surface is Surface.COUNT_TOKENS and Surface.MESSAGES in model.surfaces | model.translated:
                return ()
            served = ", ".join(sorted((model.surfaces | model.translated) - {Surface.COUNT_TOKENS}))
            raise Refusal(errors.UNSUPPORTED, f"The model {model.id} is served on {served}, not on {surface}.", param="model")
        return self.router.lanes(group, model.id, surface)

    def load(self, config: Config) -> None:
        """Channels, models and groups as they are now; what is under way ends where it is."""
        self.router.load(config.catalog, config.routing)

    def break_off(self, reason: BrokenOff, concerns: Callable[[Key], bool] = lambda key: True) -> None:
        """Ends the exchanges under way on the keys concerned; none of them is billed."""
        for exchange in tuple(self.under_way):
            if concerns(exchange.key):
                exchange.break_off(reason)

    @property
    def open_streams(self) -> int:
        return sum(exchange.streams for exchange in self.under_way)

    def close(self) -> None:
        self.router.close()

    def free(self, call: ModelCall) -> Coroutine[Any, Any, None]:
        """A call that costs nothing (count_tokens): the same pipe without money, or an estimate where no vendor counts."""
        return _Exchange(self, call, None).run() if call.lanes else self._estimate(call)

    async def _estimate(self, call: ModelCall) -> None:
        tokens = self.borders.count_tokens(call)
        own = headers.own(call.request_id, call.family, self.treasury.standing(call.key))
        call.answer.send(200, [JSON, (b"x-wireproof-estimated", b"true"), *own], b'{"input_tokens":%d}' % tokens)

    def billed(
        self, call: ModelCall, hold: Hold, begun: Begun | None = None, broken_off: BrokenOff | None = None
    ) -> Coroutine[Any, Any, None]:
        """Settles the hold, or leaves it open where nothing is owed. Raises Refusal where the caller has had nothing yet."""
        exchange = _Exchange(self, call, hold)
        exchange.begun, exchange.broken_off = begun, broken_off
        return exchange.run()


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt at a call's one channel that somebody else has made: what came of it, and the body as far as that was taken already."""

    connection: Connection
    came: ResponseHead | UpstreamBroken
    body: bytes | None = None
    stream: Stream | CrossedStream | None = None
    crossing: Crossing | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A native stream on its way, and what stands beside it."""

    relay: Relay
    watch: StreamWatch

    def outcome(self) -> Completed | None:
        """Of one whose completing read is here: what it comes to, where it ended well."""
        outcome = self.watch.close()
        return outcome if isinstance(outcome, Completed) else None


@dataclass(frozen=True, slots=True)
class CrossedStream:
    """A translated one."""

    relay: Ferry
    crossing: Crossing

    def outcome(self) -> Completed | None:
        """As `Stream.outcome`."""
        return self.crossing.completed if isinstance(self.crossing.passage.end, Ended) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _VendorError:
    """An upstream's own 4xx or 5xx, whole, as the caller would get it."""

    status: int
    retry_after_s: float | None
    headers: Headers
    body: bytes
    shown_status: int = 0  # where the caller is not told the vendor's


class _Exchange:
    """One call between its caller and the channels that may serve it."""

    __slots__ = (
        "_answer",
        "_broke_in_mid_stream",
        "_call",
        "_connection",
        "_crossing",
        "_forwarder",
        "_hold",
        "_journal",
        "_lane",
        "_router",
        "_timeouts",
        "_treasury",
        "begun",
        "broken_off",
    )

    def __init__(self, forwarder: Forwarder, call: ModelCall, hold: Hold | None) -> None:
        self._forwarder = forwarder
        self._treasury = forwarder.treasury
        self._timeouts = forwarder.timeouts
        self._router = forwarder.router
        self._journal = forwarder.journal
        self._call = call
        self._answer = call.answer
        self._hold = hold
        self._lane = call.lanes[0]
        self._connection: Connection | None = None
        self._crossing: Crossing | None = None  # of a lane that does not speak the caller's protocol
        self.begun: Begun | None = None
        self.broken_off: BrokenOff | None = None
        self._broke_in_mid_stream = False

    @property
    def key(self) -> Key:
        return self._call.key

    @property
    def streams(self) -> bool:
        return self._call.streams

    def break_off(self, reason: BrokenOff) -> None:
        self.broken_off = reason
        if self._connection is not None:
            self._connection.abort(reason)

    async def run(self) -> None:
        lanes = self._call.lanes
        self._forwarder.under_way.add(self)
        try:
            if len(lanes) > 1 or self._call.facts.previous_response_id is not None:
                await self._among(lanes)
            elif self.begun is None and not lanes[0].ready(self._router.now()):
                raise self._router.no_channel(lanes)
            elif (failure := await self._attempt(lanes[0])) is not None:
                await self._surface(failure)
        finally:
            self._forwarder.under_way.discard(self)

    async def _among(self, lanes: Lanes) -> None:
        """One channel after another."""
        lanes, session, preferred = await self._belonging(lanes)
        tried: list[Lane] = []
        failure: Refusal | _VendorError | None = None
        while (lane := self._next(lanes, tried, preferred)) is not None:
            self._lane = lane
            tried.append(lane)
            found = await self._attempt(lane)
            if found is None:
                if session is not None:
                    await self._forwarder.sticky.keep_session(session, lane.channel.name)
                return
            if failure is None or lane.native or self._crossing is not None:  # one that could not even be asked hides no other's answer
                failure = found
            if not self._may_go_on(found):
                break
        await self._surface(failure or self._router.no_channel(lanes))

    async def _belonging(self, lanes: Lanes) -> tuple[Lanes, str | None, str | None]:
        """The channels that may serve the conversation, what it is known as, and the channel that had it last."""
        call = self._call
        if call.facts.previous_response_id is not None:
            maker = await self._forwarder.sticky.channel_of_response(call.facts.previous_response_id, call.key.account)
            own = tuple(lane for lane in lanes if lane.channel.name == maker)
            if own:
                return own, None, None
        session = session_of(call.key, call.model.id, call.facts) if len(lanes) > 1 else None
        return lanes, session, await self._forwarder.sticky.channel_of_session(session) if session is not None else None

    def _next(self, lanes: Lanes, tried: list[Lane], preferred: str | None) -> Lane | None:
        if not tried and len(lanes) == 1 and lanes[0].ready(self._router.now()):
            return lanes[0]
        if len(tried) >= self._router.routing.attempts or self._answer.gone or self.broken_off is not None:
            return None
        return self._router.pick(lanes, tried, preferred)

    def _may_go_on(self, failure: Refusal | _VendorError) -> bool:
        """The request's own 4xx is nobody else's to answer. The gateway's credentials or funds at one vendor are not the request's."""
        if self.broken_off is not None or self._answer.gone:
            return False
        if isinstance(failure, Refusal):
            return failure.fault in ANOTHER
        return failure.status >= 500 or failure.status in ELSEWHERE

    async def _surface(self, failure: Refusal | _VendorError) -> None:
        if self._answer.gone:
            return
        if isinstance(failure, Refusal):
            raise failure
        own_headers = self._own_headers()
        await self._release()
        self._answer.send(failure.shown_status or failure.status, failure.headers + own_headers, failure.body)

    async def _attempt(self, lane: Lane) -> Refusal | _VendorError | None:
        """None where the caller has been served, or has left; else what it would be told, of which it has had nothing yet."""
        self._crossing = None
        if not lane.native:
            try:
                begun = self.begun
                made = begun.crossing if begun is not None else None
                self._crossing = made or await self._forwarder.borders.cross(self._call, lane, int(self._treasury.clock()))
            except Refusal as refusal:  # the channel has no part in it
                refusal.__traceback__ = None
                return refusal
        lane.begin()
        failure: Refusal | _VendorError | None = None
        try:
            failure = await self._try()
        finally:
            self._note(lane, failure)
        return failure

    def _note(self, lane: Lane, failure: Refusal | _VendorError | None) -> None:
        """What the attempt says about the channel's health."""
        if self._answer.gone or self.broken_off is not None:
            lane.abandoned()
        elif isinstance(failure, _VendorError) and failure.status == 429:
            lane.limited(self._router.now(), failure.retry_after_s)
        elif self._broke_in_mid_stream or (failure is not None and self._may_go_on(failure)):
            lane.failed(self._router.now())
        else:
            lane.succeeded()

    async def _try(self) -> Refusal | _VendorError | None:
        begun = self.begun
        try:
            connection = self._connection = await self._lane.pool.get() if begun is None else begun.connection
        except UpstreamBroken as broken:
            return _refusal(self.broken_off or broken)
        try:
            response = await self._send(connection) if begun is None else self._came(begun)
            if response.status >= 400:
                return await self._upstream_error(connection, response)
            if not 200 <= response.status < 300:
                return Refusal(errors.BAD_UPSTREAM, f"The upstream answered with status {response.status}.")
            if self._crossing is not None:
                await self._cross_back(self._crossing, connection, response)
            elif self._is_stream(response):
                await self._stream(connection, response)
            else:
                await self._whole(response, await self._gather(connection))
        except UpstreamBroken as broken:
            broken.__traceback__ = None  # see errors.Refusal
            return None if self._answer.gone else _refusal(broken)
        except Refusal as refusal:
            refusal.__traceback__ = None
            return refusal
        finally:
            self._answer.on_gone = self._connection = None
            connection.release()
        return None

    def _came(self, begun: Begun) -> ResponseHead:
        if begun.stream is None:
            self._follow_caller(begun.connection)
        elif self.broken_off is not None:
            begun.connection.abort(self.broken_off)
        if isinstance(begun.came, UpstreamBroken):
            raise begun.came
        return begun.came

    def _follow_caller(self, connection: Connection) -> None:
        if self._answer.gone:
            raise UpstreamBroken("The caller has gone.")
        if self.broken_off is not None:
            raise self.broken_off
        self._answer.on_gone = lambda: connection.abort(UpstreamBroken("The caller has gone."))

    async def _send(self, connection: Connection) -> ResponseHead:
        self._follow_caller(connection)
        call, lane = self._call, self._lane
        if self._crossing is not None:
            data = self._crossing.data
        else:
            data = rewrite.to_upstream(
                call.request, call.facts, lane.upstream_id, pepper=self._forwarder.pepper, account=call.key.account, alias=call.alias
            )
        head: bytes | None = self._crossing.head() if self._crossing is not None else call.head.memo.get(lane)
        if head is None:
            head = call.head.memo[lane] = upstream_head(call.head, call.route, lane)
        wait_ms = self._timeouts.first_byte_ms if self._call.streams else self._timeouts.answer_ms
        begun, status = time.monotonic(), 0
        try:
            response = await connection.request(b"%bcontent-length: %d\r\n\r\n" % (head, len(data)), data, wait_ms / 1000)
            status = response.status
            return response
        finally:
            self._journal.asked(Asked(lane.channel.name, time.monotonic() - begun, status))

    def _own_headers(self) -> Headers:
        own = headers.own(self._call.request_id, self._call.family, self._treasury.standing(self._call.key))
        if self._router.routing.channel_header:  # C14
            own.append((b"x-wireproof-channel", self._lane.channel.name.encode()))
        return own

    def _own_lines(self) -> bytes:
        """The same as one piece."""
        own = headers.own_lines(self._call.request_id, self._call.family, self._treasury.standing(self._call.key))
        if self._router.routing.channel_header:
            own += b"x-wireproof-channel: %b\r\n" % self._lane.channel.name.encode()
        return own

    async def _gather(self, connection: Connection) -> bytes:
        if self.begun is not None and self.begun.body is not None:
            if len(self.begun.body) > self._forwarder.max_answer_bytes:
                raise too_large(self._forwarder.max_answer_bytes)
            return self.begun.body
        return await Gather(connection, self._forwarder.max_answer_bytes, self._timeouts.idle_ms / 1000).body()

    def _is_stream(self, response: ResponseHead) -> bool:
        kind = response.header.get(b"content-type", b"")
        route = self._call.route
        if kind == JSON[1] and not route.gemini_method:
            return False
        kind = kind.partition(b";")[0].strip().lower()
        if kind == b"text/event-stream":
            return self._hold is not None
        # contract:137: without alt=sse the stream is a JSON array
        return route.gemini_method == b"streamGenerateContent" and kind == b"application/json" and b"alt=sse" not in self._call.head.query

    # an answer that is no stream

    async def _upstream_error(self, connection: Connection, response: ResponseHead) -> Refusal | _VendorError:
        """The vendor's own error goes through as it stands (contract:207), unless it is no JSON or shows our key there."""
        data = await self._gather(connection)
        plain = _plain(response, data)
        if self._crossing is not None:
            return self._crossed_error(self._crossing, response, plain)
        if plain is not None and _shows(plain, self._lane.channel.secret):
            return Refusal(errors.BAD_UPSTREAM, "The upstream refused the gateway's own credentials.")
        kept = headers.to_caller(response)
        retry_after_s = _retry_after_s(response)
        if plain is not None and body.is_json(plain):
            return _VendorError(status=response.status, retry_after_s=retry_after_s, headers=kept, body=data)
        fault = errors.upstream_status(response.status)
        text = errors.body(self._call.family, fault, f"The upstream answered with status {response.status}.", self._call.request_id)
        kept = [JSON, *(header for header in kept if header[0] in KEPT_ON_REWRITE)]
        return _VendorError(status=response.status, retry_after_s=retry_after_s, headers=kept, body=text)

    async def _whole(self, response: ResponseHead, data: bytes) -> None:
        """A 2xx whose body is all here: billed and handed on, or no success after all."""
        outcome = self._judge(response, data)
        if self._answer.gone:
            return
        match outcome:
            case Completed():
                if self._call.surface is Surface.RESPONSES:
                    await self._remember(_plain(response, data) or b"")
                await self._charge(outcome)
            case Failed(visible=True):
                await self._release()
            case Failed(reason=reason):
                raise Refusal(errors.BAD_UPSTREAM, f"The upstream failed: {reason}.")
            case _:
                assert_never(outcome)
        self._answer.send_block(response.status, headers.caller_lines(response) + self._own_lines(), data)

    def _judge(self, response: ResponseHead, data: bytes) -> Completed | Failed:
        kind = response.header.get(b"content-type", JSON[1])
        plain = _plain(response, data)
        if plain is None:
            return Failed(reason="its answer cannot be decoded")
        if kind != JSON[1]:
            kind = kind.partition(b";")[0].strip().lower()
        if not kind.endswith((b"/json", b"+json")) and kind != b"text/event-stream":
            return Failed(reason="its answer is not JSON by its content-type")
        return judge_answer(self._call.surface, plain)

    # an answer in another protocol

    def _crossed_error(self, crossing: Crossing, response: ResponseHead, plain: bytes | None) -> _VendorError:
        shows = plain is not None and _shows(plain, self._lane.channel.secret)
        refusal = crossing.refusal(response.status, None if shows else plain)
        text = errors.body(self._call.family, refusal.fault, refusal.message, self._call.request_id)
        kept = [JSON, *(header for header in headers.to_caller(response) if header[0] in KEPT_ON_REWRITE)]
        return _VendorError(
            status=response.status,
            retry_after_s=_retry_after_s(response),
            headers=kept,
            body=text,
            shown_status=refusal.fault.status,
        )

    async def _cross_back(self, crossing: Crossing, connection: Connection, response: ResponseHead) -> None:
        kind = response.header.get(b"content-type", JSON[1]).partition(b";")[0].strip().lower()
        sse = kind == b"text/event-stream"
        if sse and self._call.streams:
            await self._ferry(crossing, connection, response)
        elif sse or kind.endswith((b"/json", b"+json")):
            await self._crossed(crossing, response, await self._gather(connection), sse=sse)
        else:
            raise Refusal(errors.BAD_UPSTREAM, "The upstream failed: its answer is not JSON by its content-type.")

    async def _crossed(self, crossing: Crossing, response: ResponseHead, data: bytes, *, sse: bool = False) -> None:
        """A 2xx whose body is all here."""
        plain = _plain(response, data)
        if plain is None:
            raise Refusal(errors.BAD_UPSTREAM, "The upstream failed: its answer cannot be decoded.")
        try:
            text = crossing.whole(plain, sse=sse)
        except Unwritable as problem:
            raise Refusal(errors.BAD_UPSTREAM, f"The upstream failed: {problem}.") from None
        if self._answer.gone:
            return
        await self._charge(crossing.completed)
        await self._forwarder.borders.keep(self._call, crossing)
        self._answer.send_block(200, crossing.lines(response, self._own_lines()), text)

    async def _ferry(self, crossing: Crossing, connection: Connection, response: ResponseHead) -> None:
        stream = self.begun.stream if self.begun is not None else None
        begun = isinstance(stream, CrossedStream)
        if not isinstance(stream, CrossedStream):
            lines = crossing.lines(response, self._own_lines())
            stream = crossed_stream(self._forwarder, connection, response, self._answer, crossing=crossing, lines=lines)
        ferry, passage = stream.relay, crossing.passage
        try:
            if await (ferry.next() if begun else ferry.run()) is Milestone.NO_STREAM:
                await self._crossed(crossing, response, ferry.body)
            elif isinstance(passage.end, Broken):
                if not ferry.started:
                    raise refusal_of(passage.end)
                self._broke_in_mid_stream = True
                await self._release()
                ferry.proceed()
                ferry.finish()
            else:
                await self._charge(crossing.completed)
                await self._forwarder.borders.keep(self._call, crossing)
                ferry.proceed()
                await self._rest(ferry)
                ferry.finish()
        except CallerGone:
            if ferry.started:
                await self._charge_crossed_part(crossing)
        except UpstreamBroken as broken:
            if not ferry.started:
                raise
            broken.__traceback__ = None
            self._broke_in_mid_stream = True
            await self._release()
            ferry.finish(self._crossed_break(passage, broken), drop_partial=True)
        finally:
            ferry.close()

    def _crossed_break(self, passage: Passage, broken: UpstreamBroken) -> bytes:
        if isinstance(broken, BrokenOff) and broken.in_band is errors.KEY_WITHDRAWN:  # C5
            self._answer.close_after()
            if self._call.surface is Surface.CHAT:
                return errors.chat_event(broken.in_band, str(broken), done=False)
        refusal = _refusal(broken)
        return passage.fail(Broken(status=refusal.fault.status, message=refusal.message))

    async def _charge_crossed_part(self, crossing: Crossing) -> None:
        """As `_charge_partial`."""
        passage = crossing.passage
        if isinstance(passage.end, Ended):
            await self._charge(crossing.completed)
        elif passage.content_bytes:
            output_tokens = -(-passage.content_bytes // BYTES_PER_TOKEN)
            if passage.prompt is None:
                usage = Usage(input_tokens=body.estimate_input_tokens(self._call.request), output_tokens=output_tokens)
            else:
                usage = usage_of(replace(passage.prompt, output=output_tokens))
            await self._settle(usage, estimated=True, cap=True)

    # a stream

    async def _stream(self, connection: Connection, response: ResponseHead) -> None:
        stream = self.begun.stream if self.begun is not None else None
        begun = isinstance(stream, Stream)
        if not isinstance(stream, Stream):
            # As of admission: what the answer will cost is not known yet (billing-and-storage.md 4.3, invariant 18).
            lines = headers.caller_lines(response) + self._own_lines()
            searches = self._hold is not None and self._hold.prices.search > 0
            stream = native_stream(
                self._forwarder, connection, response, self._answer, surface=self._call.surface, lines=lines, searches=searches
            )
        relay, watch = stream.relay, stream.watch
        try:
            await self._follow(relay, watch, response, await (relay.next() if begun else relay.run()))
        except CallerGone:
            if relay.started:
                await self._charge_partial(watch)
        except UpstreamBroken as broken:
            if not relay.started:
                raise
            broken.__traceback__ = None
            in_band = broken.in_band if isinstance(broken, BrokenOff) else None
            await self._break_off(relay, watch, _refusal(broken), in_band)
        finally:
            relay.close()

    async def _follow(self, relay: Relay, watch: StreamWatch, response: ResponseHead, milestone: Milestone) -> None:
        if milestone is Milestone.NO_STREAM:
            await self._whole(response, relay.body)
            return
        outcome = watch.close()
        if isinstance(outcome, Completed):
            if self._call.surface is Surface.RESPONSES:
                await self._remember(watch.head)
            await self._charge(outcome)
            if milestone is Milestone.COMPLETE:
                relay.proceed()
                await self._rest(relay)
            relay.finish()
        elif not relay.started:
            raise Refusal(errors.BAD_UPSTREAM, f"The upstream failed: {outcome.reason}.")
        elif outcome.visible:
            await self._release()
            relay.finish()
        else:
            await self._break_off(relay, watch, Refusal(errors.BAD_UPSTREAM, f"The upstream failed: {outcome.reason}."))

    @staticmethod
    async def _rest(relay: Relay) -> None:
        """The answer is complete and paid: however the connection ends now, the caller has had it."""
        try:
            while await relay.next() is not Milestone.END:
                relay.proceed()
        except (UpstreamBroken, CallerGone):
            pass

    async def _break_off(self, relay: Relay, watch: StreamWatch, refusal: Refusal, in_band: Fault | None = None) -> None:
        """Nothing is billed.

        The caller is told in its protocol's words, or, where the body leaves no room for words, by a broken connection.
        """
        self._broke_in_mid_stream = True
        await self._release()
        if not relay.sse:
            self._answer.abort()
            return
        if in_band is not None:
            self._answer.close_after()
        relay.finish(self._event(in_band or refusal.fault, refusal.message, watch), drop_partial=True)

    def _event(self, fault: Fault, message: str, watch: StreamWatch) -> bytes:
        match self._call.surface:
            case Surface.CHAT:
                return errors.chat_event(fault, message, done=fault is not errors.KEY_WITHDRAWN)
            case Surface.RESPONSES:
                return errors.responses_event(fault, message, watch.last_sequence_number() + 1)
            case Surface.MESSAGES | Surface.COUNT_TOKENS:
                return errors.messages_event(fault, message, self._call.request_id)
            case Surface.GEMINI:
                return errors.gemini_event(fault, message)
            case Surface.IMAGES | Surface.VIDEOS:
                raise AssertionError("images/ and videos/ send no streams")
            case surface:
                assert_never(surface)

    async def _remember(self, data: bytes) -> None:
        """Which channel made a response, so that its continuation goes there (C21)."""
        if (made := response_id(data)) is not None:
            await self._forwarder.sticky.keep_response(made, self._lane.channel.name, self._call.key.account)

    # money

    async def _release(self) -> None:
        if self._hold is not None:
            await self._treasury.release(self._hold)

    async def _charge(self, outcome: Completed) -> None:
        if self._hold is None:
            return
        due = bill(outcome, self._call.request, self._call.facts, self._call.model)
        if due is None:
            await self._treasury.release(self._hold)
        else:
            await self._settle(due.usage, estimated=due.estimated, cap=due.cap)

    async def _charge_partial(self, watch: StreamWatch) -> None:
        """The caller left in the middle: what it had been sent, never more than the hold (contract:156, contract:157)."""
        outcome = watch.outcome
        if outcome is not None:
            await self._charge(outcome)
            return
        reading = watch.partial()
        if not reading.content_bytes:
            return
        known = reading.usage
        estimate = -(-reading.content_bytes // BYTES_PER_TOKEN)
        if known is None:
            usage = Usage(input_tokens=body.estimate_input_tokens(self._call.request), output_tokens=estimate)
        else:
            # Gemini counts as it goes; message_start's count is of nothing yet, and only message_delta's is final.
            counts = reading.finished or self._call.surface is Surface.GEMINI
            usage = Usage(
                input_tokens=known.input_tokens,
                output_tokens=known.output_tokens if counts and known.output_tokens else estimate,
                cache_read_tokens=known.cache_read_tokens,
                cache_write_5m_tokens=known.cache_write_5m_tokens,
                cache_write_1h_tokens=known.cache_write_1h_tokens,
                searches=known.searches,
            )
        await self._settle(usage, estimated=True, cap=True)

    async def _settle(self, usage: Usage, *, estimated: bool, cap: bool) -> None:
        if self._hold is None:
            return
        model, upstream = self._call.model, self._lane.channel
        await self._treasury.settle(
            self._hold,
            usage,
            model=model.id,
            surface=self._call.surface.value,
            provider=upstream.kind.value,
            channel=upstream.name,
            estimated=estimated,
            cap=cap,
        )


class Bill(NamedTuple):
    """`cap`: never more than was held."""

    usage: Usage
    estimated: bool
    cap: bool


def bill(outcome: Completed, request: bytes, facts: body.Facts, model: Model) -> Bill | None:
    """What a completed answer costs; None for nothing."""
    if not outcome.billable:
        return None
    usage = outcome.usage
    if usage is None:
        output_tokens = -(-outcome.content_bytes // BYTES_PER_TOKEN)
        return Bill(Usage(input_tokens=body.estimate_input_tokens(request), output_tokens=output_tokens), True, True)
    absurd = usage.output_tokens > 2 * model.max_output_tokens * facts.choices
    return Bill(usage, False, absurd)


def native_stream(
    forwarder: Forwarder, connection: Connection, response: ResponseHead, answer: Answer, *, surface: Surface, lines: bytes, searches: bool
) -> Stream:
    """`lines`: the headers that the caller gets. Raises Refusal where the stream cannot be decoded."""
    sse = response.header.get(b"content-type", b"").lower().startswith(b"text/event-stream")
    decoder = _decoder(response)
    watch = StreamWatch(surface, decoder, json_array=not sse, searches=searches)
    relay = Relay(
        connection,
        answer,
        start=lambda: answer.start_block(response.status, lines),
        feed=watch.feed,
        not_stream=b"" if decoder is not None else b"{[<" if sse else b"{<",
        sse=sse and decoder is None,
        patience=forwarder.patience,
        max_body_bytes=forwarder.max_answer_bytes,
    )
    return Stream(relay, watch)


def crossed_stream(
    forwarder: Forwarder, connection: Connection, response: ResponseHead, answer: Answer, *, crossing: Crossing, lines: bytes
) -> CrossedStream:
    """As `native_stream`."""
    ferry = Ferry(
        connection,
        answer,
        crossing.passage,
        _decoder(response),
        start=lambda: answer.start_block(200, lines),
        patience=forwarder.patience,
        max_body_bytes=forwarder.max_answer_bytes,
    )
    return CrossedStream(ferry, crossing)


def _decoder(response: ResponseHead) -> Decoder | None:
    try:
        return content_coding.decoder(response.header.get(b"content-encoding", b""))
    except Corrupt:
        raise Refusal(errors.BAD_UPSTREAM, "The upstream failed: its answer cannot be decoded.") from None


def upstream_head(head: RequestHead, route: Call, lane: Lane) -> bytes:
    """The request's head as the upstream gets it, up to content-length."""
    path = lane.base_path + route.upstream_path
    if route.gemini_model is not None:
        path += b"%b:%b" % (quote(lane.upstream_id, safe="").encode(), route.gemini_method)
    query = keys.without_key(head.query)
    target = b"%b?%b" % (path, query) if query else path
    return b"POST %b HTTP/1.1\r\nhost: %b\r\n%b%b" % (target, lane.host_header, b"".join(headers.to_upstream(head)), lane.auth_line)


def _refusal(broken: UpstreamBroken) -> Refusal:
    if isinstance(broken, BrokenOff):
        return Refusal(broken.fault, str(broken))
    fault = errors.UPSTREAM_TIMEOUT if isinstance(broken, UpstreamTimeout) else errors.BAD_UPSTREAM
    return Refusal(fault, str(broken))


def _retry_after_s(response: ResponseHead) -> float | None:
    """How long the upstream wants to be left alone; None where it does not say it in seconds."""
    for name, unit in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        text = response.header.get(name, b"").strip()
        if text.isdigit() and len(text) < 10:
            return int(text) * unit
    return None


def _plain(response: ResponseHead, data: bytes) -> bytes | None:
    """The body without its content-coding; None where it is not what the header says."""
    coding = response.header.get(b"content-encoding")
    if coding is None:
        return data
    try:
        decoder = content_coding.decoder(coding)
        if decoder is None:
            return data
        plain = decoder.feed(data)
        decoder.close()
    except Corrupt:
        return None
    return plain


def _shows(data: bytes, secret: bytes) -> bool:
    """Whether an answer shows our key at the upstream, whole or masked the way vendors do (`sk-...****abcd`)."""
    return secret in data or (len(secret) > 4 and b"*" + secret[-4:] in data)
