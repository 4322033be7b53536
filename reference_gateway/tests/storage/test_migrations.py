"""The schema is one, however a database came to it, and no migration loses a row."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_gateway.billing.ledger import Entry
from reference_gateway.storage import usage
from reference_gateway.storage.interface import SCHEMA_VERSION, StorageFailed
from reference_gateway.storage.migrate import MIGRATIONS, upgrade_sqlite
from reference_gateway.storage.schema import SQLITE_DDL, sqlite_ddl
from reference_gateway.storage.sqlite import Store

UNVERSIONED = """
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, key_id TEXT NOT NULL, request_id TEXT NOT NULL,
    amount_micro_usd INTEGER NOT NULL CHECK (amount_micro_usd >= 0), at_ms INTEGER NOT NULL,
    UNIQUE (request_id, kind)
) STRICT;
CREATE TABLE usage (
    request_id TEXT PRIMARY KEY, account TEXT NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL, surface TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL, cache_write_1h_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL, estimated INTEGER NOT NULL, created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_account ON usage (account, created_ms);
INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms) VALUES
    ('topup', 'a', '', 'opening:a', 1000, 1), ('topup', 'b', '', 'opening:b', 50, 1), ('hold', 'a', 'k', 'r1', 400, 2),
    ('settle', 'a', 'k', 'r1', 300, 3), ('topup', 'a', '', 'more', 7, 4), ('hold', 'a', 'k', 'r2', 400, 5);
INSERT INTO usage VALUES ('r1', 'a', 'k', 'gpt-5-5', 'chat', 1, 2, 3, 4, 5, 300, 0, 3);
"""


def old_file(folder: Path, more: str = "") -> str:
    path = str(folder / "old.sqlite3")
    connection = sqlite3.connect(path)
    connection.executescript(UNVERSIONED + more)
    connection.close()
    return path


def columns(path: str) -> dict[str, Any]:
    """Of each table its columns with type, null and default, sorted by name; and of each its indexes."""
    connection = sqlite3.connect(path)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found: dict[str, Any] = {}
        for table in tables:
            # Whether a primary key is said to be NOT NULL as well is all the same.
            info = connection.execute(f"PRAGMA table_info({table})")
            found[table] = sorted((name, kind, bool(null or key), default, key) for _, name, kind, null, default, key in info)
            indexes = list(connection.execute(f"PRAGMA index_list({table})"))
            found[f"{table}'s indexes"] = sorted(
                (unique, partial, [column[2] for column in connection.execute(f"PRAGMA index_info({name})")])
                for _, name, unique, _, partial in indexes
            )
        return found
    finally:
        connection.close()


def test_the_statements_for_a_new_file_are_those_of_the_tables() -> None:
    assert SQLITE_DDL.read_text() == sqlite_ddl(), "run: python -m reference_gateway.storage.schema"


def test_the_newest_migration_is_the_version_that_is_asked_for() -> None:
    newest = max(path.name for path in (MIGRATIONS / "versions").glob("v*.py"))
    assert newest.startswith(f"v{SCHEMA_VERSION}_")


async def test_new_migrated_and_grown_files_have_one_layout(tmp_path: Path) -> None:
    fresh, grown, old = str(tmp_path / "fresh"), str(tmp_path / "grown"), old_file(tmp_path)
    await Store(fresh).close()
    upgrade_sqlite(grown)
    await Store(old).close()
    assert columns(grown) == columns(fresh)
    assert columns(old) == columns(fresh)


async def test_a_file_from_before_there_were_versions_keeps_every_row(tmp_path: Path) -> None:
    store = Store(old_file(tmp_path))
    assert [entry.request_id for entry in store.entries()] == ["r1", "r1", "r2"]
    movements = "SELECT request_id, amount_micro_usd, balance_after_micro_usd, source FROM ledger WHERE kind = 'topup' ORDER BY id"
    assert [tuple(row.values()) for row in await store.fetch(movements, {})] == [
        ("opening:a", 1000, 1000, "config"),
        ("opening:b", 50, 50, "config"),
        ("more", 7, 707, "config"),
    ]
    (row,) = await usage.rows(store, usage.UsageFilter(account="a"))
    assert (row.request_id, row.cost_micro_usd, row.loss_micro_usd, row.usage.cache_write_1h_tokens) == ("r1", 300, 0, 5)
    await store.append(Entry("release", "a", "k", "r2", 400, 9))
    await store.close()
    again = Store(str(tmp_path / "old.sqlite3"))
    assert len(list(again.entries())) == 4
    await again.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = old_file(tmp_path, "CREATE TABLE tasks (mine TEXT);")
    before = columns(path)
    with pytest.raises(Exception, match="tasks"):
        Store(path)
    assert columns(path) == before


async def test_a_file_of_a_newer_gateway_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "newer")
    await Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageFailed, match="start the gateway that wrote it"):
        Store(path)


def test_a_start_without_a_migration_imports_no_sqlalchemy(tmp_path: Path) -> None:
    script = f"""if True:
        import asyncio, sys
        import reference_gateway.app
        from reference_gateway.storage.sqlite import Store
        async def main():
            await Store({str(tmp_path / "x")!r}).close()
            await Store({str(tmp_path / "x")!r}).close()
        asyncio.run(main())
        assert not {{"sqlalchemy", "alembic"}} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
