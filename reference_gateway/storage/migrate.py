"""Brings a database to the present schema: an empty one, an older one, or one from before the schema had versions.

Alembic is imported only where there is something to do: it and SQLAlchemy are 40 MB and more than a second of start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.pool import NullPool

from reference_gateway.storage.interface import SCHEMA_VERSION, StorageFailed

UNVERSIONED: Final = "0001"  # the layout that had a ledger and no version
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def upgrade(connection: Connection) -> None:
    """In the caller's transaction: all of it or nothing. With asyncpg: `await connection.run_sync(upgrade)`.

    Raises StorageFailed for a database that a newer gateway has written.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    tables = set(inspect(connection).get_table_names())
    if "ledger" in tables and "alembic_version" not in tables:
        command.stamp(config, UNVERSIONED)
    try:
        command.upgrade(config, SCHEMA_VERSION)
    except CommandError as error:
        raise StorageFailed(
            f"the database's schema is not one that this gateway knows ({error}); start the gateway that wrote it, or name another database"
        ) from error


def upgrade_sqlite(path: str) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    # sqlite3 by itself begins no transaction before DDL, and half a migration must never stay.
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
