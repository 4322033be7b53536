"""`keys`: an operator's hand on the keys of any account. A running gateway obeys within about two seconds.

A secret is shown once, where it is made. Keys that the configuration declares are changed there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from reference_gateway.accounts.directory import Directory, Minted
from reference_gateway.accounts.keys import Key
from reference_gateway.billing.prices import MILLION
from reference_gateway.config import Config, load
from reference_gateway.operations import books
from reference_gateway.toml_lines import ConfigError

EXAMPLES: Final = """examples:
  wireproof gateway keys create --config gateway.toml --account team --group default --name laptop --quota-usd 20
  wireproof gateway keys list --config gateway.toml
  wireproof gateway keys rotate --config gateway.toml key_0123456789abcdef0123
  wireproof gateway keys delete --config gateway.toml key_0123456789abcdef0123
  wireproof gateway keys suspend --config gateway.toml team          every key of the account stops working
  wireproof gateway keys suspend --config gateway.toml team --lift   and works again
"""
DAY_S: Final = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLES
    actions = parser.add_subparsers(title="what to do", dest="keys_action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print its secret, once")
    create.add_argument("--account", required=True, metavar="NAME", help="whose wallet it spends from")
    create.add_argument("--group", required=True, metavar="NAME", help="the models it reaches (`groups list` shows them)")
    create.add_argument("--name", default="", help="what to call it in lists")
    create.add_argument("--quota-usd", type=usd, default=0, metavar="USD", help="the most it may ever spend; none unless given")
    for window in ("5h", "1d", "7d"):
        create.add_argument(f"--limit-{window}-usd", type=usd, default=0, metavar="USD", help=f"the most it may spend in any {window}")
    create.add_argument("--expires-in-days", type=int, metavar="DAYS", help="when it stops working; never unless given")
    actions.add_parser("list", help="every key, masked").add_argument("--account", metavar="NAME", help="only this account's")
    for name, told in (("rotate", "give the key another secret; the old one fails at once"), ("delete", "the key fails at once")):
        actions.add_parser(name, help=told).add_argument("key_id", metavar="KEY_ID", help="as `keys list` shows it")
    suspend = actions.add_parser("suspend", help="all keys of an account fail at once")
    suspend.add_argument("account", metavar="ACCOUNT")
    suspend.add_argument("--lift", action="store_true", help="let them work again")
    for action in actions.choices.values():
        action.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration")


def usd(text: str) -> int:
    """micro-USD, for argparse."""
    try:
        micro = Decimal(text) * MILLION
    except InvalidOperation:
        micro = Decimal(-1)
    if not micro.is_finite() or micro < 0 or micro != int(micro):
        raise argparse.ArgumentTypeError(f"{text} is no amount: write USD such as 25 or 0.50, with at most six decimals")
    return int(micro)


def main(args: argparse.Namespace) -> int:
    return asyncio.run(_act(args, load(args.config)))


async def _act(args: argparse.Namespace, config: Config) -> int:
    async with books.directory(config) as directory:
        match args.keys_action:
            case "create":
                _show(await directory.create(_wanted(args, config)))
            case "list":
                _list(directory, args.account)
            case "rotate":
                _show(await directory.rotate(_owner(directory, args.key_id), args.key_id))
            case "delete":
                await directory.delete(_owner(directory, args.key_id), args.key_id)
                sys.stdout.write(f"{args.key_id} is deleted\n")
            case _:
                known_account(config, args.account)
                await directory.suspend(args.account, not args.lift)
                sys.stdout.write(f"account {args.account} {'works again' if args.lift else 'is suspended'}\n")
    return 0


def known_account(config: Config, name: str) -> None:
    if name not in config.accounts:
        raise ConfigError(f"there is no account {name}; the configuration has {', '.join(config.accounts) or 'none'}")


def _wanted(args: argparse.Namespace, config: Config) -> Key:
    known_account(config, args.account)
    groups = config.accounts[args.account].groups or tuple(config.catalog.groups)
    if args.group not in groups:
        raise ConfigError(f"account {args.account} has no group {args.group}; it has {', '.join(groups)}")
    if args.expires_in_days is not None and args.expires_in_days < 1:
        raise ConfigError("--expires-in-days must be 1 or more")
    return Key(
        id="",
        hash=b"",
        account=args.account,
        group=args.group,
        name=args.name,
        expires_at=None if args.expires_in_days is None else time.time() + args.expires_in_days * DAY_S,
        quota_micro_usd=args.quota_usd,
        limit_5h_micro_usd=args.limit_5h_usd,
        limit_1d_micro_usd=args.limit_1d_usd,
        limit_7d_micro_usd=args.limit_7d_usd,
    )


def _owner(directory: Directory, key_id: str) -> str:
    key = directory.ring.by_id.get(key_id)
    if key is None:
        raise ConfigError(f"there is no key {key_id}; `wireproof gateway keys list` shows those there are")
    return key.account


def _show(minted: Minted) -> None:
    sys.stdout.write(f"{minted.key.id}\n{minted.secret}\n")
    sys.stderr.write("Keep the second line: it is not shown again.\n")


def _list(directory: Directory, account: str | None) -> None:
    for key in directory.ring.by_id.values():
        if account in (None, key.account):
            notes = [word for word, true in (("declared", key.declared), ("revoked", key.revoked)) if true]
            if key.account in directory.ring.suspended:
                notes.append("suspended")
            if key.expires_at is not None:
                notes.append(f"expires {datetime.fromtimestamp(key.expires_at, UTC):%Y-%m-%d}")
            sys.stdout.write("\t".join((key.id, key.mask, key.account, key.group, key.name, ", ".join(notes))) + "\n")
