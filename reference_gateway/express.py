"""A model call on its usual way, in plain steps without a coroutine: from the request's bytes to the answer's in two thirds of the time.

Nothing is decided here otherwise than in gateway.py and forward.py, only with less ado. Whatever is not as usual goes to them where it
stands, with its hold, its connection and its stream: a refusal, a choice of channels, an answer in pieces, an upstream that fails.

Of a call: the hold is written (`held`), the upstream answers (`on_head`), the settlement is written (`settled`), the answer is sent. Of a
stream the settlement is written when its last event has come (`moved`), and then that goes on to the caller (`stream_settled`).
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Protocol

from reference_gateway import body, features, forward, headers, routes
from reference_gateway.accounting import Completed, judge_answer
from reference_gateway.accounts import keys
from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.billing.interface import Hold
from reference_gateway.billing.treasury import Treasury
from reference_gateway.calls import ModelCall
from reference_gateway.catalog import Catalog, Model
from reference_gateway.crossing import Crossing
from reference_gateway.errors import Refusal
from reference_gateway.forward import Begun, Bill, BrokenOff, CrossedStream, Forwarder, Stream
from reference_gateway.operations.journal import Answered, Asked
from reference_gateway.proxy.relay import CallerGone, Milestone, Relay
from reference_gateway.proxy.server import Answer, RequestHead
from reference_gateway.proxy.upstream import Connection, ResponseHead, SizedHead, UpstreamBroken
from reference_gateway.request_ids import new_request_id
from reference_gateway.routes import Call, Surface
from reference_gateway.routing.router import Lane
from reference_gateway.storage.sqlite import Then

JSON: Final = b"application/json"
SSE: Final = b"text/event-stream"
SURFACES: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
NATIVE: Final = (Surface.CHAT, Surface.MESSAGES)  # a response is remembered by its channel, and Gemini has streams that are none of SSE


@dataclass(frozen=True, slots=True)
class Way:
    """What a caller's requests for one model have in common, while catalogue and key stay as they are. Without a `lane` none is usual."""

    catalog: Catalog
    key: Key
    model: Model
    surface: str  # plain, as the ledger wants it
    lane: Lane | None
    upstream_head: bytes = b""  # up to content-length


@dataclass(slots=True, eq=False)
class Caller:
    """What is known from a request's head alone."""

    route: Call
    digest: bytes
    ways: dict[str, Way] = field(default_factory=dict)  # by the model's name
    unusual: bool = False  # one of them is for others


class Rest(Protocol):
    """The gateway, for what is not usual."""

    def go_on(self, begun: Express, refusal: Exception | None, response: Begun | None) -> Coroutine[Any, Any, None]: ...


class Booth:
    """Takes the requests that look usual; `take` is proxy.server.Prompt's."""

    def __init__(self, catalog: Catalog, treasury: Treasury, forwarder: Forwarder, ring: KeyRing, rest: Rest) -> None:
        self.catalog = catalog
        self.treasury = treasury
        self.forwarder = forwarder
        self.ring = ring
        self.rest = rest

    def take(self, head: RequestHead, request: bytes, answer: Answer) -> bool:
        caller: Caller | None
        try:
            caller = head.memo[self]
        except KeyError:
            caller = head.memo[self] = self._caller(head)
        if caller is None or (caller.unusual and (len(request) > body.LARGE or caller.route.surface not in NATIVE)):
            return False
        surface = caller.route.surface
        asked = _usual(surface, request) if surface in NATIVE else _simple(surface, request)
        if asked is None:
            return False
        facts, usual = asked
        name = caller.route.gemini_model or facts.model or ""
        way = caller.ways.get(name)
        if way is None or way.catalog is not self.catalog or self.ring.by_hash.get(caller.digest) is not way.key:
            way = self._way(caller, head, name)
        lane = way.lane if way is not None else None
        if way is None or lane is None or way.key.account in self.ring.suspended or not lane.ready(self.forwarder.router.now()):
            return False
        model, treasury = way.model, self.treasury
        if model.lacking and not _asks_nothing_special(surface, request, facts, usual, model):
            return False
        call = Express(self, route=caller.route, way=way, lane=lane, head=head, request=request, answer=answer, facts=facts)
        prices = treasury.prices.at(model.priced_as, treasury.clock() * 1000)
        amount = body.hold_amount(request, facts, model, prices)
        try:
            call.hold = treasury.hold_at_once(way.key, call.request_id, amount, prices, call.held)
        except Refusal as refusal:
            refusal.__traceback__ = None  # see errors.Refusal
            return False  # it will be refused again, with all that a refusal says
        self.forwarder.under_way.add(call)
        return True

    def _caller(self, head: RequestHead) -> Caller | None:
        route = routes.find(head.method, head.path, head.header)
        if not isinstance(route, Call) or route.surface not in SURFACES:
            return None
        if route.surface is Surface.MESSAGES and b"anthropic-version" not in head.header:
            return None
        secret = keys.presented(head.header, head.query)
        if secret is None:
            return None
        digest = head.memo["key digest"] = self.ring.digest(secret)
        return Caller(route, digest)

    def _way(self, caller: Caller, head: RequestHead, name: str) -> Way | None:
        key = self.ring.holder(caller.digest, self.treasury.clock())
        if key is None or key.ip_allow or key.ip_deny or key.expires_at is not None:
            return None
        model = self.catalog.groups.get(key.group, {}).get(name)
        if model is None:
            return None
        surface, lane, upstream_head = caller.route.surface, None, b""
        if surface in model.surfaces or surface in model.translated:
            lanes = self.forwarder.router.every_lane(key.group, name, surface)
            if len(lanes) == 1:
                lane = lanes[0]
                if lane.native:
                    upstream_head = forward.upstream_head(head, caller.route, lane)
                if not (surface in NATIVE if lane.native else self.forwarder.borders.at_once):
                    lane = None
        if lane is None:
            caller.unusual = True
        way = caller.ways[name] = Way(self.catalog, key, model, surface.value, lane, upstream_head)
        return way


