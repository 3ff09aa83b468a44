"""The import contracts of pyproject.toml hold, and they watch all four packages."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_is_watched() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {Path(path).name for path in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert set(settings["tool"]["importlinter"]["root_packages"]) == packages
    assert set(settings["tool"]["mypy"]["packages"]) == packages
