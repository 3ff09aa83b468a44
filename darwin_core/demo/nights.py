"""The demo as a bank would run it: every call is one night. A network is retrained, then compacted and published."""

from __future__ import annotations

from pathlib import Path

from darwin_core.contracts import CompactionSummary
from darwin_core.demo.data import write_demo_data
from darwin_core.demo.reference import train_reference
from darwin_core.demo.settings import demo_config
from darwin_core.progress import Reporter
from darwin_core.steps.compaction import run_compaction


def next_night(output: Path) -> int:
    """Number of the first night without a summary; a night that was interrupted is taken up again."""
    night = 1
    while (output / "line" / "runs" / f"night-{night}" / "summary.json").exists():
        night += 1
    return night


def run_night(output: Path, *, reporter: Reporter, seed: int = 0) -> CompactionSummary:
    """Retrain the reference on the night's data, then compact, evaluate, explain and publish it.

    Args:
        output: Folder for the retrained networks and the model line. The champion of the night before lives here.
        reporter: Where progress goes.
        seed: Seed of retraining and search.
    """
    night = next_night(output)
    inputs = output / "inputs" / f"night-{night}"
    train, validation, test = write_demo_data(inputs, night=night)
    reference = inputs / "reference.keras"
    if not reference.exists():
        train_reference(train, reference, reporter, seed=seed + night)
    config = demo_config(output / "line", reference=reference, train=train, validation=validation, test=test, seed=seed)
    return run_compaction(config, f"night-{night}", reporter=reporter, work_root=output / "work")
