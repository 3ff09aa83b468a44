"""Run a step inside the task's own process: for demos and tests, where Airflow's environment holds the engine."""

from __future__ import annotations

import importlib.util
import io
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from darwin_core.errors import MissingExtraError
from darwin_operators.launchers.base import TAIL_LINES, Outcome, StepLauncher


class InProcessLauncher(StepLauncher):
    """Calls the command line as a function. A step that crashes the interpreter takes the task with it."""

    def launch(
        self, arguments: Sequence[str], log: logging.Logger, secrets: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run the command line here.

        Raises:
            MissingExtraError: The engine is not importable.
        """
        if importlib.util.find_spec("tensorflow") is None:
            raise MissingExtraError(
                f"Launcher in_process needs the engine, and TensorFlow is not installed in {sys.prefix}.",
                hint="Use launcher external_python with the interpreter of an environment that has "
                "darwin-mlops[engine], or install that extra here.",
            )
        from darwin_core.cli import main

        lines = _LineLog(log)
        with _as_command_line(arguments, secrets or {}), redirect_stderr(lines), redirect_stdout(io.StringIO()):
            try:
                main()
            except SystemExit as stop:
                code = stop.code
            else:
                code = 0
        lines.flush()
        return Outcome(code if isinstance(code, int) else int(code is not None), tuple(lines.tail))


@contextmanager
def _as_command_line(arguments: Sequence[str], secrets: Mapping[str, str]) -> Iterator[None]:
    """Lend ``sys.argv`` and the environment to the command line, and take the task's own signal handler back."""
    argv, handler = sys.argv, signal.getsignal(signal.SIGTERM)
    before = {name: os.environ.get(name) for name in secrets}
    sys.argv = ["darwin", *arguments]
    os.environ.update(secrets)
    try:
        yield
    finally:
        sys.argv = argv
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        signal.signal(signal.SIGTERM, handler)


class _LineLog(io.TextIOBase):
    """A text stream that logs every complete line."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._rest = ""
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)

    def write(self, text: str) -> int:
        *complete, self._rest = (self._rest + text).split("\n")
        for line in complete:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        self._say(self._rest)
        self._rest = ""

    def _say(self, line: str) -> None:
        if line.strip():
            self.tail.append(line.rstrip())
            self._log.info("%s", line.rstrip())
