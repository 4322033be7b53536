import argparse
import gc
import sys

gc.disable()  # what is made at the start stays, and looking for garbage in it takes a tenth of the time; app.run switches it on

from reference_gateway.operations import cli  # noqa: E402  (most of what is made)

parser = argparse.ArgumentParser(prog="python -m reference_gateway", description=cli.__doc__)
cli.add_arguments(parser)
sys.exit(cli.main(parser.parse_args()))
