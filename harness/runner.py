"""Drives exchanges: client witness, gateway, upstream witness and account, put together into evidence.

Everything runs in one event loop. Nothing is judged here.
"""

import asyncio
import copy
import json
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any, Final, assert_never

import httpx2

from harness import steps
from harness.account import Account, AccountError, WireproofAccount
from harness.case import MARKER, UPSTREAM_PORT, Case, Key, Outcome, Pace, Step, Surface
from harness.client import Call, ClientWitness
from harness.exchange import AccountReading, Balance, Exchange, Hop, Request, Response, SdkReading
from harness.excuse import is_doubtful
from harness.mask import Masker
from harness.plan import Planned
from harness.progress import ClientProgress
from harness.recording.format import Recording
from harness.recording.library import Library
from harness.recording.marking import mark, new_marker
from harness.replay import facts
from harness.storm import Restart
from harness.target import Bases, Target, Turn
from harness.upstream.witness import UpstreamWitness

WRONG_KEY: Final = "sk-byts-q7Zk2Vx9mT4nB8cR1wL6yH3jD5fG0sPa"  # of the right form, never issued
_LOCKSTEP_TIMES: Final = 3  # so much more, where each of some hundred reads waits for the one before it to have come
_CALL_SECONDS: Final = 20.0  # no exchange of a suite takes longer unless the gateway hangs, or promised no more than to give up later
_GRACE_SECONDS: Final = 5.0  # what a gateway may take, past its promised timeout, to say that the vendor fell silent
_VENDOR_SECONDS: Final = 2.0  # how long the upstream may go on with an exchange that the client has done with
_BEAT_SECONDS: Final = 0.05
_WORTH_A_NOTE_MS: Final = 20
_ATTEMPTS: Final = 3
_REST_SECONDS: Final = 0.3
_SETTLE_BOUND_MS: Final = 2000  # billing-and-storage 4.3: poll until settled, with a bound


class Gate:
    """Many at a time, or one alone."""

    def __init__(self, concurrency: int) -> None:
        self._free = asyncio.Semaphore(concurrency)
        self._changed = asyncio.Condition()
        self._running = 0
        self._alone = False

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._free:
            async with self._changed:
                if alone:
                    await self._changed.wait_for(lambda: not self._alone)
                    self._alone = True
                    await self._changed.wait_for(lambda: self._running == 0)
                else:
                    await self._changed.wait_for(lambda: not self._alone)
                    self._running += 1
            try:
                yield
            finally:
                async with self._changed:
                    if alone:
                        self._alone = False
                    else:
                        self._running -= 1
                    self._changed.notify_all()


