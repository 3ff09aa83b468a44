"""How a step starts: a launcher carries the door's arguments to a place where the engine is installed."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

TAIL_LINES: Final = 20
"""How many of the step's last log lines an outcome keeps, for the error message."""


# The command line puts the time before every line, and so does Airflow.
_CLOCK: Final = re.compile(r"^\d\d:\d\d:\d\d ")


class StepLog:
    """Passes the step's lines on to the task's log, and keeps the last ones."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)

    def say(self, line: str) -> None:
        """Pass one line on."""
        text = _CLOCK.sub("", line)
        self.tail.append(text)
        self._log.info("%s", text)


@dataclass(frozen=True)
class Outcome:
    """How a launched step ended.

    ``exit_code`` is that of the command line: 0 done, 1 failed, 2 bad request, 143 stopped; a step that died of
    signal n without handling it has 128 + n.
    """

    exit_code: int
    tail: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The last words of the step; the frames that some libraries draw around their messages are no words."""
        spoken = (line.strip(" │╭╮╰╯─") for line in reversed(self.tail))
        return next(filter(None, spoken), "it said nothing")


class StepLauncher(ABC):
    """Runs ``darwin run-step`` somewhere and waits for it.

    A launcher knows nothing of steps: it gets the arguments behind ``darwin`` and gives back an exit code. What the
    step produced is read from the object store, so a launcher never moves results. Its constructor takes what
    ``launcher_args`` of the operator holds, as keywords.
    """

    @abstractmethod
    def launch(
        self, arguments: Sequence[str], log: logging.Logger, secrets: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run the command line with ``arguments``; its log lines go to ``log`` as they come.

        Args:
            arguments: What follows ``darwin``.
            log: The task's log.
            secrets: Environment variables of the step that nobody may see, such as a store's key pair.

        Raises:
            DarwinError: The step could not even be started.
            TaskDeferred: The launcher waits in Airflow's triggerer; `resume` is called with what the trigger says.
        """

    def resume(self, event: Mapping[str, Any], log: logging.Logger) -> Outcome:
        """Go on after a deferral, in another process than the one that launched.

        Raises:
            TaskDeferred: The step still runs.
        """
        raise NotImplementedError(f"{type(self).__name__} never defers, and was resumed with {event!r} ({log.name}).")

    def kill(self) -> None:  # noqa: B027 - nothing to do where the step runs in the task's own process
        """Stop the running step with everything it started. May be called from a signal handler."""
