"""The figures of the wire as JSON: every round as it was measured, and the ratios made of them."""

from dataclasses import asdict
from typing import Any

from harness.bench import figures, wire
from harness.bench.figures import Series
from harness.bench.wire import FULL, GATEWAY, LITELLM, NGINX, RELAY, Wire


def of_wire(measured: Wire) -> dict[str, Any]:
    return {
        "nginx": measured.nginx,
        "pinned": measured.pinned,
        "start_s": measured.start_s,
        "scenarios": {
            series.scenario.name: {
                "text": series.scenario.text,
                "gateway": {f"per_{mark}": _ratios(series, mark) for mark in (NGINX, RELAY, LITELLM, FULL) if mark in series.rounds},
                "load_was_the_limit": [target for target in series.rounds if series.load_was_the_limit(target)],
                "rounds": {target: [asdict(one) for one in rounds] for target, rounds in series.rounds.items()},
            }
            for series in measured.series
        },
    }


def _ratios(series: Series, mark: str) -> dict[str, float | None]:
    """The gateway's figures divided by the mark's."""
    match series.scenario.name:
        case wire.PLAIN.name | wire.BIG.name:
            return {
                "answers_per_s": series.ratio(GATEWAY, mark, figures.answers_per_s),
                "cpu_per_answer": series.least_ratio(GATEWAY, mark, figures.cpu_us_per_answer),
            }
        case wire.ONE.name:
            return {
                "added_p50": series.added_ratio(GATEWAY, mark, lambda one: figures.p50(one.latency_us)),
                "added_p99": series.added_ratio(GATEWAY, mark, lambda one: figures.p99(one.latency_us)),
                "cpu_per_answer": series.least_ratio(GATEWAY, mark, figures.cpu_us_per_answer),
            }
        case wire.BULK.name:
            return {
                "chunks_per_s": series.ratio(GATEWAY, mark, figures.chunks_per_s),
                "cpu_per_chunk": series.least_ratio(GATEWAY, mark, figures.cpu_us_per_chunk),
            }
        case wire.SLOW.name:
            return {
                "cpu_per_chunk": series.least_ratio(GATEWAY, mark, figures.cpu_us_per_chunk),
                "memory": series.least_ratio(GATEWAY, mark, figures.memory_mb),
            }
        case _:
            return {"cpu_per_chunk": series.least_ratio(GATEWAY, mark, figures.cpu_us_per_chunk)}
