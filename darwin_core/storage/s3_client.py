"""A boto3 client from storage options. Credentials come from the default chain or the caller, never from a contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from darwin_core.contracts.storage import StorageOptions
from darwin_core.errors import RequestError
from darwin_core.storage.credentials import S3Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_ATTEMPTS = 8
_CONNECTIONS = 16


def connect(options: StorageOptions, credentials: S3Credentials | None = None) -> S3Client:
    """A client with retries and timeouts set.

    ``AWS_RETRY_MODE``, ``AWS_MAX_ATTEMPTS``, ``AWS_REQUEST_CHECKSUM_CALCULATION``, ``AWS_CA_BUNDLE``,
    ``AWS_ENDPOINT_URL_S3`` and the other variables of the AWS tools apply where the options say nothing.

    Raises:
        RequestError: The options or the environment cannot be used.
    """
    attempts = _attempts()
    verify = _certificates(options)
    try:
        # A session of our own: boto3's default session is shared by threads and not safe to build clients from.
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=options.endpoint_url,
            region_name=options.region,
            aws_access_key_id=credentials.access_key if credentials else None,
            aws_secret_access_key=credentials.secret_key if credentials else None,
            verify=verify,
            config=_config(options, attempts),
        )
    except (BotoCoreError, ValueError) as error:
        raise RequestError(
            f"The S3 connection cannot be set up: {error}.", hint="Correct the storage options or AWS_* variables."
        ) from error
    return client


def _config(options: StorageOptions, attempts: int) -> Config:
    retries: Any = {"mode": os.environ.get("AWS_RETRY_MODE", "standard"), "total_max_attempts": attempts}
    return Config(
        retries=retries,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        s3={"addressing_style": "path"} if options.path_style else None,
        user_agent_extra="darwin",
    )


def _attempts() -> int:
    text = os.environ.get("AWS_MAX_ATTEMPTS", str(_ATTEMPTS))
    if not text.isdigit() or int(text) < 1:
        raise RequestError(f"Expected a number of at least 1 in AWS_MAX_ATTEMPTS, got {text!r}.")
    return int(text)


def _certificates(options: StorageOptions) -> str | None:
    bundle = options.ca_bundle or os.environ.get("AWS_CA_BUNDLE")
    if bundle and not Path(bundle).is_file():
        origin = "`ca_bundle` of the storage options" if options.ca_bundle else "AWS_CA_BUNDLE"
        raise RequestError(f"Expected a PEM file with certificates at {bundle}, found none.", hint=f"Correct {origin}.")
    return bundle or None
