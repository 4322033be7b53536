"""`check-config FILE`: reads the configuration as `serve` would, and says what it would serve."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reference_gateway.config import load
from reference_gateway.routes import Surface


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  wireproof gateway check-config gateway.toml\n"
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")


def main(args: argparse.Namespace) -> int:
    return check(args.file)


def check(file: Path) -> int:
    config = load(file)
    catalog = config.catalog
    lines = [f"listens on {config.host}:{config.port}, keeps its books in {_without_password(config.database)}"]
    for model in catalog.models.values():
        surfaces = ", ".join(
            [*sorted(model.surfaces - {Surface.COUNT_TOKENS}), *(f"{surface} (translated)" for surface in sorted(model.translated))]
        )
        groups = ", ".join(name for name, models in catalog.groups.items() if model.id in models) or "none, so nobody reaches it"
        lines.append(f"  {model.id}: {surfaces}; groups {groups}")
    for name in config.accounts:
        keys = [key.id for key in config.keys if key.account == name]
        lines.append(f"  account {name}: declared keys {', '.join(keys) or 'none'}")
    lines.append(f"{len(catalog.models)} models, {len(config.keys)} keys, {len(catalog.channels)} channels: in order")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _without_password(database: str) -> str:
    """A database URL as it may be shown; a file's path as it is."""
    scheme, separator, rest = database.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else database
