"""Objects as files: for one machine, or for a shared volume with working locks and hard links."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darwin_core.errors import (
    AccessDeniedError,
    DarwinError,
    ObjectNotFoundError,
    PreconditionFailedError,
    StorageError,
)
from darwin_core.storage.base import BytesProgress, Digest, ObjectInfo, StoredObject
from darwin_core.storage.files import (
    HashingWriter,
    atomic_file,
    check_digest,
    chunks,
    file_digest,
    flush,
    flush_folder,
    is_bookkeeping,
    lock_path,
    temporary_beside,
)
from darwin_core.storage.uris import file_path, with_file_path

# Conditional replaces happen on small documents, where a content digest is exact. Hashing gigabytes of data only to
# list them would be waste, so large files get a tag from their inode, as web servers do.
_HASHED_UP_TO_BYTES = 1 << 18
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class FilesystemStore:
    """The object store over plain files. A prefix is a folder."""

    def stat(self, uri: str) -> ObjectInfo | None:
        """The file at ``uri``, or None."""
        path = file_path(uri)
        with _errors(uri):
            if not path.is_file():
                return None
            try:
                return _info(path, uri)
            except FileNotFoundError:  # deleted between the two calls
                return None

    def read(self, uri: str) -> StoredObject:
        """Read a small file whole. Raises ObjectNotFoundError."""
        path = file_path(uri)
        with _errors(uri), path.open("rb") as handle:
            # One open file is one state: a writer replaces the name, never the bytes behind it.
            data = handle.read()
            return StoredObject(data=data, etag=_etag(os.fstat(handle.fileno()), hashlib.sha256(data).hexdigest()))

    def write(self, uri: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """Write a small file and return its ETag. An unconditional write does not wait for conditional ones."""
        if if_absent and if_match is not None:
            raise ValueError("a write is either a conditional create or a conditional replace, got both")
        path = file_path(uri)
        with _errors(uri), temporary_beside(path) as (temporary, handle):
            handle.write(data)
            flush(handle)
            etag = _etag(os.fstat(handle.fileno()), hashlib.sha256(data).hexdigest())
            if if_match is not None:
                _replace_if_match(temporary, path, uri, if_match)
            else:
                _place(temporary, path, uri, if_absent=if_absent)
        return etag

    def download(
        self, uri: str, path: Path, *, sha256: str | None = None, progress: BytesProgress | None = None
    ) -> Digest:
        """Copy a file out; ``path`` appears only when complete and, where ``sha256`` is given, only when it fits."""
        origin = file_path(uri)
        with _errors(uri), origin.open("rb") as source, atomic_file(path) as target:
            writer = HashingWriter(target, progress)
            for chunk in chunks(source):
                writer.write(chunk)
            check_digest(uri, writer.digest(), sha256)
        return writer.digest()

    def upload(self, path: Path, uri: str, *, if_absent: bool = False, progress: BytesProgress | None = None) -> Digest:
        """Copy a file in."""
        target = file_path(uri)
        with _errors(uri), path.open("rb") as source, temporary_beside(target) as (temporary, handle):
            writer = HashingWriter(handle, progress)
            for chunk in chunks(source):
                writer.write(chunk)
            flush(handle)
            _place(temporary, target, uri, if_absent=if_absent)
        return writer.digest()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All files below the folder ``prefix`` in the order of their names' bytes, as S3 lists them."""
        root = file_path(prefix)
        with _errors(prefix):
            for path in _walk(root):
                try:
                    yield _info(path, with_file_path(path, prefix))
                except FileNotFoundError:  # deleted since the folder was read
                    continue

    def delete(self, uri: str) -> None:
        """Delete a file; one that is not there is no error."""
        with _errors(uri):
            file_path(uri).unlink(missing_ok=True)


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    # A folder sorts as its name with a slash, so that "a-b" comes before "a/b" as it does in an object store.
    entries.sort(key=lambda entry: os.fsencode(entry.name) + (b"/" if entry.is_dir() else b""))
    for entry in entries:
        if entry.is_dir():
            yield from _walk(folder / entry.name)
        elif entry.is_file() and not is_bookkeeping(entry.name):
            yield folder / entry.name


def _info(path: Path, uri: str) -> ObjectInfo:
    status = path.stat()
    sha256 = file_digest(path).sha256 if status.st_size <= _HASHED_UP_TO_BYTES else ""
    return ObjectInfo(uri=uri, size_bytes=status.st_size, etag=_etag(status, sha256))


def _etag(status: os.stat_result, sha256: str) -> str:
    if status.st_size <= _HASHED_UP_TO_BYTES:
        return sha256
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def _place(temporary: Path, path: Path, uri: str, *, if_absent: bool) -> None:
    if if_absent:
        _create(temporary, path, uri)
    else:
        temporary.replace(path)
    flush_folder(path.parent)


def _create(temporary: Path, path: Path, uri: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(uri) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        with _locked(path):
            if path.exists():
                raise _exists(uri) from None
            temporary.replace(path)


def _exists(uri: str) -> PreconditionFailedError:
    return PreconditionFailedError(f"Expected nothing at {uri}, but an object lies there.")


def _replace_if_match(temporary: Path, path: Path, uri: str, if_match: str) -> None:
    with _locked(path):
        try:
            found = _info(path, uri).etag
        except FileNotFoundError:
            found = "none"
        if found != if_match:
            raise PreconditionFailedError(
                f"Expected {uri} in state {if_match[:16]}, found {found[:16]}: somebody else wrote first."
            )
        temporary.replace(path)
        flush_folder(path.parent)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The kernel frees the lock of a killed process. The file stays: removing it would let two writers hold "the" lock.
    with lock_path(path).open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    try:
        yield
    except DarwinError:
        raise
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"Expected an object at {uri}, found none ({error.filename}).") from error
    except PermissionError as error:
        raise AccessDeniedError(
            f"This user may not use {error.filename or uri}.", hint="Check the owner and mode of the file."
        ) from error
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror or error}.", hint="Check the disk and the path.") from error