class Pulse:
    """Notices when our own event loop is late: whoever judges times must know how far ours can be trusted."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, int]] = deque(maxlen=4096)  # when, and by how many ms, where it was worth a note
        self._due = math.inf  # the next beat
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            self._due = time.perf_counter() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            late_ms = round((time.perf_counter() - self._due) * 1000)
            if late_ms > _WORTH_A_NOTE_MS:
                self._late.append((time.perf_counter(), late_ms))

    def worst_ms(self, since: float) -> int:
        """The longest that the loop stood still since then; time.perf_counter() seconds."""
        overdue_ms = (time.perf_counter() - self._due) * 1000
        noted = [late_ms for at, late_ms in self._late if at >= since]
        return max([*noted, round(overdue_ms) if overdue_ms > _WORTH_A_NOTE_MS else 0])


class Runner:
    """One target, ready to be driven. `nodes` may differ from the target's own when a proxy stands between."""

    def __init__(
        self,
        *,
        target: Target,
        nodes: Sequence[Bases],
        library: Library,
        clients: ClientWitness,
        witness: UpstreamWitness,
        concurrency: int,
    ) -> None:
        self.target = target
        self.clients = clients
        self.nodes = tuple(nodes)
        self.library = library
        self.witness = witness
        self.announce: Callable[[str], None] = lambda _: None  # told each marker before its call goes out
        self.outside: dict[str, str] = {}  # model -> a good key whose group lacks it
        self.restart: Restart | None = None  # of a node, where that can be done
        self.storm_calls = 0
        self.calls_made = 0
        self._began = count()  # exchanges
        self._gate = Gate(concurrency)
        self._pulse = Pulse()
        self._http = httpx2.AsyncClient(trust_env=False, timeout=10)
        # The first key serves all that watches no balance; the others are lanes, one account-watching exchange at a time on each.
        self._lanes: asyncio.Queue[str] = asyncio.Queue()
        for key in target.good_keys[1:]:
            self._lanes.put_nowait(key)
        self._one_key = len(target.good_keys) == 1
        self._capped = asyncio.Lock()  # two at a time would take each other's place
        self._secrets = {
            "client-key": (*target.good_keys, WRONG_KEY),
            **{f"{key}-key": secrets for key, secrets in target.other_keys.items()},
        }
        self._masker = Masker(self._secrets)

    def through(self, bases: Bases, announce: Callable[[str], None]) -> "Runner":
        """The same runner, its keys, lanes and gate shared, over other base URLs."""
        other = copy.copy(self)
        other.nodes, other.announce = (bases,), announce
        return other

    def _turn(self) -> Turn:
        """The nodes in turn, for one exchange; the next one begins at the next node."""
        return Turn(self.nodes, next(self._began))

    async def close(self) -> None:
        await self._pulse.stop()
        await self._http.aclose()

    async def drive(self, planned: Planned) -> Exchange:
        """The evidence of one exchange. What goes wrong on our side is told in `errored`, never raised."""
        if any(step.key is Key.CAPPED for step in planned.case.steps):
            async with self._capped:
                return await self._drive_in_turn(planned)
        return await self._drive_in_turn(planned)

    async def _drive_in_turn(self, planned: Planned) -> Exchange:
        case = planned.case
        watched = case.account and self.target.dialect != "none"  # with no books to read, nothing needs a balance of its own
        if not watched or self._one_key:
            async with self._gate.enter(alone=case.serial or watched):
                return await self._safely(planned, self._key(case.key, planned.model, None))
        lane = await self._lanes.get()  # before the gate: who waits for a lane must not keep others out
        try:
            async with self._gate.enter(alone=case.serial):
                return await self._safely(planned, self._key(case.key, planned.model, lane), lane)
        finally:
            self._lanes.put_nowait(lane)

    def _key(self, key: Key, model: str, lane: str | None) -> str | None:
        match key:
            case Key.GOOD:
                return lane or (self.target.good_keys[0] if self.target.good_keys else None)
            case Key.MISSING:
                return None
            case Key.WRONG:
                return WRONG_KEY
            case Key.OTHER_GROUP:
                return self.outside.get(model)
            case Key.OTHER_ACCOUNT:
                return self.target.good_keys[0] if lane else None
            case Key.EMPTY_WALLET | Key.REVOKED | Key.EXPIRED | Key.CAPPED:
                return next(iter(self.target.other_keys.get(key, ())), None)
            case _:
                assert_never(key)

    async def _safely(self, planned: Planned, key: str | None, lane: str | None = None) -> Exchange:
        try:
            for _ in range(_ATTEMPTS):
                exchange = await self._drive(planned, key, lane)
                # The vendor that we play may have been found silent, by our own fault. A storm does not ask for how long.
                if not is_doubtful(exchange) or any(step.storm for step in planned.case.steps):
                    break
            return exchange
        except Exception as error:  # our own fault becomes an Errored verdict with its words, not a lost run
            nothing = Request(method=planned.case.method, target=planned.case.path or "", headers=(), body=b"")
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f" ({where.tb_frame.f_code.co_filename.rpartition('/')[2]}:{where.tb_lineno})" if where else ""
            return Exchange(
                id=planned.id,
                case=planned.case,
                model=planned.model,
                route=planned.route,
                marker="",
                client=Hop(request=nothing, response=None),
                errored=f"could not drive it: {type(error).__name__}: {error}{place}",
            )

    async def _drive(self, planned: Planned, key: str | None, lane: str | None) -> Exchange:
        case = planned.case
        if case.steps:
            return await self._drive_steps(planned, lane)
        recording = self.library.load(case.play.recording) if case.play is not None else None
        marker = new_marker()
        model = case.model or planned.model
        body = self._body(case, recording, marker)
        turn = self._turn()
        account = self._account(lane or (self.target.good_keys[0] if self.target.good_keys else None), turn) if case.account else None
        before = await account.read() if account else None

        self._pulse.start()
        self.announce(marker)
        began = time.perf_counter()
        progress = ClientProgress()
        self.witness.expect(marker, *((case.play,) if case.play else ()), surface=case.surface, client_progress=progress, began=began)
        try:
            call = Call(
                case=case,
                model=model,
                body=body,
                raw_body=_spelled(case.body, marker, model, self.witness.port) if case.body is not None else None,
                base=turn(),
                key=key,
                progress=progress,
                began=began,
                timeout_s=patience(self.target, case),
            )
            for again in range(case.times):
                self.calls_made += 1
                result = await self.clients.drive(replace(call, base=turn()) if again else call)
                await self.witness.settled(marker, timeout=_VENDOR_SECONDS)
            hops = self.witness.hops(marker)
        finally:
            self.witness.forget(marker)
        exchange = Exchange(
            id=planned.id,
            case=case,
            model=model,
            route=planned.route,
            marker=marker,
            client=result.hop,
            upstream=hops,
            sdk=result.sdk,
            account=await self._after(account, before, case, model) if account and before else None,
            recording=facts(recording) if recording else None,
            promises=self.target.promises(case, model),
            lag_ms=self._pulse.worst_ms(began),
        )
        return masked(exchange, self._masker)

    async def _drive_steps(self, planned: Planned, lane: str | None) -> Exchange:
        case = planned.case
        turn = self._turn()
        account = self._account(lane or (self.target.good_keys[0] if self.target.good_keys else None), turn) if case.account else None
        before = await account.read() if account else None
        self._pulse.start()
        began = time.perf_counter()

        def key(step: Step) -> str | None:
            return self._key(step.key, planned.model, lane)

        driven = await steps.drive(
            steps.Means(
                case=case,
                model=case.model or planned.model,
                target=self.target,
                turn=turn,
                clients=self.clients,
                witness=self.witness,
                library=self.library,
                key=key,
                account=account,
                announce=self.announce,
                read_books=self._settled,
                began=began,
                timeout_s=patience(self.target, case),
                restart=self.restart,
                storm_calls=self.storm_calls,
            )
        )
        self.calls_made += driven.calls_made
        last = driven.steps[-1]
        plays = [play for step in case.steps for act in (step.storm.acts if step.storm else (step,)) for play in act.plays]
        exchange = Exchange(
            id=planned.id,
            case=case,
            model=planned.model,
            route=planned.route,
            marker="",
            client=last.calls[0] if last.calls else steps.nothing_sent(case),
            account=await self._after_steps(account, before, case, planned.model) if account and before else None,
            recording=facts(self.library.load(plays[0].recording)) if plays else None,
            promises=self.target.promises(case),
            lag_ms=self._pulse.worst_ms(began),
            steps=driven.steps,
        )
        return masked(exchange, Masker({**self._secrets, steps.MADE_KEY: driven.secrets}) if driven.secrets else self._masker)

    async def _after_steps(self, account: Account, before: Balance, case: Case, model: str) -> AccountReading:
        broken_off = any(step.open or step.abort_after_frames is not None for step in case.steps)
        after = await (self._at_rest(account) if broken_off else self._settled(account))
        return AccountReading(before=before, after=after, prices=await account.prices(model))

    async def _settled(self, account: Account) -> Balance:
        """The books after a step: at once, or when the target's own time is up."""
        if self.target.settle_ms:
            await asyncio.sleep(self.target.settle_ms / 1000)
        return await account.read()

    def _body(self, case: Case, recording: Recording | None, marker: str) -> Mapping[str, Any] | None:
        """The request's JSON without `model` and `stream`, with the marker in its prompt."""
        if case.body is not None or case.method == "GET":
            return None
        request = case.request
        if request is None:
            try:
                request = json.loads(recording.request.body) if recording else None
            except ValueError:
                request = None
        if not isinstance(request, Mapping):
            request = plain_request(case.surface)
        return mark(case.surface, {key: value for key, value in request.items() if key not in ("model", "stream")}, marker)

    def _account(self, key: str | None, turn: Turn) -> Account | None:
        if self.target.dialect == "none" or key is None:
            return None
        return WireproofAccount(self._http, lambda: turn().root, key)

    async def wallets(self) -> int:
        """The balance of all good keys together, in micro-USD; 0 where the target shows none."""
        accounts = [account for key in self.target.good_keys if (account := self._account(key, self._turn())) is not None]
        return sum([(await account.read()).available_micro_usd for account in accounts])

    async def _at_rest(self, account: Account) -> Balance:
        """The books once two readings agree, or the bound is over."""
        deadline = time.perf_counter() + max(self.target.settle_ms, _SETTLE_BOUND_MS) / 1000
        seen = await account.read()
        while time.perf_counter() < deadline:
            await asyncio.sleep(_REST_SECONDS)
            again = await account.read()
            if again == seen:
                return again
            seen = again
        return seen

    async def _after(self, account: Account, before: Balance, case: Case, model: str) -> AccountReading:
        """The books once they have come to rest: at once where something must have moved and did, else when the target's own time is up."""
        moves = case.outcome is Outcome.SUCCESS
        deadline = time.perf_counter() + (max(self.target.settle_ms, _SETTLE_BOUND_MS) if moves else self.target.settle_ms) / 1000
        if not moves and self.target.settle_ms:
            await asyncio.sleep(self.target.settle_ms / 1000)
        if case.outcome is Outcome.ABORTED:  # the gateway learns of it on its own time, and balance and rows are two documents
            return AccountReading(before=before, after=await self._at_rest(account))
        while True:
            after = await account.read()
            if not moves or after != before or time.perf_counter() >= deadline:
                return AccountReading(before=before, after=after, prices=await account.prices(model) if moves else {})
            await asyncio.sleep(0.02)


