"""OpenTelemetry: a span and the two client metrics of the GenAI conventions for every model call, by the official SDK.

Only imported where `[operations] otel = true`. Where spans go is said by the usual variables (OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER ...). Spans carry no content. They are made from the journal after the fact, with the times at which
things happened. Source: OpenTelemetry semantic conventions for generative AI, spans and metrics.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reference_gateway.billing.interface import Settled
from reference_gateway.operations.journal import Answered, Batch

NAME: Final = "wireproof.gateway"
OPERATIONS: Final = {"chat": "chat", "responses": "chat", "messages": "chat", "gemini": "generate_content", "images": "generate_content"}
PROVIDERS: Final = {"gemini": "gcp.gemini", "openai-images": "openai", "seedream": "volcengine"}
# Of the conventions: powers of four, tokens and seconds.
TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))
SECOND_BOUNDS: Final = tuple(0.01 * 2**power for power in range(14))


class Telemetry:
    """A reader of the journal. Without providers of its own it makes the SDK's, exporting over OTLP/HTTP."""

    def __init__(self, tracers: trace.TracerProvider | None = None, meters: metrics.MeterProvider | None = None) -> None:
        self._owned: list[Any] = []
        if tracers is None or meters is None:
            tracers, meters = self._providers()
        self._tracer = tracers.get_tracer(NAME)
        meter = meters.get_meter(NAME)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._parents = TraceContextTextMapPropagator()

    def _providers(self) -> tuple[TracerProvider, MeterProvider]:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect())
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
        self._owned = [tracers, meters]
        return tracers, meters

    def take(self, batch: Batch) -> None:
        for answer in batch.answered:
            if answer.model:
                self._call(answer, batch.costs.get(answer.request_id))

    def _call(self, answer: Answered, cost: Settled | None) -> None:
        operation = OPERATIONS.get(answer.surface, answer.surface)
        common: dict[str, str | int | float | bool] = {"gen_ai.operation.name": operation, "gen_ai.request.model": answer.model}
        if cost is not None and cost.provider:
            common["gen_ai.provider.name"] = PROVIDERS.get(cost.provider, cost.provider)
        failed = not 200 <= answer.status < 300
        if failed:
            common["error.type"] = str(answer.status or "caller_gone")
        parent = self._parents.extract({"traceparent": answer.traceparent.decode("latin-1")}) if answer.traceparent else None
        start_ns = int(answer.started * 1e9)
        span = self._tracer.start_span(f"{operation} {answer.model}", context=parent, kind=SpanKind.CLIENT, start_time=start_ns)
        span.set_attributes({**common, "wireproof.request_id": answer.request_id, "wireproof.surface": answer.surface})
        if cost is not None:
            usage = cost.usage
            cached = usage.cache_read_tokens
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            span.set_attributes(
                {
                    "gen_ai.usage.input_tokens": usage.input_tokens + cached + written,
                    "gen_ai.usage.output_tokens": usage.output_tokens,
                    "gen_ai.usage.cache_read.input_tokens": cached,
                    "gen_ai.usage.cache_creation.input_tokens": written,
                    "wireproof.cost_micro_usd": cost.cost_micro_usd,
                }
            )
            self._tokens.record(usage.input_tokens + cached + written, {**common, "gen_ai.token.type": "input"})
            self._tokens.record(usage.output_tokens, {**common, "gen_ai.token.type": "output"})
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        self._seconds.record(answer.seconds, common)
        span.end(start_ns + int(answer.seconds * 1e9))

    def close(self) -> None:
        for provider in self._owned:
            provider.shutdown()
