"""Errors of S3: each says what was expected, what came and what to do, and is of the right kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.faulty_proxy import Fault, FaultyProxy, Reply, error_body
from support.s3 import S3Server, free_port
from support.stores import Place

from darwin_core.contracts import StorageOptions
from darwin_core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    EndpointUnreachableError,
    RequestError,
    StorageError,
    WrongRegionError,
)
from darwin_core.storage import ObjectStore, open_store

Operation = Callable[[ObjectStore, str, Path], object]

OPERATIONS: dict[str, Operation] = {
    "stat": lambda store, uri, _: store.stat(uri),
    "read": lambda store, uri, _: store.read(uri),
    "write": lambda store, uri, _: store.write(uri, b"x"),
    "create": lambda store, uri, _: store.write(uri, b"x", if_absent=True),
    "replace": lambda store, uri, _: store.write(uri, b"x", if_match="abc"),
    "download": lambda store, uri, folder: store.download(uri, folder / "out"),
    "upload": lambda store, uri, _: store.upload(Path(__file__), uri),
    "upload-new": lambda store, uri, _: store.upload(Path(__file__), uri, if_absent=True),
    "list": lambda store, uri, _: list(store.list(uri)),
    "delete": lambda store, uri, _: store.delete(uri),
}


def every_operation_raises(
    store: ObjectStore, uri: str, folder: Path, kind: type[StorageError], message: str
) -> dict[str, StorageError]:
    """Operation -> the error that it ended with."""
    errors: dict[str, StorageError] = {}
    for name, operation in OPERATIONS.items():
        with pytest.raises(kind, match=message) as caught:
            operation(store, uri, folder)
        assert caught.value.hint, f"{name}: no hint in {caught.value}"
        errors[name] = caught.value
    assert list(folder.iterdir()) == []
    return errors


def everything(reply: Reply) -> Fault:
    """The store says this to every request."""
    return Fault(lambda _: True, lambda _: reply, times=999)


def test_a_bucket_that_does_not_exist(s3_environment: S3Server, tmp_path: Path) -> None:
    store = open_store("s3://no-such-bucket", StorageOptions(endpoint_url=s3_environment.endpoint))
    message = f"Expected a bucket 'no-such-bucket' at {s3_environment.endpoint}"
    every_operation_raises(store, "s3://no-such-bucket/a", tmp_path, BucketNotFoundError, message)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", "policy"),
        ("InvalidAccessKeyId", "check the credentials"),
        ("SignatureDoesNotMatch", "secret"),
        ("RequestTimeTooSkewed", "clock"),
    ],
)
def test_denied_access(through_proxy: Place, proxy: FaultyProxy, tmp_path: Path, code: str, hint: str) -> None:
    proxy.faults.append(everything(Reply(403, body=error_body(code))))
    errors = every_operation_raises(
        through_proxy.store,
        through_proxy.uri("a"),
        tmp_path,
        AccessDeniedError,
        "The store refused [A-Za-z0-9]+ on s3:",
    )
    assert hint in str(errors["read"])
    assert hint in str(errors["create"])


def test_expired_credentials(through_proxy: Place, proxy: FaultyProxy) -> None:
    proxy.faults.append(everything(Reply(400, body=error_body("ExpiredToken"))))
    with pytest.raises(AccessDeniedError, match="credentials have expired"):
        through_proxy.store.read(through_proxy.uri("a"))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(301, {"x-amz-bucket-region": "eu-west-1"}, error_body("PermanentRedirect")),
        Reply(
            400, {"x-amz-bucket-region": "eu-west-1"}, error_body("AuthorizationHeaderMalformed", Region="eu-west-1")
        ),
    ],
    ids=["redirect", "signature for another region"],
)
def test_a_bucket_in_another_region(through_proxy: Place, proxy: FaultyProxy, tmp_path: Path, reply: Reply) -> None:
    proxy.faults.append(everything(reply))
    every_operation_raises(
        through_proxy.store,
        through_proxy.uri("a"),
        tmp_path,
        WrongRegionError,
        "is in region eu-west-1, the client is set to us-east-1.*Set `region`",
    )


def test_nothing_listens_at_the_endpoint(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    endpoint = f"http://127.0.0.1:{free_port()}"
    store = open_store("s3://bucket", StorageOptions(endpoint_url=endpoint))
    message = f"Expected an S3 service at {endpoint}"
    every_operation_raises(store, "s3://bucket/a", tmp_path, EndpointUnreachableError, message)


def test_no_credentials(s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = open_store("s3://bucket", StorageOptions(endpoint_url=s3_environment.endpoint))
    message = "Expected credentials for s3://bucket/a in the default chain"
    every_operation_raises(store, "s3://bucket/a", tmp_path, AccessDeniedError, message)


@pytest.mark.parametrize("bucket", ["b", "under$score", "a" * 300])
def test_a_bucket_name_that_cannot_be(s3_environment: S3Server, bucket: str) -> None:
    store = open_store(f"s3://{bucket}", StorageOptions(endpoint_url=s3_environment.endpoint))
    with pytest.raises((RequestError, BucketNotFoundError), match=bucket[:20].replace("$", r"\$")):
        store.read(f"s3://{bucket}/a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (StorageOptions(endpoint_url="nonsense"), "cannot be set up: Invalid endpoint: nonsense"),
        (StorageOptions(ca_bundle="/no/such/ca.pem"), "Expected a PEM file with certificates at /no/such/ca.pem"),
        (StorageOptions(region="not a region"), "cannot be set up"),
    ],
)
def test_options_that_cannot_be_used(s3_environment: S3Server, options: StorageOptions, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        open_store("s3://bucket", options)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_MAX_ATTEMPTS", "many", "AWS_MAX_ATTEMPTS, got 'many'"),
        ("AWS_RETRY_MODE", "stubborn", "cannot be set up"),
        ("AWS_CA_BUNDLE", "/no/such/ca.pem", "Correct AWS_CA_BUNDLE"),
        ("AWS_PROFILE", "nobody", "cannot be set up.*nobody"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "perhaps", "cannot be set up"),
    ],
)
def test_variables_that_cannot_be_used(
    s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(RequestError, match=message):
        open_store("s3://bucket", StorageOptions(endpoint_url=s3_environment.endpoint))


def test_a_role_that_may_not_look_at_the_bucket_can_still_ask_for_objects(
    through_proxy: Place, proxy: FaultyProxy
) -> None:
    bucket = through_proxy.prefix.removeprefix("s3://").partition("/")[0]
    proxy.faults.append(
        Fault(
            lambda exchange: exchange.method == "HEAD" and exchange.path.rstrip("/") == f"/{bucket}",
            lambda _: Reply(403),
            times=999,
        )
    )
    assert through_proxy.store.stat(through_proxy.uri("a")) is None
