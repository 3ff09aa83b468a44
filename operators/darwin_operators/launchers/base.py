"""How a step starts: a launcher carries the door's arguments to a place where the engine is installed."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TAIL_LINES: Final = 20
"""How many of the step's last log lines an outcome keeps, for the error message."""


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
    def launch(self, arguments: Sequence[str], log: logging.Logger) -> Outcome:
        """Run the command line with ``arguments``; its log lines go to ``log`` as they come.

        Raises:
            DarwinError: The step could not even be started.
        """

    def kill(self) -> None:  # noqa: B027 - nothing to do where the step runs in the task's own process
        """Stop the running step with everything it started. May be called from a signal handler."""
