"""`[operations]` of the configuration: what the gateway shows of itself, to whom, and how long it takes to stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reference_gateway.toml_lines import Table

NO_LOG = ""
STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """`access_log`: a file, "-" for standard output, "" for none. `admin_port`: 0 takes a free one, None opens no admin listener."""

    access_log: str = NO_LOG
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None
    stop_within_ms: int = 10_000
    otel: bool = False


def read(table: Table, folder: Path) -> Operations:
    """Raises ConfigError."""
    log = table.string("access_log", NO_LOG)
    opens = "admin_port" in table
    port = table.integer("admin_port", 0)
    settings = Operations(
        access_log=log if log in (NO_LOG, STDOUT) else str(folder / log),
        admin_host=table.string("admin_host", "127.0.0.1"),
        admin_port=port if opens else None,
        stop_within_ms=table.integer("stop_within_ms", 10_000),
        otel=table.boolean("otel", False),
    )
    table.close()
    return settings
