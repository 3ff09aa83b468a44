"""Run a step with the interpreter of another environment, as a child process on the same machine."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

from airflow.providers.common.compat.sdk import AirflowException, Variable, conf

from darwin_core.errors import RequestError
from darwin_operators.launchers.base import Outcome, StepLauncher, StepLog

ENVIRONMENT_VARIABLE: Final = "DARWIN_PYTHON"
AIRFLOW_VARIABLE: Final = "darwin_python"

# Airflow kills a task that has not ended five seconds after SIGTERM.
_GRACE_SECONDS: Final = 4.0
_DRAIN_SECONDS: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1

# The engine opens networks that others made: it must not see Airflow's secrets. The rest would make the other
# interpreter import this environment's packages.
_WITHHELD_PREFIXES: Final = ("AIRFLOW", "_AIRFLOW")
_WITHHELD: Final = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP"})


def find_interpreter(given: str | None) -> str:
    """The engine's interpreter: the argument, else Airflow's configuration, Variable or the environment.

    Looked up in this order: ``launcher_args={"python": ...}``, option ``python`` of section ``darwin`` of the
    configuration, Variable ``darwin_python``, environment variable ``DARWIN_PYTHON``.

    Raises:
        RequestError: None of them is set, or no executable file lies there.
    """
    python = (
        given
        or conf.get("darwin", "python", fallback="")
        or _variable(AIRFLOW_VARIABLE)
        or os.environ.get(ENVIRONMENT_VARIABLE)
    )
    if not python:
        raise RequestError(
            "Launcher external_python does not know the engine's interpreter.",
            hint="Set launcher_args={'python': '/path/bin/python'}, AIRFLOW__DARWIN__PYTHON, the Airflow Variable "
            f"{AIRFLOW_VARIABLE} or {ENVIRONMENT_VARIABLE}.",
        )
    found = shutil.which(python)
    if found is None:
        raise RequestError(
            f"The engine's interpreter should be an executable file, and {python} is not.",
            hint="Create the environment on every worker: python -m venv ... and install 'darwin-mlops[engine]'.",
        )
    return found


class ExternalPythonLauncher(StepLauncher):
    """Streams the child's log into the task's and stops its whole process group when the task is killed.

    The child does not outlive the task: on Linux the kernel kills it should the task's process vanish.

    Args:
        python: Path of the interpreter; see `find_interpreter`.
        env: Environment variables to add, e.g. ``AWS_PROFILE`` or ``DARWIN_WORK_DIR``.
    """

    def __init__(self, python: str | None = None, env: Mapping[str, str] | None = None) -> None:
        self._python = python
        self._env = dict(env or {})
        self._process: subprocess.Popen[str] | None = None

    def launch(
        self, arguments: Sequence[str], log: logging.Logger, secrets: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run ``python -m darwin_core`` with the other interpreter.

        Raises:
            RequestError: The interpreter is unknown or cannot be started.
        """
        process = self._process = self._start(arguments, secrets or {})
        log.info("Running darwin %s in process %d", " ".join(arguments[:2]), process.pid)
        told = StepLog(log)
        pumps = [_pump(process.stderr, told.say), _pump(process.stdout, lambda line: log.debug("%s", line))]
        try:
            # Looks without reaping, so that the number of the group cannot have gone to another process below.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            # Also when a time-out of Airflow interrupts the wait, and for what a finished step left running.
            _signal_group(process, signal.SIGKILL)
            code = process.wait()
        for pump in pumps:
            pump.join(_DRAIN_SECONDS)
        return Outcome(code if code >= 0 else 128 - code, tuple(told.tail))

    def _start(self, arguments: Sequence[str], secrets: Mapping[str, str]) -> subprocess.Popen[str]:
        # -P: a file in the worker's folder must not shadow a package of the engine.
        command = [find_interpreter(self._python), "-P", "-m", "darwin_core", *arguments]
        try:
            return subprocess.Popen(
                command,
                env=child_environment(os.environ, {**self._env, **secrets}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        except OSError as error:
            raise RequestError(f"The engine's interpreter {command[0]} cannot be started: {error}.") from error

    def kill(self) -> None:
        """SIGTERM to the child's process group, and SIGKILL shortly after for what is still there."""
        process = self._process
        if process is None:
            return
        _signal_group(process, signal.SIGTERM)
        # No waiting here: this may run inside a signal handler, on top of the wait in `launch`.
        timer = threading.Timer(_GRACE_SECONDS, _signal_group, (process, signal.SIGKILL))
        timer.daemon = True
        timer.start()


def child_environment(inherited: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The environment of the engine: the worker's, without Airflow's settings and secrets, plus ``added``."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in _WITHHELD and not name.startswith(_WITHHELD_PREFIXES)
    }
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"} | {k: str(v) for k, v in added.items()}


def _variable(name: str) -> str | None:
    # Outside of a task no secrets backend answers.
    with suppress(AirflowException, ImportError, KeyError):
        value = Variable.get(name, None)
        return None if value is None else str(value)
    return None


def _pump(stream: IO[str] | None, say: Callable[[str], None]) -> threading.Thread:
    """Pass every line on as it comes, without holding up the wait for the process."""
    assert stream is not None

    def run() -> None:
        with stream:
            for line in stream:
                if line.strip():
                    say(line.rstrip())

    thread = threading.Thread(target=run, daemon=True, name="darwin-log")
    thread.start()
    return thread


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.returncode is None:  # not reaped: the number of the group is still its own
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _end_with_parent() -> Callable[[], None] | None:
    """What the child calls before it starts, so that the kernel kills it when its parent dies; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: nothing but the call itself happens in the child

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return prepare
