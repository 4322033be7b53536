"""OpenTelemetry from a real process to a real collector's port, and not a byte of it where it is off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from reference_gateway.operations.demo import demo_config
from reference_gateway.operations.vendor.server import Vendor
from reference_gateway.tests.scripted import Client

HERE = Path(__file__).parents[3]


def test_nothing_of_it_is_imported_unless_it_is_on() -> None:
    late = ("opentelemetry", "prometheus_client", "sqlalchemy", "alembic", "asyncpg", "redis")
    program = f"import reference_gateway.app, sys; print([m for m in sys.modules if m.partition('.')[0] in {late}])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=HERE)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_spans_and_metrics_reach_the_collector(tmp_path: Path) -> None:
    received: dict[str, list[bytes]] = {}

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
                received.setdefault(head.split(" ")[1], []).append(await reader.readexactly(int(fields["content-length"])))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    collector = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{collector.sockets[0].getsockname()[1]}"
    async with Vendor() as vendor:
        demo = demo_config(vendor.url, tmp_path, accounts=1)
        demo.config.write_text(demo.config.read_text() + "\n[operations]\notel = true\n")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "reference_gateway", "serve", "--config", str(demo.config), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"},
            cwd=HERE,
        )
        assert process.stdout is not None
        port = int(json.loads(await process.stdout.readline())["listening"].rpartition(":")[2])
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        body = json.dumps({"model": "gpt-5-4", "messages": [{"role": "user", "content": "a secret plan"}]}).encode()
        client.send_request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {demo.keys[0]}"})
        answer = await client.answer()
        client.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    collector.close()
    (traces,) = received["/v1/traces"]
    (span,) = ExportTraceServiceRequest.FromString(traces).resource_spans[0].scope_spans[0].spans
    attributes = {item.key: item.value.string_value or item.value.int_value for item in span.attributes}
    assert span.name == "chat gpt-5-4"
    assert attributes["wireproof.request_id"] == answer.header("x-request-id")
    assert attributes["gen_ai.usage.output_tokens"] == answer.json()["usage"]["completion_tokens"]
    assert any(b"gen_ai.client.operation.duration" in data for data in received["/v1/metrics"])
    assert not any(b"secret plan" in data for data in (*received["/v1/traces"], *received["/v1/metrics"]))
