"""Real S3 servers for tests: moto's in a process of its own, and Ceph's RADOS gateway where it is installed.

Loaded as a pytest plugin by ``tests/conftest.py``; imports nothing heavy, so that every environment can use it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CEPH = Path(__file__).parents[1] / "infra" / "ceph.sh"
KEYS = {"AWS_ACCESS_KEY_ID": "darwin-test-access", "AWS_SECRET_ACCESS_KEY": "darwin-test-secret"}


@dataclass(frozen=True)
class S3Server:
    """A running S3 server and the environment that its clients need."""

    endpoint: str
    environment: dict[str, str]


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(server: S3Server) -> dict[str, str]:
    """The variables for a client of ``server`` that must not see this machine's own AWS settings."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        **server.environment,
    }


@pytest.fixture(scope="session")
def moto_server() -> Iterator[S3Server]:
    """moto's S3 server on a free port of the loopback interface."""
    pytest.importorskip("moto")
    server = S3Server(f"http://127.0.0.1:{free_port()}", KEYS)
    port = server.endpoint.rpartition(":")[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": "7"},  # short pages, so that every listing has several
    )
    try:
        _wait_until_up(server.endpoint, process)
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def rgw_server() -> Iterator[S3Server]:
    """Ceph's RADOS gateway; skips where it is not installed."""
    if shutil.which("radosgw") is None:
        pytest.skip("radosgw is not installed: tests/infra/ceph.sh install")
    running = subprocess.run([CEPH, "status"], capture_output=True, check=False).returncode == 0
    started = subprocess.run([CEPH, "start"], capture_output=True, text=True, check=False, timeout=300)
    if started.returncode != 0:
        pytest.fail(f"Ceph did not start:\n{started.stdout}\n{started.stderr}")
    lines = subprocess.run([CEPH, "env"], capture_output=True, text=True, check=True).stdout.split()
    environment = dict(line.split("=", 1) for line in lines)
    try:
        yield S3Server(environment.pop("AWS_ENDPOINT_URL"), environment)
    finally:
        if not running:
            subprocess.run([CEPH, "wipe"], capture_output=True, check=False)


@pytest.fixture
def s3_environment(moto_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """moto's server, with credentials for it in the environment of this process."""
    for name, value in clean_environment(moto_server).items():
        monkeypatch.setenv(name, value)
    return moto_server


@pytest.fixture
def s3_bucket(s3_environment: S3Server) -> str:
    """A fresh bucket on moto's server."""
    return new_bucket(s3_environment)


def new_bucket(server: S3Server) -> str:
    """Create a bucket that nobody else uses."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    admin_client(server.endpoint, *(server.environment[key] for key in KEYS)).create_bucket(Bucket=name)
    return name


@cache
def admin_client(endpoint: str, access_key: str, secret_key: str) -> Any:
    """A plain boto3 client for setting the scene; making one takes longer than most tests."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


def _wait_until_up(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"moto's server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("moto's server did not answer within a minute")
