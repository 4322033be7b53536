"""The figures as tables. Every column says what it is, and what it is divided by."""

import statistics
from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.bench import figures, wire
from harness.bench.figures import Of, Series
from harness.bench.suites import Driven, Rejudged
from harness.bench.wire import DIRECT, FULL, GATEWAY, LITELLM, NGINX, RELAY, Wire

_Column = tuple[str, Callable[[str], str]]  # its heading, and its cell for a target
_NONE = "-"


def of_wire(measured: Wire, rounds: int, seconds: float) -> Group:
    """One table per scenario, then how to read them."""
    tables = [part for series in measured.series for part in _scenario(series, measured.nginx)]
    return Group(*tables, *_start(measured), Text("\n".join(_notes(measured, rounds, seconds)), style="dim"))


def _scenario(series: Series, nginx: bool) -> tuple[RenderableType, ...]:
    name = series.scenario.name
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns: list[_Column]
    match name:
        case wire.PLAIN.name | wire.BIG.name:
            columns = [
                *_speed(series, figures.answers_per_s, "answers/s", nginx),
                *_cpu(series, figures.cpu_us_per_answer, "answer", nginx),
            ]
        case wire.ONE.name:
            columns = [
                *_added(series, lambda figure: figures.p50(figure.latency_us), "added p50", nginx),
                *_added(series, lambda figure: figures.p99(figure.latency_us), "added p99", nginx),
                *_cpu(series, figures.cpu_us_per_answer, "answer", nginx),
            ]
        case wire.BULK.name:
            columns = [
                *_speed(series, figures.chunks_per_s, "chunks/s", nginx),
                *_cpu(series, figures.cpu_us_per_chunk, "chunk", nginx),
            ]
        case wire.SLOW.name:
            columns = [
                ("memory MB", lambda target: _amount(series.median(target, figures.memory_mb))),
                ("delay p99 us", lambda target: _amount(series.median(target, lambda figure: figures.p99(figure.delay_us)))),
                *_cpu(series, figures.cpu_us_per_chunk, "chunk", nginx),
            ]
        case _:
            columns = [
                *_cpu(series, figures.cpu_us_per_chunk, "chunk", nginx),
                *_added(series, lambda figure: figures.p50(figure.delay_us), "added delay p50", nginx=False),
                *_added(series, lambda figure: figures.p99(figure.delay_us), "added delay p99", nginx=False),
            ]
    table.add_column("")
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for target in (GATEWAY, FULL, RELAY, NGINX, LITELLM):
        if target in series.rounds:
            table.add_row(target, *(cell(target) for _, cell in columns), style="bold" if target == GATEWAY else None)
    return _title(name, series.scenario.text), table, ""


def _start(measured: Wire) -> tuple[RenderableType, ...]:
    table = _plain_table()
    for target, seconds in measured.start_s.items():
        table.add_row(target, f"{seconds:.3f} s", style="bold" if target == GATEWAY else None)
    return _title("start", "from the start of the process to its first answer from the vendor"), table, ""


def _speed(series: Series, of: Of, heading: str, nginx: bool) -> list[_Column]:
    def ratio_to(mark: str) -> _Column:
        return f"/ {mark}", lambda target: _times(series.ratio(target, mark, of))

    amount = (heading, lambda target: _amount(series.median(target, of), bound=series.load_was_the_limit(target)))
    return [amount, *map(ratio_to, _marks(nginx))]


def _cpu(series: Series, of: Of, unit: str, nginx: bool) -> list[_Column]:
    def ratio_to(mark: str) -> _Column:
        return f"CPU / {mark}", lambda target: _times(series.least_ratio(target, mark, of))

    return [(f"CPU us/{unit}", lambda target: _amount(series.least(target, of))), *map(ratio_to, _marks(nginx))]


def _added(series: Series, of: Of, heading: str, nginx: bool) -> list[_Column]:
    amount = (f"{heading} us", lambda target: _amount(series.added(target, of)))
    return [amount, (f"{heading} / {NGINX}", lambda target: _times(series.added_ratio(target, NGINX, of)))] if nginx else [amount]


def _marks(nginx: bool) -> tuple[str, ...]:
    return (NGINX, RELAY) if nginx else (RELAY,)


