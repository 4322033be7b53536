"""The live session in a process of its own, so that judging never holds up the witnesses, and two cores are used.

The parent writes commands to the child's standard input, the child answers on its standard output: pickled tuples, length first.
Both ends are this module of the same installation; nothing else ever speaks to either.
"""

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import IO, Any, Final

from harness import driver
from harness.case import Client
from harness.client import preload
from harness.exchange import Exchange, Hop, Request
from harness.plan import Planned
from harness.recording.library import Library
from harness.session import LiveSession
from harness.settings import Settings
from harness.target import Model, Target
from harness.toml_file import UserFileError

_STOP_SECONDS: Final = 10


class DriverGone(Exception):
    """The driving process ended before it had answered; the message has its last words."""


class ApartSession:
    """A LiveSession in another process, with the part of its interface that a run needs."""

    target: Target
    models: tuple[Model, ...]

    def __init__(self, settings: Settings, *, probe: bool, tell: Callable[[str], None], clients: Iterable[Client]) -> None:
        self.library = Library.open(settings.recordings)
        self._tell = tell
        self._driver = driver.ready()
        self._futures: dict[str, Future[Exchange]] = {}
        self._outcome: Future[tuple[int, int]] = Future()
        self._offered: frozenset[str] = frozenset()
        self._listener: threading.Thread | None = None
        self._closed = False
        self._driver.tell("open", settings, probe, tuple(clients))

    def open(self) -> None:
        """Wait until the target is ready. Raises what a user can mend, as LiveSession.open does."""
        while (message := driver.read(self._driver.answers)) is not None:
            match message:
                case ("told", text):
                    self._tell(text)
                case ("failed", sentence):
                    self.close()
                    raise UserFileError(sentence)
                case ("opened", target, models, outside):
                    self.target, self.models, self._outside = target, models, outside
                    self._listener = threading.Thread(target=self._listen, name="wireproof-listener", daemon=True)
                    self._listener.start()
                    return
        raise DriverGone(self._last_words())

    def offers(self, planned: Planned) -> bool:
        return LiveSession.can_be_asked(planned, self.target, self._outside)

    def begin(self, chosen: Iterable[Planned]) -> dict[str, Future[Exchange]]:
        """Set the exchanges going, in this order; each has its future."""
        planned = tuple(chosen)
        self._futures = {each.id: Future() for each in planned}
        self._planned = {each.id: each for each in planned}
        self._driver.tell("begin", planned)
        return self._futures

    def outcome(self) -> tuple[int, int]:
        """Calls made, and micro-USD spent."""
        with contextlib.suppress(OSError):
            self._driver.tell("outcome")
            return self._outcome.result(timeout=_STOP_SECONDS)
        return 0, 0

    def _listen(self) -> None:
        why = None
        try:
            while (message := driver.read(self._driver.answers)) is not None:
                match message:
                    case ("exchange", planned_id, exchange):
                        self._futures[planned_id].set_result(exchange)
                    case ("outcome", calls, spent):
                        self._outcome.set_result((calls, spent))
        except Exception as error:  # what the child wrote cannot be read: nobody may wait for it for ever
            why = f"the driving process said what cannot be read ({type(error).__name__}: {error})"
        if not self._closed:
            why = why or self._last_words()
            for planned_id, future in self._futures.items():
                if not future.done():
                    future.set_result(_undriven(self._planned[planned_id], why))
        if not self._outcome.done():
            self._outcome.set_result((0, 0))

    def _last_words(self) -> str:
        self._driver.process.wait()
        self._driver.said.seek(0)
        lines = self._driver.said.read().decode(errors="replace").strip().splitlines()
        return f"the driving process ended with {self._driver.process.returncode}: {lines[-1] if lines else 'it said nothing'}"

    def let_go(self) -> None:
        """Tell the child to stop, and do not wait for it."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._driver.to.close()

    def close(self) -> None:
        self.let_go()
        try:
            self._driver.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._driver.process.kill()
            self._driver.process.wait()
        if self._listener is not None:
            self._listener.join(timeout=_STOP_SECONDS)
        self._driver.answers.close()
        self._driver.said.close()


def _undriven(planned: Planned, why: str) -> Exchange:
    nothing = Request(method=planned.case.method, target=planned.case.path or "", headers=(), body=b"")
    return Exchange(
        id=planned.id,
        case=planned.case,
        model=planned.model,
        route=planned.route,
        marker="",
        client=Hop(request=nothing, response=None),
        errored=why,
    )


class _Child:
    """The other end: owns the live session, and answers until its standard input closes."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        self._commands = commands
        self._answers = answers
        # Exchanges are delivered by the event loop's thread, which must never wait for a parent that is busy judging.
        self._outbox: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._session: LiveSession | None = None
        self._importing: threading.Thread | None = None

    def serve(self) -> None:
        postman = threading.Thread(target=self._post, name="wireproof-postman", daemon=True)
        postman.start()
        try:
            while (message := driver.read(self._commands)) is not None:
                match message:
                    case ("preload", clients):
                        self._preload(clients)
                    case ("open", settings, probe, clients):
                        if not self._open(settings, probe, clients):
                            return
                    case ("begin", chosen):
                        self._begin(chosen)
                    case ("outcome",) if self._session is not None:
                        self._answer("outcome", *self._session.outcome())
        finally:
            if self._session is not None:
                self._session.close()
            self._outbox.put(None)
            postman.join(timeout=_STOP_SECONDS)

    def _answer(self, *message: Any) -> None:
        self._outbox.put(message)

    def _post(self) -> None:
        lock = threading.Lock()
        with contextlib.suppress(BrokenPipeError):  # the parent has gone: so shall we
            while (message := self._outbox.get()) is not None:
                driver.write(self._answers, lock, *message)

    def _preload(self, clients: tuple[Client, ...]) -> None:
        if self._importing is None:
            self._importing = threading.Thread(target=preload, args=(clients,), daemon=True)
            self._importing.start()

    def _open(self, settings: Settings, probe: bool, clients: tuple[Client, ...]) -> bool:
        from harness.conformance import USER_ERRORS

        try:
            self._session = LiveSession(settings, probe=probe, tell=lambda text: self._answer("told", text))
            if settings.base_url is None and settings.target is None:
                self._preload(clients)  # while the embedded gateway starts; a given target may not even answer
            self._session.open()
        except USER_ERRORS as error:
            self._session = None  # it has closed itself
            self._answer("failed", str(error))
            return False
        self._answer("opened", self._session.target, self._session.models, self._session.runner.outside)
        return True

    def _begin(self, chosen: tuple[Planned, ...]) -> None:
        from harness.conformance import rarely_collect

        assert self._session is not None
        if self._importing is not None:
            self._importing.join()
        preload(sorted({client for planned in chosen for client in planned.case.clients}))
        rarely_collect()
        for planned in chosen:
            self._session.submit(planned).add_done_callback(self._deliver(planned))

    def _deliver(self, planned: Planned) -> Callable[["Future[Exchange]"], None]:
        def done(future: "Future[Exchange]") -> None:
            if not future.cancelled():
                self._answer("exchange", planned.id, future.result())

        return done


def main() -> None:
    """The child's life. Ctrl-C is the parent's to hear; what anything prints goes where errors go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _Child(commands, answers).serve()


if __name__ == "__main__":
    main()
