"""Subcommands of `wireproof` that are no more than a few lines between argparse and the room that does the work."""
