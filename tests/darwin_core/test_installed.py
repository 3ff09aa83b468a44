"""Versions of what is installed, under whatever name it was built."""

from importlib import metadata
from pathlib import Path

import pytest

from darwin_core.installed import installed_version


def install(folder: Path, name: str, version: str) -> None:
    """What an installer leaves for others to read."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_a_build_for_processors_has_the_packages_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "darwins-finch-cpu", "2.21.0")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_version("darwins-finch") == "2.21.0"
    install(tmp_path, "darwins-finch", "2.22.0")
    assert installed_version("darwins-finch") == "2.22.0"


def test_what_is_not_installed_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "darwins-finch-gpu", "2.21.0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(metadata.PackageNotFoundError, match="darwins-finch"):
        installed_version("darwins-finch")