def patience(target: Target, case: Case) -> float:
    """Seconds to wait for a read, and for a body: past the promised timeouts, for who gives up first cannot tell whether they are kept."""
    promised_ms = max(target.first_byte_ms or 0, target.idle_ms or 0)
    plays = (case.play, *(play for step in case.steps for play in step.plays))
    times = _LOCKSTEP_TIMES if any(play and play.pace is Pace.LOCKSTEP for play in plays) else 1
    return max(_CALL_SECONDS, promised_ms / 1000 + _GRACE_SECONDS) * times


def _spelled(body: bytes, marker: str, model: str, upstream_port: int) -> bytes:
    made = body.replace(MARKER.encode(), marker.encode()).replace(b"{model}", model.encode())
    return made.replace(UPSTREAM_PORT.encode(), str(upstream_port).encode())


def plain_request(surface: Surface) -> dict[str, Any]:
    """The smallest request of a surface, for recordings that kept none."""
    prompt = "Say something."
    match surface:
        case Surface.RESPONSES:
            return {"input": prompt}
        case Surface.GEMINI:
            return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        case Surface.MESSAGES:
            return {"max_tokens": 1024, "messages": [{"role": "user", "content": prompt}]}
        case _:
            return {"messages": [{"role": "user", "content": prompt}]}


