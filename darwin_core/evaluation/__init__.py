"""Evaluation: quality metrics, paired statistics, TensorFlow Model Analysis, and the gate that decides."""
