"""What only a file system can do wrong: left-overs of killed writers, missing hard links, full disks, wrong places."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from darwin_core.errors import ObjectNotFoundError, PreconditionFailedError, StorageError
from darwin_core.storage import atomic_file, open_store
from darwin_core.storage.files import lock_path
from darwin_core.storage.filesystem import FilesystemStore

STORE = FilesystemStore()


def test_bookkeeping_is_no_object(tmp_path: Path) -> None:
    etag = STORE.write(str(tmp_path / "a"), b"first")
    STORE.write(str(tmp_path / "a"), b"second", if_match=etag)
    (tmp_path / ".darwin-0123.tmp").write_bytes(b"what a killed writer left behind")
    (tmp_path / ".hidden").write_bytes(b"an object like any other")
    assert lock_path(tmp_path / "a").exists()
    assert [Path(item.uri).name for item in STORE.list(str(tmp_path))] == [".hidden", "a"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    STORE.write(str(tmp_path / "a"), b"first", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        STORE.write(str(tmp_path / "a"), b"second", if_absent=True)
    assert STORE.read(str(tmp_path / "a")).data == b"first"


@pytest.mark.parametrize("size", [1000, 1 << 20], ids=["small", "large"])
def test_every_state_has_an_etag_of_its_own(tmp_path: Path, size: int) -> None:
    uri = str(tmp_path / "a")
    for byte in (b"x", b"y", b"z"):
        data = byte * size
        etag = STORE.write(uri, data)
        info = STORE.stat(uri)
        assert info is not None
        assert STORE.read(uri).etag == info.etag == etag
        assert [item.etag for item in STORE.list(str(tmp_path))] == [etag]
        replaced = STORE.write(uri, data + b"!", if_match=etag)
        assert replaced != etag


def test_a_folder_is_no_object(tmp_path: Path) -> None:
    STORE.write(str(tmp_path / "folder" / "a"), b"x")
    assert STORE.stat(str(tmp_path / "folder")) is None
    for act in (
        lambda: STORE.write(str(tmp_path / "folder"), b"x"),
        lambda: STORE.read(str(tmp_path / "folder")),
        lambda: STORE.write(str(tmp_path / "folder" / "a" / "below"), b"x"),
    ):
        with pytest.raises(StorageError, match="Check the disk and the path"):
            act()
    assert STORE.read(str(tmp_path / "folder" / "a")).data == b"x"


def test_a_local_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="no-such-file"):
        STORE.upload(tmp_path / "no-such-file", str(tmp_path / "a"))


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_object_and_nothing_else(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(1 << 20))
    uri = str(tmp_path / "store" / "a")
    STORE.write(uri, b"old")
    with full_disk(1000):
        for act in (lambda: STORE.write(uri, bytes(1 << 20)), lambda: STORE.upload(big, uri)):
            with pytest.raises(StorageError, match="File too large"):
                act()
        with pytest.raises(StorageError, match="File too large"):
            STORE.download(str(big), tmp_path / "store" / "copy")
    assert STORE.read(uri).data == b"old"
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["a"]


def test_an_error_while_writing_a_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as handle:
        handle.write(b"half of the n")
        raise ZeroDivisionError
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("file", b"old")]


WRITER = """
import itertools, sys
from darwin_core.storage.filesystem import FilesystemStore
store = FilesystemStore()
for number in itertools.count():
    store.write(sys.argv[1], bytes([number % 256]) * 3_000_000)
"""

HOLDER = """
import fcntl, sys, time
handle = open(sys.argv[1], "ab")
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


def test_a_killed_writer_leaves_a_whole_object(tmp_path: Path) -> None:
    target = tmp_path / "a"
    for pause in (0.0, 0.011, 0.023):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)])
        deadline = time.monotonic() + 60
        while not target.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        data = STORE.read(str(target)).data
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
        assert [Path(item.uri).name for item in STORE.list(str(tmp_path))] == ["a"]
        target.unlink()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    uri = str(tmp_path / "a")
    etag = STORE.write(uri, b"first")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock_path(tmp_path / "a"))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    process.kill()
    process.wait()
    process.stdout.close()
    STORE.write(uri, b"second", if_match=etag)
    assert STORE.read(uri).data == b"second"


def test_a_relative_path_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("out")
    store.write("out/a", b"x")
    assert [item.uri for item in store.list("out")] == ["out/a"]
