"""Every key and suspended account of the gateway, and all that may be done to them.

A change is written first and takes effect here, and in every other process, before whoever asked for it has its answer: the others are told
and say when they have taken it over. One that does not say so in TOLD_WITHIN_S looks for itself every POLL_S. A key that the configuration
declares belongs to the configuration: only that changes it, and at each start what stands there replaces what the database has. Sources:
contract:031 to contract:038, C4, C5.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from reference_gateway.accounts import minting
from reference_gateway.accounts.keys import Key, KeyRing
from reference_gateway.cancelling import cancel
from reference_gateway.clock import Clock
from reference_gateway.errors import CONFLICT, KEY_NOT_FOUND, UNAVAILABLE, Refusal
from reference_gateway.storage.interface import Conflict, StorageFailed
from reference_gateway.storage.keys import Changed, KeyStore, Stamp
from reference_gateway.storage.shared import Shared

TOPIC: Final = "keys"
SEEN: Final = "keys-seen"  # the others' answers: the token of what they were told, and who they are
TOLD_WITHIN_S: Final = 1.0  # one of them may have died just now
POLL_S: Final = 2.0
SKEW_MS: Final = 60_000  # another process's clock may be so much behind
MAX_KEYS_OF_ACCOUNT: Final = 1000
T = TypeVar("T")
Others = Callable[[], Awaitable[Collection[str]]]  # the other processes that share the database; raises StorageFailed
Withdraw = Callable[[Callable[[Key], bool]], None]
log = logging.getLogger("reference_gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A key with its secret: the only time that anybody sees it (contract:033)."""

    key: Key
    secret: str


@dataclass(slots=True)
class _Telling:
    """A change that not every other process has taken over yet."""

    waiting_for: set[str]
    done: asyncio.Event = field(default_factory=asyncio.Event)


async def nobody() -> Collection[str]:
    return ()