def masked(exchange: Exchange, masker: Masker) -> Exchange:
    """The same exchange without a secret in it, lengths kept."""
    return replace(
        exchange,
        client=_masked_hop(exchange.client, masker),
        upstream=tuple(_masked_hop(hop, masker) for hop in exchange.upstream),
        sdk=_masked_sdk(exchange.sdk, masker) if exchange.sdk else None,
        steps=tuple(
            replace(
                step,
                calls=tuple(_masked_hop(hop, masker) for hop in step.calls),
                upstream=tuple(_masked_hop(hop, masker) for hop in step.upstream),
                sdk=_masked_sdk(step.sdk, masker) if step.sdk else None,
            )
            for step in exchange.steps
        ),
    )


def _masked_hop(hop: Hop, masker: Masker) -> Hop:
    request = replace(
        hop.request,
        target=masker.text(hop.request.target),
        headers=masker.headers(hop.request.headers),
        body=masker.mask(hop.request.body),
    )
    return replace(hop, request=request, response=_masked_response(hop.response, masker) if hop.response else None)


def _masked_response(response: Response, masker: Masker) -> Response:
    """Masked over the whole body, then cut into the same reads: a key may lie across two of them."""
    whole = masker.mask(response.encoded)
    reads, at = [], 0
    for read in response.reads:
        reads.append(replace(read, data=whole[at : at + len(read.data)]))
        at += len(read.data)
    return replace(response, headers=masker.headers(response.headers), reads=tuple(reads))


def _masked_sdk(sdk: SdkReading, masker: Masker) -> SdkReading:
    error = replace(sdk.error, message=masker.text(sdk.error.message)) if sdk.error else None
    clean = json.loads(masker.text(json.dumps({"final": sdk.final, "events": sdk.events})))
    return replace(sdk, error=error, final=clean["final"], events=tuple(clean["events"]))


__all__ = ["AccountError", "Gate", "Runner", "masked", "patience", "plain_request"]
