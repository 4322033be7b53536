"""`[storage]` of the configuration: the servers that several gateway processes share. Without it one process keeps all in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from reference_gateway.toml_lines import Table

SHAPES: Final = {
    "database": (("postgresql", "postgres"), "postgresql://user:password@host:port/database"),
    "redis": (("redis", "rediss"), "redis://:password@host:port/0"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """URLs with their passwords: never shown. Empty: there is none."""

    database: str = field(default="", repr=False)
    redis: str = field(default="", repr=False)
    stale_hold_ms: int = 6 * 3600 * 1000  # a hold that is older is given back, a task's apart; longer than any call may take
    dead_after_ms: int = 15_000  # a process that has shown no sign of life for so long is dead, and its holds are given back


def read(table: Table, secret: Callable[[Table, str], bytes]) -> Servers:
    """`secret` reads what `..._env` or `..._file` points at. Raises ConfigError."""
    servers = Servers(
        database=_url(table, "database", secret),
        redis=_url(table, "redis", secret),
        stale_hold_ms=table.integer("stale_hold_ms", Servers().stale_hold_ms),
        dead_after_ms=table.integer("dead_after_ms", Servers().dead_after_ms),
    )
    if servers.redis and not servers.database:
        raise table.error("redis is for several processes, which share a database too; add database_env", "redis")
    if servers.stale_hold_ms < 60_000:
        raise table.error(f"stale_hold_ms is {servers.stale_hold_ms}; it must be 60000 or more", "stale_hold_ms")
    if servers.dead_after_ms < 1000:
        raise table.error(f"dead_after_ms is {servers.dead_after_ms}; it must be 1000 or more", "dead_after_ms")
    table.close()
    return servers


def _url(table: Table, name: str, secret: Callable[[Table, str], bytes]) -> str:
    key = next((key for key in (f"{name}_env", f"{name}_file") if key in table), name)
    url = table.string(name, "")
    if key != name:
        if url:
            raise table.error(f"[storage] has both {name} and {key}; give one", name)
        url = secret(table, name).decode()
    elif not url:
        return ""
    schemes, shape = SHAPES[name]
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:  # without its text, which may hold a password
        raise table.error(f"{key} gives no URL of the kind {shape}; write it so", key)
    if key == name and parts.password:
        raise table.error(f"{name} holds a password; put the URL into an environment variable and name that by {name}_env", name)
    return url
