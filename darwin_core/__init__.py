"""Darwin: the compaction step of a training pipeline."""

__version__ = "0.1.0"
