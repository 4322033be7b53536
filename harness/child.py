"""The end of a process that we started."""

import subprocess
from typing import Any, Final

_PATIENCE_S: Final = 5


def end(process: subprocess.Popen[Any]) -> None:
    """Asks it to stop, kills it if it does not, and closes its pipes."""
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
