"""Storage options and environment variables, as they show on the wire."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.faulty_proxy import Exchange, FaultyProxy
from support.s3 import S3Server, new_bucket
from support.stores import SMALL_PARTS, Place

from darwin_core.contracts import StorageOptions
from darwin_core.errors import EndpointUnreachableError
from darwin_core.storage import open_store, probe_conditional_writes
from darwin_core.storage.s3 import S3Store
from darwin_core.storage.s3_client import connect

KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"


def puts(proxy: FaultyProxy) -> list[Exchange]:
    """What would have written something."""
    return [exchange for exchange in proxy.seen if exchange.method in ("PUT", "POST")]


def header(exchange: Exchange, name: str) -> str | None:
    """A request header, in any case."""
    return next((value for key, value in exchange.headers.items() if key.lower() == name), None)


def test_every_object_is_encrypted_with_the_named_key(
    s3_environment: S3Server, proxy: FaultyProxy, big_file: Path
) -> None:
    bucket = new_bucket(s3_environment)
    options = StorageOptions(endpoint_url=proxy.endpoint, sse_kms_key_id=KMS_KEY)
    store = S3Store(connect(options), sse_kms_key_id=options.sse_kms_key_id, sizes=SMALL_PARTS)
    store.write(f"s3://{bucket}/small", b"x")
    store.upload(big_file, f"s3://{bucket}/big")
    creations = [exchange for exchange in puts(proxy) if "uploadId=" not in exchange.path]
    assert len(creations) == 2
    for exchange in creations:
        assert header(exchange, "x-amz-server-side-encryption") == "aws:kms"
        assert header(exchange, "x-amz-server-side-encryption-aws-kms-key-id") == KMS_KEY
        assert header(exchange, "x-amz-server-side-encryption-bucket-key-enabled") == "true"


def test_options_reach_the_store_that_open_store_makes(s3_environment: S3Server, proxy: FaultyProxy) -> None:
    bucket = new_bucket(s3_environment)
    options = StorageOptions(
        endpoint_url=proxy.endpoint, region="eu-central-1", sse_kms_key_id=KMS_KEY, path_style=True
    )
    open_store(f"s3://{bucket}/line", options).write(f"s3://{bucket}/a", b"x")
    (exchange,) = puts(proxy)
    assert exchange.path == f"/{bucket}/a"
    assert "/eu-central-1/s3/" in str(header(exchange, "authorization"))
    assert header(exchange, "x-amz-server-side-encryption-aws-kms-key-id") == KMS_KEY


@pytest.mark.parametrize("calculation", ["when_supported", "when_required"])
def test_checksums_are_sent_as_the_environment_says(
    s3_environment: S3Server, proxy: FaultyProxy, big_file: Path, monkeypatch: pytest.MonkeyPatch, calculation: str
) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", calculation)
    bucket = new_bucket(s3_environment)
    store = S3Store(connect(StorageOptions(endpoint_url=proxy.endpoint)), sizes=SMALL_PARTS)
    store.write(f"s3://{bucket}/small", b"x")
    store.upload(big_file, f"s3://{bucket}/big")
    bodies = [exchange for exchange in puts(proxy) if exchange.method == "PUT"]
    assert len(bodies) == 4
    wanted = calculation == "when_supported"
    assert all((header(exchange, "x-amz-checksum-crc32") is not None) == wanted for exchange in bodies)
    (creation,) = [exchange for exchange in puts(proxy) if exchange.path.endswith("?uploads")]
    assert header(creation, "x-amz-checksum-algorithm") == ("CRC32" if wanted else None)
    (completion,) = [exchange for exchange in puts(proxy) if exchange.method == "POST" and exchange is not creation]
    assert (b"ChecksumCRC32" in completion.body) == wanted


def test_reports_open_in_a_browser(s3_environment: S3Server, proxy: FaultyProxy) -> None:
    bucket = new_bucket(s3_environment)
    open_store("s3://any", StorageOptions(endpoint_url=proxy.endpoint)).write(f"s3://{bucket}/report.html", b"<p>")
    assert header(puts(proxy)[0], "content-type") == "text/html"


def test_folder_markers_are_no_objects(s3_environment: S3Server, s3_bucket: str) -> None:
    store = open_store("s3://any", StorageOptions(endpoint_url=s3_environment.endpoint))
    store.write(f"s3://{s3_bucket}/data/", b"")
    store.write(f"s3://{s3_bucket}/data/file", b"x")
    assert [item.uri for item in store.list(f"s3://{s3_bucket}/data")] == [f"s3://{s3_bucket}/data/file"]
    for prefix in ("/data/", "/", ""):
        assert store.stat(f"s3://{s3_bucket}{prefix}") is None


@pytest.mark.parametrize("count", [7, 8, 30])
def test_listings_of_several_pages(through_proxy: Place, proxy: FaultyProxy, count: int) -> None:
    names = [f"{number:03d}" for number in range(count)]
    for name in names:
        through_proxy.store.write(through_proxy.uri(name), b"x")
    listed = [item.uri.rpartition("/")[2] for item in through_proxy.store.list(through_proxy.prefix)]
    assert listed == names
    assert proxy.requests("GET") == -(-count // 7)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority, and a server certificate that it signed."""

    authority: Path
    server: Path
    key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A private certificate authority, as banks have one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def build(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        build("authority", "authority", authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        build("server", "authority", server_key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    paths = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    paths.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    paths.server.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@pytest.fixture
def tls_endpoint(certificates: Certificates, moto_server: S3Server) -> Iterator[str]:
    """moto behind TLS with a certificate of the private authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.key)
    with FaultyProxy(moto_server.endpoint, tls=context).running() as proxy:
        yield proxy.endpoint


def test_a_store_behind_a_private_authority(
    s3_environment: S3Server, tls_endpoint: str, certificates: Certificates, big_file: Path
) -> None:
    bucket = new_bucket(s3_environment)
    options = StorageOptions(endpoint_url=tls_endpoint, ca_bundle=str(certificates.authority))
    store = S3Store(connect(options), sizes=SMALL_PARTS)
    probe_conditional_writes(store, f"s3://{bucket}/pointers")
    digest = store.upload(big_file, f"s3://{bucket}/big")
    assert store.download(f"s3://{bucket}/big", big_file.with_name("copy")) == digest


def test_a_store_behind_an_authority_that_nobody_named(
    s3_environment: S3Server, tls_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = open_store("s3://bucket", StorageOptions(endpoint_url=tls_endpoint))
    with pytest.raises(EndpointUnreachableError, match="No trusted TLS connection") as caught:
        store.read("s3://bucket/a")
    assert "ca_bundle" in str(caught.value.hint)
