"""One model call under way: what was asked, by whom, and where the answer goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from reference_gateway.accounts.keys import Key
from reference_gateway.body import Facts
from reference_gateway.catalog import Alias, Model
from reference_gateway.errors import Family
from reference_gateway.proxy.server import Answer, RequestHead
from reference_gateway.routes import Call, Surface
from reference_gateway.routing.router import Lanes


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):  # one a request: a frozen dataclass takes five times as long to make
    route: Call
    head: RequestHead
    request: bytes  # the body as the caller sent it
    facts: Facts
    model: Model
    key: Key
    request_id: str
    answer: Answer
    lanes: Lanes
    alias: Alias | None = None  # where the caller called the model by another name

    @property
    def surface(self) -> Surface:
        return self.route.surface

    @property
    def family(self) -> Family:
        return self.route.surface.family

    @property
    def streams(self) -> bool:
        """Whether a stream was asked for."""
        return self.facts.stream or self.route.gemini_method == b"streamGenerateContent"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCall:
    """A request for images or tasks under way. `find` gives the key's model of that name, or raises Refusal (C8, C9)."""

    head: RequestHead
    request: bytes
    key: Key
    request_id: str
    answer: Answer
    find: Callable[[str], Model]
