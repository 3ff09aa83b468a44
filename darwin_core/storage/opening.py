"""From a URI to the store that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darwin_core.contracts.storage import StorageOptions
from darwin_core.storage.base import ObjectStore
from darwin_core.storage.uris import S3_SCHEME, S3Location, file_path

if TYPE_CHECKING:
    from darwin_core.storage.credentials import S3Credentials


def open_store(
    uri: str, options: StorageOptions | None = None, credentials: S3Credentials | None = None
) -> ObjectStore:
    """The store that serves ``uri``: S3 for ``s3://``, files for ``file://`` and plain paths.

    Args:
        uri: Any object or prefix in the store.
        options: How to reach it; files need none.
        credentials: A key pair for S3; without it, the default chain of the AWS tools finds one.

    Raises:
        RequestError: The scheme is unknown, or the options cannot be used.
    """
    if not uri.startswith(S3_SCHEME):
        from darwin_core.storage.filesystem import FilesystemStore

        file_path(uri)
        return FilesystemStore()
    from darwin_core.storage.s3 import open_s3  # boto3 takes a second to import

    S3Location.parse(uri)
    return open_s3(options or StorageOptions(), credentials)
