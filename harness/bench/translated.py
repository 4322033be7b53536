"""Translated routes through the reference gateway: every client before every upstream, in streams of texts, thoughts and arguments.

What a chunk costs in CPU time of the gateway's process; of two pairs, what a paced chunk costs and how late it comes, beside nginx, which
passes on the bytes of the same vendor, in the same round.
"""

import http.client
import json
import math
import secrets
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.bench import figures, nginx, talk, tongues
from harness.bench.figures import Scenario, Series
from harness.bench.load import Figures, Job
from harness.bench.processes import BenchError, Cores, Process
from harness.bench.tongues import Asked, Kind
from harness.case import Surface
from harness.transcript_oracle import heard

GATEWAY: Final = "gateway"
NGINX: Final = "nginx"
DIRECT: Final = "direct"
GOALS: Final = {Kind.TEXT: 5.0, Kind.THOUGHT: 15.0, Kind.CALL: 15.0}  # us of CPU a chunk, all at once
PACED_GOAL: Final = 2.5  # times nginx's CPU
DELAY_GOAL_US: Final = 1000.0
CHUNKS: Final = 200
_AT_ONCE: Final = 16
_PACED_AT_ONCE: Final = 50
_TAIL: Final = 15
NATIVE: Final = (Surface.CHAT, Surface.CHAT)
PACED: Final = ((Surface.MESSAGES, Surface.CHAT), (Surface.CHAT, Surface.MESSAGES))
_CONFIG: Final = """
[server]
database = "translated.sqlite3"
synchronous = "normal"
[security]
pepper_file = "translated.pepper"
[operations]
admin_port = 0
[channels.openai]
kind = "openai"
base_url = "{vendor}/v1"
key_file = "translated.upstream"
models = ["chat", "responses"]
[channels.anthropic]
kind = "anthropic"
base_url = "{vendor}"
key_file = "translated.upstream"
models = ["messages"]
[channels.gemini]
kind = "gemini"
base_url = "{vendor}"
key_file = "translated.upstream"
models = ["gemini"]
[[models]]
id = "chat"
native = ["chat"]
capabilities = ["text", "tool_use", "streaming"]
prices = {{ input = "1.00", output = "8.00", cache_read = "0.10" }}
[[models]]
id = "responses"
native = ["responses"]
capabilities = ["text", "tool_use", "streaming"]
prices = {{ input = "1.00", output = "8.00", cache_read = "0.10" }}
[[models]]
id = "messages"
capabilities = ["text", "tool_use", "streaming"]
prices = {{ input = "1.00", output = "8.00", cache_read = "0.10" }}
[[models]]
id = "gemini"
capabilities = ["text", "tool_use", "streaming"]
prices = {{ input = "1.00", output = "8.00", cache_read = "0.10" }}
[groups.default]
models = ["*"]
[accounts.bench]
balance_usd = "1000000.00"
[[keys]]
id = "bench"
secret_file = "translated.key"
account = "bench"
group = "default"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One scenario: a client before an upstream."""

    client: Surface
    upstream: Surface
    kind: Kind
    paced: bool

    @property
    def name(self) -> str:
        return f"{self.client} client, {self.upstream} upstream, {self.kind}{', paced' if self.paced else ''}"

    @property
    def scenario(self) -> Scenario:
        what, connections = ("paced", _PACED_AT_ONCE) if self.paced else ("bulk", _AT_ONCE)
        return Scenario(name=self.name, text=self.name, what=what, chunks=_TAIL if self.paced else CHUNKS, connections=connections)


