"""Runs that are over, for tests that look at what came out."""

from __future__ import annotations

from pathlib import Path

from darwin_core.contracts import CompactionConfig, CompactionSummary
from darwin_core.progress import Reporter
from darwin_core.steps.compaction import run_compaction


class FinishedRun:
    """A whole run of a configuration whose line is a folder."""

    def __init__(self, config: CompactionConfig, work: Path) -> None:
        self.line = Path(config.line)
        self.summary: CompactionSummary = run_compaction(config, "r", reporter=Reporter(), work_root=work)

    def read(self, name: str) -> bytes:
        """A document of the run."""
        return (self.line / "runs" / "r" / name).read_bytes()
