"""Darwin: the compaction step of a training pipeline."""

import os

__version__ = "0.1.0"

# Read once, when TensorFlow is imported. Where a processor lacks AVX-512 the default is off, and small convolutional
# networks then train at less than half the speed.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
