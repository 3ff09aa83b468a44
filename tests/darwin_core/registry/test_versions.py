"""Versions: numbers are handed out once, files are never replaced, an unfinished version cannot be read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.example_documents import cost, digest, ref
from support.stores import Place

from darwin_core.contracts import PointerName, Verdict, VersionClaim
from darwin_core.errors import IntegrityError, RequestError
from darwin_core.registry import publish_version, read_version
from darwin_core.registry.versions import StoredVersion, VersionOrigin, claim_version, find_claim, verify_files

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
ORIGIN = VersionOrigin(Verdict.PASS, digest("reference"), digest("snapshot"), cost(100, 200, None))


def claim(place: Place, run_id: str = "night-1", candidate: str = "candidate") -> VersionClaim:
    """Take a number for a made-up candidate."""
    return claim_version(
        place.store,
        place.prefix,
        run_id=run_id,
        candidate_sha256=digest(candidate),
        serving=ref("serving.zip"),
        previous_champion=None,
        at=NOW,
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Stand-ins for the files of a version; the registry does not look into them."""
    names = {
        "model.keras": b"network",
        "report.html": b"<p>report",
        "serve/1/saved_model.pb": b"graph",
        "serve/1/variables/variables.index": b"index",
        "serve/1/variables/variables.data-00000-of-00001": b"weights" * 1000,
    }
    paths = {}
    for name, data in names.items():
        paths[name] = tmp_path / "local" / name
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        paths[name].write_bytes(data)
    return paths


def publish(place: Place, files: dict[str, Path]) -> StoredVersion:
    """Publish under the first number."""
    found = find_claim(place.store, place.prefix, run_id="night-1", candidate_sha256=digest("candidate"))
    return publish_version(place.store, place.prefix, found or claim(place), files, ORIGIN)


def test_numbers_count_up(place: Place) -> None:
    versions = [claim(place, f"night-{night}").version for night in range(1, 12)]
    assert versions == [f"{number}-{digest('candidate')[:12]}" for number in range(1, 12)]


def test_a_race_gives_every_run_a_number_of_its_own(place: Place) -> None:
    start = threading.Barrier(8)

    def run(index: int) -> int:
        start.wait()
        return claim(place, f"run-{index}", f"candidate-{index}").number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(run, range(8))) == list(range(1, 9))


def test_a_run_finds_its_claim_again(place: Place) -> None:
    for night in range(1, 4):
        claim(place, f"night-{night}")
    found = find_claim(place.store, place.prefix, run_id="night-2", candidate_sha256=digest("candidate"))
    assert found is not None
    assert (found.number, found.run_id) == (2, "night-2")
    assert find_claim(place.store, place.prefix, run_id="night-2", candidate_sha256=digest("other")) is None
    assert find_claim(place.store, place.prefix, run_id="night-9", candidate_sha256=digest("candidate")) is None


def test_a_version_is_complete_and_readable(place: Place, files: dict[str, Path]) -> None:
    stored = publish(place, files)
    assert read_version(place.store, place.prefix, stored.manifest.version) == stored
    assert set(stored.manifest.files) == set(files)
    for name, item in stored.manifest.files.items():
        assert item.uri == place.uri("versions", stored.manifest.version, name)
        assert place.store.read(item.uri).data == files[name].read_bytes()
    pointer = stored.pointer(place.prefix, PointerName.CHAMPION, previous=None, by="night-1", at=NOW)
    assert pointer.serve_uri == place.uri("versions", stored.manifest.version, "serve") + "/"
    assert pointer.network == stored.manifest.files["model.keras"]


def test_a_server_that_polls_sees_the_graph_last(place: Place, files: dict[str, Path]) -> None:
    order: list[str] = []

    class Watching:
        def __getattr__(self, name: str) -> object:
            method = getattr(place.store, name)

            def call(*args: object, **options: object) -> object:
                if name in ("upload", "write"):
                    order.append(str(args[1] if name == "upload" else args[0]))
                return method(*args, **options)

            return call

    taken = claim(place)
    publish_version(Watching(), place.prefix, taken, files, ORIGIN)  # type: ignore[arg-type]
    assert order[-1].endswith("/manifest.json")
    assert order[-2].endswith("/serve/1/saved_model.pb")
    assert len(order) == len(files) + 1


def test_publishing_again_changes_nothing(place: Place, files: dict[str, Path]) -> None:
    first = publish(place, files)
    before = list(place.store.list(place.prefix))
    assert publish(place, files) == first
    assert list(place.store.list(place.prefix)) == before


def test_other_bytes_under_the_same_number_are_refused(place: Place, files: dict[str, Path]) -> None:
    stored = publish(place, files)
    files["model.keras"].write_bytes(b"another network")
    with pytest.raises(IntegrityError, match=r"model\.keras has digest"):
        publish(place, files)
    assert place.store.read(stored.manifest.files["model.keras"].uri).data == b"network"


def test_a_version_whose_stored_bytes_are_wrong_gets_no_manifest(place: Place, files: dict[str, Path]) -> None:
    version = claim(place).version
    place.store.write(place.uri("versions", version, "serve/1/variables/variables.index"), b"planted")
    with pytest.raises(IntegrityError, match=r"variables\.index has digest"):
        publish(place, files)
    with pytest.raises(RequestError, match="Expected a published version"):
        read_version(place.store, place.prefix, version)


def test_a_file_that_changed_or_went_is_noticed(place: Place, files: dict[str, Path]) -> None:
    stored = publish(place, files)
    verify_files(place.store, stored.manifest)
    place.store.write(stored.manifest.files["report.html"].uri, b"<p>forged")
    with pytest.raises(IntegrityError, match=r"report\.html has digest"):
        verify_files(place.store, stored.manifest)
    place.store.delete(stored.manifest.files["report.html"].uri)
    with pytest.raises(IntegrityError, match=r"lacks report\.html"):
        verify_files(place.store, stored.manifest)


@pytest.mark.parametrize("version", ["", "7", "../../secrets", "x-0123456789ab", "7-0123456789aB", "7-0123456789ab/.."])
def test_what_is_no_version_is_refused(place: Place, version: str) -> None:
    with pytest.raises(RequestError, match="Expected a version like"):
        read_version(place.store, place.prefix, version)
