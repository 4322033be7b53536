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
from harness.plan import Planned

FILE: Final = "WIREPROOF_BENCH_CLOCK"
BEGAN: Final = "WIREPROOF_BENCH_BEGAN"  # time.monotonic() when the process was started
PARTS: Final = ("start", "drive", "judge", "report")


class Clock:
    def __init__(self, began: float, file: Path) -> None:
        self._last = began
        self._file = file
        self._waited = 0.0
        self.parts: dict[str, float] = {}

    def _end(self, part: str) -> None:
        now = time.monotonic()
        self.parts[part] = now - self._last
        self._last = now

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        self._end("start")  # interpreter, pytest, suites, gateway, items; the first exchanges are under way
        conformance = session.config.stash.get(pytest_plugin._CONFORMANCE, None)
        if conformance is not None:
            evidence: Any = conformance.evidence  # Any: a method is wrapped, which types do not allow
            evidence.come_before = self._timed(evidence.come_before)
        try:
            return (yield)
        finally:
            self._end("judge")
            self.parts["drive"] = self._waited
            self.parts["judge"] -= self._waited

    def _timed(self, wait: Callable[[Planned], str | None]) -> Callable[[Planned], str | None]:
        def timed(planned: Planned) -> str | None:
            began = time.monotonic()
            try:
                return wait(planned)
            finally:
                self._waited += time.monotonic() - began

        return timed

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._end("report")
        self._file.write_text(json.dumps({part: self.parts.get(part, 0.0) for part in PARTS}), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if file := os.environ.get(FILE):
        config.pluginmanager.register(Clock(float(os.environ[BEGAN]), Path(file)), "wireproof-bench-clock")
