"""URIs of objects: ``s3://bucket/key``, ``file:///path`` and plain paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from darwin_core.errors import RequestError

S3_SCHEME = "s3://"
FILE_SCHEME = "file://"


def join_uri(uri: str, *parts: str) -> str:
    """Append path parts to a URI; a part may itself hold slashes.

    Parts can come from a file somebody else wrote, so none may lead out of ``uri``.

    Raises:
        RequestError: A part is empty, absolute or holds ``.``, ``..`` or a NUL.
    """
    for part in parts:
        if "\0" in part or any(segment in ("", ".", "..") for segment in part.strip("/").split("/")):
            raise RequestError(
                f"Expected a relative path below {uri}, got {part!r}.", hint="Use names without '.', '..' and '//'."
            )
        if part.startswith("/"):
            raise RequestError(f"Expected a relative path below {uri}, got the absolute {part!r}.")
    # file:// URIs are percent-encoded by definition, s3:// URIs and plain paths are taken literally.
    tail = [quote(part) if uri.startswith(FILE_SCHEME) else part for part in parts]
    head = uri if uri in ("/", FILE_SCHEME + "/") else uri.rstrip("/")
    return "/".join([head.removesuffix("/"), *tail]) if tail else head


@dataclass(frozen=True)
class S3Location:
    """Bucket and key of an object; ``key`` is empty for the bucket itself and never starts with a slash."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Location:
        """Take ``s3://bucket/key`` apart.

        Raises:
            RequestError: The URI has another form.
        """
        bucket, _, key = uri.removeprefix(S3_SCHEME).partition("/")
        if not uri.startswith(S3_SCHEME) or not bucket:
            raise RequestError(f"Expected an object URI like s3://bucket/key, got {uri!r}.")
        if any(segment in (".", "..") for segment in key.split("/")):
            raise RequestError(
                f"Expected a key without '.' and '..', got {uri!r}.", hint="HTTP clients would rewrite such a key."
            )
        return cls(bucket=bucket, key=key)

    def __str__(self) -> str:
        return f"{S3_SCHEME}{self.bucket}/{self.key}"


def file_path(uri: str) -> Path:
    """The path behind a ``file://`` URI or a plain path.

    Raises:
        RequestError: The URI names another scheme or another host.
    """
    if "\0" in uri or not uri:
        raise RequestError(f"Expected a file path, got {uri!r}.")
    if not uri.startswith(FILE_SCHEME):
        if "://" in uri:
            raise RequestError(
                f"Expected s3://, file:// or a plain path, got {uri!r}.", hint="Other stores are not supported."
            )
        return Path(uri)
    host, slash, path = uri.removeprefix(FILE_SCHEME).partition("/")
    if not slash or host not in ("", "localhost"):
        raise RequestError(f"Expected a local file URI like file:///path, got {uri!r}.")
    decoded = unquote(path)
    if "\0" in decoded or ".." in decoded.split("/"):
        raise RequestError(f"Expected a file URI without '..', got {uri!r}.")
    return Path("/" + decoded)


def with_file_path(path: Path, like: str) -> str:
    """``path`` as a URI of the same form as ``like``."""
    return FILE_SCHEME + quote(str(path)) if like.startswith(FILE_SCHEME) else str(path)
