"""`nox -s fuzz`: mutated streams of every dialect through the translator to every other surface, and how many came to what.

Exit code 1 where one of them was told wrongly: each such stream is printed with the seed that makes it again.
"""

from __future__ import annotations

import argparse
import sys

from reference_gateway.tests.translation.fuzz.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Mutated upstream streams through the translator.")
    parser.add_argument("--streams", type=int, default=100_000, metavar="N", help="how many (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first; each later one has the next (default: 1)")
    parser.add_argument("--most-faults", type=int, default=20, metavar="N", help="stop after so many (default: 20)")
    words = parser.parse_args()
    tally = run(words.streams, words.seed, most_faults=words.most_faults)
    sys.stdout.write("\n".join(tally.lines()) + "\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
