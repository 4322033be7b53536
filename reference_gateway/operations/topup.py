"""`topup`: money into an account's wallet, written to the ledger. A running gateway takes it over within about two seconds."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

from reference_gateway.billing import movements
from reference_gateway.billing.books import opened
from reference_gateway.billing.interface import Transaction
from reference_gateway.billing.ledger import Kind
from reference_gateway.billing.treasury import usd
from reference_gateway.config import Config, load
from reference_gateway.operations import books, keys
from reference_gateway.toml_lines import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """examples:
  wireproof gateway topup --config gateway.toml team 25.00
  wireproof gateway topup --config gateway.toml team 25.00 --reference invoice-17   the same reference again moves nothing
"""
    parser.add_argument("account", metavar="ACCOUNT")
    parser.add_argument("amount", metavar="USD", type=keys.usd)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--reference", default="", help="what makes it the same top-up when it is asked for twice; drawn unless given")
    parser.add_argument("--note", default="", help="kept with the movement")


def main(args: argparse.Namespace) -> int:
    return asyncio.run(_topup(args, load(args.config)))


async def _topup(args: argparse.Namespace, config: Config) -> int:
    keys.known_account(config, args.account)
    if args.amount < 1:
        raise ConfigError("the amount must be above 0")
    reference = args.reference or f"topup_{secrets.token_hex(10)}"
    try:
        moved = await _move(config, args.account, args.amount, reference, args.note)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    amount, balance = usd(moved.amount_micro_usd), usd(moved.balance_after_micro_usd)
    sys.stdout.write(f"{moved.id}: {amount} USD for {args.account}, balance then {balance} USD\n")
    return 0


async def _move(config: Config, account: str, amount: int, reference: str, note: str) -> Transaction:
    """Raises ValueError for a reference that is taken."""
    if config.servers.database:  # PostgreSQL itself keeps the wallets, so this is one more process among several
        async with opened(config) as several:
            return await several.treasury.move(account, Kind.TOPUP, amount, reference=reference, source="operator", note=note)
    async with books.database(config) as database:
        return await movements.credit(database, account, Kind.TOPUP, amount, reference=reference, source="operator", note=note)
