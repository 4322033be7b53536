"""Keys between processes: what one changes the others see, and what is older never undoes what is newer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from reference_gateway.accounts.directory import Directory
from reference_gateway.accounts.keys import Key, digest
from reference_gateway.errors import Refusal
from reference_gateway.storage.interface import Database
from reference_gateway.storage.keys import KeyStore
from reference_gateway.storage.postgres import PostgresDatabase
from reference_gateway.storage.shared import Alone
from reference_gateway.storage.sqlite import Store
from reference_gateway.tests.services import postgres
from reference_gateway.toml_lines import ConfigError

__all__ = ["postgres"]
PEPPER = b"pepper"
PLAIN = Key(id="", hash=b"", account="team", group="default", name="mine")
NOW = 1_780_000_000.0


def declared(id_: str, secret: bytes, account: str = "team") -> Key:
    return Key(id=id_, hash=digest(PEPPER, secret), account=account, group="default", declared=True)


Place = Callable[[], AbstractAsyncContextManager[Database]]  # opens one more connection to the same database, as another process would


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return lambda: sqlite(tmp_path / "keys.sqlite3")
    url = request.getfixturevalue("postgres").fresh()
    return lambda: over_postgres(url)


@asynccontextmanager
async def sqlite(file: Path) -> AsyncIterator[Database]:
    store = Store(str(file))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def over_postgres(url: str) -> AsyncIterator[Database]:
    database = PostgresDatabase(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def directory(
    place: Place, *keys: Key, shared: Alone | None = None, now: float = NOW, node: str = "", others: Iterable[str] = ()
) -> AsyncIterator[Directory]:
    async def alive() -> Collection[str]:
        return set(others)

    async with place() as database:
        here = Directory(PEPPER, {"team", "other"}, KeyStore(database), lambda: now, shared, node=node, others=alive)
        try:
            await here.open(keys)
            yield here
        finally:
            await here.close()


def status(refused: pytest.ExceptionInfo[Refusal]) -> int:
    return refused.value.fault.status


async def test_what_another_process_changes_is_read(place: Place) -> None:
    async with directory(place) as here, directory(place) as there:
        withdrawn: list[str] = []
        there.withdraw = lambda concerns: withdrawn.extend(key.id for key in (made.key,) if concerns(key))
        made = await here.create(PLAIN)
        secret = made.secret.encode()
        assert there.ring.find(secret, NOW) is None
        await there.reload()
        assert there.ring.find(secret, NOW) == made.key
        await here.change("team", replace(made.key, quota_micro_usd=5))
        await there.reload()
        assert there.own("team", made.key.id).quota_micro_usd == 5
        rotated = await here.rotate("team", made.key.id)
        await there.reload()
        assert there.ring.find(secret, NOW) is None
        assert there.ring.find(rotated.secret.encode(), NOW) == rotated.key
        await here.suspend("team")
        await there.reload()
        assert there.ring.find(rotated.secret.encode(), NOW) is None
        assert withdrawn == [made.key.id]
        await here.suspend("team", False)
        await there.reload()
        assert there.ring.find(rotated.secret.encode(), NOW) == rotated.key
        await here.delete("team", made.key.id)
        await there.reload()
        assert there.ring.find(rotated.secret.encode(), NOW) is None
        assert withdrawn == [made.key.id, made.key.id]


async def test_a_message_is_quicker_than_looking(place: Place) -> None:
    shared = Alone()
    async with directory(place, shared=shared) as here, directory(place, shared=shared) as there:
        there.watch()
        await asyncio.sleep(0)
        made = await here.create(PLAIN)
        async with asyncio.timeout(10):
            while there.ring.find(made.secret.encode(), NOW) is None:  # noqa: ASYNC110 (it stands for another process)
                await asyncio.sleep(0.001)


async def test_whoever_has_its_answer_finds_the_change_in_every_process(place: Place) -> None:
    """contract:035, contract:036: the old secret is unknown at once, wherever the next call goes."""
    shared = Alone()
    async with (
        directory(place, shared=shared, node="here", others=["there"]) as here,
        directory(place, shared=shared, node="there") as there,
    ):
        for one in (here, there):
            one.watch()
        await asyncio.sleep(0)
        made = await here.create(PLAIN)
        secret = made.secret.encode()
        assert there.ring.find(secret, NOW) == made.key
        rotated = await here.rotate("team", made.key.id)
        assert there.ring.find(secret, NOW) is None
        assert there.ring.find(rotated.secret.encode(), NOW) == rotated.key
        await here.delete("team", made.key.id)
        assert there.ring.find(rotated.secret.encode(), NOW) is None


async def test_a_process_that_says_nothing_is_not_waited_for_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_gateway.accounts.directory.TOLD_WITHIN_S", 0.01)
    async with directory(place, shared=Alone(), node="here", others=["dead"]) as here:
        here.watch()
        await asyncio.sleep(0)
        made = await here.create(PLAIN)
        assert here.ring.find(made.secret.encode(), NOW) == made.key


async def test_a_change_of_a_process_whose_clock_is_behind_counts(place: Place) -> None:
    async with directory(place) as here, directory(place, now=NOW - 30) as behind:
        made = await here.create(PLAIN)
        await behind.reload()
        await behind.change("team", replace(made.key, quota_micro_usd=5))
        await here.reload()
        assert here.own("team", made.key.id).quota_micro_usd == 5
        await behind.delete("team", made.key.id)
        await here.reload()
        assert made.key.id not in here.ring.by_id


async def test_what_was_read_before_a_change_does_not_undo_it(place: Place) -> None:
    """A deleted key must not come back because a look at the database had begun earlier."""
    async with directory(place) as here:
        made = await here.create(PLAIN)
        store = here._store
        old = await store.changed(0)
        here._clock = lambda: NOW + 1
        await here.delete("team", made.key.id)
        here._take(old)
        assert here.ring.find(made.secret.encode(), NOW) is None


async def test_a_deleted_key_leaves_nothing_of_its_secret(place: Place) -> None:
    async with directory(place) as here:
        made = await here.create(PLAIN)
        await here.delete("team", made.key.id)
        (row,) = await here._store.changed(0)
        assert row.gone
        assert row.key.hash != made.key.hash
        with pytest.raises(Refusal) as refused:
            await here.delete("team", made.key.id)
        assert status(refused) == 404
        assert (await here.create(PLAIN, made.secret)).secret == made.secret  # so it may be given again


async def test_whoever_comes_second_to_delete_or_change_is_told(place: Place) -> None:
    async with directory(place) as here, directory(place) as there:
        made = await here.create(PLAIN)
        await there.reload()
        await here.delete("team", made.key.id)
        with pytest.raises(Refusal) as refused:
            await there.change("team", replace(made.key, quota_micro_usd=5))
        assert status(refused) == 404
        await there.reload()
        assert there.ring.of_account("team") == []


async def test_the_configuration_wins_for_the_keys_it_declares(place: Place) -> None:
    async with directory(place, declared("a", b"first"), declared("b", b"second")) as here:
        assert (here.ring.find(b"first", NOW), here.ring.find(b"second", NOW)) == (declared("a", b"first"), declared("b", b"second"))
        with pytest.raises(Refusal) as refused:
            await here.delete("team", "a")
        assert status(refused) == 409
    async with directory(place, declared("b", b"first"), declared("a", b"second")) as swapped:
        assert swapped.own("team", "a").hash == digest(PEPPER, b"second")
    async with directory(place, declared("a", b"third", "other")) as later:
        assert later.ring.find(b"first", NOW) is None  # b stands there no more
        assert later.own("other", "a").hash == digest(PEPPER, b"third")
        with suppress(Refusal):
            later.own("team", "b")
        assert list(later.ring.by_id) == ["a"]
    async with directory(place) as bare:
        assert bare.ring.by_id == {}


async def test_a_secret_cannot_be_declared_that_a_caller_has(place: Place) -> None:
    async with directory(place) as here:
        made = await here.create(PLAIN)
    with pytest.raises(ConfigError, match="delete one of them"):
        async with directory(place, declared("a", made.secret.encode())):
            pass


async def test_keys_of_an_account_that_is_no_more_are_unknown(place: Place) -> None:
    async with directory(place) as here:
        made = await here.create(replace(PLAIN, account="gone"))
    async with directory(place) as later:
        assert later.ring.find(made.secret.encode(), NOW) is None
