"""Reproducibility: threads, seeds and deterministic operations in one place."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from darwin_core.networks.inputs import as_structure
from darwin_core.networks.wiring import read_wiring

logger = logging.getLogger("darwin")


def prepare_runtime(seed: int, threads: int | None = None) -> None:
    """Make TensorFlow deterministic and limit its threads.

    The number of threads can only be set before TensorFlow's first operation; later it stays as it is, and a warning
    says so. Results are the same for the same seed and the same number of threads.
    """
    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            logger.warning("TensorFlow is already running: the number of threads stays as it is, not %d.", threads)
    tf.get_logger().addFilter(_is_no_retracing_warning)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _is_no_retracing_warning(record: logging.LogRecord) -> bool:
    """A search traces each of many networks once, which TensorFlow mistakes for one function traced many times."""
    return "triggered tf.function retracing" not in record.getMessage()


def stable_seed(*parts: object) -> int:
    """A seed that depends on nothing but ``parts`` (no process, no platform)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def walk_layers(network: keras.Model) -> Iterator[Any]:
    """Every layer of a network, those of nested networks included."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from walk_layers(layer)


def run_network(network: keras.Model, inputs: Mapping[str, Any], *, training: bool) -> Any:
    """Call a network on tensors by input name, whatever structure it was built with; its one output."""
    structure = as_structure(read_wiring(network), inputs)
    return keras.tree.flatten(network(structure, training=training))[0]


def reseed(network: keras.Model, seed: int) -> None:
    """Put every random generator inside the network (dropout, noise) into a state that ``seed`` determines.

    A network continued in memory and the same network loaded from its file then train identically.
    """
    for position, layer in enumerate(walk_layers(network)):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([stable_seed(seed, position), 0])


@contextmanager
def without_dropout(network: keras.Model) -> Iterator[None]:
    """Switch dropout off while functions are traced inside the block.

    A compact network has no capacity to spare, and dropout while recalibrating would widen the statistics.
    """
    dropped = [layer for layer in walk_layers(network) if isinstance(getattr(layer, "rate", None), float)]
    rates = [layer.rate for layer in dropped]
    try:
        for layer in dropped:
            layer.rate = 0.0
        yield
    finally:
        for layer, rate in zip(dropped, rates, strict=True):
            layer.rate = rate
