"""Where a result came from: versions, machine and digests."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from darwin_core import __version__
from darwin_core.contracts import ArtifactRef, Provenance
from darwin_core.installed import installed_version
from darwin_core.steps.context import StepContext

_PACKAGES = (
    "keras",
    "tensorflow",
    "tensorflow-model-analysis",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "pydantic",
)


def provenance(context: StepContext, artifacts: Mapping[str, ArtifactRef]) -> Provenance:
    """Provenance of the run that this step belongs to.

    Args:
        context: The running step.
        artifacts: What the result was made of, by name.
    """
    return Provenance(
        run_id=context.run_id,
        line=context.line,
        created_at=datetime.now(UTC).replace(microsecond=0),
        darwin_version=__version__,
        packages=_versions(),
        machine=describe_machine(),
        digests={name: artifact.sha256 for name, artifact in artifacts.items()},
    )


def describe_machine() -> str:
    """Processor, usable cores, operating system and Python in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {cores} {'core' if cores == 1 else 'cores'}, {system}, Python {platform.python_version()}"


def _processor() -> str:
    """The processor's name; its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = installed_version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
