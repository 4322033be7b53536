"""`python -m reference_gateway` as it is, but that it tells what it holds: a line of JSON on stdout for each SIGUSR1.

`blocks` is how many pieces of memory Python has handed out and not got back, once the collector has run: without a leak it is the same
after a hundred calls and after a hundred thousand. `waiting` is how many objects only the collector could free.
"""

import gc
import json
import runpy
import signal
import sys
from types import FrameType


def _tell(number: int, frame: FrameType | None) -> None:
    waiting = gc.collect()
    sys.stdout.write(json.dumps({"blocks": sys.getallocatedblocks(), "waiting": waiting}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _tell)
    runpy.run_module("reference_gateway", run_name="__main__", alter_sys=True)
