import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.case import Client, Surface
from harness.client import ClientWitness
from harness.exchange import End
from harness.tests.client import answers
from harness.tests.client.scripted import call, case, serve

SPEAKERS = [(Client.RAW, Surface.CHAT), (Client.OPENAI, Surface.CHAT), (Client.ANTHROPIC_ASYNC, Surface.MESSAGES)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and the certificate of 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return pem


def _server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_trusted_server_is_heard(sdks: None, certificate: Path) -> None:
    async with ClientWitness(tls=ssl.create_default_context(cafile=str(certificate))) as witness:
        for client, surface in SPEAKERS:
            async with serve(answers.good(surface, stream=True), _server(certificate)) as server:
                result = await witness.drive(call(server.url.replace("http:", "https:"), case(surface, client, stream=True)))
            assert result.hop.response is not None
            assert (result.hop.response.end, result.hop.response.encoded) == (End.EOF, b"".join(answers.frames(surface)))


async def test_a_stranger_is_refused(witness: ClientWitness, certificate: Path) -> None:
    for client, surface in SPEAKERS:
        async with serve(answers.good(surface, stream=True), _server(certificate)) as server:
            result = await witness.drive(call(server.url.replace("http:", "https:"), case(surface, client, stream=True)))
        assert result.hop.response is None
        assert result.hop.error is not None
        assert result.hop.error.startswith("ConnectError")
        assert "CERTIFICATE_VERIFY_FAILED" in result.hop.error
        assert server.requests == []
