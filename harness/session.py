"""A live run: the target made ready, the witnesses started, exchanges driven ahead in one background event loop.

Submitting ahead is what makes a run fast: pytest asks for evidence item by item, and finds most of it gathered already.
"""

import asyncio
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx2

from harness.case import Case, Client, Key, Outcome, Play, Route, Surface
from harness.client import ClientWitness
from harness.embedded import EMBEDDED, EmbeddedGateway
from harness.exchange import Exchange
from harness.plan import Planned
from harness.recording.library import Library
from harness.runner import Runner
from harness.settings import Settings
from harness.target import Bases, Model, Target, TargetError, check_url, read_target, served_by
from harness.upstream.witness import UpstreamWitness

T = TypeVar("T")

_SWITCH_SECONDS: Final = 0.0005
_RESTART_SECONDS: Final = 60.0  # for a node of somebody else's to serve again


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = _quickest_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wireproof-witnesses", daemon=True)
        self._thread.start()
        # While pytest judges in its own thread, this one must not wait long for its turn: the times it keeps are evidence.
        self._switch_seconds = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.submit(work).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        sys.setswitchinterval(self._switch_seconds)
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()


def _quickest_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class LiveSession:
    """Opened once per run; `submit` may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        tell: Callable[[str], None] = lambda _: None,
        in_front: Callable[[str, int], Coroutine[Any, Any, str]] | None = None,
        probe: bool = True,
    ) -> None:
        self.settings = settings
        self.target: Target
        self.models: tuple[Model, ...] = ()
        self.library = Library.open(settings.recordings)
        self.runner: Runner
        self.witness: UpstreamWitness
        self._tell = tell
        self._wants_probe = probe
        self._in_front = in_front  # puts something before the upstream witness (its URL, the port wanted), and says where
        self._loop = Loop()
        self._gateway: EmbeddedGateway | None = None
        self._wallets = 0  # micro-USD on all good keys together, when the run opened
        self._clients = ClientWitness()
        self._entered = False

    def open(self) -> None:
        """Everything up to the first exchange. Raises TargetError or UserFileError, with one sentence that says how to mend it."""
        try:
            settings = self.settings
            target = self._given_target()
            port = settings.upstream_port or target.upstream_port
            if target.bases is not None and not port:
                same = self._said("give the same --upstream-port PORT", "write the same `upstream_port = PORT` under [target] in {}")
                raise TargetError(
                    f"say where the gateway expects its vendors: configure their base URLs to http://127.0.0.1:PORT, and {same}"
                )
            self.witness = UpstreamWitness(self.library.load, port=0 if self._in_front else port)
            self._loop.run(self.witness.start())
            upstream_url = self._loop.run(self._in_front(self.witness.url, port)) if self._in_front else self.witness.url
            if self._in_front:
                self.witness.front = urlsplit(upstream_url).netloc
            if target.bases is None:
                self._tell("starting the embedded reference gateway")
                self._gateway = EmbeddedGateway(upstream_url, settings)
                target = self._gateway.ready()
            self.target = replace(target, restarts=target.restarts and settings.storm_calls > 0)
            self._loop.run(self._open())
        except BaseException:
            self.close()
            raise

    def _given_target(self) -> Target:
        settings = self.settings
        if settings.target is not None or settings.base_url is not None:
            settings.refuse_embedded()
        if settings.target is not None:
            target = read_target(settings.target)
            if settings.base_url:
                bases, *more = _nodes(settings.base_url)
                target = replace(target, bases=bases, more_bases=tuple(more))
            # The file may name the variable that holds --api-key too, and a key counts as an account of its own.
            return replace(target, good_keys=tuple(dict.fromkeys((settings.api_key, *target.good_keys)))) if settings.api_key else target
        if settings.base_url is None:
            return Target(name=EMBEDDED, bases=None)
        bases, *more = _nodes(settings.base_url)
        return Target(
            name=settings.base_url, bases=bases, more_bases=tuple(more), good_keys=(settings.api_key,) if settings.api_key else ()
        )

    def _said(self, by_option: str, in_file: str) -> str:
        """The words for whoever gave options alone, or for who gave a target file, whose path goes into `in_file`."""
        return by_option if self.settings.target is None else in_file.format(self.settings.target)

    def _correct_url(self) -> str:
        if self.settings.base_url is not None:
            return "correct --base-url"
        return f"correct `base_url` under [target] in {self.settings.target}"

    def _give_a_key(self) -> str:
        if self.settings.target is None or self.settings.api_key:
            return "give one that it takes by WIREPROOF_API_KEY or --api-key"
        if self.target.good_keys:
            return f"export one that it takes in the variable that `good` under [keys] in {self.settings.target} names"
        return f"export one that it takes, and name its variable in `good` under [keys] in {self.settings.target}"

    async def _open(self) -> None:
        bases = self.target.bases
        assert bases is not None  # the embedded gateway has told where it listens
        declared = self.target.models
        if not declared or (self._gateway and self.settings.models):  # the embedded one serves more than it is driven on
            listed = await self._listed(bases, self.target.good_keys[0] if self.target.good_keys else None)
            described = {model.id: replace(model, for_cells=False) for model in declared}
            declared = tuple(described.get(model.id, model) for model in listed)
        self.models = self._chosen(declared)
        await self._clients.__aenter__()
        self._entered = True
        self.runner = Runner(
            target=self.target,
            nodes=self.target.nodes,
            library=self.library,
            clients=self._clients,
            witness=self.witness,
            concurrency=self.settings.concurrency,
        )
        self.runner.outside = await self._outside(bases)
        self.runner.storm_calls = self.settings.storm_calls
        if self.target.restarts:
            self.runner.restart = self._restart
        self._wallets = await self.runner.wallets()
        if self._wants_probe:
            self._tell("asking the gateway for its vendors")
            await self._probe()

    def _chosen(self, models: tuple[Model, ...]) -> tuple[Model, ...]:
        if not self.settings.models:
            return models
        known = {model.id: model for model in models}
        missing = [name for name in self.settings.models if name not in known]
        if missing:
            who = f"{self.settings.target} describes" if self.settings.target and self.target.models else "the gateway lists"
            raise TargetError(f"{who} no model {missing[0]!r}: choose by --models from {', '.join(known) or 'none'}")
        return tuple(known[name] for name in self.settings.models)

    async def _outside(self, bases: Bases) -> dict[str, str]:
        """For each model a good key whose group lacks it, where the target offers one."""
        found: dict[str, str] = {}
        for key in self.target.other_keys.get(Key.OTHER_GROUP, ()):
            reached = {model.id for model in await self._listed(bases, key)}
            found |= {model.id: key for model in self.models if model.id not in reached}
        return found

    async def _restart(self, node: int) -> None:
        """Kill a node and wait until it serves again. Raises TargetError."""
        if self._gateway is not None:
            await asyncio.to_thread(self._gateway.restart, node)
            return
        assert self.target.restart is not None
        command = self.target.restart.replace("{node}", str(node + 1))
        done = await asyncio.to_thread(subprocess.run, command, shell=True, capture_output=True, timeout=_RESTART_SECONDS)
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise TargetError(f"[process] restart ended with {done.returncode}: {last[0]}")
        deadline = time.monotonic() + _RESTART_SECONDS
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                try:
                    await client.get(f"{self.target.nodes[node].openai}/models")
                    return
                except httpx2.HTTPError as error:
                    if time.monotonic() > deadline:
                        raise TargetError(f"node {node + 1} does not serve again after [process] restart: {error}") from None
                    await asyncio.sleep(0.1)

    def offers(self, planned: Planned) -> bool:
        return self.can_be_asked(planned, self.target, self.runner.outside)

    @staticmethod
    def can_be_asked(planned: Planned, target: Target, outside: dict[str, str]) -> bool:
        """Whether the target has what the case wants of it: the credential, or its word on timeouts. `outside` is Runner.outside."""
        if not target.says_timeouts(planned.case):
            return False  # how long is too long is for the target to say: without its word, patience is no fault
        match planned.case.key:
            case Key.OTHER_GROUP:
                return planned.model in outside
            case Key.EMPTY_WALLET:
                return Key.EMPTY_WALLET in target.other_keys
            case _:
                return True

    async def _listed(self, bases: Bases, key: str | None) -> tuple[Model, ...]:
        """The models of GET /v1/models. Raises TargetError for what is no gateway, or one that does not take the key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        url = f"{bases.openai}/models"
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
                answer = await client.get(url, headers=headers)
        except httpx2.HTTPError as error:
            raise TargetError(
                f"nothing answers at {bases.root} ({str(error) or type(error).__name__}): start the gateway, or {self._correct_url()}"
            ) from None
        if answer.status_code in (401, 403):
            given = "refused the key" if key else "wants a key"
            raise TargetError(f"the gateway {given} ({answer.status_code} from {url}): {self._give_a_key()}")
        try:
            document = json.loads(answer.content)
            ids = [entry["id"] for entry in document["data"]]
        except (ValueError, KeyError, TypeError):
            kind = answer.headers.get("content-type", "no content type")
            if "html" in kind:
                raise TargetError(f"{url} answers with a web page ({kind}), so it is not a gateway's API: {self._correct_url()}") from None
            if self.settings.models:
                return tuple(Model(id=name, surfaces=served_by(name)) for name in self.settings.models)
            name_them = self._said("name the models by --models", "describe each model as [[models]] in {}")
            raise TargetError(f"{url} answers {answer.status_code} and no model list: {self._correct_url()}, or {name_them}") from None
        if not ids:
            raise TargetError(f"{url} lists no models for this key: bind it to a group that has some")
        return tuple(Model(id=name, surfaces=served_by(name)) for name in ids)

    async def _probe(self) -> None:
        """One plain call per surface, until one reaches the upstream witness; none doing so means that there is nothing to prove."""
        answers = []
        tried: set[Surface] = set()
        for model in self.models:
            for surface, route in model.surfaces.items():
                if route is not Route.NATIVE or surface in tried or surface in (Surface.COUNT_TOKENS, Surface.IMAGES):
                    continue
                tried.add(surface)
                recording = next(self.library.find(surface=surface, status=200, stream=False), None)
                if recording is None:
                    continue
                case = Case(
                    id=f"probe/{surface}", surface=surface, client=Client.RAW, play=Play(recording=recording.id), outcome=Outcome.SUCCESS
                )
                exchange = await self.runner.drive(Planned(id=f"{case.id}-{model.id}", case=case, model=model.id, route=route))
                if exchange.errored:
                    raise TargetError(exchange.errored)
                if exchange.upstream:
                    return
                status = exchange.client.response.status if exchange.client.response else None
                if status in (401, 403):
                    raise TargetError(f"the gateway refused the key for {model.id} ({status}): {self._give_a_key()}")
                answers.append(f"{model.id} {status or exchange.client.error}")
        if answers:  # a target of images alone cannot be asked so
            raise TargetError(
                f"the gateway never called the upstream witness at {self.witness.url} ({'; '.join(answers)}): "
                "configure its vendors' base URLs to that address"
            )

    def spent_micro_usd(self) -> int:
        """What left the wallets of all good keys since the run opened; 0 where the target shows no account."""
        return max(0, self._wallets - self._loop.run(self.runner.wallets()))

    def outcome(self) -> tuple[int, int]:
        """Calls made, and micro-USD spent."""
        return self.runner.calls_made, self.spent_micro_usd()

    def submit(self, planned: Planned) -> "Future[Exchange]":
        return self._loop.submit(self.runner.drive(planned))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def close(self) -> None:
        if hasattr(self, "runner"):
            self._loop.run(self.runner.close())
        if self._entered:
            self._loop.run(self._clients.__aexit__(None, None, None))
        if hasattr(self, "witness"):
            self._loop.run(self.witness.stop())
        self._loop.close()
        if self._gateway is not None:
            self._gateway.stop()


def _nodes(urls: str) -> list[Bases]:
    """Of --base-url: one URL, or several with commas between. Raises TargetError."""
    return [Bases.of(check_url(url.strip(), "--base-url")) for url in urls.split(",")]


def fresh_id() -> str:
    return secrets.token_hex(4)