def _notes(measured: Wire, rounds: int, seconds: float) -> Iterator[str]:
    yield f"{rounds} interleaved rounds of {seconds:g} s. A ratio is of one round's figures, then the median over the rounds."
    yield "CPU: the target's own, least of the rounds, divided by the answers or chunks that it passed on."
    yield "Added: less the load generator straight to the vendor, same round; median over the rounds."
    yield "gateway: with keys, admission, SQLite ledger, usage rows and metrics. relay: a pipe in Python that parses nothing, the floor."
    yield 'gateway, full: the same with synchronous = "full": it outlives power loss too, not only kill -9, and waits for the disk.'
    if measured.nginx:
        yield "nginx: proxy_pass in one process, proxy_buffering off."
    else:
        yield "nginx is not installed, so nothing is divided by it: install Debian's package `nginx` for those columns."
    if not measured.pinned:
        yield "Nothing could be kept to a core of its own here."
    for series in measured.series:
        yield from _beside_litellm(series)
        yield from _price_of_durability(series)
        names = [target for target in series.rounds if target != DIRECT and series.load_was_the_limit(target)]
        if names:
            yield (
                f"{series.scenario.name}, {' and '.join(names)}: load generator and vendor used {figures.BUSY:.0%} of a core or more, "
                "so they were the limit and the target could do more; its CPU tells how much."
            )


def _beside_litellm(series: Series) -> Iterator[str]:
    if LITELLM in series.rounds:
        more = _times(series.ratio(GATEWAY, LITELLM, figures.answers_per_s))
        less = _times(series.least_ratio(LITELLM, GATEWAY, figures.cpu_us_per_answer))
        yield f"{series.scenario.name}: the gateway gives {more} the answers a second of LiteLLM, which takes {less} the CPU time."


def _price_of_durability(series: Series) -> Iterator[str]:
    full, normal = (series.least(target, figures.cpu_us_per_answer) for target in (FULL, GATEWAY))
    if full is not None and normal is not None:
        yield f'{series.scenario.name}: synchronous = "full" takes {_amount(full - normal)} us of CPU time more for an answer.'


def of_judging(rejudged: Rejudged) -> Group:
    table = _plain_table()
    wall, judge, read = (statistics.median(values) for values in (rejudged.wall_s, rejudged.judge_s, rejudged.json_s))
    table.add_row("exchanges a minute, whole command", _amount(rejudged.exchanges / wall * 60))
    table.add_row("exchanges a minute, judging only", _amount(rejudged.exchanges / judge * 60))
    table.add_row("verdicts a second, judging only", _amount(rejudged.verdicts / judge))
    table.add_row("whole command / json.loads of the same lines", _times(wall / read))
    table.add_row("judging only / json.loads of the same lines", _times(judge / read))
    said = (
        f"{rejudged.exchanges:,} exchanges, {rejudged.verdicts:,} verdicts, {rejudged.size_bytes / 1e6:.1f} MB. "
        f"Median of {len(rejudged.wall_s)} rounds; json.loads takes {read:.3f} s for them, the command {wall:.1f} s."
    )
    return Group(_title("judging", "a stored run judged again, on one core"), table, Text(said, style="dim"))


def of_conformance(driven: Driven) -> Group:
    table = _plain_table()
    for part, seconds in driven.parts_s.items():
        table.add_row(part, f"{seconds:.2f} s", f"{seconds / driven.wall_s:.0%}")
    table.add_row("whole command", f"{driven.wall_s:.2f} s", "100%", style="bold")
    table.add_row("import of all SDKs, alone", f"{driven.sdk_import_s:.2f} s", f"{driven.sdk_import_s / driven.wall_s:.0%}")
    said = (
        f"{driven.exchanges:,} exchanges, {driven.verdicts:,} verdicts, exit code {driven.exit_code}. Shares are of the whole command. "
        "start: until all is collected and the gateway is up, SDKs being imported meanwhile. "
        "drive: waiting for exchanges, which are driven while earlier ones are judged."
    )
    return Group(_title("conformance", "a whole run with the embedded gateway"), table, Text(said, style="dim"))


def _title(name: str, text: str) -> Text:
    return Text.assemble((name, "bold"), f": {text}")


def _plain_table() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    return table


def _amount(value: float | None, *, bound: bool = False) -> str:
    if value is None:
        return _NONE
    return ("> " if bound else "") + (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}")


def _times(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f} x" if value >= 100 else f"{value:.3g} x"
