"""S3 when things go wrong on the way: throttling, broken connections, damaged bytes, failed parts."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from support.faulty_proxy import Exchange, Fault, FaultyProxy, Reply, error_body, forward
from support.s3 import KEYS, admin_client
from support.stores import Place

from darwin_core.errors import EndpointUnreachableError, IntegrityError, PreconditionFailedError, StorageError

CONTENT = os.urandom(3 << 20)


def of(method: str) -> object:
    """Requests with this method."""
    return lambda exchange: exchange.method == method


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, error_body("SlowDown")),
        (503, b"<html>busy</html>"),
        (429, error_body("TooManyRequests")),
        (429, b"slow down, please"),
        (500, error_body("InternalError")),
        (502, b""),
    ],
    ids=["SlowDown", "503 of a proxy", "429 with a code", "429 without", "InternalError", "bad gateway"],
)
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_passing_trouble_is_waited_out(
    through_proxy: Place, proxy: FaultyProxy, status: int, body: bytes, method: str
) -> None:
    proxy.faults.append(Fault(of(method), lambda _: Reply(status, body=body)))
    through_proxy.store.write(through_proxy.uri("a"), b"content")
    assert through_proxy.store.read(through_proxy.uri("a")).data == b"content"
    assert proxy.requests(method) == 2


def test_lasting_trouble_is_an_error_that_says_so(through_proxy: Place, proxy: FaultyProxy) -> None:
    proxy.faults.append(Fault(of("GET"), lambda _: Reply(503, body=error_body("SlowDown")), times=99))
    with pytest.raises(StorageError, match=r"kept throttling GetObject on s3://.*through all retries"):
        through_proxy.store.read(through_proxy.uri("a"))
    assert proxy.requests("GET") == 3


def test_a_download_continues_where_it_broke(through_proxy: Place, proxy: FaultyProxy, tmp_path: Path) -> None:
    through_proxy.store.write(through_proxy.uri("a"), CONTENT)
    proxy.faults.append(Fault(of("GET"), lambda exchange: _cut(exchange, 2 << 20)))
    digest = through_proxy.store.download(through_proxy.uri("a"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert digest.sha256 == hashlib.sha256(CONTENT).hexdigest()
    first, second = (exchange for exchange in proxy.seen if exchange.method == "GET")
    assert "Range" not in first.headers
    start = int(second.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 2 << 20
    assert second.headers["If-Match"]


def test_a_download_of_a_replaced_object_begins_again(through_proxy: Place, proxy: FaultyProxy, tmp_path: Path) -> None:
    uri, other = through_proxy.uri("a"), bytes(3 << 20)
    through_proxy.store.write(uri, CONTENT)

    def cut_and_replace(exchange: Exchange) -> Reply:
        reply = _cut(exchange, 2 << 20)
        through_proxy.store.write(uri, other)
        return reply

    proxy.faults.append(Fault(of("GET"), cut_and_replace))
    digest = through_proxy.store.download(uri, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == other
    assert digest.sha256 == hashlib.sha256(other).hexdigest()


def test_a_store_without_ranges_sends_everything_again(
    through_proxy: Place, proxy: FaultyProxy, tmp_path: Path
) -> None:
    through_proxy.store.write(through_proxy.uri("a"), CONTENT)
    proxy.faults += [
        Fault(of("GET"), lambda exchange: _cut(exchange, 2 << 20)),
        Fault(of("GET"), lambda exchange: forward(exchange, without=("range",))),
    ]
    progress: list[int] = []
    through_proxy.store.download(through_proxy.uri("a"), tmp_path / "file", progress=progress.append)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert sum(progress) == len(CONTENT)


def test_a_connection_that_always_breaks_is_an_error(through_proxy: Place, proxy: FaultyProxy, tmp_path: Path) -> None:
    through_proxy.store.write(through_proxy.uri("a"), CONTENT)
    proxy.faults.append(Fault(of("GET"), lambda exchange: _cut(exchange, 0), times=99))
    with pytest.raises(EndpointUnreachableError, match="no usable answer"):
        through_proxy.store.download(through_proxy.uri("a"), tmp_path / "out" / "file")
    assert list((tmp_path / "out").iterdir()) == []


def test_damaged_bytes_are_asked_for_again(through_proxy: Place, proxy: FaultyProxy) -> None:
    through_proxy.store.write(through_proxy.uri("a"), b"content")
    proxy.faults.append(Fault(of("GET"), _damaged))
    assert through_proxy.store.read(through_proxy.uri("a")).data == b"content"
    assert proxy.requests("GET") == 2


def test_bytes_that_always_arrive_damaged_are_an_error(through_proxy: Place, proxy: FaultyProxy) -> None:
    through_proxy.store.write(through_proxy.uri("a"), b"content")
    proxy.faults.append(Fault(of("GET"), _damaged, times=99))
    with pytest.raises(IntegrityError, match="arrived damaged every time"):
        through_proxy.store.read(through_proxy.uri("a"))


def _damaged(exchange: Exchange) -> Reply:
    reply = forward(exchange)
    assert any(name.lower().startswith("x-amz-checksum-crc32") for name in reply.headers)
    reply.body = reply.body[:-1] + bytes([reply.body[-1] ^ 1])
    return reply


def _cut(exchange: Exchange, size: int) -> Reply:
    reply = forward(exchange)
    reply.cut = size
    return reply


def is_part(exchange: Exchange) -> bool:
    """UploadPart."""
    return exchange.method == "PUT" and "partNumber=" in exchange.path


def is_completion(exchange: Exchange) -> bool:
    """CompleteMultipartUpload."""
    return exchange.method == "POST" and "uploadId=" in exchange.path


def test_a_part_that_fails_once_is_sent_again(through_proxy: Place, proxy: FaultyProxy, big_file: Path) -> None:
    proxy.faults.append(Fault(is_part, lambda _: Reply(500, body=error_body("InternalError"))))
    digest = through_proxy.store.upload(big_file, through_proxy.uri("big"), if_absent=True)
    assert hashlib.sha256(through_proxy.store.read(through_proxy.uri("big")).data).hexdigest() == digest.sha256


def test_an_upload_that_fails_leaves_no_parts(through_proxy: Place, proxy: FaultyProxy, big_file: Path) -> None:
    proxy.faults.append(
        Fault(
            lambda exchange: is_part(exchange) and "partNumber=2" in exchange.path,
            lambda _: Reply(500, body=error_body("InternalError")),
            times=99,
        )
    )
    with pytest.raises(StorageError, match="UploadPart on s3://"):
        through_proxy.store.upload(big_file, through_proxy.uri("big"))
    assert through_proxy.store.stat(through_proxy.uri("big")) is None
    assert _unfinished_uploads(through_proxy, proxy) == []


def test_a_large_create_that_loses_to_a_rival(through_proxy: Place, proxy: FaultyProxy, big_file: Path) -> None:
    uri = through_proxy.uri("big")

    def rival_first(exchange: Exchange) -> Reply:
        through_proxy.store.write(uri, b"rival")
        return forward(exchange)

    proxy.faults.append(Fault(is_completion, rival_first))
    with pytest.raises(PreconditionFailedError):
        through_proxy.store.upload(big_file, uri, if_absent=True)
    assert through_proxy.store.read(uri).data == b"rival"
    assert _unfinished_uploads(through_proxy, proxy) == []


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_completion_whose_answer_was_lost(
    through_proxy: Place, proxy: FaultyProxy, big_file: Path, if_absent: bool
) -> None:
    def lose_answer(exchange: Exchange) -> Reply:
        forward(exchange)
        return Reply(500, body=error_body("InternalError"))

    proxy.faults.append(Fault(is_completion, lose_answer))
    digest = through_proxy.store.upload(big_file, through_proxy.uri("big"), if_absent=if_absent)
    assert hashlib.sha256(through_proxy.store.read(through_proxy.uri("big")).data).hexdigest() == digest.sha256


def _unfinished_uploads(place: Place, proxy: FaultyProxy) -> list[object]:
    bucket = place.prefix.removeprefix("s3://").partition("/")[0]
    uploads = admin_client(proxy.upstream, *KEYS.values()).list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return list(uploads)
