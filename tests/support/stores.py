"""All stores under test: a behaviour that every store must have is written once and runs on each of them.

A conftest.py that imports these fixtures makes them known to the tests beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from darwin_core.contracts import StorageOptions
from darwin_core.storage import ObjectStore, join_uri, open_store
from darwin_core.storage.s3 import S3Store
from darwin_core.storage.s3_client import connect
from darwin_core.storage.s3_transfer import TransferSizes
from support.faulty_proxy import FaultyProxy
from support.s3 import S3Server, clean_environment, new_bucket

SMALL_PARTS = TransferSizes(multipart_bytes=6 << 20, part_bytes=5 << 20, workers=2)


@dataclass(frozen=True)
class Place:
    """A store, and an empty prefix in it."""

    store: ObjectStore
    prefix: str

    def uri(self, *parts: str) -> str:
        """A URI below the prefix."""
        return join_uri(self.prefix, *parts)


def s3_place(server: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint: str | None = None) -> Place:
    """A fresh bucket; ``endpoint`` replaces the server's own, for a proxy in front of it."""
    for name, value in clean_environment(server).items():
        monkeypatch.setenv(name, value)
    bucket = new_bucket(server)
    options = StorageOptions(endpoint_url=endpoint or server.endpoint, region="us-east-1", path_style=True)
    return Place(S3Store(connect(options), sizes=SMALL_PARTS), f"s3://{bucket}/line")


@pytest.fixture(params=["path", "file-uri", "moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Every store in turn."""
    if request.param == "path":
        return Place(open_store(str(tmp_path)), str(tmp_path / "store"))
    if request.param == "file-uri":
        return Place(open_store(tmp_path.as_uri()), f"{tmp_path.as_uri()}/a%20store")
    return s3_place(request.getfixturevalue(f"{request.param}_server"), monkeypatch)


@pytest.fixture
def proxy(moto_server: S3Server) -> Iterator[FaultyProxy]:
    """A misbehaving server in front of moto's."""
    with FaultyProxy(moto_server.endpoint).running() as proxy:
        yield proxy


@pytest.fixture
def through_proxy(proxy: FaultyProxy, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A fresh bucket, reached through the misbehaving server; gives up after the third attempt."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    return s3_place(moto_server, monkeypatch, endpoint=proxy.endpoint)


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    """More than two parts of 5 MiB, none like the other."""
    path = tmp_path / "big.bin"
    path.write_bytes(b"".join(bytes([number % 251]) * (1 << 20) for number in range(11)) + b"tail")
    return path
