from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from msgspec.structs import replace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reference_gateway.billing.interface import Settled
from reference_gateway.billing.prices import Usage
from reference_gateway.operations import journal
from reference_gateway.operations.access_log import AccessLog
from reference_gateway.operations.journal import Answered, Asked, Batch, Journal
from reference_gateway.operations.metrics import Metrics
from reference_gateway.operations.telemetry import Telemetry

USAGE = Usage(input_tokens=20, output_tokens=5, cache_read_tokens=10, cache_write_5m_tokens=6, cache_write_1h_tokens=2)
SETTLED = Settled("req_1", "claude-sonnet-4-6", "messages", "anthropic", USAGE, 173)


def answered(request_id: str = "req_1", model: str = "claude-sonnet-4-6", status: int = 200, traceparent: bytes = b"") -> Answered:
    surface = "messages" if model else ""
    return Answered(
        request_id=request_id,
        started=1_795_219_200.5,
        seconds=0.25,
        method=b"POST",
        path=b"/v1/messages",
        surface=surface,
        model=model,
        status=status,
        size_bytes=321,
        key_id="key-1",
        account="account-1",
        traceparent=traceparent,
    )


class Kept:
    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def take(self, batch: Batch) -> None:
        self.batches.append(batch)


def test_what_was_noted_is_handed_over_once_and_together() -> None:
    kept = Kept()
    notes = Journal([kept])
    notes.flush()
    assert not kept.batches
    notes.settled(SETTLED)
    notes.asked(Asked("anthropic", 0.2, 200))
    notes.answered(answered())
    notes.flush()
    notes.flush()
    assert kept.batches == [Batch([answered()], [SETTLED], [Asked("anthropic", 0.2, 200)], {"req_1": SETTLED})]


def test_a_settlement_waits_for_its_answer_and_tasks_do_not_pile_up() -> None:
    kept = Kept()
    notes = Journal([kept])
    notes.settled(SETTLED)
    notes.flush()
    assert kept.batches[0].costs == {}
    notes.answered(answered())
    notes.flush()
    assert kept.batches[1].costs == {"req_1": SETTLED}
    for number in range(journal.MOST_SETTLED + 5):
        notes.settled(replace(SETTLED, request_id=f"task_{number}"))
    notes.flush()
    assert len(notes._costs) == journal.MOST_SETTLED


async def test_it_hands_over_by_itself() -> None:
    taken = asyncio.Event()

    class Told:
        def take(self, batch: Batch) -> None:
            taken.set()

    notes = Journal([Told()])
    notes.start()
    notes.answered(answered())
    async with asyncio.timeout(10):
        await taken.wait()
    notes.stop()


def test_metrics_count_by_surface_model_status_and_token_class() -> None:
    metrics = Metrics(lambda: {"open_streams": ("Streams open now.", 3)})
    metrics.take(
        Batch([answered(), answered("req_2", status=0), answered("req_3", "", 404)], [SETTLED], [Asked("anthropic", 0.2, 200)], {})
    )
    metrics.take(Batch([answered("req_4")], [replace(SETTLED, usage=Usage(images=2), cost_micro_usd=27)], [Asked("anthropic", 9.0, 0)], {}))
    lines = set(metrics.text().decode().splitlines())
    assert {
        'gateway_requests_total{model="claude-sonnet-4-6",status="2xx",surface="messages"} 2.0',
        'gateway_requests_total{model="claude-sonnet-4-6",status="none",surface="messages"} 1.0',
        'gateway_requests_total{model="",status="4xx",surface=""} 1.0',
        'gateway_tokens_total{class="cache_write_5m",model="claude-sonnet-4-6"} 6.0',
        'gateway_images_total{model="claude-sonnet-4-6"} 2.0',
        'gateway_charged_micro_usd_total{model="claude-sonnet-4-6"} 200.0',
        'gateway_request_seconds_bucket{le="0.1",surface="messages"} 0.0',
        'gateway_request_seconds_bucket{le="0.25",surface="messages"} 3.0',
        'gateway_request_seconds_count{surface="messages"} 3.0',
        'gateway_upstream_head_seconds_count{channel="anthropic",status="200"} 1.0',
        'gateway_upstream_head_seconds_count{channel="anthropic",status="none"} 1.0',
        "gateway_open_streams 3.0",
    } <= lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def test_the_access_log_is_a_json_line_a_request(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.jsonl"))
    log.take(Batch([answered(), answered("req_2", "", 404)], [SETTLED], [], {"req_1": SETTLED}))
    log.close()
    first, second = map(json.loads, (tmp_path / "access.jsonl").read_text().splitlines())
    assert first == {
        "time": "2026-11-21T00:00:00.500Z",
        "request_id": "req_1",
        "method": "POST",
        "path": "/v1/messages",
        "surface": "messages",
        "model": "claude-sonnet-4-6",
        "status": 200,
        "bytes": 321,
        "ms": 250.0,
        "key_id": "key-1",
        "cost_micro_usd": 173,
    }
    assert (second["model"], second["cost_micro_usd"], second["status"]) == (None, 0, 404)


def test_a_log_that_nobody_reads_drops_lines_and_never_waits(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(pipe))
    batch = Batch([answered()] * 20_000, [], [], {})
    for _ in range(6):  # some 5 MB each, into a pipe that holds 64 KB
        log.take(batch)
    assert log.dropped
    os.close(reader)  # the writer finds nobody there any more, and goes on
    log.close()
    assert not log._thread.is_alive()


def test_telemetry_makes_genai_spans_and_metrics_without_content() -> None:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(tracers, meters)
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    telemetry.take(Batch([answered(traceparent=parent), answered("req_2", status=429), answered("req_3", "")], [], [], {"req_1": SETTLED}))
    first, second = spans.get_finished_spans()
    assert first.name == "chat claude-sonnet-4-6"
    assert first.parent is not None
    assert (first.context.trace_id, first.parent.span_id) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert first.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet-4-6",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 38,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 10,
        "gen_ai.usage.cache_creation.input_tokens": 8,
        "wireproof.request_id": "req_1",
        "wireproof.surface": "messages",
        "wireproof.cost_micro_usd": 173,
    }
    assert first.start_time is not None
    assert first.end_time is not None
    assert first.end_time - first.start_time == 250_000_000
    assert second.attributes is not None
    assert second.attributes["error.type"] == "429"
    data = reader.get_metrics_data()
    assert data is not None
    names = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert names == {"gen_ai.client.token.usage", "gen_ai.client.operation.duration"}
    meters.shutdown()
    tracers.shutdown()
