"""`python -m reference_gateway.contract` writes CONTRACT.md anew; `--check` only says whether it is current."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from reference_gateway.contract.claims import load
from reference_gateway.contract.harvest import harvest
from reference_gateway.contract.table import page

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "reference_gateway" / "CONTRACT.md"


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m reference_gateway.contract", description="Write the table of the contract's claims.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is not current")
    given = parser.parse_args(words)
    if not (ROOT / "reference_gateway" / "tests").is_dir():
        sys.stderr.write("The tests are not here: run this in a checkout of the project.\n")
        return 2
    wanted = page(load(harvest(ROOT)))
    if not given.check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"{PAGE.name} is not current: run `python -m reference_gateway.contract`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
