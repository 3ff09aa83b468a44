"""Rollback: back along the line of champions, never to something that did not pass or was changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.example_documents import cost, digest, ref
from support.stores import Place
from typer.testing import CliRunner

from darwin_core.cli import app
from darwin_core.contracts import HistoryAction, PointerName, Verdict
from darwin_core.errors import IntegrityError, PreconditionFailedError, RequestError
from darwin_core.registry import move_pointer, publish_version, read_history, read_pointer, rollback
from darwin_core.registry.versions import VersionOrigin, claim_version
from darwin_core.storage import ObjectStore, open_store

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A stand-in for a network; rollback does not look into it."""
    path = tmp_path / "local" / "model.keras"
    path.parent.mkdir()
    path.write_bytes(b"network")
    return path


def night(place: Place, number: int, network: Path, verdict: Verdict = Verdict.PASS) -> str:
    """Publish one night's version; it becomes the champion where it passed."""
    current = read_pointer(place.store, place.prefix, PointerName.CHAMPION)
    previous = None if current is None else current[0].version
    at = NOW + timedelta(days=number)
    claim = claim_version(
        place.store,
        place.prefix,
        run_id=f"night-{number}",
        candidate_sha256=digest(f"candidate-{number}"),
        serving=ref("serving.zip"),
        previous_champion=previous,
        at=at,
    )
    origin = VersionOrigin(verdict, digest("reference"), digest("snapshot"), cost(1, 1, None))
    stored = publish_version(place.store, place.prefix, claim, {"model.keras": network}, origin)
    if verdict is Verdict.PASS:
        pointer = stored.pointer(place.prefix, PointerName.CHAMPION, previous=previous, by=claim.run_id, at=at)
        move_pointer(place.store, place.prefix, pointer, None if current is None else current[1])
    return claim.version


def champion(place: Place) -> str:
    """The champion's version."""
    current = read_pointer(place.store, place.prefix, PointerName.CHAMPION)
    assert current is not None
    return current[0].version


def test_rollback_walks_back_and_leaves_bad_versions_out(place: Place, network: Path) -> None:
    first, second, third = (night(place, number, network) for number in (1, 2, 3))
    assert rollback(place.store, place.prefix).version == second == champion(place)
    fourth = night(place, 4, network)
    assert champion(place) == fourth
    assert rollback(place.store, place.prefix).version == second, "the third was rolled back from: it stays out"
    pointer = rollback(place.store, place.prefix)
    assert (pointer.version, pointer.moved_by, pointer.previous_version) == (first, "rollback", None)
    with pytest.raises(RequestError, match="it was the first champion"):
        rollback(place.store, place.prefix)
    assert rollback(place.store, place.prefix, to=third).version == third == champion(place)
    recorded = [entry.subject for entry in read_history(place.store, place.prefix)]
    assert recorded == [second, second, first, third]
    assert {entry.action for entry in read_history(place.store, place.prefix)} == {HistoryAction.ROLLBACK}


def test_a_relative_line_leaves_an_absolute_pointer(
    tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Place(open_store(str(tmp_path)), str(tmp_path / "line"))
    for number in (1, 2):
        night(line, number, network)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["rollback", "line", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["serve_uri"].startswith(line.prefix)


def test_there_has_to_be_a_champion(place: Place) -> None:
    with pytest.raises(RequestError, match="nothing was published there yet"):
        rollback(place.store, place.prefix)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INSUFFICIENT_EVIDENCE])
def test_only_versions_that_passed_can_serve(place: Place, network: Path, verdict: Verdict) -> None:
    night(place, 1, network)
    doubtful = night(place, 2, network, verdict)
    before = champion(place)
    with pytest.raises(RequestError, match=f"has the verdict {verdict}"):
        rollback(place.store, place.prefix, to=doubtful)
    assert champion(place) == before


def test_an_unknown_version_and_the_champion_itself_are_no_targets(place: Place, network: Path) -> None:
    first = night(place, 1, network)
    with pytest.raises(RequestError, match="Expected a published version '9-0123456789ab'"):
        rollback(place.store, place.prefix, to="9-0123456789ab")
    with pytest.raises(RequestError, match=r"is the champion of .* already"):
        rollback(place.store, place.prefix, to=first)


def test_a_version_that_was_changed_is_no_target(place: Place, network: Path) -> None:
    first, second = night(place, 1, network), night(place, 2, network)
    place.store.write(place.uri("versions", first, "model.keras"), b"forged")
    with pytest.raises(IntegrityError):
        rollback(place.store, place.prefix)
    assert champion(place) == second
    assert read_history(place.store, place.prefix) == []


def test_a_rollback_that_loses_a_race_says_so_and_is_recorded(place: Place, network: Path) -> None:
    first, _ = night(place, 1, network), night(place, 2, network)

    class Racing:
        """A publish lands between the look at the pointer and the move."""

        def __getattr__(self, name: str) -> object:
            return getattr(place.store, name)

        def write(self, uri: str, data: bytes, **options: object) -> str:
            if uri.endswith("champion.json"):
                night(place, 3, network)
            return place.store.write(uri, data, **options)  # type: ignore[arg-type]

    racing: ObjectStore = Racing()  # type: ignore[assignment]
    with pytest.raises(PreconditionFailedError):
        rollback(racing, place.prefix)
    assert champion(place).startswith("3-")
    actions = [(entry.action, entry.subject) for entry in read_history(place.store, place.prefix)]
    assert actions == [(HistoryAction.ROLLBACK, first), (HistoryAction.REJECT, first)]