class Directory:
    """Methods raise Refusal: 404 for a key that is not the account's, 409 for a secret that is taken or a declared key, 503 unwritable."""

    def __init__(
        self,
        pepper: bytes,
        accounts: Container[str],
        store: KeyStore,
        clock: Clock,
        shared: Shared | None = None,
        *,
        node: str = "",
        others: Others = nobody,
    ) -> None:
        """`node` is this process's name among `others`."""
        self._node = node
        self._others = others
        self._telling: dict[str, _Telling] = {}  # by token
        self._reloading = asyncio.Lock()
        self.ring = KeyRing(pepper)
        self.withdraw: Withdraw = lambda concerns: None  # breaks off what is under way on the keys concerned
        self._accounts = accounts  # a stored key of any other is no key any more
        self._store = store
        self._clock = clock
        self._shared = shared
        self._stamp: Stamp | None = None  # of what has changed since `_since_ms`, when it was read last
        self._since_ms = 0
        self._changed_ms: dict[str, int] = {}  # of every key put or dropped here: what was read earlier than that is old
        self._declared: frozenset[str] = frozenset()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, declared: Iterable[Key] = ()) -> None:
        """Raises ConfigError where the configuration declares a secret that a key made by a caller has."""
        keys = tuple(replace(key, declared=True) for key in declared)
        await self._store.declare(keys, self._now_ms())
        await self.reload()
        for key in keys:  # also where another process's configuration says otherwise
            self.ring.put(key)
        self._declared = frozenset(key.id for key in keys)

    def watch(self) -> None:
        """From now on, changes that other processes make are seen."""
        self._tasks.append(asyncio.create_task(self._poll()))
        if self._shared is not None:
            self._tasks.append(asyncio.create_task(self._listen(self._shared)))
            self._tasks.append(asyncio.create_task(self._hear(self._shared)))

    async def close(self) -> None:
        await cancel(*self._tasks)

    # what is there

    def own(self, account: str, key_id: str) -> Key:
        """The account's key of that id; another account's is as unknown as one that never was."""
        key = self.ring.by_id.get(key_id)
        if key is None or key.account != account:
            raise Refusal(KEY_NOT_FOUND, f"There is no key {key_id[:100]} in this account.")
        return key

    # what is done to a key

    async def create(self, key: Key, custom_secret: str | None = None) -> Minted:
        """`key` says all but id, hash, mask and time."""
        if len(self.ring.of_account(key.account)) >= MAX_KEYS_OF_ACCOUNT:
            raise Refusal(CONFLICT, f"This account has {MAX_KEYS_OF_ACCOUNT} keys, the most there can be; delete one first.")
        secret = minting.draw() if custom_secret is None else custom_secret
        now_ms = self._now_ms()
        key = self._with_secret(replace(key, id=f"key_{os.urandom(10).hex()}", created_at=now_ms / 1000, declared=False), secret)
        await self._written(self._store.insert(key, now_ms), param=None if custom_secret is None else "custom_key")
        self._put(key, now_ms)
        await self._tell(key.id)
        return Minted(key=key, secret=secret)

    async def change(self, account: str, key: Key) -> Key:
        """Puts `key` in place of the one of its id: from the next request on its limits are these (invariant 14)."""
        self._changeable(account, key.id)
        await self._update(key)
        return key

    async def rotate(self, account: str, key_id: str, custom_secret: str | None = None) -> Minted:
        """The old secret is unknown at once (contract:035); what is under way on it goes on."""
        key = self._changeable(account, key_id)
        secret = minting.draw() if custom_secret is None else custom_secret
        key = self._with_secret(key, secret)
        await self._update(key, param=None if custom_secret is None else "custom_key")
        return Minted(key=key, secret=secret)

    async def delete(self, account: str, key_id: str) -> None:
        """At once, in mid-answer too (contract:036)."""
        key = self._changeable(account, key_id)
        now_ms = self._now_ms()
        self._drop(key_id, now_ms)  # while it is being written nobody calls with it any more
        try:
            await self._written(self._store.delete(key_id, now_ms))
        except Refusal:
            self._put(key, now_ms)
            raise
        self.withdraw(lambda other: other.id == key_id)
        await self._tell(key_id)

    async def suspend(self, account: str, suspended: bool = True) -> None:
        """While an account is suspended all its keys are unknown (contract:038). For operators."""
        await self._written(self._store.suspend(account, suspended, self._now_ms()))
        self._suspended(self.ring.suspended | {account} if suspended else self.ring.suspended - {account})
        await self._tell(account)

    def _with_secret(self, key: Key, secret: str) -> Key:
        return replace(key, hash=self.ring.digest(secret.encode()), mask=minting.mask(secret))

    def _changeable(self, account: str, key_id: str) -> Key:
        key = self.own(account, key_id)
        if key.declared:
            raise Refusal(CONFLICT, "This key is declared in the gateway's configuration; it is changed there, or create another key here.")
        return key

    async def _update(self, key: Key, *, param: str | None = None) -> None:
        now_ms = self._now_ms()
        updated = await self._written(self._store.update(key, now_ms), param=param)
        if not updated or key.id not in self.ring.by_id:  # deleted meanwhile
            raise Refusal(KEY_NOT_FOUND, f"There is no key {key.id} in this account.")
        self._put(key, now_ms)
        await self._tell(key.id)

    def _put(self, key: Key, at_ms: int) -> None:
        self.ring.put(key)
        self._changed_ms[key.id] = at_ms

    def _drop(self, key_id: str, at_ms: int) -> None:
        self.ring.drop(key_id)
        self._changed_ms[key_id] = at_ms

    @staticmethod
    async def _written(writing: Awaitable[T], *, param: str | None = None) -> T:
        try:
            return await writing
        except Conflict:
            raise Refusal(CONFLICT, "This secret is taken; choose another.", param=param) from None
        except StorageFailed:
            raise Refusal(UNAVAILABLE, "Keys cannot be changed at the moment; try again later.") from None

    # what other processes do

    async def reload(self) -> None:
        """Takes over what has changed since it was last asked. Raises StorageFailed."""
        async with self._reloading:  # one that finds nothing new must not end before the other has taken it over
            await self._reload()

    async def _reload(self) -> None:
        stamp = await self._store.stamp(self._since_ms)
        if stamp != self._stamp:
            since_ms, self._since_ms = self._since_ms, max(0, stamp.newest_ms - SKEW_MS)
            self._stamp = await self._store.stamp(self._since_ms)  # before reading: what changes from here on is read the next time
            self._take(await self._store.changed(since_ms))
        self._suspended(await self._store.suspended())

    def _take(self, changes: Iterable[Changed]) -> None:
        gone = set()
        for change in changes:
            key = change.key
            if key.id in self._declared or key.account not in self._accounts or change.changed_ms < self._changed_ms.get(key.id, 0):
                continue
            if not change.gone:
                self._put(key, change.changed_ms)
            elif key.id in self.ring.by_id:
                self._drop(key.id, change.changed_ms)
                gone.add(key.id)
        if gone:
            self.withdraw(lambda key: key.id in gone)

    def _suspended(self, accounts: set[str]) -> None:
        newly = accounts - self.ring.suspended
        self.ring.suspended = accounts
        if newly:
            self.withdraw(lambda key: key.account in newly)

    async def _tell(self, word: str) -> None:
        """Returns once every other process has taken the change over, or says nothing for too long."""
        shared = self._shared
        if shared is None:
            return
        token = os.urandom(8).hex()
        telling = _Telling(await self._who_hears(shared))
        self._telling[token] = telling
        try:
            await shared.publish(TOPIC, f"{token} {word}")
            if telling.waiting_for:
                async with asyncio.timeout(TOLD_WITHIN_S):
                    await telling.done.wait()
        except TimeoutError:
            log.warning("not every process has said that it knows of a change of keys; it is seen within %s s.", POLL_S)
        finally:
            del self._telling[token]

    async def _who_hears(self, shared: Shared) -> set[str]:
        try:
            others = set(await self._others())
        except StorageFailed:
            return set()
        return others if others and await shared.healthy() else set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            await self._reload_or_log()

    async def _listen(self, shared: Shared) -> None:
        async with shared.subscribe(TOPIC) as messages:
            async for message in messages:
                token = (message or "").partition(" ")[0]
                if await self._reload_or_log() and token and token not in self._telling:
                    await shared.publish(SEEN, f"{token} {self._node}")

    async def _hear(self, shared: Shared) -> None:
        async with shared.subscribe(SEEN) as messages:
            async for message in messages:
                token, _, node = (message or "").partition(" ")
                if (telling := self._telling.get(token)) is not None:
                    telling.waiting_for.discard(node)
                    if not telling.waiting_for:
                        telling.done.set()

    async def _reload_or_log(self) -> bool:
        try:
            await self.reload()
        except StorageFailed as error:
            log.error("keys could not be read anew: %s", error)
            return False
        return True

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)
