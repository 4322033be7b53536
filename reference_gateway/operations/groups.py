"""`groups list`: which models each group of keys reaches."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reference_gateway.config import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  wireproof gateway groups list --config gateway.toml\n"
    parser.add_argument("what", choices=["list"], help="list: every group, its models and how many declared keys it has")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration")


def main(args: argparse.Namespace) -> int:
    config = load(args.config)
    for name, models in config.catalog.groups.items():
        count = sum(key.group == name for key in config.keys)
        sys.stdout.write(f"{name}: {', '.join(models) or 'no model'} ({count} declared keys)\n")
    return 0
