import asyncio
import sqlite3
from pathlib import Path

import pytest

from reference_gateway.billing.ledger import Entry
from reference_gateway.storage import sqlite
from reference_gateway.storage.interface import Conflict, StorageFailed
from reference_gateway.storage.sqlite import Store

NODE = "INSERT INTO nodes (id, started_ms, seen_ms) VALUES (:id, 1, 1)"
IDS = "SELECT id FROM nodes ORDER BY id"


def entry(request_id: str) -> Entry:
    return Entry("hold", "a", "k", request_id, 1, 1)


async def ids(store: Store) -> list[str]:
    return [row["id"] for row in await store.fetch(IDS, {})]


@pytest.mark.parametrize("path", [":memory:", "file"])
@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_what_was_written_before_is_seen(path: str, synchronous: str, tmp_path: Path) -> None:
    store = Store(path if path == ":memory:" else str(tmp_path / path), synchronous)
    first = asyncio.ensure_future(store.write((NODE, {"id": "1"}), (NODE, {"id": "2"})))
    await asyncio.sleep(0)
    assert await ids(store) == ["1", "2"]
    assert await first == [1, 1]
    assert await store.write(("DELETE FROM nodes", {})) == [2]
    await store.close()


async def test_statements_stand_or_fall_together_and_by_themselves() -> None:
    """Ten writers and the ledger in one transaction: what is wrong with one of them is not the others' fault."""
    store = Store(":memory:")
    await store.write((NODE, {"id": "taken"}))
    before = store.commits

    async def append() -> None:
        await store.append(entry("r1"))

    results = await asyncio.gather(
        store.write((NODE, {"id": "1"})),
        store.write((NODE, {"id": "2"}), (NODE, {"id": "taken"})),
        store.write((NODE, {"id": "3"}), ("NOT EVEN SQL", {})),
        store.write((NODE, {"id": "4"})),
        append(),
        return_exceptions=True,
    )
    assert store.commits - before == 1
    assert isinstance(results[1], Conflict)
    assert isinstance(results[2], StorageFailed)
    assert (results[0], results[3], results[4]) == ([1], [1], None)
    assert await ids(store) == ["1", "4", "taken"]
    assert [found.request_id for found in store.entries()] == ["r1"]
    await store.close()


async def test_who_is_cancelled_takes_nobody_along() -> None:
    store = Store(":memory:")

    async def waits(request_id: str) -> str:
        await store.append(entry(request_id))
        return request_id

    leaving, staying = asyncio.create_task(waits("r1")), asyncio.create_task(waits("r2"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "r2"
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await store.append(entry("r3"))
    assert [found.request_id for found in store.entries()] == ["r1", "r2", "r3"]
    await store.close()


async def test_one_gateway_serves_from_a_file(tmp_path: Path) -> None:
    first, second = Store(str(tmp_path / "books")), Store(str(tmp_path / "books"))
    first.lock()
    with pytest.raises(StorageFailed, match="another gateway serves from"):
        second.lock()
    await first.close()
    third = Store(str(tmp_path / "books"))
    third.lock()
    await second.close()
    await third.close()


async def test_what_others_write_is_noticed(tmp_path: Path) -> None:
    mine, other = Store(str(tmp_path / "books")), Store(str(tmp_path / "books"))
    assert not mine.changed_elsewhere()
    await mine.write((NODE, {"id": "mine"}))
    assert not mine.changed_elsewhere()
    await other.write((NODE, {"id": "theirs"}))
    assert mine.changed_elsewhere()
    assert not mine.changed_elsewhere()
    await mine.close()
    await other.close()


async def test_a_group_that_cannot_be_written_says_so_to_everybody_in_it() -> None:
    store = Store(":memory:")
    store._connection.execute("PRAGMA query_only = 1")
    results = await asyncio.gather(store.append(entry("r1")), store.write((NODE, {"id": "1"})), return_exceptions=True)
    assert [type(result) for result in results] == [StorageFailed, StorageFailed]
    store._connection.execute("PRAGMA query_only = 0")
    await store.append(entry("r2"))
    assert [found.request_id for found in store.entries()] == ["r2"]
    await store.close()


async def test_a_bad_query_is_a_storage_failure(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "books"))
    with pytest.raises(StorageFailed, match="could not be read"):
        await store.fetch("SELECT nothing FROM nowhere", {})
    with pytest.raises(StorageFailed):
        await store.fetch("DELETE FROM nodes RETURNING id", {})  # reading does not write
    await store.close()


async def test_a_snapshot_holds_what_was_appended_before_it_and_no_more(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "books"))
    store.append(entry("r1"))
    store.save("the body")
    await store.append(entry("r2"))
    snapshot = store.snapshot()
    assert snapshot is not None
    after_id, body = snapshot
    assert body == "the body"
    assert [found.request_id for found in store.entries(after_id)] == ["r2"]
    await store.close()
    with sqlite3.connect(tmp_path / "books") as connection:
        assert connection.execute("SELECT count(*) FROM snapshots").fetchone() == (1,)
    connection.close()


async def test_the_log_of_a_file_that_is_written_all_the_time_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint never gets to the log's end where there are always newer pages; here a reader sees to that."""
    monkeypatch.setattr(sqlite, "MAX_WAL_BYTES", 100_000)
    path = tmp_path / "ledger"
    store = Store(str(path))
    reader = sqlite3.connect(path, isolation_level=None)
    sizes = []
    for number in range(1000):  # each in a transaction of its own: some megabytes of log in all
        await store.append(entry(f"r{number}"))
        match number % 20:
            case 0:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM ledger").fetchone()
            case 18:
                store._checkpoint()
                reader.execute("COMMIT")
                sizes.append(path.with_name("ledger-wal").stat().st_size)
    assert max(sizes) < 500_000
    assert len(list(store.entries())) == 1000
    reader.close()
    await store.close()