def _usual(surface: Surface, request: bytes) -> tuple[body.Facts, body.Usual] | None:
    """Of chat and messages."""
    read = body.usual(request)
    if read is None:
        return None
    usual, model_span = read
    cap, choices = usual.max_tokens, 1
    if surface is Surface.CHAT:
        cap, choices = cap if usual.max_completion_tokens is None else usual.max_completion_tokens, usual.n or 1
    if choices < 0 or (cap is not None and cap < 0):
        return None
    facts = body.Facts(model=usual.model, model_span=model_span, stream=usual.stream is True, output_cap=cap, choices=choices)
    return facts, usual


def _simple(surface: Surface, request: bytes) -> tuple[body.Facts, None] | None:
    """Of responses and gemini."""
    try:
        facts = body.read(request, surface)
    except Refusal as refusal:
        refusal.__traceback__ = None  # see errors.Refusal
        return None
    return None if facts.response_format or facts.logprobs or facts.previous_response_id is not None else (facts, None)


def _asks_nothing_special(surface: Surface, request: bytes, facts: body.Facts, usual: body.Usual | None, model: Model) -> bool:
    """As features.check, where `usual` is known without a decode: False where that has to look, or refuses."""
    lacking = model.lacking
    if usual is None:
        try:
            features.check(model, surface, facts, request)
        except Refusal as refusal:
            refusal.__traceback__ = None
            return False
        return True
    if features.TOOLS in lacking and (usual.tools is not body.ABSENT or usual.functions is not body.ABSENT):
        return False
    return features.IMAGES not in lacking or request.rfind(b'"image') < 0  # from the end: in long texts five times as fast


class Stage(Enum):
    """Of a stream."""

    FLOWING = auto()
    SETTLING = auto()  # its last event is here, and waits
    PAID = auto()


