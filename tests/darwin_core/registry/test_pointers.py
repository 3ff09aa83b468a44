"""The aliases: read with an ETag, moved under it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.example_documents import ref
from support.stores import Place

from darwin_core.contracts import Pointer, PointerName
from darwin_core.errors import PreconditionFailedError, RequestError
from darwin_core.registry import move_pointer, read_pointer


def pointer(version: str, name: PointerName = PointerName.CHAMPION) -> Pointer:
    """A pointer to a made-up version."""
    return Pointer(
        name=name,
        version=version,
        manifest_sha256="0" * 64,
        serve_uri="s3://models/credit/versions/1/serve/",
        network=ref("model.keras"),
        previous_version=None,
        moved_at=datetime(2026, 11, 22, tzinfo=UTC),
        moved_by="night-1",
    )


def test_an_alias_moves_under_its_etag(place: Place) -> None:
    assert read_pointer(place.store, place.prefix, PointerName.CHAMPION) is None
    first = move_pointer(place.store, place.prefix, pointer("1-aaaaaaaaaaaa"), None)
    assert read_pointer(place.store, place.prefix, PointerName.CHAMPION) == (pointer("1-aaaaaaaaaaaa"), first)
    second = move_pointer(place.store, place.prefix, pointer("2-bbbbbbbbbbbb"), first)
    assert read_pointer(place.store, place.prefix, PointerName.CHAMPION) == (pointer("2-bbbbbbbbbbbb"), second)


@pytest.mark.parametrize("expected", [None, "stale"])
def test_an_alias_that_moved_meanwhile_stays(place: Place, expected: str | None) -> None:
    stale = move_pointer(place.store, place.prefix, pointer("1-aaaaaaaaaaaa"), None)
    move_pointer(place.store, place.prefix, pointer("2-bbbbbbbbbbbb"), stale)
    with pytest.raises(PreconditionFailedError):
        move_pointer(place.store, place.prefix, pointer("3-cccccccccccc"), stale if expected else None)
    current = read_pointer(place.store, place.prefix, PointerName.CHAMPION)
    assert current is not None
    assert current[0].version == "2-bbbbbbbbbbbb"


def test_champion_and_challenger_move_apart(place: Place) -> None:
    move_pointer(place.store, place.prefix, pointer("1-aaaaaaaaaaaa", PointerName.CHALLENGER), None)
    assert read_pointer(place.store, place.prefix, PointerName.CHAMPION) is None


def test_a_damaged_pointer_is_named(place: Place) -> None:
    place.store.write(place.uri("pointers", "champion.json"), b'{"name": "champion"}')
    with pytest.raises(RequestError, match=r"pointers/champion.json is not a valid Pointer: .*version: Field required"):
        read_pointer(place.store, place.prefix, PointerName.CHAMPION)
