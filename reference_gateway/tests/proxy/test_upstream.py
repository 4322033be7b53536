"""The client towards upstreams: TLS, reuse of connections, and answers that only look usual."""

import asyncio
import datetime
import ipaddress
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.tests.scripted import Stage, Upstream, stage
from reference_gateway.tests.wires import CHAT_BODY, CHAT_STREAM, COSTS, request


def certify(folder: Path) -> ssl.SSLContext:
    """A server context whose certificate for 127.0.0.1 is its own authority, written to ca.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test vendor")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.parametrize("trusted", [True, False])
async def test_an_upstream_behind_tls(trusted: bool, tmp_path: Path) -> None:
    calls = 0
    left = asyncio.Event()

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"\r\n\r\n")
        calls += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(CHAT_BODY), CHAT_BODY))
        await reader.read()  # till the gateway hangs up
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(vendor, "127.0.0.1", 0, ssl=certify(tmp_path))
    demo = demo_config(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path, accounts=1, database=":memory:")
    if trusted:
        demo.config.write_text(
            demo.config.read_text().replace('key_file = "upstream-key"', 'key_file = "upstream-key"\nca_file = "ca.pem"')
        )
    try:
        async with Running(load(demo.config), stop_within_s=1.0) as running:
            s = Stage(port=int(running.url.rpartition(":")[2]), demo=demo)
            path, body, _ = request(Surface.CHAT)
            answer = await s.post(path, body)
            assert (answer.status, calls) == ((200, 1) if trusted else (502, 0))
            assert await s.spent() == (COSTS[Surface.CHAT] if trusted else 0)
    finally:
        server.close()
        if calls:  # a TLS connection still open when the loop closes breaks uvloop
            async with asyncio.timeout(10):
                await left.wait()
        await asyncio.sleep(0.05)  # its transport closes too, or that of a handshake that failed


async def test_connections_are_reused_after_answers_and_streams_alike(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        if b'"stream"' not in call.body:
            await call.answer(CHAT_BODY)
            return
        await call.head()
        for event in CHAT_STREAM:
            await call.chunk(event)
        await call.end()

    async with stage(tmp_path, script) as s:
        for stream in (False, True, False, True):
            path, body, _ = request(Surface.CHAT, stream=stream)
            assert (await s.post(path, body)).status == 200
        assert len({id(call.writer) for call in s.calls}) == 1


async def test_a_connection_that_the_upstream_closed_is_not_used_again(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(CHAT_BODY)
        if len(s.calls) % 2:
            call.fin()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        for _ in range(4):
            assert (await s.post(path, body)).status == 200
            await asyncio.sleep(0.02)  # the FIN arrives
        assert len({id(call.writer) for call in s.calls}) == 3


async def test_interim_answers_are_passed_over(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await call.answer(CHAT_BODY)

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        answer = await s.post(path, body)
        assert (answer.status, answer.body) == (200, CHAT_BODY)
        assert answer.header("link") is None


async def test_a_body_that_ends_with_the_connection_is_whole(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + CHAT_BODY)
        call.fin()

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).body == CHAT_BODY
        assert await s.spent() == COSTS[Surface.CHAT]


async def test_bytes_that_nobody_asked_for_spoil_the_connection(tmp_path: Path) -> None:
    async def script(call: Upstream) -> None:
        await call.answer(CHAT_BODY)
        await asyncio.sleep(0.02)
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother")

    async with stage(tmp_path, script) as s:
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).body == CHAT_BODY
        await asyncio.sleep(0.06)
        assert (await s.post(path, body)).body == CHAT_BODY
        assert len({id(call.writer) for call in s.calls}) == 2
