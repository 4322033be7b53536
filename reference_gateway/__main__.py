import argparse
import sys

from reference_gateway.operations import cli

parser = argparse.ArgumentParser(prog="python -m reference_gateway", description=cli.__doc__)
cli.add_arguments(parser)
sys.exit(cli.main(parser.parse_args()))
