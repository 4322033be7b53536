"""`/api/v1/keys`: an account's keys listed, made, changed, rotated and deleted by any of its active keys (contract:031 to contract:036).

USD amounts come as numbers or decimal strings and go as numbers; 0 is no limit. A secret is shown where it is made, and never again: only
its keyed digest is kept, so `reveal` answers 410 (C4).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec

from reference_gateway.accounts import minting
from reference_gateway.accounts.directory import Directory, Minted
from reference_gateway.accounts.fields import Fields, iso, refuse
from reference_gateway.accounts.keys import Key
from reference_gateway.billing.interface import Treasury
from reference_gateway.billing.prices import MILLION
from reference_gateway.errors import GONE, Refusal
from reference_gateway.routes import KeyAction

Reply = tuple[int, bytes]  # status, JSON


class KeyDesk:
    """`groups` of `serve` are those the account's keys may be bound to."""

    def __init__(self, directory: Directory, treasury: Treasury) -> None:
        self._directory = directory
        self._treasury = treasury

    async def serve(self, action: KeyAction, key_id: str, caller: Key, body: bytes, groups: Collection[str]) -> Reply:
        """Raises Refusal."""
        account = caller.account
        match action:
            case KeyAction.LIST:
                documents = [await self._document(key) for key in self._directory.ring.of_account(account)]
                return 200, msgspec.json.encode({"object": "list", "data": documents})
            case KeyAction.CREATE:
                return await self._create(account, Fields(body), groups)
            case KeyAction.SHOW:
                return await self._shown(self._directory.own(account, key_id))
            case KeyAction.CHANGE:
                return await self._change(account, key_id, Fields(body), groups)
            case KeyAction.DELETE:
                await self._directory.delete(account, key_id)
                return 200, msgspec.json.encode({"id": key_id, "object": "key", "deleted": True})
            case KeyAction.ROTATE:
                fields = Fields(body)
                secret = _custom_secret(fields)
                fields.close()
                return await self._minted(200, await self._directory.rotate(account, key_id, secret))
            case KeyAction.REVEAL:
                self._directory.own(account, key_id)
                raise Refusal(GONE, "Only a hash of this key is kept, so it cannot be shown again; rotate it for a new secret.")

    async def _create(self, account: str, fields: Fields, groups: Collection[str]) -> Reply:
        fields.text("group_id")  # required here
        plain = Key(id="", hash=b"", account=account, group="", name=fields.text("name"))
        key = self._with(plain, fields, groups)
        secret = _custom_secret(fields)
        fields.close()
        return await self._minted(201, await self._directory.create(key, secret))

    async def _change(self, account: str, key_id: str, fields: Fields, groups: Collection[str]) -> Reply:
        """Only what is named changes."""
        before = self._directory.own(account, key_id)
        key = self._with(replace(before, name=fields.text("name", before.name)), fields, groups)
        fields.close()
        return await self._shown(await self._directory.change(account, key))

    def _with(self, key: Key, fields: Fields, groups: Collection[str]) -> Key:
        group = fields.text("group_id", key.group)
        if group != key.group and group not in groups:
            raise refuse("group_id", f"must be a group of GET /api/v1/groups/available: {', '.join(sorted(groups)) or 'none is'}.")
        expires_at = key.expires_at
        if "expires_in_days" in fields:
            seconds = fields.days("expires_in_days")
            expires_at = None if seconds is None else self._treasury.clock() + seconds
        else:
            fields.days("expires_in_days")
        return replace(
            key,
            group=group,
            expires_at=expires_at,
            quota_micro_usd=fields.usd("quota", key.quota_micro_usd),
            limit_5h_micro_usd=fields.usd("rate_limit_5h", key.limit_5h_micro_usd),
            limit_1d_micro_usd=fields.usd("rate_limit_1d", key.limit_1d_micro_usd),
            limit_7d_micro_usd=fields.usd("rate_limit_7d", key.limit_7d_micro_usd),
            ip_allow=fields.networks("ip_whitelist", key.ip_allow),
            ip_deny=fields.networks("ip_blacklist", key.ip_deny),
        )

    async def _shown(self, key: Key) -> Reply:
        return 200, msgspec.json.encode(await self._document(key))

    async def _minted(self, status: int, minted: Minted) -> Reply:
        return status, msgspec.json.encode(await self._document(minted.key) | {"key": minted.secret})

    async def _document(self, key: Key) -> dict[str, Any]:
        """`key` is the mask, but where the secret has just been made."""
        expired = key.expires_at is not None and self._treasury.clock() >= key.expires_at
        return {
            "id": key.id,
            "object": "key",
            "name": key.name or key.id,
            "key": key.mask,
            "masked_key": key.mask,
            "group_id": key.group,
            "status": "revoked" if key.revoked else "expired" if expired else "active",
            "declared": key.declared,
            "quota": key.quota_micro_usd / MILLION,
            "quota_used": await self._treasury.spent_by_key(key) / MILLION,
            "rate_limit_5h": key.limit_5h_micro_usd / MILLION,
            "rate_limit_1d": key.limit_1d_micro_usd / MILLION,
            "rate_limit_7d": key.limit_7d_micro_usd / MILLION,
            "ip_whitelist": [str(network) for network in key.ip_allow],
            "ip_blacklist": [str(network) for network in key.ip_deny],
            "expires_at": None if key.expires_at is None else iso(key.expires_at),
            "created_at": iso(key.created_at) if key.created_at else None,
        }


def _custom_secret(fields: Fields) -> str | None:
    secret = fields.text("custom_key", "", max_length=128)
    if not secret:
        return None
    try:
        return minting.custom(secret)
    except ValueError as error:
        raise refuse("custom_key", f"cannot be a secret: {error}") from None
