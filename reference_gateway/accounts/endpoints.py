"""The gateway's own answers: models, prices, account, usage, keys, groups. They are free: no hold, no window moves (contract:172)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from reference_gateway import models
from reference_gateway.accounts import me
from reference_gateway.accounts.directory import Directory
from reference_gateway.accounts.fields import Query
from reference_gateway.accounts.keys import Key
from reference_gateway.accounts.manage import KeyDesk, Reply
from reference_gateway.billing.interface import Treasury
from reference_gateway.catalog import Model
from reference_gateway.config import Config
from reference_gateway.errors import Family
from reference_gateway.proxy.server import RequestHead
from reference_gateway.routes import Fixed, KeyCall, Surface

Group = Mapping[str, Model]
NO_MODELS: Final[Group] = {}


def translated(model: Model) -> Collection[Surface]:
    """The surfaces that the model is served on by translation."""
    return model.translated


def callable_now(group: Group) -> list[Model]:
    """Those that some channel with traffic serves (contract:060, contract:067)."""
    return [model for model in group.values() if any(offer.channel.schedulable for offer in model.offers)]


class Endpoints:
    def __init__(self, config: Config, treasury: Treasury, directory: Directory) -> None:
        self._accounts = config.accounts
        self._catalog = config.catalog
        self._treasury = treasury
        self._desk = KeyDesk(directory, treasury)

    def load(self, config: Config) -> None:
        """Groups, models and prices as they are now."""
        self._catalog = config.catalog

    def group(self, key: Key) -> Group:
        """What the key can call; nothing where its group is configured no more."""
        return self._catalog.groups.get(key.group, NO_MODELS)

    def groups(self, account: str) -> Mapping[str, Group]:
        """What the account's keys can be bound to."""
        bound = self._accounts[account].groups
        return {name: group for name, group in self._catalog.groups.items() if not bound or name in bound}

    async def serve(self, route: Fixed | KeyCall, head: RequestHead, body: bytes, key: Key, family: Family) -> Reply:
        """Raises Refusal."""
        if isinstance(route, KeyCall):
            return await self._desk.serve(route.action, route.key_id, key, body, self.groups(key.account))
        return 200, await self._document(route, head, key, family)

    async def _document(self, route: Fixed, head: RequestHead, key: Key, family: Family) -> bytes:
        group = self.group(key)
        match route:
            case Fixed.MODELS:
                query = Query(head.query)
                wanted = models.Filter(capabilities=query.all("capability"), families=query.all("family"))
                return models.listing(family, callable_now(group), wanted)
            case Fixed.PRICING:
                return models.pricing(group.values(), self._treasury.prices, self._treasury.clock() * 1000)
            case Fixed.AVAILABLE_MODELS:
                return models.available(self.groups(key.account), translated)
            case Fixed.GROUPS:
                return models.groups(self.groups(key.account))
            case Fixed.ACCOUNT:
                return await me.account(self._treasury, key, group)
            case Fixed.USAGE:
                return await me.usage(self._treasury, key, head.query)
            case Fixed.USAGE_BUCKETS:
                return await me.buckets(self._treasury, key, head.query)
            case Fixed.TRANSACTIONS:
                return await me.transactions(self._treasury, key, head.query)
            case Fixed.HEALTH | Fixed.READY | Fixed.DIAL:
                raise AssertionError("answered by the gateway")
