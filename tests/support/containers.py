"""Darwin's image and an engine to run it on: podman as ``tests/infra/containers.sh`` sets it up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "infra" / "containers.sh"


@pytest.fixture(scope="session")
def container_engine() -> Iterator[dict[str, str]]:
    """The environment of a client of an engine that holds Darwin's image as the sources are now.

    Skips where podman cannot run. A build that fails is a failure and no reason to skip. ``DARWIN_IMAGE_IS_BUILT=1``
    leaves the build out.
    """
    if shutil.which("podman") is None or os.getuid() != 0:
        pytest.skip("podman is not installed, or this is not root: tests/infra/containers.sh install")
    probe = subprocess.run([SCRIPT, "probe"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"podman cannot run a container here: {probe.stderr.strip()[-300:]}")
    if not os.environ.get("DARWIN_IMAGE_IS_BUILT"):
        built = subprocess.run([SCRIPT, "image"], capture_output=True, text=True)
        assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-4000:]
    ours = subprocess.run([SCRIPT, "status"], capture_output=True).returncode != 0
    subprocess.run([SCRIPT, "start"], check=True)
    text = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
    yield dict(line.split("=", 1) for line in text.splitlines())
    if ours:
        subprocess.run([SCRIPT, "stop"], check=True)
