"""The configuration file: what may stand in it, checked at start; every error is one sentence that names the line.

Secrets never stand in it in clear: a key of a caller is given by its hash, or, like every upstream key, by the name of an environment
variable (`..._env`) or of a file (`..._file`, relative to the configuration).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reference_gateway import toml_lines
from reference_gateway.accounts.keys import Key, digest
from reference_gateway.accounts.minting import mask as masked
from reference_gateway.accounts.networks import Networks, network
from reference_gateway.catalog import MILLION, Catalog, Fetching, Model, Routing, Timeouts
from reference_gateway.images.settings import MediaSettings
from reference_gateway.operations import settings as operations_settings
from reference_gateway.operations.settings import Operations
from reference_gateway.routing.reading import CatalogReader
from reference_gateway.storage import settings
from reference_gateway.storage.settings import Servers
from reference_gateway.toml_lines import ConfigError, Table

__all__ = ["Account", "Config", "ConfigError", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    name: str
    opening_balance_micro_usd: int
    low_balance_micro_usd: int
    max_concurrency: int = 0  # 0: no cap (contract:195)
    groups: tuple[str, ...] = ()  # what its keys can be bound to; none named: every group (contract:040)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    host: str
    port: int
    database: str
    synchronous: str
    max_body_bytes: int
    max_answer_bytes: int
    trusted_proxies: Networks
    timeouts: Timeouts
    routing: Routing
    fetching: Fetching
    catalog: Catalog
    accounts: Mapping[str, Account]
    keys: tuple[Key, ...]
    media: MediaSettings
    operations: Operations
    servers: Servers
    pepper: bytes = field(repr=False)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Raises ConfigError."""
    root = toml_lines.read(path)
    reader = _Reader(root, path.parent, environ)
    config = reader.config()
    root.close()
    return config


