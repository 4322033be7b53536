"""A pytest plugin that says where the time of one run went: `-p harness.bench.clock`, which the bench gives to `wireproof run`.

It writes JSON to the file that WIREPROOF_BENCH_CLOCK names: seconds by part. Without that variable it does nothing.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from harness import pytest_plugin
from harness.conformance import Live

FILE: Final = "WIREPROOF_BENCH_CLOCK"
BEGAN: Final = "WIREPROOF_BENCH_BEGAN"  # time.monotonic() when the process was started
PARTS: Final = ("start", "sdk import", "drive", "judge", "report")


class Clock:
    def __init__(self, began: float, file: Path) -> None:
        self._last = began
        self._file = file
        self._inside = dict.fromkeys(("sdk import", "drive"), 0.0)  # measured within another part, and taken off it
        self.parts: dict[str, float] = {}

    def _end(self, part: str) -> None:
        now = time.monotonic()
        self.parts[part] = now - self._last
        self._last = now

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*words: Any) -> Any:
            began = time.monotonic()
            try:
                return call(*words)
            finally:
                self._inside[part] += time.monotonic() - began

        return timed

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Interpreter, pytest, suites, gateway and items are there; the SDKs come next, then the first exchange."""
        self._end("start")
        conformance = session.config.stash.get(pytest_plugin._CONFORMANCE, None)
        if conformance is None:
            return
        evidence: Any = conformance.evidence  # Any: its methods are wrapped, which types do not allow
        evidence.exchange = self._timed("drive", evidence.exchange)
        if isinstance(evidence, Live):
            live: Any = evidence.session
            live.preload = self._timed("sdk import", live.preload)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        self._end("sdk import")  # and all else that begins a run
        try:
            return (yield)
        finally:
            self._end("judge")
            self.parts["drive"] = self._inside["drive"]
            self.parts["judge"] -= self._inside["drive"]

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._end("report")
        self._file.write_text(json.dumps({part: self.parts.get(part, 0.0) for part in PARTS}), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if file := os.environ.get(FILE):
        config.pluginmanager.register(Clock(float(os.environ[BEGAN]), Path(file)), "wireproof-bench-clock")
