"""From boto3's exceptions to ours: what was expected, what came, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto

from darwin_core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ConditionalWritesUnsupportedError,
    EndpointUnreachableError,
    IntegrityError,
    ObjectNotFoundError,
    RequestError,
    StorageError,
    WrongRegionError,
)
from darwin_core.storage.uris import S3Location

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
    boto.SSOError,
)
_UNREACHABLE = (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)
_MISCONFIGURED = (boto.ParamValidationError, boto.ValidationError, boto.ProfileNotFound, boto.InvalidConfigError)
_NOT_ALLOWED = (
    "The policy of the role, the bucket or the KMS key has to allow it; "
    "a role without s3:ListBucket is told this of every object that is not there."
)
_DENIED = {
    "AccessDenied": _NOT_ALLOWED,
    "403": _NOT_ALLOWED,
    "AllAccessDisabled": "The owner of the bucket has switched all access off.",
    "InvalidAccessKeyId": "The store does not know this access key; check the credentials and the endpoint.",
    "SignatureDoesNotMatch": "The secret does not belong to the access key, or a proxy changed the request.",
    "ExpiredToken": "The temporary credentials have expired; get new ones.",
    "InvalidToken": "The session token is not valid here; get new credentials.",
    "RequestTimeTooSkewed": "The clock of this machine differs too much from the store's.",
}
_REDIRECTS = {"PermanentRedirect", "TemporaryRedirect", "301", "307", "AuthorizationHeaderMalformed"} | {
    "IllegalLocationConstraintException"
}
_THROTTLED = {"SlowDown", "TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded", "429", "503"}


def error_code(error: boto.ClientError) -> str:
    """The store's own word for what went wrong; the HTTP status where it sent none (HEAD)."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def http_status(error: boto.ClientError) -> int:
    """The HTTP status; 0 where there was no answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(location: S3Location, client: Any) -> Iterator[None]:
    """Raise our errors in place of the client library's.

    Args:
        location: What the block works on, for the messages.
        client: The boto3 client, for its endpoint and region.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _from_response(error, location, client) from error
    except boto.BotoCoreError as error:
        raise _from_client(error, location, client) from error


def _from_response(error: boto.ClientError, location: S3Location, client: Any) -> StorageError:
    code, status = error_code(error), http_status(error)
    if code == "NoSuchBucket":
        return BucketNotFoundError(
            f"Expected a bucket {location.bucket!r} at {client.meta.endpoint_url}, there is none.",
            hint="Create it, or correct the URI or the endpoint.",
        )
    if code in ("NoSuchKey", "404") or status == 404:
        return ObjectNotFoundError(f"Expected an object at {location}, found none.")
    if code in _REDIRECTS or _bucket_region(error) not in (None, client.meta.region_name):
        return WrongRegionError(
            f"Bucket {location.bucket!r} is in region {_bucket_region(error) or 'unknown'}, "
            f"the client is set to {client.meta.region_name} ({code}).",
            hint="Set `region` of the storage options, or AWS_DEFAULT_REGION, to the bucket's region.",
        )
    if code in _DENIED or status in (401, 403):
        hint = _DENIED.get(code, _NOT_ALLOWED)
        return AccessDeniedError(f"The store refused {error.operation_name} on {location} ({code}).", hint=hint)
    if status == 501:
        return ConditionalWritesUnsupportedError(
            f"The store does not implement {error.operation_name} as asked for {location} ({code}).",
            hint="Publishing needs If-None-Match and If-Match on PutObject.",
        )
    if code in _THROTTLED or status in (429, 503):
        return StorageError(
            f"The store kept throttling {error.operation_name} on {location} ({code}) through all retries.",
            hint="Run the step again later, or raise AWS_MAX_ATTEMPTS; finished work is not repeated.",
        )
    return StorageError(
        f"{error.operation_name} on {location} failed: {code} (HTTP {status}): "
        f"{error.response.get('Error', {}).get('Message', 'no message')}.",
        hint="If the store's log does not explain it, run the step again; finished work is not repeated.",
    )


def _bucket_region(error: boto.ClientError) -> str | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return None if region is None else str(region)


def _from_client(error: boto.BotoCoreError, location: S3Location, client: Any) -> StorageError | RequestError:
    if isinstance(error, _NO_CREDENTIALS):
        return AccessDeniedError(
            f"Expected credentials for {location} in the default chain, found none that work ({error}).",
            hint="Set a role (web identity, pod identity, instance profile), AWS_PROFILE or the AWS_* variables.",
        )
    if isinstance(error, boto.SSLError):
        return EndpointUnreachableError(
            f"No trusted TLS connection to {client.meta.endpoint_url} ({error}).",
            hint="Set `ca_bundle` of the storage options, or AWS_CA_BUNDLE, to the authority that signed the store.",
        )
    if isinstance(error, boto.FlexibleChecksumError | boto.ChecksumError):
        return IntegrityError(f"{location} arrived damaged every time ({error}).", hint="Check the network path.")
    if isinstance(error, _UNREACHABLE):
        return EndpointUnreachableError(
            f"Expected an S3 service at {client.meta.endpoint_url} for {location}, got no usable answer ({error}).",
            hint="Check the endpoint, the network and the proxy settings.",
        )
    if isinstance(error, _MISCONFIGURED):
        return RequestError(f"{location} cannot be used: {error}.", hint="Correct the URI or the storage options.")
    return StorageError(f"{location}: {error}.")
