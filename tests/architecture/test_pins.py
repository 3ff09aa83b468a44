"""What is pinned for users is what the tests run on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
BUILDS = {"tensorflow-cpu": "tensorflow"}


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)", (REQUIREMENTS / name).read_text(), re.MULTILINE)
    return {BUILDS.get(package, package): version for package, version in found}


@pytest.mark.parametrize("name", ["engine.txt", "image-cpu.txt", "image-gpu.txt"])
def test_the_engine_has_the_versions_that_are_tested(name: str) -> None:
    tested, shipped = pins("dev.txt"), pins(name)
    assert len(shipped) > 50
    others = {
        package: (version, tested[package])
        for package, version in shipped.items()
        if package in tested and tested[package] != version
    }
    assert others == {}
