"""The gateway as an application: who calls, what for, may they, and where to. It sees requests and answers, never a socket.

The order of things (billing-and-storage.md 4.2): key, route, body, model and group, hold, upstream, relay, settlement or release.
Whatever is refused before the hold costs nothing and reaches no upstream; whatever is held is settled or released exactly once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from reference_gateway import body, errors, features, headers, models, routes, text_format
from reference_gateway.accounts import dial, keys, networks
from reference_gateway.accounts.directory import Directory
from reference_gateway.accounts.endpoints import Endpoints
from reference_gateway.accounts.keys import Key
from reference_gateway.accounts.manage import Reply
from reference_gateway.billing.interface import Hold, Treasury
from reference_gateway.billing.treasury import Treasury as InOneProcess
from reference_gateway.calls import MediaCall, ModelCall
from reference_gateway.catalog import Alias, Catalog, Model
from reference_gateway.clock import ShiftedClock
from reference_gateway.config import Config
from reference_gateway.errors import Family, Refusal
from reference_gateway.express import Booth, Express
from reference_gateway.forward import Begun, BrokenOff, Forwarder
from reference_gateway.media import MediaRooms
from reference_gateway.operations import moving
from reference_gateway.operations.admin import ReadyState, ready_answer
from reference_gateway.operations.journal import Answered, Journal
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.request_ids import new_request_id
from reference_gateway.routes import Call, Fixed, KeyCall, Media, MediaAction, ModelCard, Nothing, Route, Surface, WrongMethod
from reference_gateway.routing import names
from reference_gateway.storage.interface import StorageFailed

JSON: Final = (b"content-type", b"application/json")
HEALTHY: Final = b'{"status":"ok"}'
BODY_CAPS: Final = ((b"/v1/tasks/", 1024 * 1024), (b"/api/", 64 * 1024))  # contract:204; elsewhere as configured


async def always_ready() -> str:
    return ""


class Gateway:
    media: MediaRooms  # set before the first request
    journal: Journal  # as well
    ready: ReadyState = staticmethod(always_ready)
    movable_clock: ShiftedClock | None = None  # of a gateway under test

    def __init__(self, config: Config, treasury: Treasury, forwarder: Forwarder, directory: Directory) -> None:
        self._config = config
        self._catalog: Catalog = config.catalog
        self._directory = directory
        self.keys = directory.ring
        directory.withdraw = self._withdraw
        self._endpoints = Endpoints(config, treasury, directory)
        self._switchboard = dial.Switchboard()
        self._treasury = treasury
        self._forwarder = forwarder
        self._booth = Booth(self._catalog, treasury, forwarder, directory.ring, self) if isinstance(treasury, InOneProcess) else None

    def load(self, config: Config) -> None:
        """Channels, models, groups, aliases and prices as they are now; all else stays until the next start."""
        self._catalog = config.catalog
        if self._booth is not None:
            self._booth.catalog = config.catalog
        self._forwarder.load(config)
        self._endpoints.load(config)

    # proxy.server.Application

    def max_body_bytes(self, head: RequestHead) -> int:
        for prefix, cap in BODY_CAPS:
            if head.path.startswith(prefix):
                return min(cap, self._config.max_body_bytes)
        return self._config.max_body_bytes

    def refuse(self, head: RequestHead | None, status: int, message: str) -> tuple[Headers, bytes]:
        fault = {
            400: errors.INVALID_REQUEST,
            408: errors.REQUEST_TIMEOUT,
            413: errors.TOO_LARGE,
            431: errors.HEADERS_TOO_LARGE,
        }.get(status, errors.INTERNAL)
        family = Family.OPENAI if head is None else _family(routes.find(head.method, head.path, head.header), head)
        request_id = new_request_id()
        own = headers.own(request_id, family, None)
        return [JSON, *own], errors.body(family, fault, message, request_id)

    @property
    def take(self) -> Callable[[RequestHead, bytes, Answer], bool] | None:
        """proxy.server.Prompt; None where the books are not in this process."""
        return self._booth.take if self._booth is not None else None

    async def go_on(self, begun: Express, problem: Exception | None, response: Begun | None) -> None:
        """express.Rest: from where the call stands."""
        key = begun.key
        try:
            if problem is not None:
                raise problem
            await self._held(begun.call(), begun.hold, response, begun)
        except (Refusal, StorageFailed) as error:
            await self._refuse(error, begun.answer, begun.request_id, begun.route.surface.family, key)
        finally:
            self._forwarder.under_way.discard(begun)
            if self._treasury.is_open(begun.hold):
                await self._treasury.release(begun.hold)
            begun.noted()

    async def serve(self, head: RequestHead, request_body: bytes, answer: Answer) -> None:
        request_id = new_request_id()
        route = routes.find(head.method, head.path, head.header)
        if route is Fixed.HEALTH or route is Fixed.READY:
            status, text = (200, HEALTHY) if route is Fixed.HEALTH else ready_answer(await self.ready())
            answer.send(status, [JSON, (b"x-request-id", request_id.encode())], text)
            return
        started, begun = time.time(), time.monotonic()
        family = _family(route, head)
        key: Key | None = None
        call: ModelCall | None = None
        try:
            match route:  # a path that serves nothing says so without asking who calls
                case Nothing() if self.movable_clock is not None and head.path == moving.PATH:
                    key = self._authenticate(head, answer)
                    data = moving.answer(self.movable_clock, head.method, request_body)
                    answer.send(200, [JSON, *headers.own(request_id, family, self._treasury.standing(key))], data)
                    return
                case Nothing():
                    raise Refusal(errors.NOT_FOUND, f"{_shown(head.method)} {_shown(head.path)} is not served here.")
                case WrongMethod(allow=allow) if head.method == b"OPTIONS":
                    answer.send(200, [(b"allow", allow + b", OPTIONS"), *headers.own(request_id, family, None)], b"")
                    return
                case WrongMethod(allow=allow):
                    raise Refusal(
                        errors.METHOD_NOT_ALLOWED, f"{_shown(head.path)} takes {_shown(allow)} only.", headers=((b"allow", allow),)
                    )
                case Media(action=MediaAction.FILE):  # the link is the key
                    await self.media.file(route, head.query, request_id, answer)
                    return
                case _:
                    key = self._authenticate(head, answer)
            if isinstance(route, Call):
                call = self._read(route, head, request_body, key=key, request_id=request_id, answer=answer)
                await self._forward(call)
                return
            if isinstance(route, Media):
                find = self.finder(key)
                media = MediaCall(head=head, request=request_body, key=key, request_id=request_id, answer=answer, find=find)
                await self.media.serve(route, media)
                return
            status, data = await self._own_answer(route, head, request_body, key, family)
            await self._treasury.refresh(key)
            answer.send(status, [JSON, *headers.own(request_id, family, self._treasury.standing(key))], data)
        except (Refusal, StorageFailed) as error:
            await self._refuse(error, answer, request_id, family, key)
        finally:
            self.journal.answered(
                Answered(
                    request_id,
                    started,
                    time.monotonic() - begun,
                    head.method,
                    head.path,
                    route.surface if isinstance(route, Call) else Surface.IMAGES if isinstance(route, Media) else "",
                    call.model.id if call is not None else "",
                    answer.status if answer.started or answer.gone else 500,
                    answer.size_bytes,
                    key.id if key is not None else "",
                    key.account if key is not None else "",
                    head.header.get(b"traceparent", b""),
                )
            )

    async def _refuse(self, error: Refusal | StorageFailed, answer: Answer, request_id: str, family: Family, key: Key | None) -> None:
        if answer.started:  # it has begun: nothing can be said any more
            raise error
        error.__traceback__ = error.__context__ = None  # see errors.Refusal
        refusal = error if isinstance(error, Refusal) else Refusal(errors.UNAVAILABLE, "The books cannot be read or written now.")
        standing = None
        if key is not None:
            await self._treasury.refresh(key)
            standing = self._treasury.standing(key)
            if refusal.fault is errors.CONCURRENCY_LIMIT:
                standing = standing.without_reset()
        text = errors.body(family, refusal.fault, refusal.message, request_id, refusal.param)
        own = [JSON, *headers.own(request_id, family, standing), *refusal.headers]
        answer.send(refusal.fault.status, own, text)

    def _authenticate(self, head: RequestHead, answer: Answer) -> Key:
        """Raises Refusal: 401 without a live key, 403 from where the key may not be used."""
        digest = head.memo.get("key digest")
        if digest is None:
            secret = keys.presented(head.header, head.query)
            if secret is None:
                raise Refusal(errors.INVALID_KEY, "No API key was given: send x-api-key, Authorization: Bearer, x-goog-api-key or ?key=.")
            digest = head.memo["key digest"] = self.keys.digest(secret)
        key = self.keys.holder(digest, self._treasury.clock())
        if key is None:
            raise Refusal(errors.INVALID_KEY, "This API key is not valid.")
        if key.ip_allow or key.ip_deny:
            self._check_address(key, head, answer)
        return key

    def _check_address(self, key: Key, head: RequestHead, answer: Answer) -> None:
        """contract:037."""
        forwarded_for = [value for name, value in head.headers if name == b"x-forwarded-for"]
        caller = networks.caller(answer.peer, forwarded_for, self._config.trusted_proxies)
        if not networks.admits(caller, allow=key.ip_allow, deny=key.ip_deny):
            raise Refusal(errors.PERMISSION_DENIED, f"This key may not be used from {caller or 'an unknown address'}.")

    async def _own_answer(self, route: Fixed | KeyCall | ModelCard, head: RequestHead, request: bytes, key: Key, family: Family) -> Reply:
        match route:
            case ModelCard(model=name):
                return 200, models.card(family, self._model(name, key)[0])
            case Fixed.DIAL:
                return 200, await self._dial(request, key)
            case _:
                return await self._endpoints.serve(route, head, request, key, family)

    async def _dial(self, request: bytes, caller: Key) -> bytes:
        wanted = dial.read(request)
        key = caller if wanted.key_id is None else self._directory.own(caller.account, wanted.key_id)
        self._switchboard.begin(caller.account)
        line = dial.Line()
        refused: Refusal | None = None
        began = time.perf_counter()
        try:
            await self._call(wanted, key, line)
        except Refusal as refusal:
            refused = refusal
        finally:
            self._switchboard.end(caller.account)
        return dial.document(wanted, key.id, line, refused, round((time.perf_counter() - began) * 1000))

    async def _call(self, wanted: dial.Dial, key: Key, line: dial.Line) -> None:
        if not self.keys.is_live(key, self._treasury.clock()):
            raise Refusal(errors.INVALID_KEY, "This API key is not valid.")
        head, data = wanted.request
        route = routes.find(head.method, head.path, head.header)
        assert isinstance(route, Call)
        await self._forwarder.free(self._read(route, head, data, key=key, request_id=new_request_id(), answer=line))

    def _withdraw(self, concerns: Callable[[Key], bool]) -> None:
        """C5: what is under way on a key that is gone ends now."""
        reason = BrokenOff(errors.INVALID_KEY, "This API key is not valid any more.", in_band=errors.KEY_WITHDRAWN)
        self._forwarder.break_off(reason, concerns)

    def finder(self, key: Key) -> Callable[[str], Model]:
        """The key's model of a name; raises Refusal."""
        return lambda name: self._model(name, key)[0]

    def _model(self, name: str, key: Key) -> tuple[Model, Alias | None]:
        return names.resolve(self._catalog, key.group, name, self._treasury.clock())

    def _read(self, route: Call, head: RequestHead, request: bytes, *, key: Key, request_id: str, answer: Answer) -> ModelCall:
        """Raises Refusal for what cannot be asked, or not by this key."""
        surface = route.surface
        if surface.family is Family.ANTHROPIC and b"anthropic-version" not in head.header:
            raise Refusal(errors.INVALID_REQUEST, "anthropic-version: header is required.")  # contract:110
        facts = body.read(request, surface)
        if facts.response_format:
            request = text_format.with_text_format(request)
            facts = body.read(request, surface)
        model, alias = self._model(route.gemini_model or facts.model or "", key)
        if model.lacking or facts.logprobs:
            features.check(model, surface, facts, request)
        return ModelCall(
            route=route,
            head=head,
            request=request,
            facts=facts,
            model=model,
            key=key,
            request_id=request_id,
            answer=answer,
            lanes=self._forwarder.lanes(key.group, model, surface),
            alias=alias,
        )

    async def _forward(self, call: ModelCall) -> None:
        if call.surface is Surface.COUNT_TOKENS:
            await self._forwarder.free(call)
            return
        treasury = self._treasury
        prices = treasury.prices.at(call.model.priced_as, treasury.clock() * 1000)
        hold = await treasury.hold(call.key, call.request_id, body.hold_amount(call.request, call.facts, call.model, prices), prices)
        try:
            await self._held(call, hold)
        finally:
            if treasury.is_open(hold):  # however it ended: nothing was settled, so nothing is owed
                await treasury.release(hold)

    async def _held(self, call: ModelCall, hold: Hold, response: Begun | None = None, begun: Express | None = None) -> None:
        streaming = response is not None and response.stream is not None  # such a call is broken off in its stream
        if not streaming and not self.keys.is_known(call.key):  # gone while the hold was written
            if response is not None:
                response.connection.release()
            raise Refusal(errors.INVALID_KEY, "This API key is not valid any more.")
        broken_off = None
        if begun is not None:  # from here on the exchange stands for it
            self._forwarder.under_way.discard(begun)
            broken_off = begun.broken_off
        await self._forwarder.billed(call, hold, response, broken_off)


def _family(route: Route, head: RequestHead) -> Family:
    match route:
        case Call():
            return route.surface.family
        case Fixed() | KeyCall():
            return routes.family_of(head.path, head.header)
        case Media():
            return Family.OPENAI  # contract:200
        case ModelCard() | WrongMethod() | Nothing():
            return route.family


def _shown(raw: bytes) -> str:
    """Bytes of a request as they may stand in a message: short and printable."""
    text = raw[:200].decode("latin-1")
    return "".join(character if character.isprintable() else "?" for character in text)
