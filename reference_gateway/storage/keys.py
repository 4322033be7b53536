"""Keys and suspended accounts in the database: portable SQL over the tables `keys` and `accounts`.

A deleted key keeps its row, since usage names it, but nothing of its secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_network
from typing import Final

from reference_gateway.accounts.keys import Key
from reference_gateway.accounts.networks import Networks
from reference_gateway.storage.interface import Conflict, Database, Row, Values
from reference_gateway.toml_lines import ConfigError

_CHANGEABLE: Final = (
    *("hash", "mask", "account", "name", "group_id", "quota_micro_usd", "limit_5h_micro_usd", "limit_1d_micro_usd", "limit_7d_micro_usd"),
    *("ip_allow", "ip_deny", "expires_ms", "revoked", "declared", "deleted_ms", "changed_ms"),
)
_COLUMNS: Final = ("id", *_CHANGEABLE, "created_ms")
_INSERT: Final = f"INSERT INTO keys ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
_UPSERT: Final = f"{_INSERT} ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CHANGEABLE)}"
# Of one row the time of change only grows, whichever process's clock is behind.
_LATER: Final = "CASE WHEN changed_ms >= :changed_ms THEN changed_ms + 1 ELSE :changed_ms END"
_SET: Final = ", ".join(f"{name} = {_LATER if name == 'changed_ms' else f':{name}'}" for name in _CHANGEABLE)
_UPDATE: Final = f"UPDATE keys SET {_SET} WHERE id = :id AND deleted_ms IS NULL"
_DELETE: Final = f"UPDATE keys SET hash = :hash, deleted_ms = :changed_ms, changed_ms = {_LATER} WHERE id = :id AND deleted_ms IS NULL"
_STAMP: Final = (
    "SELECT count(*) AS rows, coalesce(max(changed_ms), 0) AS newest_ms, coalesce(sum(changed_ms), 0) AS total "
    "FROM keys WHERE changed_ms >= :since_ms"
)
_SUSPEND: Final = (
    "INSERT INTO accounts (name, suspended, created_ms) VALUES (:name, :suspended, :at_ms) "
    "ON CONFLICT (name) DO UPDATE SET suspended = excluded.suspended"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A key as it now stands, or that it is gone."""

    key: Key
    gone: bool
    changed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Differs once any key has changed; `newest_ms` is the latest change."""

    newest_ms: int
    rows: int
    total: int


class KeyStore:
    """Raises what the database raises: Conflict for a secret or an id that is taken, StorageFailed where nothing can be written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changed(self, since_ms: int) -> list[Changed]:
        """What has changed at that time or later; 0 for every key there is."""
        sql = f"SELECT {', '.join(_COLUMNS)} FROM keys WHERE changed_ms >= :since_ms ORDER BY changed_ms"
        return [_read(row) for row in await self._database.fetch(sql, {"since_ms": since_ms})]

    async def stamp(self, since_ms: int) -> Stamp:
        (row,) = await self._database.fetch(_STAMP, {"since_ms": since_ms})
        return Stamp(newest_ms=int(row["newest_ms"]), rows=int(row["rows"]), total=int(row["total"]))

    async def insert(self, key: Key, at_ms: int) -> None:
        await self._database.write((_INSERT, _values(key, at_ms)))

    async def update(self, key: Key, at_ms: int) -> bool:
        """False where the key is gone."""
        return await self._database.write((_UPDATE, _values(key, at_ms))) == [1]

    async def delete(self, key_id: str, at_ms: int) -> bool:
        """False where it was gone already."""
        return await self._database.write(_gone(key_id, at_ms)) == [1]

    async def declare(self, keys: Iterable[Key], at_ms: int) -> None:
        """The configuration's keys as they stand there now; a declared key that stands there no more is gone.

        Raises ConfigError for a secret that a key made by a caller has.
        """
        declared = {key.id: key for key in keys}
        rows = await self._database.fetch(f"SELECT {', '.join(_COLUMNS)} FROM keys WHERE declared = 1 AND deleted_ms IS NULL", {})
        before = {row["id"]: _read(row).key for row in rows}
        gone = [_gone(id_, at_ms) for id_ in before if id_ not in declared]
        # Secrets may have been exchanged between ids: each changed row lets go of its old one first.
        moved = [_gone(id_, at_ms) for id_, key in declared.items() if id_ in before and before[id_].hash != key.hash]
        put = [(_UPSERT, _values(key, at_ms)) for id_, key in declared.items() if before.get(id_) != key]
        if gone or moved or put:
            try:
                await self._database.write(*gone, *moved, *put)
            except Conflict:
                raise ConfigError("a [[keys]] entry has the secret of a key that was created over the API; delete one of them") from None

    async def suspended(self) -> set[str]:
        return {row["name"] for row in await self._database.fetch("SELECT name FROM accounts WHERE suspended = 1", {})}

    async def suspend(self, account: str, suspended: bool, at_ms: int) -> None:
        await self._database.write((_SUSPEND, {"name": account, "suspended": int(suspended), "at_ms": at_ms}))


def _gone(key_id: str, at_ms: int) -> tuple[str, Values]:
    no_secret = sha256(b"gone:" + key_id.encode()).digest()  # no secret has this digest
    return _DELETE, {"id": key_id, "hash": no_secret, "changed_ms": at_ms}


def _values(key: Key, at_ms: int) -> Values:
    return {
        "id": key.id,
        "hash": key.hash,
        "mask": key.mask,
        "account": key.account,
        "name": key.name,
        "group_id": key.group,
        "quota_micro_usd": key.quota_micro_usd,
        "limit_5h_micro_usd": key.limit_5h_micro_usd,
        "limit_1d_micro_usd": key.limit_1d_micro_usd,
        "limit_7d_micro_usd": key.limit_7d_micro_usd,
        "ip_allow": _json(key.ip_allow),
        "ip_deny": _json(key.ip_deny),
        "expires_ms": None if key.expires_at is None else round(key.expires_at * 1000),
        "revoked": int(key.revoked),
        "declared": int(key.declared),
        "deleted_ms": None,
        "changed_ms": at_ms,
        "created_ms": round(key.created_at * 1000),
    }


def _read(row: Row) -> Changed:
    key = Key(
        id=row["id"],
        hash=bytes(row["hash"]),
        mask=row["mask"],
        account=row["account"],
        name=row["name"],
        group=row["group_id"],
        quota_micro_usd=row["quota_micro_usd"],
        limit_5h_micro_usd=row["limit_5h_micro_usd"],
        limit_1d_micro_usd=row["limit_1d_micro_usd"],
        limit_7d_micro_usd=row["limit_7d_micro_usd"],
        ip_allow=_networks(row["ip_allow"]),
        ip_deny=_networks(row["ip_deny"]),
        expires_at=None if row["expires_ms"] is None else row["expires_ms"] / 1000,
        revoked=bool(row["revoked"]),
        declared=bool(row["declared"]),
        created_at=row["created_ms"] / 1000,
    )
    return Changed(key=key, gone=row["deleted_ms"] is not None, changed_ms=row["changed_ms"])


def _json(networks: Networks) -> str:
    return json.dumps([str(network) for network in networks])


def _networks(text: str) -> Networks:
    return tuple(ip_network(item) for item in json.loads(text))