WAYS: Final = (
    Way(client=Surface.CHAT, upstream=Surface.CHAT, kind=Kind.TEXT, paced=False),
    *(
        Way(client=client, upstream=upstream, kind=kind, paced=False)
        for client, upstream in tongues.PAIRS
        for kind in Kind
        if (upstream, kind) != (Surface.GEMINI, Kind.CALL)  # which does not stream arguments
    ),
    *(Way(client=client, upstream=upstream, kind=Kind.TEXT, paced=True) for client, upstream in PACED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    series: dict[Way, Series]
    nginx: bool
    pinned: bool


def measure(*, rounds: int, seconds: float, tell: Callable[[str], None] = lambda _: None) -> Translated:
    """Raises BenchError."""
    cores = Cores.of_machine()
    found = {way: Series(scenario=way.scenario) for way in WAYS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="wireproof-bench-")))
        vendor = Process("vendor", (sys.executable, "-m", "harness.bench.translated_vendor"), folder, cores.load)
        stack.callback(vendor.stop)
        words, key = _gateway(vendor.url, folder)
        targets = {GATEWAY: Process(GATEWAY, words, folder, cores.target), DIRECT: vendor}
        stack.callback(targets[GATEWAY].stop)
        if program := nginx.find():
            words, url = nginx.command(program, vendor.url, folder)
            targets[NGINX] = Process(NGINX, words, folder, cores.target, url=url, talks=False)
            stack.callback(targets[NGINX].stop)
        load = Process("load generator", (sys.executable, "-m", "harness.bench.load"), folder, cores.load, url="none")
        stack.callback(load.stop)
        for way in WAYS:
            if not way.paced:
                _prove(way, targets[GATEWAY].url, key)
        for number in range(rounds):
            for way, series in found.items():
                for name in (GATEWAY, NGINX, DIRECT) if way.paced else (GATEWAY,):
                    if name in targets:
                        tell(f"round {number + 1} of {rounds}: {way.name}, {name}")
                        told = load.ask(asdict(_job(way, name, targets[name], vendor_pid=vendor.pid, key=key, seconds=seconds)))
                        if "wrong" in told:
                            raise BenchError(f"{name} cannot be measured ({way.name}): {told['wrong']}")
                        series.rounds.setdefault(name, []).append(Figures(**told))
    return Translated(series=found, nginx=NGINX in targets, pinned=bool(cores.target))


def _gateway(vendor_url: str, folder: Path) -> tuple[tuple[str, ...], str]:
    """The words that start it, and the key that it takes."""
    key = "sk-byts-" + secrets.token_hex(16)
    config = folder / "translated.toml"
    for file, secret in (("translated.pepper", secrets.token_hex(32)), ("translated.upstream", "none"), ("translated.key", key)):
        (folder / file).write_text(secret + "\n", encoding="utf-8")
        (folder / file).chmod(0o600)
    config.write_text(_CONFIG.format(vendor=vendor_url), encoding="utf-8")
    return (sys.executable, "-m", "reference_gateway", "serve", "--config", str(config), "--port", "0"), key


def _raw(way: Way, spoken: Surface, host: str, key: str, chunks: int) -> bytes:
    what = Asked(kind=way.kind, paced=way.paced, chunks=chunks)
    return tongues.request(spoken, host=host, key=key, model=str(way.upstream), what=what)


def _job(way: Way, name: str, target: Process, *, vendor_pid: int, key: str, seconds: float) -> Job:
    """What translates nothing is asked in the upstream's own protocol."""
    scenario = way.scenario
    chunks = scenario.chunks + (math.ceil(seconds / talk.PACE_S) if way.paced else 0)
    spoken = way.client if name == GATEWAY else way.upstream
    return Job(
        url=target.url,
        key=key,
        model=str(way.upstream),
        what=scenario.what,
        chunks=chunks,
        connections=scenario.connections,
        seconds=seconds,
        pid=target.pid,
        vendor_pid=vendor_pid,
        exact=False,
        raw=_raw(way, spoken, urlsplit(target.url).netloc, key, chunks).decode(),
    )


