"""Objects in S3 and in stores that speak its protocol."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darwin_core.contracts.storage import StorageOptions
from darwin_core.errors import BucketNotFoundError
from darwin_core.storage.base import BytesProgress, Digest, ObjectInfo, StoredObject
from darwin_core.storage.credentials import S3Credentials
from darwin_core.storage.files import HashingWriter, atomic_file, check_digest
from darwin_core.storage.s3_client import connect
from darwin_core.storage.s3_conditions import Condition, bare, look, settle
from darwin_core.storage.s3_errors import http_status, translated
from darwin_core.storage.s3_transfer import TransferSizes, parts_sent, receive
from darwin_core.storage.uris import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_s3(options: StorageOptions, credentials: S3Credentials | None = None) -> S3Store:
    """A store with a client of its own."""
    return S3Store(connect(options, credentials), sse_kms_key_id=options.sse_kms_key_id)


class S3Store:
    """The object store over boto3.

    Args:
        client: A boto3 S3 client; clients may be shared by threads.
        sse_kms_key_id: Encrypt every object with this KMS key.
        sizes: When and how to upload in parts.
    """

    def __init__(
        self, client: S3Client, *, sse_kms_key_id: str | None = None, sizes: TransferSizes | None = None
    ) -> None:
        self._client = client
        self._sse_kms_key_id = sse_kms_key_id
        self._sizes = sizes or TransferSizes()
        self._known_buckets: set[str] = set()

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object at ``uri``, or None. Raises BucketNotFoundError."""
        location = S3Location.parse(uri)
        with translated(location, self._client):
            # A prefix is no object, though consoles mark folders with empty ones.
            is_prefix = not location.key or location.key.endswith("/")
            found = None if is_prefix else look(self._client, location)
            if found is None:
                self._expect_bucket(location)
                return None
        return ObjectInfo(uri=uri, size_bytes=found.size_bytes, etag=found.etag)

    def read(self, uri: str) -> StoredObject:
        """Read a small object whole. Raises ObjectNotFoundError."""
        location = S3Location.parse(uri)
        buffer = io.BytesIO()
        with translated(location, self._client):
            etag = receive(self._client, location, HashingWriter(buffer))
        return StoredObject(data=buffer.getvalue(), etag=bare(etag))

    def write(self, uri: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write a small object and return its bare ETag."""
        location = S3Location.parse(uri)
        with translated(location, self._client):
            return self._put(location, data, Condition(if_absent=if_absent, if_match=if_match))

    def download(
        self, uri: str, path: Path, *, sha256: str | None = None, progress: BytesProgress | None = None
    ) -> Digest:
        """Stream an object into a file, which appears only when complete and, given ``sha256``, only if it fits."""
        location = S3Location.parse(uri)
        with translated(location, self._client), atomic_file(path) as target:
            writer = HashingWriter(target, progress)
            receive(self._client, location, writer)
            check_digest(uri, writer.digest(), sha256)
        return writer.digest()

    def upload(self, path: Path, uri: str, *, if_absent: bool = False, progress: BytesProgress | None = None) -> Digest:
        """Stream a file into an object, in parts where it is large.

        Some stores (Ceph 16) ignore the condition of an upload in parts. An object that lies there already is noticed
        before; only two large creates that race within seconds are not.
        """
        location = S3Location.parse(uri)
        condition = Condition(if_absent=if_absent)
        with translated(location, self._client):
            if if_absent and (found := look(self._client, location)) is not None:
                raise condition.refusal(location, found)
            if path.stat().st_size < self._sizes.multipart_bytes:
                data = path.read_bytes()
                self._put(location, data, condition)
                writer = HashingWriter(progress=progress)
                writer.write(data)
                return writer.digest()
            return self._put_parts(location, path, condition, progress)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below ``prefix`` in the order of their keys' bytes, page by page."""
        location = S3Location.parse(prefix)
        folder = f"{location.key.rstrip('/')}/" if location.key else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=folder)
        with translated(location, self._client):
            for page in pages:
                for item in page.get("Contents", []):
                    if item["Key"].endswith("/"):  # a folder marker that consoles and sync tools leave behind
                        continue
                    uri = str(S3Location(location.bucket, item["Key"]))
                    yield ObjectInfo(uri=uri, size_bytes=item["Size"], etag=bare(item["ETag"]))

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""
        location = S3Location.parse(uri)
        with translated(location, self._client):
            self._client.delete_object(Bucket=location.bucket, Key=location.key)

    def _put(self, location: S3Location, data: bytes, condition: Condition) -> str:
        arguments = self._object_arguments(location, condition)
        return settle(
            self._client,
            location,
            condition,
            lambda form: self._client.put_object(
                Bucket=location.bucket, Key=location.key, Body=data, **arguments, **form
            ),
        )

    def _put_parts(
        self, location: S3Location, path: Path, condition: Condition, progress: BytesProgress | None
    ) -> Digest:
        arguments = self._object_arguments(location, condition)
        with parts_sent(
            self._client, location, path, sizes=self._sizes, arguments=arguments, progress=progress
        ) as sent:

            def complete(form: dict[str, Any]) -> Any:
                return self._client.complete_multipart_upload(
                    Bucket=location.bucket,
                    Key=location.key,
                    UploadId=sent.upload_id,
                    MultipartUpload={"Parts": list(sent.parts)},
                    **form,
                )

            settle(self._client, location, condition, complete)
        return sent.digest

    def _object_arguments(self, location: S3Location, condition: Condition) -> dict[str, Any]:
        arguments: dict[str, Any] = {"Metadata": condition.metadata}
        content_type, _ = mimetypes.guess_type(location.key)
        if content_type is not None:
            arguments["ContentType"] = content_type
        if self._sse_kms_key_id is not None:
            arguments |= {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": self._sse_kms_key_id,
                "BucketKeyEnabled": True,
            }
        return arguments

    def _expect_bucket(self, location: S3Location) -> None:
        """HEAD answers 404 for a missing object and for a missing bucket alike."""
        if location.bucket in self._known_buckets:
            return
        try:
            self._client.head_bucket(Bucket=location.bucket)
        except ClientError as error:
            if http_status(error) == 404:
                raise BucketNotFoundError(
                    f"Expected a bucket {location.bucket!r} at {self._client.meta.endpoint_url}, there is none.",
                    hint="Create it, or correct the URI or the endpoint.",
                ) from error
            if http_status(error) != 403:  # a role may read objects without being allowed to look at the bucket
                raise
        self._known_buckets.add(location.bucket)
