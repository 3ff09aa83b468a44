"""Large objects over connections that break: uploads in parts, downloads that continue where they stopped."""

from __future__ import annotations

import contextlib
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto

from darwin_core.storage.base import BytesProgress, Digest
from darwin_core.storage.files import CHUNK_BYTES, HashingWriter, chunks
from darwin_core.storage.s3_errors import http_status
from darwin_core.storage.uris import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_MOST_PARTS = 10_000  # S3's limit
_MOST_FAILURES = 5
_BROKEN = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.FlexibleChecksumError)
_OBJECT_CHANGED = (412, 416)


@dataclass(frozen=True)
class TransferSizes:
    """From ``multipart_bytes`` on, objects go up in parts of at least ``part_bytes``, ``workers`` at a time.

    Memory stays below the larger of ``multipart_bytes`` and ``(workers + 1) * part_bytes``.
    """

    multipart_bytes: int = 32 << 20
    part_bytes: int = 16 << 20
    workers: int = 4

    def part_size(self, size_bytes: int) -> int:
        """Bytes per part of an object of ``size_bytes``, so that it fits into S3's 10,000 parts."""
        return max(self.part_bytes, -(-size_bytes // _MOST_PARTS))


@dataclass(frozen=True)
class SentParts:
    """An upload whose parts are all there and that only has to be completed."""

    upload_id: str
    parts: tuple[CompletedPartTypeDef, ...]
    digest: Digest


@contextmanager
def parts_sent(
    client: S3Client,
    location: S3Location,
    path: Path,
    *,
    sizes: TransferSizes,
    arguments: dict[str, Any],
    progress: BytesProgress | None = None,
) -> Iterator[SentParts]:
    """Upload all parts of a file; the block completes the upload, and if it fails the parts are removed.

    Args:
        client: The S3 client.
        location: Where the object will lie.
        path: The file.
        sizes: How to cut it.
        arguments: Further arguments of CreateMultipartUpload.
        progress: Told about every part that has arrived.
    """
    if getattr(client.meta.config, "request_checksum_calculation", None) == "when_supported":
        # The client adds a CRC32 to every part; S3 refuses parts whose upload did not announce it.
        arguments = {**arguments, "ChecksumAlgorithm": "CRC32"}
    address: dict[str, Any] = {"Bucket": location.bucket, "Key": location.key}
    upload_id = client.create_multipart_upload(**address, **arguments)["UploadId"]
    try:
        yield _send_parts(client, {**address, "UploadId": upload_id}, path, sizes, progress)
    except BaseException:
        with contextlib.suppress(boto.ClientError, boto.BotoCoreError):
            client.abort_multipart_upload(**address, UploadId=upload_id)
        raise


def _send_parts(
    client: S3Client, upload: dict[str, Any], path: Path, sizes: TransferSizes, progress: BytesProgress | None
) -> SentParts:
    def send(number: int, chunk: bytes) -> tuple[CompletedPartTypeDef, int]:
        answer = client.upload_part(**upload, PartNumber=number, Body=chunk)
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        return part, len(chunk)

    parts: list[CompletedPartTypeDef] = []

    def take(future: Future[tuple[CompletedPartTypeDef, int]]) -> None:
        part, size_bytes = future.result()
        parts.append(part)
        if progress is not None:
            progress(size_bytes)

    hasher = HashingWriter()
    pending: deque[Future[tuple[CompletedPartTypeDef, int]]] = deque()
    with path.open("rb") as source, ThreadPoolExecutor(sizes.workers) as pool:
        for number, chunk in enumerate(chunks(source, sizes.part_size(path.stat().st_size)), start=1):
            hasher.write(chunk)
            if len(pending) == sizes.workers:
                take(pending.popleft())
            pending.append(pool.submit(send, number, chunk))
        while pending:
            take(pending.popleft())
    return SentParts(upload_id=upload["UploadId"], parts=tuple(parts), digest=hasher.digest())


def receive(client: S3Client, location: S3Location, writer: HashingWriter) -> str:
    """Stream an object into ``writer``, continuing after a broken connection where it stopped.

    A continuation names the ETag of the beginning, so that the bytes are always those of one state of the object.

    Returns:
        The object's ETag as the store sent it.
    """
    reception = _Reception(client, location, writer)
    failures = 0
    while True:
        before = writer.size_bytes
        try:
            reception.proceed()
            return reception.etag
        except boto.ClientError as error:
            if not before or http_status(error) not in _OBJECT_CHANGED or failures >= _MOST_FAILURES:
                raise
            writer.restart()
        except _BROKEN as error:
            if failures >= _MOST_FAILURES:
                raise
            if isinstance(error, boto.FlexibleChecksumError):  # which byte was damaged is not known
                writer.restart()
        failures = 0 if writer.size_bytes > before else failures + 1
        time.sleep(random.random() * 0.1 * 2**failures)  # noqa: S311 - jitter


class _Reception:
    """One download: where the bytes go, and the state of the object that they belong to."""

    def __init__(self, client: S3Client, location: S3Location, writer: HashingWriter) -> None:
        self._client, self._location, self._writer = client, location, writer
        self.etag = ""

    def proceed(self) -> None:
        """Ask for what is missing and pass it on as it comes."""
        arguments: dict[str, Any] = {"Bucket": self._location.bucket, "Key": self._location.key}
        if self._writer.size_bytes:
            arguments |= {"Range": f"bytes={self._writer.size_bytes}-", "IfMatch": self.etag}
        answer = self._client.get_object(**arguments)
        if self._writer.size_bytes and "ContentRange" not in answer:  # no ranges here: everything comes again
            self._writer.restart()
        self.etag = answer["ETag"]
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            self._writer.write(chunk)
