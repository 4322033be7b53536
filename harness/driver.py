"""The driving process of a run, as its parent sees it: one process, two pipes, pickled tuples with their length first.

Apart from harness.apart so that it can be started before anything else is imported.
"""

import contextlib
import pickle
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from typing import IO, Any, Final

from harness.case import Client

_LENGTH: Final = struct.Struct(">Q")
_ahead: "list[Driver]" = []  # at most one: started before it was known what it will drive


def write(pipe: IO[bytes], lock: threading.Lock, *message: Any) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    with lock:
        pipe.write(_LENGTH.pack(len(data)) + data)
        pipe.flush()


def read(pipe: IO[bytes]) -> tuple[Any, ...] | None:
    """The next message; None where the other side has gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    data = pipe.read(length)
    return pickle.loads(data) if len(data) == length else None  # from our own child or parent


class Driver:
    """The driving process, its two pipes, and where it says what went wrong."""

    def __init__(self) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the session
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to, self.answers = self.process.stdin, self.process.stdout
        self.lock = threading.Lock()

    def tell(self, *message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever waits for its answers learns that it has gone
            write(self.to, self.lock, *message)


def start_ahead(clients: Iterable[Client]) -> None:
    """Start the driving process of the session that this process opens next, and have it import these clients' SDKs.

    That takes seconds, in which pytest starts and collects. Should no session be opened, it ends with us.
    """
    driver = Driver()
    driver.tell("preload", tuple(clients))
    _ahead.append(driver)


def ready() -> Driver:
    """The driver that was started ahead, or a new one."""
    return _ahead.pop() if _ahead else Driver()
