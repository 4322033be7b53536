"""The reference gateway as a target: one process with SQLite, or one and more that share PostgreSQL and Redis, which are started too."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, assert_never

from harness.case import Dialect, Key
from harness.child import end
from harness.losses import EMBEDDED as LOSSES
from harness.losses import read_losses
from harness.settings import Settings, Storage
from harness.target import Bases, Model, Target, TargetError, on_every_surface, served_by

EMBEDDED: Final = "reference gateway (embedded)"
# One model of each vendor. The gateway lists more, but in a closed loop a second model of a vendor shows the same bytes again.
_DRIVEN: Final = (
    Model(id="gpt-5-4", surfaces=served_by("gpt-5-4")),
    on_every_surface("claude-sonnet-4-6", Dialect.ANTHROPIC),
    on_every_surface("gemini-3-1-pro", Dialect.GEMINI),
    on_every_surface("deepseek-v4-pro", Dialect.DEEPSEEK_CHAT),
    Model(id="gpt-image-2", surfaces=served_by("gpt-image-2")),
    on_every_surface("gpt-4-1", Dialect.OPENAI_CHAT, for_cells=True),
    on_every_surface("gpt-5-5-pro", Dialect.OPENAI_RESPONSES, for_cells=True),
    on_every_surface("deepseek-v3-anthropic", Dialect.DEEPSEEK_ANTHROPIC, for_cells=True),
)
_FAILOVER: Final = "gpt-5-4-mini"  # two of its channels serve it
_ARK_IMAGES, _GEMINI_IMAGES, _VIDEOS = "seedream-4-5", "nano-banana", "seedance-1-5"
_LANES: Final = 16  # accounts
_START_SECONDS: Final = 20
_STARTS: Final = 3  # of a node that was killed: its port may be taken for a moment
# So long it bears with a silent vendor, at first and within an answer: stalls are played for real. The second is
# above the two seconds for which the upstream witness waits in lockstep, so that a gateway that holds back is found to do only that.
_FIRST_BYTE_MS: Final = 1500
_IDLE_MS: Final = 2600
_SWEEP_MS: Final = 10_000  # of several nodes, one is found dead after three seconds
_DATABASE, _REDIS = "WIREPROOF_EMBEDDED_DATABASE", "WIREPROOF_EMBEDDED_REDIS"
_MODULE: Final = (sys.executable, "-m", "reference_gateway")


class _Node:
    """One process."""

    def __init__(self, command: Iterable[str], log: Path, environment: dict[str, str]) -> None:
        self._said = log.open("w+b")
        self._process = subprocess.Popen(
            tuple(command),
            stdin=subprocess.PIPE,  # it stops when this closes, so it never outlives us
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, **environment},
        )

    def told(self) -> dict[str, Any]:
        """Its one line of JSON. Raises TargetError with its last words."""
        late = threading.Timer(_START_SECONDS, self._process.kill)
        late.start()
        line = self._process.stdout.readline() if self._process.stdout else ""
        late.cancel()
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            self._process.wait(timeout=5)
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip().splitlines()
            raise TargetError(f"the embedded reference gateway did not start: {said[-1] if said else 'it said nothing'}") from None
        return told

    def kill(self) -> None:
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        end(self._process)
        self._said.close()


class EmbeddedGateway:
    """Its vendors are all the upstream witness. The methods block. Raises TargetError, ServiceMissing."""

    def __init__(self, upstream_url: str, settings: Settings | None = None, command: Iterable[str] | None = None) -> None:
        self._settings = settings or Settings()
        self._upstream_url = upstream_url
        self._command = tuple(command or _MODULE)
        self._opened = ExitStack()
        self._folder = Path(self._opened.enter_context(TemporaryDirectory(prefix="wireproof-gateway-")))
        self._environment: dict[str, str] = {}
        self._nodes: list[_Node] = []
        self._ports: list[int] = []
        try:
            self._nodes.append(self._first())
        except BaseException:
            self._opened.close()
            raise

    def _first(self) -> _Node:
        words = ["--demo-upstream", self._upstream_url, "--demo-accounts", str(_LANES + 1), "--demo-folder", str(self._folder)]
        words += ["--demo-first-byte-ms", str(_FIRST_BYTE_MS), "--demo-idle-ms", str(_IDLE_MS)]
        match self._settings.storage:
            case Storage.SQLITE:
                if self._settings.nodes > 1:
                    raise TargetError("several nodes cannot share one SQLite file: give --storage postgres too")
                if self._settings.postgres_url or self._settings.redis_url:
                    raise TargetError("--postgres-url and --redis-url are for --storage postgres: give that too")
            case Storage.POSTGRES:
                self._environment = self._servers()
                words += ["--demo-database-env", _DATABASE, "--demo-redis-env", _REDIS]
            case _:
                assert_never(self._settings.storage)
        return self._start(words, port=0)

    def _servers(self) -> dict[str, str]:
        """The URLs that were given, and of what is started in the place of those that were not."""
        from harness.services import Postgres, Redis  # and asyncpg, which is for those who ask for it

        database, redis = self._settings.postgres_url, self._settings.redis_url
        if redis is None:
            over_redis = Redis()
            self._opened.callback(over_redis.close)
            redis = over_redis.url
        if database is None:
            postgres = Postgres()
            self._opened.callback(postgres.close)
            database = postgres.empty()
        return {_DATABASE: database, _REDIS: redis}

    def _start(self, words: Iterable[str], port: int) -> _Node:
        log = self._folder / f"stderr-{len(self._nodes)}.log"
        return _Node([*self._command, *words, "--port", str(port), "--demo-tied", "--demo-clock"], log, self._environment)

    def _another(self, port: int) -> _Node:
        return self._start(["--config", str(self._folder / "gateway.toml")], port)

    def ready(self) -> Target:
        """Wait until all nodes serve, and make them a target. Raises TargetError."""
        try:
            told = self._nodes[0].told()
            others = [self._another(0) for _ in range(self._settings.nodes - 1)]
            self._nodes += others
            roots = [told["listening"], *(node.told()["listening"] for node in others)]
        except BaseException:
            self.stop()
            raise
        self._ports = [int(root.rpartition(":")[2]) for root in roots]
        bases, *more = map(Bases.of, roots)
        where = "" if self._settings.storage is Storage.SQLITE else f", {len(roots)} on {self._settings.storage}"
        return Target(
            name=EMBEDDED + where,
            bases=bases,
            more_bases=tuple(more),
            good_keys=tuple(told["keys"]),
            other_keys={
                Key.OTHER_GROUP: tuple(told["narrow_keys"]),
                Key.EMPTY_WALLET: (told["poor_key"],),
                **{key: (told[f"{key}_key"],) for key in (Key.REVOKED, Key.EXPIRED, Key.CAPPED)},
            },
            models=tuple(replace(model, upstream_ids=(model.id,)) for model in _DRIVEN),
            dialect="wireproof",
            first_byte_ms=_FIRST_BYTE_MS,
            idle_ms=_IDLE_MS,
            made_group="default",
            clock_path="/test/clock",
            failover_model=_FAILOVER,
            ark_image_model=_ARK_IMAGES,
            gemini_image_model=_GEMINI_IMAGES,
            video_model=_VIDEOS,
            losses=read_losses(LOSSES),
            restarts=True,
            sweep_ms=_SWEEP_MS,
        )

    def restart(self, node: int) -> None:
        """Kill -9 that node, and have it serve again at the same address. Raises TargetError."""
        self._nodes[node].kill()
        for attempt in range(_STARTS):
            self._nodes[node] = self._another(self._ports[node])
            try:
                self._nodes[node].told()
            except TargetError:
                if attempt == _STARTS - 1:
                    raise
            else:
                return

    def stop(self) -> None:
        for node in self._nodes:
            node.stop()
        self._nodes = []
        self._opened.close()
