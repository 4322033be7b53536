"""Client keys: kept only as HMAC-SHA256 with a pepper, each bound to one account and one group (contract:020 to contract:029, C6).

The table is looked up by the keyed digest, so how long a look-up takes says nothing about any secret: without the pepper nobody can
choose a digest. The digest found is compared once more in constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from reference_gateway.accounts.networks import Networks


def digest(pepper: bytes, secret: bytes) -> bytes:
    return hmac.digest(pepper, secret, "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key; the USD limits are in micro-USD and 0 means none."""

    id: str
    hash: bytes = field(repr=False)
    account: str
    group: str
    name: str = ""
    mask: str = ""
    declared: bool = False  # by the configuration, which alone changes it then
    revoked: bool = False
    created_at: float = 0.0  # Unix seconds; 0 where nobody knows
    expires_at: float | None = None  # Unix seconds
    quota_micro_usd: int = 0
    limit_5h_micro_usd: int = 0
    limit_1d_micro_usd: int = 0
    limit_7d_micro_usd: int = 0
    ip_allow: Networks = ()
    ip_deny: Networks = ()


class KeyRing:
    """The keys that may call now, in memory. A key put again replaces the one of its id: its old secret is unknown from then on."""

    def __init__(self, pepper: bytes, keys: Iterable[Key] = ()) -> None:
        self._pepper = pepper
        self.by_hash: dict[bytes, Key] = {}
        self.by_id: dict[str, Key] = {}
        self.suspended: set[str] = set()  # accounts
        for key in keys:
            self.put(key)

    def put(self, key: Key) -> None:
        self.drop(key.id)
        self.by_hash[key.hash] = self.by_id[key.id] = key

    def drop(self, key_id: str) -> None:
        key = self.by_id.pop(key_id, None)
        if key is not None and self.by_hash.get(key.hash) is key:  # a younger key may have its secret by now
            del self.by_hash[key.hash]

    def digest(self, secret: bytes) -> bytes:
        return digest(self._pepper, secret)

    def find(self, secret: bytes, now: float) -> Key | None:
        """The live key of that secret.

        None for one that is unknown, deleted, revoked or expired, or whose account is suspended: the caller is told no difference.
        """
        return self.holder(digest(self._pepper, secret), now)

    def holder(self, wanted: bytes, now: float) -> Key | None:
        """As `find`, by the secret's digest."""
        key = self.by_hash.get(wanted)
        if key is None or not hmac.compare_digest(key.hash, wanted) or not self.is_live(key, now):
            return None
        return key

    def is_live(self, key: Key, now: float) -> bool:
        return not key.revoked and (key.expires_at is None or now < key.expires_at) and key.account not in self.suspended

    def is_known(self, key: Key) -> bool:
        """Whether it was neither deleted nor suspended meanwhile."""
        return key.id in self.by_id and key.account not in self.suspended

    def of_account(self, account: str) -> list[Key]:
        """Oldest first."""
        return sorted((key for key in self.by_id.values() if key.account == account), key=lambda key: (key.created_at, key.id))


def presented(headers: Mapping[bytes, bytes], query: bytes) -> bytes | None:
    """The secret a request shows: x-api-key over Bearer over x-goog-api-key over `?key=` (contract:024; C2: on every surface alike).

    The first place that is present decides, so a bad x-api-key is not mended by a good Bearer.
    """
    secret = headers.get(b"x-api-key")
    if secret is not None:
        return secret
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(b" ")
        return secret.strip() if scheme.lower() == b"bearer" else b""
    secret = headers.get(b"x-goog-api-key")
    if secret is not None:
        return secret
    if b"key=" in query:
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name == b"key":
                return value
    return None


def without_key(query: bytes) -> bytes:
    """The query as the upstream may see it: every other parameter byte for byte, the caller's key gone."""
    if b"key" not in query:
        return query
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[0] != b"key")
