"""Which channel serves a request (contract:064, contract:066 to contract:068).

Those of its group that speak its surface and serve its model, by priority, then by weight, as far as they are schedulable and in health;
the one that knows the session first.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence

from reference_gateway.catalog import Catalog, Channel, Endpoint, Model, Offer, Routing
from reference_gateway.errors import NO_CHANNEL, Refusal
from reference_gateway.proxy.upstream import Pool
from reference_gateway.routes import Surface
from reference_gateway.routing.health import Health, HealthRule

SOON_S = 30  # what a caller is told to wait where nobody knows how long


class Lane:
    """One way for a request: a channel, the base URL for the surface, what the vendor calls the model, and how the two are doing.

    `spoken` is what is spoken there: the caller's own surface on a `native` way, and what it is translated to on any other.
    Failures close the channel; an upstream that says "too many" (429) closes only this model on it, since vendors count by model.
    """

    __slots__ = (
        *("_health", "_model_health", "auth_line", "base_path", "channel", "host_header"),
        *("native", "pool", "provider", "spoken", "upstream_id"),
    )

    def __init__(self, offer: Offer, spoken: Surface, pool: Pool, health: Health, model_health: Health, *, native: bool) -> None:
        self.channel = offer.channel
        self.upstream_id = offer.upstream_id
        self.provider = offer.channel.kind.value
        self.spoken = spoken
        self.native = native
        endpoint = offer.channel.endpoint_for(spoken)
        self.base_path = endpoint.base_path
        self.host_header = endpoint.host_header
        self.auth_line = b"%b: %b\r\n" % offer.channel.auth(spoken)
        self.pool = pool
        self._health = health
        self._model_health = model_health

    def ready(self, now: float) -> bool:
        return self._health.ready(now) and self._model_health.ready(now)

    @property
    def closed_until(self) -> float:
        return max(self._health.closed_until, self._model_health.closed_until)

    def begin(self) -> None:
        self._health.begin()
        self._model_health.begin()

    def succeeded(self) -> None:
        self._health.succeeded()
        self._model_health.succeeded()

    def abandoned(self) -> None:
        self._health.abandoned()
        self._model_health.abandoned()

    def failed(self, now: float) -> None:
        self._health.failed(now)
        self._model_health.abandoned()

    def limited(self, now: float, retry_after_s: float | None) -> None:
        self._health.abandoned()
        self._model_health.failed(now, retry_after_s)


Lanes = tuple[Lane, ...]
_Rows = Mapping[str, Mapping[str, Mapping[Surface, Lanes]]]


class Router:
    """Built from one catalogue; a new catalogue takes over the pools and the health of the channels that stay as they are."""

    def __init__(
        self,
        catalog: Catalog,
        routing: Routing,
        *,
        connect_s: float,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._chance = chance or random.Random()
        self._connect_s = connect_s
        self._pools: dict[tuple[object, ...], Pool] = {}  # channel name, then where
        self._healths: dict[tuple[str, ...], Health] = {}
        self.channels: Mapping[str, Channel] = {}
        self.routing = routing
        self.load(catalog, routing)

    def load(self, catalog: Catalog, routing: Routing) -> None:
        """From now on this catalogue holds. Requests under way end where they are."""
        rule = HealthRule(failures=routing.failures, cooldown_s=routing.cooldown_ms / 1000, max_cooldown_s=routing.max_cooldown_ms / 1000)
        changed = {name for name, channel in catalog.channels.items() if not _same_account(self.channels.get(name), channel)}
        kept = catalog.channels.keys() - changed
        for key in [key for key in self._pools if key[0] not in kept]:
            self._pools.pop(key).close()
        self._healths = {key: health for key, health in self._healths.items() if key[0] in kept and routing == self.routing}
        self.channels = catalog.channels
        self.routing = routing
        self._rows: _Rows = {
            group: {
                model.id: {surface: self._lanes(model, surface, rule) for surface in model.surfaces | model.translated}
                for model in models.values()
            }
            for group, models in catalog.groups.items()
        }

    def _lanes(self, model: Model, surface: Surface, rule: HealthRule) -> Lanes:
        return tuple(
            Lane(
                offer,
                spoken,
                self.pool(offer.channel, spoken),
                self._healths.setdefault((offer.channel.name,), Health(rule)),
                self._healths.setdefault((offer.channel.name, model.id), Health(rule)),
                native=spoken is surface,
            )
            for offer, spoken in model.ways_on(surface)
            if offer.channel.schedulable
        )

    def pool(self, channel: Channel, surface: Surface) -> Pool:
        """The connections to the channel's base URL for that surface."""
        endpoint = channel.endpoint_for(surface)
        key = (channel.name, *_where(endpoint))
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(endpoint, self._connect_s)
        return pool

    def now(self) -> float:
        return self._clock()

    def lanes(self, group: str, model: str, surface: Surface) -> Lanes:
        """Native ones first, each in the order of their priority. Raises Refusal (503) where none of them may be called now."""
        lanes = self._rows[group][model][surface]
        now = self._clock()
        for lane in lanes:
            if lane.ready(now):
                return lanes
        raise self.no_channel(lanes)

    def every_lane(self, group: str, model: str, surface: Surface) -> Lanes:
        """Whether they may be called now or not; none for a surface that the model is not served on."""
        return self._rows[group][model].get(surface, ())

    def no_channel(self, lanes: Lanes) -> Refusal:
        """contract:205, contract:233: 503 with what an SDK's retry reads."""
        wait_s = min((math.ceil(lane.closed_until - self._clock()) for lane in lanes), default=SOON_S)
        retry_after = (b"retry-after", b"%d" % max(1, wait_s))
        return Refusal(NO_CHANNEL, "There is no channel for this model at the moment; try again later.", headers=(retry_after,))

    def pick(self, lanes: Lanes, tried: Sequence[Lane], preferred: str | None = None) -> Lane | None:
        """The next to try; None where there is no other. `preferred` is the channel that knows the session."""
        now = self._clock()
        open_ = [lane for lane in lanes if lane.ready(now) and lane not in tried]
        if not open_:
            return None
        if preferred is not None:
            for lane in open_:
                if lane.channel.name == preferred:
                    return lane
        first = open_[0]
        equals = [lane for lane in open_ if lane.channel.priority == first.channel.priority and lane.native is first.native]
        if len(equals) == 1:
            return equals[0]
        return self._chance.choices(equals, [lane.channel.weight for lane in equals])[0]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def _same_account(old: Channel | None, new: Channel) -> bool:
    """Whether what is known about the one holds for the other: the same vendor, reached in the same way."""
    if old is None or (old.kind, old.secret) != (new.kind, new.secret):
        return False
    return _where(old.endpoint) == _where(new.endpoint) and _where(old.messages_endpoint) == _where(new.messages_endpoint)


def _where(endpoint: Endpoint | None) -> tuple[object, ...]:
    return () if endpoint is None else (endpoint.host, endpoint.port, endpoint.tls is None, endpoint.ca_file, endpoint.base_path)
