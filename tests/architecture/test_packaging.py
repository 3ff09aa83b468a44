"""The wheel holds every source file and data file, and nothing else; names agree where tools insist on it."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from darwin_core import __version__
from darwin_operators.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
SOURCES = {
    "darwin_core": ROOT / "darwin_core",
    "darwin_components": ROOT / "components" / "darwin_components",
    "darwin_operators": ROOT / "operators" / "darwin_operators",
    "darwin_pipelines": ROOT / "pipelines" / "darwin_pipelines",
}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_exactly_the_sources(wheel_names: set[str]) -> None:
    expected = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packaged = {name for name in wheel_names if ".dist-info/" not in name}
    assert packaged == expected


def test_every_package_is_typed() -> None:
    for folder in SOURCES.values():
        assert (folder / "py.typed").exists()


def test_version_is_one(project: dict) -> None:
    assert project["version"] == __version__


def test_provider_name_is_the_distribution_name(project: dict) -> None:
    # Airflow refuses to list any provider of an installation where the two differ.
    assert get_provider_info()["package-name"] == project["name"]


def test_pins_name_no_package_index() -> None:
    for pins in (ROOT / "requirements").glob("*.txt"):
        text = pins.read_text()
        assert "://" not in "".join(line for line in text.splitlines() if not line.lstrip().startswith("#")), pins
        assert "--hash=sha256:" in text, pins


def test_conflicting_extras_are_declared() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [{entry["extra"] for entry in conflict} for conflict in settings["tool"]["uv"]["conflicts"]]
    assert {"kfp", "airflow-kubernetes"} in declared
