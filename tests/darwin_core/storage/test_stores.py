"""What every store must do, on every store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.stores import Place

from darwin_core.errors import IntegrityError, ObjectNotFoundError, PreconditionFailedError
from darwin_core.storage import probe_conditional_writes

RACERS = 12


def test_what_is_written_is_read(place: Place) -> None:
    etag = place.store.write(place.uri("a", "b.json"), b"content")
    stored = place.store.read(place.uri("a", "b.json"))
    assert (stored.data, stored.etag) == (b"content", etag)
    info = place.store.stat(place.uri("a", "b.json"))
    assert info is not None
    assert (info.uri, info.size_bytes, info.etag) == (place.uri("a", "b.json"), 7, etag)


def test_a_write_replaces_the_object(place: Place) -> None:
    first = place.store.write(place.uri("a"), b"first")
    second = place.store.write(place.uri("a"), b"second")
    assert first != second
    assert place.store.read(place.uri("a")).data == b"second"


def test_an_empty_object_is_an_object(place: Place) -> None:
    place.store.write(place.uri("empty"), b"")
    assert place.store.read(place.uri("empty")).data == b""
    assert [item.size_bytes for item in place.store.list(place.prefix)] == [0]


def test_nothing_lies_where_nothing_was_written(place: Place, tmp_path: Path) -> None:
    assert place.store.stat(place.uri("nothing")) is None
    assert list(place.store.list(place.uri("nothing"))) == []
    place.store.delete(place.uri("nothing"))
    with pytest.raises(ObjectNotFoundError, match="nothing"):
        place.store.read(place.uri("nothing"))
    with pytest.raises(ObjectNotFoundError, match="nothing"):
        place.store.download(place.uri("nothing"), tmp_path / "out" / "file")
    assert not list((tmp_path / "out").glob("*"))


def test_delete_removes_one_object(place: Place) -> None:
    place.store.write(place.uri("a"), b"1")
    place.store.write(place.uri("ab"), b"2")
    place.store.delete(place.uri("a"))
    assert place.store.stat(place.uri("a")) is None
    assert place.store.read(place.uri("ab")).data == b"2"


@pytest.mark.parametrize("name", ["with space", "ünïcödé-☃", "a+b&c=d%20", "deep/er/file.txt", "quote'\"<>"])
def test_odd_names(place: Place, name: str) -> None:
    place.store.write(place.uri(name), name.encode())
    (item,) = place.store.list(place.prefix)
    assert item.uri == place.uri(name)
    assert place.store.read(item.uri).data == name.encode()


def test_a_prefix_is_a_folder(place: Place) -> None:
    for name in ("fraud/1", "fraud-compact/1", "fraud.txt", "fraud/sub/2"):
        place.store.write(place.uri(name), b"x")
    expected = [place.uri("fraud/1"), place.uri("fraud/sub/2")]
    assert [item.uri for item in place.store.list(place.uri("fraud"))] == expected
    assert [item.uri for item in place.store.list(place.uri("fraud") + "/")] == expected


def test_a_listing_is_in_the_order_of_the_names_bytes(place: Place) -> None:
    names = ["a/b", "a-b", "a.b", "a", "ab", "Z", "a/B/c", "ä", "0" * 20, "a0"]
    for name in names:
        # A file system cannot hold both a file `a` and a folder `a`.
        place.store.write(place.uri(name if name != "a" else "aa"), b"x")
    listed = [item.uri.removeprefix(place.prefix) for item in place.store.list(place.prefix)]
    assert len(listed) == len(names)
    decoded = [uri.replace("%C3%A4", "ä") for uri in listed]
    assert decoded == sorted(decoded, key=lambda uri: uri.encode())


def test_a_conditional_create_happens_once(place: Place) -> None:
    etag = place.store.write(place.uri("a"), b"first", if_absent=True)
    with pytest.raises(PreconditionFailedError, match="Expected nothing at"):
        place.store.write(place.uri("a"), b"second", if_absent=True)
    stored = place.store.read(place.uri("a"))
    assert (stored.data, stored.etag) == (b"first", etag)


def test_a_conditional_create_of_the_same_bytes_is_refused_too(place: Place) -> None:
    place.store.write(place.uri("a"), b"same", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        place.store.write(place.uri("a"), b"same", if_absent=True)


def test_a_conditional_replace_needs_the_present_state(place: Place) -> None:
    first = place.store.write(place.uri("a"), b"first")
    second = place.store.write(place.uri("a"), b"second", if_match=first)
    with pytest.raises(PreconditionFailedError, match="somebody else wrote first"):
        place.store.write(place.uri("a"), b"third", if_match=first)
    stored = place.store.read(place.uri("a"))
    assert (stored.data, stored.etag) == (b"second", second)


def test_a_conditional_replace_of_nothing_is_refused(place: Place) -> None:
    etag = place.store.write(place.uri("a"), b"first")
    place.store.delete(place.uri("a"))
    with pytest.raises(PreconditionFailedError):
        place.store.write(place.uri("a"), b"second", if_match=etag)
    assert place.store.stat(place.uri("a")) is None


def test_a_write_has_one_condition(place: Place) -> None:
    with pytest.raises(ValueError, match="either"):
        place.store.write(place.uri("a"), b"x", if_absent=True, if_match="y")


# moto's server looks at a condition and writes in two steps, between which another of its threads may write.
RACED = pytest.mark.parametrize(
    "place", ["path", "file-uri", pytest.param("rgw", marks=pytest.mark.rgw)], indirect=True
)


@RACED
def test_a_race_of_creates_has_one_winner(place: Place) -> None:
    for number in range(4):
        uri = place.uri(f"race-{number}")
        winners = _race(lambda racer, uri=uri: place.store.write(uri, b"%d" % racer, if_absent=True))
        assert len(winners) == 1
        assert place.store.read(uri).data == b"%d" % winners[0]


@RACED
def test_a_race_of_replaces_has_one_winner(place: Place) -> None:
    for number in range(4):
        uri = place.uri(f"race-{number}")
        etag = place.store.write(uri, b"start")
        winners = _race(lambda racer, uri=uri, etag=etag: place.store.write(uri, b"%d" % racer, if_match=etag))
        assert len(winners) == 1
        assert place.store.read(uri).data == b"%d" % winners[0]


def _race(write: Callable[[int], object]) -> list[int]:
    start = threading.Barrier(RACERS)

    def run(racer: int) -> bool:
        start.wait()
        try:
            write(racer)
        except PreconditionFailedError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        return [racer for racer, won in enumerate(pool.map(run, range(RACERS))) if won]


def test_a_large_file_goes_up_and_comes_back(place: Place, big_file: Path, tmp_path: Path) -> None:
    sent: list[int] = []
    received: list[int] = []
    up = place.store.upload(big_file, place.uri("big"), progress=sent.append)
    down = place.store.download(place.uri("big"), tmp_path / "copy", sha256=up.sha256, progress=received.append)
    assert up.sha256 == hashlib.sha256(big_file.read_bytes()).hexdigest()
    assert up == down
    assert (tmp_path / "copy").read_bytes() == big_file.read_bytes()
    assert sum(sent) == sum(received) == up.size_bytes == big_file.stat().st_size
    info = place.store.stat(place.uri("big"))
    assert info is not None
    assert info.size_bytes == up.size_bytes
    assert [(item.uri, item.etag) for item in place.store.list(place.prefix)] == [(place.uri("big"), info.etag)]


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_conditional_upload_leaves_what_lies_there(place: Place, big_file: Path, tmp_path: Path, large: bool) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"small")
    place.store.upload(small, place.uri("a"), if_absent=True)
    with pytest.raises(PreconditionFailedError):
        place.store.upload(big_file if large else small, place.uri("a"), if_absent=True)
    assert place.store.read(place.uri("a")).data == b"small"


def test_a_download_of_other_bytes_leaves_no_file(place: Place, tmp_path: Path) -> None:
    place.store.write(place.uri("a"), b"content")
    target = tmp_path / "out" / "file"
    with pytest.raises(IntegrityError, match="digest"):
        place.store.download(place.uri("a"), target, sha256="0" * 64)
    assert list(target.parent.iterdir()) == []


def test_a_download_replaces_the_file(place: Place, tmp_path: Path) -> None:
    place.store.write(place.uri("a"), b"new")
    target = tmp_path / "file"
    target.write_bytes(b"old and longer")
    place.store.download(place.uri("a"), target)
    assert target.read_bytes() == b"new"


def test_the_probe_accepts_the_store_and_leaves_nothing(place: Place) -> None:
    probe_conditional_writes(place.store, place.uri("pointers"))
    assert list(place.store.list(place.prefix)) == []