def _prove(way: Way, url: str, key: str) -> None:
    """Nothing is measured that is not right: one answer, read by the harness's own reader of transcripts. Raises BenchError."""
    where = urlsplit(url)
    head, _, body = _raw(way, way.client, where.netloc, key, CHUNKS).partition(b"\r\n\r\n")
    connection = http.client.HTTPConnection(where.netloc, timeout=20)
    try:
        first, *lines = head.decode().split("\r\n")
        connection.request("POST", first.split()[1], body, dict(line.split(": ", 1) for line in lines))
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    got, wanted = heard(way.client, data, as_client=True), tongues.said(CHUNKS)
    told = {Kind.TEXT: got.text, Kind.THOUGHT: got.reasoning, Kind.CALL: "".join(_argument(call.arguments) for call in got.calls)}
    if answer.status != 200 or not got.complete or told[way.kind] != wanted:
        raise BenchError(f"the gateway does not translate {way.name}: status {answer.status}, {data[:200]!r}")


def _argument(arguments: str) -> str:
    found = json.loads(arguments)
    return str(found["text"])


def document(measured: Translated) -> dict[str, Any]:
    return {
        "nginx": measured.nginx,
        "pinned": measured.pinned,
        "ways": {
            way.name: {
                "cpu_us_per_chunk": series.least(GATEWAY, figures.cpu_us_per_chunk),
                "per_nginx": series.least_ratio(GATEWAY, NGINX, figures.cpu_us_per_chunk),
                "added_delay_p50_us": series.added(GATEWAY, _delay),
                "rounds": {target: [asdict(one) for one in rounds] for target, rounds in series.rounds.items()},
            }
            for way, series in measured.series.items()
        },
    }


def _delay(one: Figures) -> float | None:
    return figures.p50(one.delay_us)


def table(measured: Translated, rounds: int, seconds: float) -> Group:
    bulk = Table(box=None, pad_edge=False, header_style="dim")
    bulk.add_column("")
    for kind in Kind:
        bulk.add_column(f"{kind} us/chunk", justify="right")
    for client, upstream in (NATIVE, *tongues.PAIRS):
        cells = []
        for kind in Kind:
            series = measured.series.get(Way(client=client, upstream=upstream, kind=kind, paced=False))
            cost = None if series is None else series.least(GATEWAY, figures.cpu_us_per_chunk)
            cells.append("-" if cost is None else f"{cost:.2f}{'' if cost <= GOALS[kind] else ' !'}")
        bulk.add_row(f"{client} < {upstream}", *cells)
    paced = Table(box=None, pad_edge=False, header_style="dim")
    paced.add_column("")
    for heading in ("us/chunk", "nginx", "/ nginx", "delay us", "added us"):
        paced.add_column(heading, justify="right")
    for way, series in measured.series.items():
        if way.paced:
            amounts = (
                series.least(GATEWAY, figures.cpu_us_per_chunk),
                series.least(NGINX, figures.cpu_us_per_chunk),
                series.least_ratio(GATEWAY, NGINX, figures.cpu_us_per_chunk),
                series.median(GATEWAY, _delay),
                series.added(GATEWAY, _delay),
            )
            paced.add_row(f"{way.client} < {way.upstream}", *("-" if value is None else f"{value:.3g}" for value in amounts))
    notes = [
        f"CPU of the gateway's process by the vendor's chunks, requests and ledger included; least of {rounds} rounds of {seconds:g} s.",
        "Gemini does not stream arguments. chat < chat is native: what is left of a cost there is not translation.",
        f"Goals: {GOALS[Kind.TEXT]:g} us a chunk of text, {GOALS[Kind.CALL]:g} of thoughts and arguments; '!' where it is more.",
        f"Paced: {PACED_GOAL:g} times nginx, and {DELAY_GOAL_US:g} us median from the vendor's chunk to the client's.",
    ]
    return Group(
        Text.assemble(("translated", "bold"), f": client < upstream, streams of {CHUNKS} chunks sent at once, {_AT_ONCE} connections"),
        bulk,
        "",
        Text(f"{_PACED_AT_ONCE} streams at once, a chunk of text every {talk.PACE_S * 1000:.0f} ms in each"),
        paced,
        "",
        Text("\n".join(notes), style="dim"),
    )