class _Reader:
    def __init__(self, root: Table, folder: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._folder = folder
        self._environ = environ

    def config(self) -> Config:
        server = self._root.table("server")
        timeouts = self._timeouts(self._root.table("timeouts"))
        security = self._root.table("security")
        pepper = self._secret(security, "pepper")
        security.close()
        catalog = CatalogReader(self._root, self._folder, self._secret)
        routing, models = catalog.routing(), catalog.catalog()
        accounts = {name: self._account(name, table, models.groups) for name, table in self._root.tables("accounts")}
        keys = self._keys(pepper, accounts, models.groups)
        database = server.string("database", "gateway.sqlite3")
        synchronous = server.string("synchronous", "full")
        if synchronous not in ("normal", "full"):
            raise server.error(f'synchronous is "{synchronous}"; it must be "normal" or "full"', "synchronous")
        config = Config(
            host=server.string("host", "127.0.0.1"),
            port=server.integer("port", 8080),
            database=database if database == ":memory:" else str(self._folder / database),
            synchronous=synchronous,
            max_body_bytes=server.integer("max_body_bytes", 32 * 1024 * 1024),
            max_answer_bytes=server.integer("max_answer_bytes", 64 * 1024 * 1024),
            trusted_proxies=self._networks(server, "trusted_proxies"),
            timeouts=timeouts,
            routing=routing,
            fetching=catalog.fetching(),
            catalog=models,
            accounts=accounts,
            keys=keys,
            media=self._media(self._root.table("media")),
            operations=operations_settings.read(self._root.table("operations"), self._folder),
            servers=settings.read(self._root.table("storage"), self._secret),
            pepper=pepper,
        )
        server.close()
        return config

    def _media(self, table: Table) -> MediaSettings:
        public_url = table.string("public_url", "").rstrip("/")
        if public_url and not public_url.startswith(("http://", "https://")):
            raise table.error(f"public_url {public_url} must be http(s)://host[:port][/path]", "public_url")
        media = MediaSettings(
            folder=self._folder / table.string("folder", "images"),
            public_url=public_url,
            tasks_at_once=max(1, table.integer("tasks_at_once", 8)),
            allow_private=table.boolean("allow_private", False),
        )
        table.close()
        return media

    def _timeouts(self, table: Table) -> Timeouts:
        usual = Timeouts()
        timeouts = Timeouts(
            connect_ms=table.integer("connect_ms", usual.connect_ms),
            first_byte_ms=table.integer("first_byte_ms", usual.first_byte_ms),
            answer_ms=table.integer("answer_ms", usual.answer_ms),
            idle_ms=table.integer("idle_ms", usual.idle_ms),
            client_stall_ms=table.integer("client_stall_ms", usual.client_stall_ms),
        )
        table.close()
        return timeouts

    def _secret(self, table: Table, name: str) -> bytes:
        """The secret that `name_env` or `name_file` points at."""
        variable, file = table.string(f"{name}_env", ""), table.string(f"{name}_file", "")
        if bool(variable) == bool(file):
            raise table.error(f"[{table.name}] needs one of {name}_env (an environment variable) and {name}_file (a file)")
        if variable:
            value = self._environ.get(variable, "")
            if not value:
                raise table.error(f"{name}_env names {variable}, which is not set; export {variable}", f"{name}_env")
        else:
            try:
                value = (self._folder / file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise table.error(f"{name}_file {file} cannot be read ({error}); write the secret there", f"{name}_file") from error
            if not value:
                raise table.error(f"{name}_file {file} is empty; write the secret there", f"{name}_file")
        if not value.isascii() or not value.isprintable():
            raise table.error(f"the secret of {name} holds characters that no HTTP header may carry")
        return value.encode()

    def _networks(self, table: Table, key: str) -> Networks:
        try:
            return tuple(network(text) for text in table.strings(key, ()))
        except ValueError as error:
            raise table.error(f"{key}: {error}".rstrip("."), key) from None

    def _account(self, name: str, table: Table, groups: Collection[str]) -> Account:
        bound = table.strings("groups", ())
        for group in bound:
            if group not in groups:
                raise table.error(f"account {name}: group {group} is not defined; add [groups.{group}], or take it out", "groups")
        account = Account(
            name=name,
            opening_balance_micro_usd=table.micro_usd("balance_usd", 0),
            low_balance_micro_usd=table.micro_usd("low_balance_usd", 5 * MILLION),
            groups=bound,
            max_concurrency=table.integer("max_concurrency", 0),
        )
        table.close()
        return account

    def _keys(self, pepper: bytes, accounts: Mapping[str, Account], groups: Mapping[str, Mapping[str, Model]]) -> tuple[Key, ...]:
        keys: dict[bytes, Key] = {}
        for table in self._root.array("keys"):
            key = self._key(table, pepper)
            for word, name, known in (("account", key.account, set(accounts)), ("group", key.group, set(groups))):
                if name not in known:
                    raise table.error(f"key {key.id}: {word} {name} is not defined; add [{word}s.{name}]", word)
            if key.hash in keys or key.id in {other.id for other in keys.values()}:
                raise table.error(f"key {key.id} stands here a second time; give each key once", "id")
            keys[key.hash] = key
        return tuple(keys.values())

    def _key(self, table: Table, pepper: bytes) -> Key:
        id_ = table.string("id")
        if "hash" in table:
            text, mask = table.string("hash"), table.string("mask", "")
            scheme, _, hexadecimal = text.partition(":")
            try:
                hash_ = bytes.fromhex(hexadecimal)
            except ValueError:
                hash_ = b""
            if scheme != "hmac-sha256" or len(hash_) != 32:
                raise table.error(f"key {id_}: hash must be hmac-sha256: and 64 hexadecimal digits", "hash")
        else:
            secret = self._secret(table, "secret")
            hash_, mask = digest(pepper, secret), masked(secret.decode())
        expires_at = table.integer("expires_at", 0)
        key = Key(
            id=id_,
            hash=hash_,
            mask=mask,
            account=table.string("account"),
            group=table.string("group"),
            name=table.string("name", id_),
            declared=True,
            revoked=table.boolean("revoked", False),
            expires_at=float(expires_at) if expires_at else None,
            quota_micro_usd=table.micro_usd("quota_usd", 0),
            limit_5h_micro_usd=table.micro_usd("limit_5h_usd", 0),
            limit_1d_micro_usd=table.micro_usd("limit_1d_usd", 0),
            limit_7d_micro_usd=table.micro_usd("limit_7d_usd", 0),
            ip_allow=self._networks(table, "ip_allow"),
            ip_deny=self._networks(table, "ip_deny"),
        )
        table.close()
        return key
