"""Evaluation: quality metrics, paired statistics, TensorFlow Model Analysis, and the gate that decides.

Everything except scoring, the serving contract and TensorFlow Model Analysis is plain numpy.
"""

from darwin_core.evaluation.metrics import quality_metrics as quality_metrics