class Express:
    """One call; keeps `forward.UnderWay` and `proxy.upstream.Asker`."""

    __slots__ = (
        "_asked_at",
        "_booth",
        "_connection",
        "_crossing",
        "_data",
        "_response",
        "_stage",
        "_stream",
        "answer",
        "begun",
        "broken_off",
        "facts",
        "head",
        "hold",
        "lane",
        "request",
        "request_id",
        "route",
        "started",
        "way",
    )
    hold: Hold

    def __init__(
        self,
        booth: Booth,
        *,
        route: Call,
        way: Way,
        lane: Lane,
        head: RequestHead,
        request: bytes,
        answer: Answer,
        facts: body.Facts,
    ) -> None:
        self._booth = booth
        self.route = route
        self.way = way
        self.lane = lane
        self.head = head
        self.request = request
        self.answer = answer
        self.facts = facts
        self.request_id = new_request_id()
        self.started, self.begun = time.time(), time.monotonic()
        self.broken_off: BrokenOff | None = None
        self._connection: Connection | None = None
        self._crossing: Crossing | None = None
        self._stream: Stream | CrossedStream | None = None

    # forward.UnderWay

    @property
    def key(self) -> Key:
        return self.way.key

    @property
    def streams(self) -> bool:
        return self.facts.stream or self.route.gemini_method == b"streamGenerateContent"

    def break_off(self, reason: BrokenOff) -> None:
        self.broken_off = reason
        if self._connection is not None:
            self._connection.abort(reason)

    # the steps

    def held(self, error: str | None) -> None:
        """The hold is written, or why not."""
        booth, way, lane = self._booth, self.way, self.lane
        try:
            if error is not None:
                self._go_on(booth.treasury.undo(self.hold))
                return
            connection = None
            if not self.answer.gone and self.broken_off is None and booth.ring.is_known(way.key):
                head, data = self._upstream_request()
                connection = lane.pool.idle()
            if connection is None:  # one is still to be made
                self._go_on()
                return
            self._connection = connection
            self.answer.on_gone = self._on_gone
            lane.begin()
            timeouts = booth.forwarder.timeouts
            wait_ms = timeouts.first_byte_ms if self.streams else timeouts.answer_ms
            self._asked_at = time.monotonic()
            connection.ask(b"%bcontent-length: %d\r\n\r\n" % (head, len(data)), data, wait_ms / 1000, self)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)

    def _upstream_request(self) -> tuple[bytes, bytes]:
        """Head, up to content-length, and body. Raises Refusal for what cannot be said to this channel."""
        booth, lane, way = self._booth, self.lane, self.way
        if not lane.native:
            crossing = self._crossing = booth.forwarder.borders.cross_at_once(self.call(), lane, int(booth.treasury.clock()))
            return crossing.head(), crossing.data
        if way.model.id == lane.upstream_id:
            return way.upstream_head, self.request
        return way.upstream_head, body.renamed(self.request, self.facts.model_span, lane.upstream_id)

    def _on_gone(self) -> None:
        if self._connection is not None:
            self._connection.abort(UpstreamBroken("The caller has gone."))

    def on_head(self, response: ResponseHead) -> None:
        connection = self._connection
        assert connection is not None
        try:
            self._asked(response.status)
            data = None
            if response.status == 200 and (self._crossing is None or self.streams):
                if isinstance(response, SizedHead):
                    data = connection.take_whole() if self._crossing is None and response.is_plain(JSON) else None
                elif response.header.get(b"content-type", b"").partition(b";")[0] == SSE and b"content-encoding" not in response.header:
                    self._follow(connection, response)
                    return
            due = self._due(data) if data is not None else None
            if data is None or due is None or self.answer.gone:
                self._go_on(response=Begun(connection, response, data, crossing=self._crossing))
                return
            self._connection = self.answer.on_gone = None
            connection.release()
            self.lane.succeeded()
            self._response, self._data = response, data
            self._settle(due, self.settled)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)

    def _due(self, data: bytes) -> Bill | None:
        """What is to be paid for; None where that is not plain."""
        if len(data) > self._booth.forwarder.max_answer_bytes:
            return None
        outcome = judge_answer(self.route.surface, data)
        return self._bill(outcome) if isinstance(outcome, Completed) else None

    def _bill(self, outcome: Completed) -> Bill | None:
        return forward.bill(outcome, self.request, self.facts, self.way.model)

    def _settle(self, due: Bill, then: Then) -> None:
        lane = self.lane
        paid = self._booth.treasury.settle_at_once(
            self.hold,
            due.usage,
            then,
            model=self.way.model.id,
            surface=self.way.surface,
            provider=lane.provider,
            channel=lane.channel.name,
            estimated=due.estimated,
            cap=due.cap,
        )
        if not paid:
            then(None)

    def on_no_head(self, reason: UpstreamBroken) -> None:
        assert self._connection is not None
        self._asked(0)
        self._go_on(response=Begun(self._connection, reason, crossing=self._crossing))

    def _asked(self, status: int) -> None:
        self._booth.forwarder.journal.asked(Asked(self.lane.channel.name, time.monotonic() - self._asked_at, status))

    def settled(self, error: str | None) -> None:
        """The settlement is written, or why not."""
        booth = self._booth
        try:
            if error is not None:
                booth.treasury.not_written(error)
            self.answer.send_block(200, self._lines(self._response), self._data)
            booth.forwarder.under_way.discard(self)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)
            return
        self.noted()
        self.answer.over()

    def _lines(self, response: ResponseHead) -> bytes:
        """The headers that the caller gets."""
        booth, crossing = self._booth, self._crossing
        own = headers.own_lines(self.request_id, self.route.surface.family, booth.treasury.standing(self.way.key))
        if booth.forwarder.router.routing.channel_header:  # C14
            own += b"x-wireproof-channel: %b\r\n" % self.lane.channel.name.encode()
        return headers.caller_lines(response) + own if crossing is None else crossing.lines(response, own)

    # the steps of a stream

    def _follow(self, connection: Connection, response: ResponseHead) -> None:
        forwarder, answer, lines, crossing = self._booth.forwarder, self.answer, self._lines(response), self._crossing
        stream: Stream | CrossedStream
        if crossing is None:
            searches = self.hold.prices.search > 0
            stream = forward.native_stream(
                forwarder, connection, response, answer, surface=self.route.surface, lines=lines, searches=searches
            )
        else:
            stream = forward.crossed_stream(forwarder, connection, response, answer, crossing=crossing, lines=lines)
        self._stage, self._stream, self._response = Stage.FLOWING, stream, response
        stream.relay.awake = self.moved
        stream.relay.begin()
        if self._stage is Stage.FLOWING:  # a caller that has left before tells nobody again
            self.moved()

    def moved(self) -> None:
        """The stream may have reached a milestone."""
        stream = self._stream
        if stream is None or self._stage is Stage.SETTLING:
            return
        try:
            self._move(stream, stream.relay)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)

    def _move(self, stream: Stream | CrossedStream, relay: Relay) -> None:
        try:
            milestone = relay.reached()
        except (UpstreamBroken, CallerGone):
            if self._stage is Stage.PAID:  # the caller has had it
                self._finish(stream)
            else:
                self._hand_over(stream)
            return
        if milestone is None:
            return
        if self._stage is Stage.FLOWING:
            outcome = stream.outcome() if milestone is Milestone.COMPLETE else None
            due = self._bill(outcome) if outcome is not None else None
            if due is None:
                self._hand_over(stream)
                return
            self._stage = Stage.SETTLING
            self._settle(due, self.stream_settled)
        elif milestone is Milestone.COMPLETE:
            relay.proceed()
            self._move(stream, relay)
        else:
            self._finish(stream)

    def stream_settled(self, error: str | None) -> None:
        """The settlement is written, or why not."""
        stream = self._stream
        if stream is None:
            return
        try:
            if error is not None:
                self._booth.treasury.not_written(error)
            if self._crossing is not None:
                self._booth.forwarder.borders.keep_at_once(self.way.key, self._crossing)
            self._stage = Stage.PAID
            stream.relay.proceed()
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)
            return
        self.moved()

    def _finish(self, stream: Stream | CrossedStream) -> None:
        connection, relay = self._connection, stream.relay
        assert connection is not None
        relay.finish()
        relay.close()
        self._connection = self._stream = None
        connection.release()
        if self.answer.gone or self.broken_off is not None:
            self.lane.abandoned()
        else:
            self.lane.succeeded()
        self._booth.forwarder.under_way.discard(self)
        self.noted()
        self.answer.over()

    def _hand_over(self, stream: Stream | CrossedStream) -> None:
        stream.relay.awake = None
        connection = self._connection
        assert connection is not None
        self._connection = self._stream = None
        self.answer.go_on(self._booth.rest.go_on(self, None, Begun(connection, self._response, stream=stream, crossing=self._crossing)))

    def noted(self) -> None:
        answer, head, key = self.answer, self.head, self.way.key
        self._booth.forwarder.journal.answered(
            Answered(
                self.request_id,
                self.started,
                time.monotonic() - self.begun,
                head.method,
                head.path,
                self.route.surface,
                self.way.model.id,
                answer.status if answer.started or answer.gone else 500,
                answer.size_bytes,
                key.id,
                key.account,
                head.header.get(b"traceparent", b""),
            )
        )

    # what is not usual

    def _go_on(self, problem: Exception | None = None, response: Begun | None = None) -> None:
        if problem is not None:
            if self._stream is not None:
                self._stream.relay.awake = None
                self._stream.relay.close()
                self._stream = None
            if self._connection is not None:
                self._connection.release()
        self._connection = self.answer.on_gone = None
        self.answer.go_on(self._booth.rest.go_on(self, problem, response))

    def call(self) -> ModelCall:
        return ModelCall(
            route=self.route,
            head=self.head,
            request=self.request,
            facts=self.facts,
            model=self.way.model,
            key=self.way.key,
            request_id=self.request_id,
            answer=self.answer,
            lanes=(self.lane,),
        )
