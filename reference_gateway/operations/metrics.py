"""Prometheus metrics: plain counters fed from the journal, made into Prometheus' objects only when somebody asks for them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from reference_gateway.operations.journal import Batch

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# Seconds. A model's first byte takes from a few milliseconds (a cached refusal) to minutes (an answer that is no stream).
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
CONTENT_TYPE: Final = b"text/plain; version=1.0.0; charset=utf-8"
Gauges = Callable[[], Mapping[str, tuple[str, float]]]  # name -> (help, value now)


class Histogram:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        running, found = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            running += count
            found.append((bound, running))
        return found


class Metrics:
    """A reader of the journal and, for prometheus_client, a collector. `gauges` are read at the moment of asking."""

    def __init__(self, gauges: Gauges = dict) -> None:
        self._gauges = gauges
        self._requests: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._bytes: defaultdict[str, int] = defaultdict(int)
        self._tokens: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._images: defaultdict[str, int] = defaultdict(int)
        self._charged: defaultdict[str, int] = defaultdict(int)
        self._durations: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._upstream: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._attempts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def take(self, batch: Batch) -> None:
        for answer in batch.answered:
            self._requests[answer.surface, answer.model, _class(answer.status)] += 1
            self._bytes[answer.surface] += answer.size_bytes
            self._durations[answer.surface].add(answer.seconds)
        for settlement in batch.settled:
            usage, model = settlement.usage, settlement.model
            self._tokens[model, "input"] += usage.input_tokens
            self._tokens[model, "output"] += usage.output_tokens
            self._tokens[model, "cache_read"] += usage.cache_read_tokens
            self._tokens[model, "cache_write_5m"] += usage.cache_write_5m_tokens
            self._tokens[model, "cache_write_1h"] += usage.cache_write_1h_tokens
            if usage.images:
                self._images[model] += usage.images
            self._charged[model] += settlement.cost_micro_usd
        for attempt in batch.asked:
            self._attempts[attempt.channel, _class(attempt.status)] += 1
            if attempt.status:
                self._upstream[attempt.channel].add(attempt.seconds)

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("gateway_requests", "Requests answered.", labels=("surface", "model", "status"))
        for request_labels, count in self._requests.items():
            requests.add_metric(request_labels, count)
        yield requests
        size = CounterMetricFamily("gateway_answer_bytes", "Bytes of answers' bodies.", labels=("surface",))
        for surface, count in self._bytes.items():
            size.add_metric((surface,), count)
        yield size
        tokens = CounterMetricFamily("gateway_tokens", "Tokens billed, by the class they are priced in.", labels=("model", "class"))
        for token_labels, count in self._tokens.items():
            tokens.add_metric(token_labels, count)
        yield tokens
        images = CounterMetricFamily("gateway_images", "Images billed.", labels=("model",))
        for model, count in self._images.items():
            images.add_metric((model,), count)
        yield images
        charged = CounterMetricFamily("gateway_charged_micro_usd", "Micro-USD charged.", labels=("model",))
        for model, count in self._charged.items():
            charged.add_metric((model,), count)
        yield charged
        durations = HistogramMetricFamily(
            "gateway_request_seconds", "From the request's head to the answer's last byte.", labels=("surface",)
        )
        for surface, histogram in self._durations.items():
            durations.add_metric((surface,), histogram.buckets(), histogram.total)
        yield durations
        upstream = HistogramMetricFamily("gateway_upstream_head_seconds", "An upstream's time to its answer's head.", labels=("channel",))
        for channel, histogram in self._upstream.items():
            upstream.add_metric((channel,), histogram.buckets(), histogram.total)
        yield upstream
        attempts = CounterMetricFamily(
            "gateway_upstream_attempts", "Calls to upstreams; none: no answer came.", labels=("channel", "status")
        )
        for attempt_labels, count in self._attempts.items():
            attempts.add_metric(attempt_labels, count)
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


def _class(status: int) -> str:
    """2xx, 4xx, 5xx; "none" where no answer could be given or came."""
    return f"{status // 100}xx" if status else "none"
