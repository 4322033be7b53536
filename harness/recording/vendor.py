"""A vendor that plays the scenarios: over TLS or plain, at its documented paths, in its own framing and at its own pace.

A request says which scenario it wants by the header `x-wireproof-scenario`, or by a marker in its prompt that `expect` was told of.
"""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, TypeAlias

import h11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.recording.marking import find_marker
from harness.recording.scenarios import by_id
from harness.recording.scenarios.scenario import Scenario

SCENARIO_HEADER: Final = "x-wireproof-scenario"


class BreakOff(Exception):
    """Raised by a pace: the vendor resets the connection before this write."""


# Called before each write with the scenario and the number of the write; it waits as long as it wants, or breaks off.
Pace: TypeAlias = Callable[[Scenario, int], Awaitable[None]]


async def as_written(scenario: Scenario, number: int) -> None:
    await asyncio.sleep((scenario.between_ms if number else scenario.first_byte_ms) / 1000)


@dataclass(slots=True)
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    aborted: bool = False  # the caller went away before the answer was complete


class Vendor:
    """`find` gives the scenario of an id and raises KeyError where there is none."""

    def __init__(self, pace: Pace = as_written, find: Callable[[str], Scenario] = by_id) -> None:
        self.asked: list[Asked] = []
        self._pace = pace
        self._find = find
        self._expected: dict[str, str] = {}
        self._open: set[asyncio.StreamWriter] = set()

    def expect(self, marker: str, scenario_id: str) -> None:
        """A request with this marker in its prompt gets that scenario."""
        self._expected[marker] = scenario_id

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, as many requests as come over it."""
        connection = h11.Connection(h11.SERVER)
        self._open.add(writer)
        try:
            while asked := await _request(connection, reader, writer):
                self.asked.append(asked)
                await self._answer(asked, connection, reader, writer)
                if connection.our_state is h11.MUST_CLOSE:
                    break
                connection.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError, BreakOff):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def hang_up(self) -> None:
        """Resets every connection that is open."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _answer(self, asked: Asked, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scenario = self._scenario(asked)
        if scenario is None:
            body = b'{"error":{"message":"The scripted vendor has no scenario for this request.","type":"invalid_request_error"}}'
            await _write(connection, writer, h11.Response(status_code=404, headers=[("content-length", str(len(body)))]))
            await _write(connection, writer, h11.Data(data=body))
            await _write(connection, writer, h11.EndOfMessage())
            return
        gone = asyncio.create_task(_gone(connection, reader))
        play = asyncio.create_task(self._play(scenario, asked, connection, writer))
        try:
            await asyncio.wait({gone, play}, return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                asked.aborted = True
                raise ConnectionAbortedError
            await play
        finally:
            for task in (gone, play):
                task.cancel()
            await asyncio.gather(gone, play, return_exceptions=True)

    async def _play(self, scenario: Scenario, asked: Asked, connection: h11.Connection, writer: asyncio.StreamWriter) -> None:
        pieces = scenario.pieces
        head = list(scenario.headers)
        streamed = len(pieces) > 1 or (scenario.stream and scenario.status == 200)
        if not streamed and _takes_gzip(asked):
            pieces = (gzip.compress(b"".join(pieces), mtime=0),)
            head.append(("content-encoding", "gzip"))
        head.append(("transfer-encoding", "chunked") if streamed else ("content-length", str(sum(map(len, pieces)))))
        await self._pace(scenario, 0)
        await _write(connection, writer, h11.Response(status_code=scenario.status, headers=head, reason=_REASONS.get(scenario.status, b"")))
        for number, piece in enumerate(pieces):
            if number:
                await self._pace(scenario, number)
            await _write(connection, writer, h11.Data(data=piece))
        await _write(connection, writer, h11.EndOfMessage())

    def _scenario(self, asked: Asked) -> Scenario | None:
        named = dict(asked.headers).get(SCENARIO_HEADER) or self._expected.get(find_marker(asked.body) or "")
        try:
            scenario = self._find(named) if named else None
        except KeyError:
            return None
        # A client of another surface must not get this answer. The SDKs differ in the version that stands in the path.
        return scenario if scenario and _tail(scenario.path) == _tail(asked.path) else None


def _tail(path: str) -> str:
    return path.partition("?")[0].removeprefix("/v1beta").removeprefix("/v1")


def _takes_gzip(asked: Asked) -> bool:
    return "gzip" in dict(asked.headers).get("accept-encoding", "")


async def _request(connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked | None:
    asked: Asked | None = None
    while True:
        match event := connection.next_event():
            case h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    await _write(connection, writer, h11.InformationalResponse(status_code=100, headers=[]))
                connection.receive_data(await reader.read(65536))
            case h11.Request():
                headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
                asked = Asked(method=event.method.decode(), path=event.target.decode(), headers=headers, body=b"")
            case h11.Data() if asked:
                asked.body += event.data
            case h11.EndOfMessage():
                return asked
            case _:
                return None


async def _gone(connection: h11.Connection, reader: asyncio.StreamReader) -> None:
    """Returns when the caller has hung up. What it sends before that belongs to its next request."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            connection.receive_data(data)


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    data = connection.send(event)
    if data:
        writer.write(data)
        await writer.drain()


_REASONS: Final = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found", 429: b"Too Many Requests"}


@contextlib.asynccontextmanager
async def serving(vendor: Vendor, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serves on a free port of loopback while the block runs, and gives the address."""
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        vendor.hang_up()
        await server.wait_closed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority made for one run, and a server certificate for 127.0.0.1 that it signed."""

    ca: Path  # PEM, to be trusted
    server: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """Writes the authority's files into `folder`. The keys live as long as the folder does."""
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wireproof scripted vendor CA")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wireproof scripted vendor")])
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")])
    server = (
        _certificate(server_name, ca_name, server_key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_path, chain, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca_path.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    key.touch(mode=0o600)
    key.write_bytes(server_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return Authority(ca=ca_path, server=context)


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
