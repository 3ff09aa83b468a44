"""A process of its own for a module of this package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from darwin_core.errors import StepError

_TIMEOUT_SECONDS = 1800


def run_module(module: str, *arguments: object, backend: str = "tensorflow", threads: int | None = None) -> str:
    """Run ``python -m module`` on the processor (graphics cards are hidden).

    Args:
        module: Its full name.
        arguments: Words on its command line.
        backend: The Keras backend it gets.
        threads: Threads of native libraries; None: as they like.

    Returns:
        What it wrote to its standard output.

    Raises:
        StepError: It failed, crashed or took too long; its last words are in the message.
    """
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "GRPC_VERBOSITY": "ERROR",
    }
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StepError(f"It took more than {_TIMEOUT_SECONDS} s.") from error
    if done.returncode < 0:
        raise StepError(f"The process crashed ({signal.Signals(-done.returncode).name}).")
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise StepError(last[0])
    return done.stdout
