"""Sensors: tasks that wait for the training pipeline."""
