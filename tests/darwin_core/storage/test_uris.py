"""URIs: joining never leaves the prefix, and every form has one reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.errors import RequestError
from darwin_core.storage import join_uri, open_store
from darwin_core.storage.uris import S3Location, file_path, with_file_path


@pytest.mark.parametrize(
    ("uri", "parts", "joined"),
    [
        ("s3://bucket", ("a",), "s3://bucket/a"),
        ("s3://bucket/line/", ("a", "b/c"), "s3://bucket/line/a/b/c"),
        ("s3://bucket/line", (), "s3://bucket/line"),
        ("s3://bucket/line", ("a b%",), "s3://bucket/line/a b%"),
        ("file:///srv/line", ("a b%",), "file:///srv/line/a%20b%25"),
        ("/", ("a",), "/a"),
        ("file:///", ("a",), "file:///a"),
        ("out", ("a",), "out/a"),
        ("../out/", ("a",), "../out/a"),
    ],
)
def test_join(uri: str, parts: tuple[str, ...], joined: str) -> None:
    assert join_uri(uri, *parts) == joined


@pytest.mark.parametrize("part", ["..", "a/../../b", ".", "", "/etc/passwd", "a//b", "a\0b", "../"])
@pytest.mark.parametrize("uri", ["s3://bucket/line", "file:///srv/line", "/srv/line"])
def test_a_part_cannot_lead_elsewhere(uri: str, part: str) -> None:
    with pytest.raises(RequestError, match="relative path"):
        join_uri(uri, part)


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
def test_whatever_is_joined_stays_below(parts: list[str]) -> None:
    for uri in ("/srv/line", "file:///srv/line"):
        try:
            joined = join_uri(uri, *parts)
        except RequestError:
            continue
        path = file_path(joined)
        assert path.is_relative_to("/srv/line")
        assert path == Path("/srv/line", *parts)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/srv/a b", "/srv/a b"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("file://localhost/srv/a", "/srv/a"),
        ("relative/a%20b", "relative/a%20b"),
    ],
)
def test_file_paths(uri: str, path: str) -> None:
    assert file_path(uri) == Path(path)
    assert file_path(with_file_path(Path(path), uri)) == Path(path)


@pytest.mark.parametrize("uri", ["file://host/a", "file:///a/%2e%2e/b", "file:///a/../b", "gs://bucket/a", "", "a\0b"])
def test_file_uris_that_name_no_local_file(uri: str) -> None:
    with pytest.raises(RequestError):
        open_store(uri)


def test_s3_locations() -> None:
    assert S3Location.parse("s3://bucket/a/b") == S3Location("bucket", "a/b")
    assert S3Location.parse("s3://bucket") == S3Location("bucket", "")
    assert str(S3Location("bucket", "a/b")) == "s3://bucket/a/b"


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "s3://bucket/../other", "s3://bucket/a/./b"])
def test_s3_uris_that_name_no_object(uri: str) -> None:
    with pytest.raises(RequestError):
        open_store(uri)
