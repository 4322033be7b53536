"""PostgreSQL and Redis over TLS, with a throw-away authority: what the URLs say of certificates is obeyed."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from harness.services import free_port
from harness.tests.absent import missing
from reference_gateway.app import Running
from reference_gateway.config import load
from reference_gateway.operations.demo import demo_config
from reference_gateway.routes import Surface
from reference_gateway.storage.interface import StorageFailed
from reference_gateway.storage.redis import RedisShared
from reference_gateway.tests import scripted
from reference_gateway.tests.scripted import Upstream, stage
from reference_gateway.tests.services import PASSWORD, Postgres, Redis, storage_table, until
from reference_gateway.tests.wires import CHAT_BODY, COSTS, request


@dataclass(frozen=True)
class Certificate:
    """`authority` is of nobody else; the certificate is for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    folder.mkdir()
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("wireproof test authority", "127.0.0.1")]
    made = []
    for index in range(2):
        builder = x509.CertificateBuilder().subject_name(names[index]).issuer_name(names[0]).public_key(keys[index].public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True)
        if index == 0:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            builder = builder.add_extension(address, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()))
    found = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    found.authority.write_bytes(made[0].public_bytes(Encoding.PEM))
    found.certificate.write_bytes(made[1].public_bytes(Encoding.PEM))
    found.key.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    found.key.chmod(0o600)
    return found


class TlsPostgres(Postgres):
    """Takes nobody without TLS."""

    def __init__(self, given: Certificate) -> None:
        super().__init__()
        self.stop()
        data = self._folder / "data"
        for source, name in ((given.certificate, "server.crt"), (given.key, "server.key")):
            shutil.copy(source, data / name)
            if self._user is not None:
                shutil.chown(data / name, self._user)
            (data / name).chmod(0o600)
        with (data / "postgresql.conf").open("a") as file:
            file.write("\nssl = on\n")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        self.start()


class TlsRedis(Redis):
    """Has no port without TLS."""

    def __init__(self, given: Certificate) -> None:
        self._given = given
        super().__init__()

    def start(self) -> None:
        self._port = free_port()
        given = self._given
        words = [self._binary, "--port", "0", "--tls-port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
        words += ["--tls-cert-file", str(given.certificate), "--tls-key-file", str(given.key), "--tls-ca-cert-file", str(given.authority)]
        with (self._folder / "log").open("wb") as file:
            self._process = subprocess.Popen([*words, "--tls-auth-clients", "no"], stdout=file, stderr=subprocess.STDOUT, cwd=self._folder)
        asyncio.run(until(self._answers))

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            assert self._process is not None
            if self._process.poll() is not None and "tls" in (self._folder / "log").read_text().lower():
                missing("the installed Redis was built without TLS")
            return False
        writer.close()
        return True

    def tls_url(self, authority: Path) -> str:
        return f"rediss://:{PASSWORD}@127.0.0.1:{self._port}/0?ssl_ca_certs={authority}"


@dataclass(frozen=True)
class Servers:
    postgres: TlsPostgres
    redis: TlsRedis
    good: Certificate
    other: Certificate


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("tls")
    good, other = certificate(folder / "good"), certificate(folder / "other")
    postgres, redis = TlsPostgres(good), TlsRedis(good)
    yield Servers(postgres, redis, good, other)
    redis.close()
    postgres.close()


def database_url(url: str, authority: Path) -> str:
    return f"{url}?sslmode=verify-full&sslrootcert={authority}"


def preamble(folder: Path, database: str, redis: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "database").write_text(database)
    (folder / "redis").write_text(redis)
    return storage_table(folder / "database", folder / "redis")


async def test_a_gateway_on_servers_that_speak_tls_alone(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money, keys and leases over it; every connection of the gateway's is encrypted, and its peer was checked."""

    async def script(call: Upstream) -> None:
        await call.answer(CHAT_BODY)

    url = await asyncio.to_thread(servers.postgres.fresh)
    text = preamble(tmp_path / "urls", database_url(url, servers.good.authority), servers.redis.tls_url(servers.good.authority))
    monkeypatch.setattr(scripted, "PREAMBLE", text)
    async with stage(tmp_path / "gateway", script) as s:
        path, body, _ = request(Surface.CHAT)
        assert (await s.post(path, body)).status == 200
        assert (await s.post(path, body, s.demo.capped_key)).status == 200  # its concurrency is counted by leases
        assert await s.spent() == COSTS[Surface.CHAT]
        shared = s.running.books.shared
        assert isinstance(shared, RedisShared)
        assert await shared.healthy()
        onlooker = await asyncpg.connect(url, ssl=_unchecked())
        sessions = await onlooker.fetch(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'wireproof-gateway'"
        )
        await onlooker.close()
        assert sessions
        assert all(session["ssl"] for session in sessions)
    with pytest.raises((asyncpg.PostgresError, ConnectionError)):
        await asyncpg.connect(url, ssl=False)


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_a_database_whose_certificate_nobody_vouches_for_is_not_used(servers: Servers, tmp_path: Path) -> None:
    url = await asyncio.to_thread(servers.postgres.fresh)
    config = demo_config("http://127.0.0.1:9", tmp_path / "gateway").config
    text = preamble(tmp_path / "urls", database_url(url, servers.other.authority), servers.redis.tls_url(servers.good.authority))
    config.write_text(text + config.read_text())
    with pytest.raises(StorageFailed) as failed:
        async with Running(load(config)):
            pass
    assert PASSWORD not in str(failed.value)
    assert "127.0.0.1" not in str(failed.value)


async def test_a_redis_whose_certificate_nobody_vouches_for_is_as_one_that_is_away(servers: Servers) -> None:
    shared = RedisShared(servers.redis.tls_url(servers.other.authority))
    await shared.open()
    try:
        assert not await shared.healthy()
        await shared.remember("x", "y", 10)
        assert await shared.recall("x") is None
    finally:
        await shared.close()
