"""A model call on its usual way, in plain steps without a coroutine: from the request's bytes to the answer's in two thirds of the time.

Nothing is decided here otherwise than in gateway.py and forward.py, only with less ado. Whatever is not as usual goes to them where it
stands, with its hold and its connection: a refusal, a choice of channels, a stream, an answer in pieces, an upstream that fails.

Of a call: the hold is written (`held`), the upstream answers (`on_head`), the settlement is written (`settled`), the answer is sent.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from reference_gateway import body, features, forward, headers, routes
from reference_gateway.accounting import Completed, judge_answer
from reference_gateway.accounts import keys
from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.billing.interface import Hold
from reference_gateway.billing.treasury import Treasury
from reference_gateway.calls import ModelCall
from reference_gateway.catalog import Catalog, Model, Usage
from reference_gateway.errors import Refusal
from reference_gateway.forward import Begun, BrokenOff, Forwarder
from reference_gateway.operations.journal import Answered, Asked
from reference_gateway.proxy.server import Answer, RequestHead
from reference_gateway.proxy.upstream import Connection, ResponseHead, SizedHead, UpstreamBroken
from reference_gateway.request_ids import new_request_id
from reference_gateway.routes import Call, Surface
from reference_gateway.routing.router import Lane

JSON: Final = b"application/json"
SURFACES: Final = (Surface.CHAT, Surface.MESSAGES)  # a response of the third is remembered by its channel


@dataclass(frozen=True, slots=True)
class Way:
    """What a caller's requests for one model have in common, while catalogue and key stay as they are. Without a `lane` none is usual."""

    catalog: Catalog
    key: Key
    model: Model
    lane: Lane | None
    upstream_head: bytes = b""  # up to content-length


@dataclass(slots=True, eq=False)
class Caller:
    """What is known from a request's head alone."""

    route: Call
    digest: bytes
    ways: dict[str, Way] = field(default_factory=dict)  # by the model's name
    unusual: bool = False  # one of them has no lane


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
        if caller is None or (caller.unusual and len(request) > body.LARGE):
            return False
        read = body.usual(request)
        if read is None:
            return False
        usual, model_span = read
        way = caller.ways.get(usual.model)
        if way is None or way.catalog is not self.catalog or self.ring.by_hash.get(caller.digest) is not way.key:
            way = self._way(caller, head, usual.model)
        lane = way.lane if way is not None else None
        if way is None or lane is None or way.key.account in self.ring.suspended or not lane.ready(self.forwarder.router.now()):
            return False
        model, surface, treasury = way.model, caller.route.surface, self.treasury
        if model.lacking and not _asks_nothing_special(request, usual, model):
            return False
        cap, choices = usual.max_tokens, 1
        if surface is Surface.CHAT:
            cap, choices = cap if usual.max_completion_tokens is None else usual.max_completion_tokens, usual.n or 1
        if choices < 0 or (cap is not None and cap < 0):
            return False
        facts = body.Facts(model=usual.model, model_span=model_span, stream=usual.stream is True, output_cap=cap, choices=choices)
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
        if surface in model.surfaces:
            lanes = self.forwarder.router.every_lane(key.group, name, surface)
            if len(lanes) == 1 and lanes[0].native:
                lane = lanes[0]
                upstream_head = forward.upstream_head(head, caller.route, lane)
        if lane is None:
            caller.unusual = True
        way = caller.ways[name] = Way(self.catalog, key, model, lane, upstream_head)
        return way


def _asks_nothing_special(request: bytes, usual: body.Usual, model: Model) -> bool:
    """As features.check without a decode: False where that has to look."""
    lacking = model.lacking
    if features.TOOLS in lacking and (usual.tools is not body.ABSENT or usual.functions is not body.ABSENT):
        return False
    return features.IMAGES not in lacking or request.rfind(b'"image') < 0  # from the end: in long texts five times as fast


class Express:
    """One call; keeps `forward.UnderWay` and `proxy.upstream.Asker`."""

    __slots__ = (
        "_asked_at",
        "_booth",
        "_connection",
        "_data",
        "_response",
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

    # forward.UnderWay

    @property
    def key(self) -> Key:
        return self.way.key

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
                connection = lane.pool.idle()
            if connection is None:
                self._go_on()
                return
            self._connection = connection
            self.answer.on_gone = self._on_gone
            lane.begin()
            data = self.request
            if way.model.id != lane.upstream_id:
                data = body.renamed(data, self.facts.model_span, lane.upstream_id)
            timeouts = booth.forwarder.timeouts
            wait_ms = timeouts.first_byte_ms if self.facts.stream else timeouts.answer_ms
            self._asked_at = time.monotonic()
            connection.ask(b"%bcontent-length: %d\r\n\r\n" % (way.upstream_head, len(data)), data, wait_ms / 1000, self)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)

    def _on_gone(self) -> None:
        if self._connection is not None:
            self._connection.abort(UpstreamBroken("The caller has gone."))

    def on_head(self, response: ResponseHead) -> None:
        booth, connection = self._booth, self._connection
        assert connection is not None
        try:
            self._asked(response.status)
            data = None
            if response.status == 200 and isinstance(response, SizedHead) and response.is_plain(JSON):
                data = connection.take_whole()
            usage = self._paid(data) if data is not None else None
            if data is None or usage is None or self.answer.gone:
                self._go_on(response=Begun(connection, response, data))
                return
            self._connection = self.answer.on_gone = None
            connection.release()
            lane = self.lane
            lane.succeeded()
            self._response, self._data = response, data
            paid = booth.treasury.settle_at_once(
                self.hold,
                usage,
                self.settled,
                model=self.way.model.id,
                surface=self.route.surface.value,
                provider=lane.provider,
                channel=lane.channel.name,
                cap=usage.output_tokens > 2 * self.way.model.max_output_tokens * self.facts.choices,
            )
            if not paid:
                self.settled(None)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)

    def _paid(self, data: bytes) -> Usage | None:
        """What is to be paid for; None where that is not plain."""
        if len(data) > self._booth.forwarder.max_answer_bytes:
            return None
        outcome = judge_answer(self.route.surface, data)
        return outcome.usage if isinstance(outcome, Completed) and outcome.billable else None

    def on_no_head(self, reason: UpstreamBroken) -> None:
        assert self._connection is not None
        self._asked(0)
        self._go_on(response=Begun(self._connection, reason))

    def _asked(self, status: int) -> None:
        self._booth.forwarder.journal.asked(Asked(self.lane.channel.name, time.monotonic() - self._asked_at, status))

    def settled(self, error: str | None) -> None:
        """The settlement is written, or why not."""
        booth, key = self._booth, self.way.key
        try:
            if error is not None:
                booth.treasury.not_written(error)
            own = headers.own_lines(self.request_id, self.route.surface.family, booth.treasury.standing(key))
            if booth.forwarder.router.routing.channel_header:  # C14
                own += b"x-wireproof-channel: %b\r\n" % self.lane.channel.name.encode()
            self.answer.send_block(200, headers.caller_lines(self._response) + own, self._data)
            booth.forwarder.under_way.discard(self)
        except Exception as problem:  # raised again in the coroutine that goes on
            self._go_on(problem)
            return
        self.noted()
        self.answer.over()

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
        if problem is not None and self._connection is not None:
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
