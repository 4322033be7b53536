"""`wireproof corpus pull`: real vendor traffic for everybody, without a key."""

import argparse

from harness.recording import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Example: `wireproof corpus pull`, then `wireproof run --recordings corpus` plays what real vendors sent through your gateway. "
        "Packages come through pip's own configuration; nothing of them is run."
    )
    cli.add_corpus_arguments(parser)


def main(arguments: argparse.Namespace) -> int:
    return cli.main(arguments)
