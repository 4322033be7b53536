"""Prometheus metrics: plain counters fed from the journal, made into Prometheus' objects only when somebody asks for them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from reference_gateway.billing.prices import Usage
from reference_gateway.operations.journal import Answered, Asked, Batch

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# Seconds. A model's first byte takes from a few milliseconds (a cached refusal) to minutes (an answer that is no stream).
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TOKEN_CLASSES: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
CONTENT_TYPE: Final = b"text/plain; version=1.0.0; charset=utf-8"
Gauges = Callable[[], Mapping[str, tuple[str, float]]]  # name -> (help, value now)


class Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: Iterable[float]) -> None:
        times = sorted(seconds)
        self.total += sum(times)
        below = 0
        for at, bound in enumerate(BOUNDS):
            upto = bisect_right(times, bound)
            self.counts[at] += upto - below
            below = upto
        self.counts[-1] += len(times) - below

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        running, found = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, running))
        return found


@dataclass(slots=True)
class _Answers:
    """Of one surface, model and status."""

    count: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class _Bill:
    """Of one model."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    images: int = 0
    searches: int = 0
    micro_usd: int = 0


# A batch is summed by loops that are not ours: with a thousand requests a second this is a cost of each.
_size_bytes: Final = attrgetter("size_bytes")
_seconds: Final = attrgetter("seconds")
_COUNTS: Final = tuple((field.name, attrgetter(field.name)) for field in fields(_Bill) if field.name != "micro_usd")


class Metrics:
    """A reader of the journal and, for prometheus_client, a collector. `gauges` are read at the moment of asking."""

    def __init__(self, gauges: Gauges = dict) -> None:
        self._gauges = gauges
        self._answers: defaultdict[tuple[str, str, int], _Answers] = defaultdict(_Answers)
        self._durations: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._bills: defaultdict[str, _Bill] = defaultdict(_Bill)
        self._attempts: defaultdict[tuple[str, int], Histogram] = defaultdict(Histogram)

    def take(self, batch: Batch) -> None:
        answers: defaultdict[tuple[str, str, int], list[Answered]] = defaultdict(list)
        for answer in batch.answered:
            answers[answer.surface, answer.model, answer.status].append(answer)
        for labels, alike in answers.items():
            cell = self._answers[labels]
            cell.count += len(alike)
            cell.size_bytes += sum(map(_size_bytes, alike))
            self._durations[labels[0]].add(map(_seconds, alike))
        usages: defaultdict[str, list[Usage]] = defaultdict(list)
        for settlement in batch.settled:
            usages[settlement.model].append(settlement.usage)
            self._bills[settlement.model].micro_usd += settlement.cost_micro_usd
        for model, used in usages.items():
            bill = self._bills[model]
            for name, of in _COUNTS:
                setattr(bill, name, getattr(bill, name) + sum(map(of, used)))
        attempts: defaultdict[tuple[str, int], list[Asked]] = defaultdict(list)
        for attempt in batch.asked:
            attempts[attempt.channel, attempt.status].append(attempt)
        for channel, tried in attempts.items():
            self._attempts[channel].add(map(_seconds, tried))

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("gateway_requests", "Requests answered.", labels=("surface", "model", "status"))
        size = CounterMetricFamily("gateway_answer_bytes", "Bytes of answers' bodies.", labels=("surface", "model", "status"))
        for (surface, model, status_class), answers in _by_class(self._answers).items():
            requests.add_metric((surface, model, status_class), sum(cell.count for cell in answers))
            size.add_metric((surface, model, status_class), sum(cell.size_bytes for cell in answers))
        yield requests
        yield size
        durations = HistogramMetricFamily(
            "gateway_request_seconds", "From a request's head to its answer's last byte.", labels=("surface",)
        )
        for surface, histogram in self._durations.items():
            durations.add_metric((surface,), histogram.buckets(), histogram.total)
        yield durations
        tokens = CounterMetricFamily("gateway_tokens", "Tokens billed, by the class they are priced in.", labels=("model", "class"))
        images = CounterMetricFamily("gateway_images", "Images billed.", labels=("model",))
        searches = CounterMetricFamily("gateway_searches", "Searches billed.", labels=("model",))
        charged = CounterMetricFamily("gateway_charged_micro_usd", "Micro-USD charged.", labels=("model",))
        for model, bill in self._bills.items():
            for token_class in TOKEN_CLASSES:
                tokens.add_metric((model, token_class), getattr(bill, f"{token_class}_tokens"))
            images.add_metric((model,), bill.images)
            searches.add_metric((model,), bill.searches)
            charged.add_metric((model,), bill.micro_usd)
        yield tokens
        yield images
        yield searches
        yield charged
        attempts = HistogramMetricFamily(
            "gateway_upstream_head_seconds",
            "An upstream's time to its answer's head.",
            labels=("channel", "status"),
        )
        for (channel, status), histogram in self._attempts.items():
            attempts.add_metric((channel, str(status or "none")), histogram.buckets(), histogram.total)
        yield attempts
        for name, (told, value) in self._gauges().items():
            yield GaugeMetricFamily(f"gateway_{name}", told, value=value)

    def text(self) -> bytes:
        """Prometheus' text format, with the process's own metrics (memory, CPU, file descriptors)."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)


def _by_class(answers: Mapping[tuple[str, str, int], _Answers]) -> dict[tuple[str, str, str], list[_Answers]]:
    found: dict[tuple[str, str, str], list[_Answers]] = {}
    for (surface, model, status), cell in answers.items():
        found.setdefault((surface, model, _class(status)), []).append(cell)
    return found


def _class(status: int) -> str:
    """2xx, 4xx, 5xx; "none" where no answer could be given or came."""
    return f"{status // 100}xx" if status else "none"
