"""The files of a data source on this machine, each with its digest; a download that is complete is not repeated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from darwin_core.contracts import DataSource
from darwin_core.data.sources import LocalFile, is_data_file
from darwin_core.errors import DataError
from darwin_core.progress import Reporter
from darwin_core.storage import ObjectInfo, ObjectStore, atomic_file


@dataclass(frozen=True)
class Download:
    """A downloaded object: where it came from, where it lies, the digest of its bytes."""

    file: LocalFile
    sha256: str


def download_source(source: DataSource, store: ObjectStore, folder: Path, reporter: Reporter) -> list[Download]:
    """Fetch the file at ``source.uri``, or all data files below it.

    Args:
        source: What was asked for.
        store: The store behind its URI.
        folder: Where downloads are kept.
        reporter: Where progress goes.

    Raises:
        DataError: There is no data file.
        StorageError: The store did not deliver.
    """
    found = find_files(source, store)
    with reporter.track(f"Downloading {_short(source.uri)}", sum(info.size_bytes for info in found)) as tracker:
        downloads = []
        for info in found:
            downloads.append(download_object(info, store, folder))
            tracker.advance(info.size_bytes)
    return downloads


def find_files(source: DataSource, store: ObjectStore) -> list[ObjectInfo]:
    """The file at ``source.uri``, or all data files below it.

    Raises:
        DataError: There is no data file.
    """
    single = store.stat(source.uri)
    if single is not None:
        return [single]
    depth = len(PurePosixPath(source.uri).parts)
    found = [info for info in store.list(source.uri) if is_data_file(*PurePosixPath(info.uri).parts[depth:])]
    if not found:
        raise DataError(
            f"No data lies at {source.uri}.",
            hint="Name a file, or a prefix with files that are neither hidden nor markers.",
        )
    return found


def download_object(info: ObjectInfo, store: ObjectStore, folder: Path) -> Download:
    """Fetch one object, unless this state of it was fetched before."""
    folder.mkdir(parents=True, exist_ok=True)
    state = hashlib.sha256(f"{info.uri}\n{info.etag}\n{info.size_bytes}".encode()).hexdigest()[:20]
    path = folder / f"{state}-{_short(info.uri)}"
    recorded = path.with_name(f"{path.name}.sha256")
    if not (path.exists() and recorded.exists()):
        digest = store.download(info.uri, path)
        with atomic_file(recorded) as file:
            file.write(digest.sha256.encode())
    return Download(LocalFile(path, info.uri), recorded.read_text())


def _short(uri: str) -> str:
    return uri.rstrip("/").rsplit("/", 1)[-1]
