"""The demo's training task: retrain the credit-default network on the rows of one night.

It stands for the training that a pipeline has already, and knows nothing of what comes after it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from darwin_components.slots import ArtifactSlot, Slots


def retrain(night: int, artifacts: Mapping[str, ArtifactSlot]) -> None:
    """Train, and leave network and rows where the artifacts say; a suffix tells what they are.

    Args:
        night: Every night has rows of its own; 1 for the first.
        artifacts: ``network``, ``train``, ``validation`` and ``test``.
    """
    from darwin_core.demo.data import write_demo_data
    from darwin_core.demo.reference import train_reference
    from darwin_core.progress import LogReporter

    for name, artifact in artifacts.items():
        artifact.uri += ".keras" if name == "network" else ".parquet"
        artifact.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = write_demo_data(Path(folder), night=night)
        for name, source in files._asdict().items():
            shutil.copyfile(source, artifacts[name].path)
    train_reference(artifacts["train"].path, artifacts["network"].path, LogReporter(), seed=night)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the container component."""
    parser = argparse.ArgumentParser(prog="python -m darwin_pipelines.retraining", description=main.__doc__)
    parser.add_argument("--executor-input", required=True)
    slots = Slots.from_executor_input(parser.parse_args(arguments).executor_input)
    retrain(int(slots.parameters["night"]), slots.outputs)
    slots.write_executor_output()
    return 0


if __name__ == "__main__":
    sys.exit(main())
