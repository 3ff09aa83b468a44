"""How long one prediction takes, measured in a process of its own so that its threads can be pinned."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from darwin_core.arrays import save_arrays
from darwin_core.contracts import Latency
from darwin_core.errors import StepError

_TIMEOUT_SECONDS = 900


def measure_latency(
    model_path: str | Path,
    inputs: Mapping[str, NDArray[Any]],
    *,
    threads: int = 1,
    calls: int = 200,
    warmup: int = 20,
) -> Latency:
    """Milliseconds per prediction of one row, on the processor (graphics cards are hidden).

    The network runs as a graph function, called once per row with tensors that are ready; each call waits for the
    output. The rows given are used in turn.

    Args:
        model_path: A .keras file.
        inputs: Input name -> array with batch axis; a few dozen rows are plenty.
        threads: Threads that one prediction may use.
        calls: Calls that are timed.
        warmup: Calls before them that are not.

    Raises:
        StepError: The process that measures failed; its last words are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="darwin-latency-") as folder:
        rows = Path(folder, "inputs.npz")
        save_arrays(rows, inputs)
        command = [sys.executable, "-m", "darwin_core.networks.latency_probe", str(model_path), str(rows)]
        command += [str(threads), str(calls), str(warmup)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=_environment(), timeout=_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise StepError(f"Measuring the latency took more than {_TIMEOUT_SECONDS} s.") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise StepError(f"Measuring the latency of {model_path} failed (exit code {done.returncode}): {last[0]}")
    return Latency.from_json(done.stdout.strip().splitlines()[-1], origin="the latency probe")


def _environment() -> dict[str, str]:
    return os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
