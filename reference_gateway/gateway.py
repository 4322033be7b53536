"""The gateway as an application: who calls, what for, may they, and where to. It sees requests and answers, never a socket.

The order of things (billing-and-storage.md 4.2): key, route, body, model and group, hold, upstream, relay, settlement or release.
Whatever is refused before the hold costs nothing and reaches no upstream; whatever is held is settled or released exactly once.
"""

from __future__ import annotations

import os
import time
from typing import Final

from reference_gateway import body, errors, headers, models, routes
from reference_gateway.accounts import keys, me, networks
from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.billing.interface import Treasury
from reference_gateway.calls import ModelCall
from reference_gateway.catalog import Alias, Catalog, Model
from reference_gateway.config import Config
from reference_gateway.errors import Family, Refusal
from reference_gateway.forward import Forwarder
from reference_gateway.proxy.server import Answer, Headers, RequestHead
from reference_gateway.routes import Call, Fixed, ModelCard, Nothing, Route, Surface, WrongMethod
from reference_gateway.routing import names

JSON: Final = (b"content-type", b"application/json")
BODY_CAPS: Final = ((b"/v1/tasks/", 1024 * 1024), (b"/api/", 64 * 1024))  # contract:204; elsewhere as configured


def new_request_id() -> str:
    """Begins with the time, so that the ledger's indexes grow at their end; 64 random bits make it nobody's guess."""
    return f"req_{time.time_ns() // 1_000_000:012x}{os.urandom(8).hex()}"


class Gateway:
    def __init__(self, config: Config, treasury: Treasury, forwarder: Forwarder) -> None:
        self._config = config
        self._catalog: Catalog = config.catalog
        self._keys = KeyRing(config.pepper, config.keys)
        self._treasury = treasury
        self._forwarder = forwarder

    def load(self, config: Config) -> None:
        """Channels, models, groups, aliases and prices as they are now; all else stays until the next start."""
        self._catalog = config.catalog
        self._forwarder.load(config)

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

    async def serve(self, head: RequestHead, request_body: bytes, answer: Answer) -> None:
        request_id = new_request_id()
        route = routes.find(head.method, head.path, head.header)
        if route is Fixed.HEALTH:
            answer.send(200, [JSON, (b"x-request-id", request_id.encode())], b'{"status":"ok"}')
            return
        family = _family(route, head)
        key: Key | None = None
        try:
            match route:  # a path that serves nothing says so without asking who calls
                case Nothing():
                    raise Refusal(errors.NOT_FOUND, f"{_shown(head.method)} {_shown(head.path)} is not served here.")
                case WrongMethod(allow=allow) if head.method == b"OPTIONS":
                    answer.send(200, [(b"allow", allow + b", OPTIONS"), *headers.own(request_id, family, None)], b"")
                    return
                case WrongMethod(allow=allow):
                    raise Refusal(
                        errors.METHOD_NOT_ALLOWED, f"{_shown(head.path)} takes {_shown(allow)} only.", headers=((b"allow", allow),)
                    )
                case _:
                    key = self._authenticate(head)
                    if key.ip_allow or key.ip_deny:
                        self._check_address(key, head, answer)
            if isinstance(route, Call):
                await self._forward(self._read(route, head, request_body, key=key, request_id=request_id, answer=answer))
                return
            data = await self._own_answer(route, head, key, family)
            await self._treasury.refresh(key)
            answer.send(200, [JSON, *headers.own(request_id, family, self._treasury.standing(key))], data)
        except Refusal as refusal:
            standing = None
            if key is not None:
                await self._treasury.refresh(key)
                standing = self._treasury.standing(key)
                if refusal.fault is errors.CONCURRENCY_LIMIT:
                    standing = standing.without_reset()
            text = errors.body(family, refusal.fault, refusal.message, request_id, refusal.param)
            own = [JSON, *headers.own(request_id, family, standing), *refusal.headers]
            answer.send(refusal.fault.status, own, text)

    def _authenticate(self, head: RequestHead) -> Key:
        secret = keys.presented(head.header, head.query)
        if secret is None:
            raise Refusal(errors.INVALID_KEY, "No API key was given: send x-api-key, Authorization: Bearer, x-goog-api-key or ?key=.")
        key = self._keys.find(secret, self._treasury.clock())
        if key is None:
            raise Refusal(errors.INVALID_KEY, "This API key is not valid.")
        return key

    def _check_address(self, key: Key, head: RequestHead, answer: Answer) -> None:
        """contract:037."""
        forwarded_for = [value for name, value in head.headers if name == b"x-forwarded-for"]
        caller = networks.caller(answer.peer, forwarded_for, self._config.trusted_proxies)
        if not networks.admits(caller, allow=key.ip_allow, deny=key.ip_deny):
            raise Refusal(errors.PERMISSION_DENIED, f"This key may not be used from {caller or 'an unknown address'}.")

    async def _own_answer(self, route: Fixed | ModelCard, head: RequestHead, key: Key, family: Family) -> bytes:
        group = self._catalog.groups.get(key.group, {})
        match route:
            case ModelCard(model=name):
                return models.card(family, self._model(name, key)[0])
            case Fixed.MODELS:
                return models.listing(family, group.values())
            case Fixed.ACCOUNT:
                return await me.account(self._treasury, key, group)
            case Fixed.USAGE:
                return await me.usage(self._treasury, key, head.query)
            case Fixed.PRICING:
                return models.pricing(group.values())
            case Fixed.HEALTH:
                raise AssertionError("answered before")

    def _model(self, name: str, key: Key) -> tuple[Model, Alias | None]:
        return names.resolve(self._catalog, key.group, name, self._treasury.clock())

    def _read(self, route: Call, head: RequestHead, request: bytes, *, key: Key, request_id: str, answer: Answer) -> ModelCall:
        """Raises Refusal for what cannot be asked, or not by this key."""
        surface = route.surface
        if surface.family is Family.ANTHROPIC and b"anthropic-version" not in head.header:
            raise Refusal(errors.INVALID_REQUEST, "anthropic-version: header is required.")  # contract:110
        facts = body.read(request, surface)
        model, alias = self._model(route.gemini_model or facts.model or "", key)
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
        prices = treasury.prices.at(call.model.id, treasury.clock() * 1000)
        hold = await treasury.hold(call.key, call.request_id, body.hold_amount(call.request, call.facts, call.model, prices), prices)
        try:
            await self._forwarder.billed(call, hold)
        finally:
            if treasury.is_open(hold):  # however it ended: nothing was settled, so nothing is owed
                await treasury.release(hold)


def _family(route: Route, head: RequestHead) -> Family:
    match route:
        case Call():
            return route.surface.family
        case Fixed():
            return routes.family_of(head.path, head.header)
        case ModelCard() | WrongMethod() | Nothing():
            return route.family


def _shown(raw: bytes) -> str:
    """Bytes of a request as they may stand in a message: short and printable."""
    text = raw[:200].decode("latin-1")
    return "".join(character if character.isprintable() else "?" for character in text)
