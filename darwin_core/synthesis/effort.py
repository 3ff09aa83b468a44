"""How many training rows a network gets: by data and cost where the budget leaves it open, and within its seconds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from darwin_core.contracts import CandidateStage, NetworkCost, SearchBudget

SEARCH_SHARE = 0.45
FINISH_SHARE = 0.72
"""Shares of the budget's seconds after which the generations, then the long finish end; a control has the rest."""

_RACE_MACS = 3e12
_RACE_EPOCHS = {True: 4, False: 10}
_FINISH_RACES = 4
_PATIENT_RACES = 36
"""Where a person gives seconds, they are used: on pictures, accuracy rises long after four races (RESULTS.md)."""

_HOPED_SPEED = 1.3
"""A long finish plans for so much more speed than was seen: its schedule runs faster where rows do not fit, whereas a
plan that is over too soon leaves seconds unused."""

_SMALLEST_RACE, _LARGEST_RACE = 40_000, 2_000_000
_FEWEST_ROWS = 2_000
_USUAL_EXPONENT, _LARGEST_EXPONENT = 0.5, 2.0
_UNTOLD = 0.0025
"""A relative disadvantage that validation rows can hardly tell from none."""
_GUESSED_MACS_PER_SECOND = 2e10
_GUESSED_ROW_SECONDS = 2e-5


class Clock:
    """The seconds of a budget, those of earlier, killed attempts included.

    Args:
        seconds: The soft ceiling; None: there is none.
        used: Seconds spent before this process.
    """

    def __init__(self, seconds: float | None, used: float = 0.0) -> None:
        self._seconds, self._started = seconds, time.monotonic() - used

    @property
    def limited(self) -> bool:
        """Whether there is a ceiling."""
        return self._seconds is not None

    def left(self, share: float = 1.0) -> float:
        """Seconds until ``share`` of the budget is used; infinite without a ceiling, negative once it is passed."""
        if self._seconds is None:
            return float("inf")
        return share * self._seconds - (time.monotonic() - self._started)


@dataclass(frozen=True)
class Outlook:
    """What is still to be tried: so many generations, the next one included, of so many offspring each."""

    generations: int
    offspring: int


@dataclass
class _Speed:
    macs: float
    row_seconds: float

    def row_seconds_at(self, macs: float) -> float:
        """Seconds per row of another network; small ones are not quicker than in proportion, large ones are slower."""
        return self.row_seconds * max(0.3, macs / max(self.macs, 1.0))


class Effort:
    """Plans training rows.

    A race costs every network about the same number of operations, so small networks see more rows, within a number of
    epochs. The long finish is four races; for pictures up to 36, where the budget's seconds have room for them.

    Args:
        budget: What was asked for.
        rows: Training rows there are.
        images: Whether rows are images.
        clock: Seconds left.
    """

    def __init__(self, budget: SearchBudget, rows: int, *, images: bool, clock: Clock) -> None:
        self._budget, self._rows, self._images, self._clock = budget, rows, images, clock
        self._speed: _Speed | None = None
        self._exponents = [_USUAL_EXPONENT]
        self._finish_share = FINISH_SHARE if budget.control else 1.0

    def outlook(self, cost: NetworkCost, generations_left: int) -> Outlook:
        """Fewer offspring, then fewer generations, where the seconds do not suffice for every race.

        A network that saw too few rows is judged wrongly, whereas one network less is only one network less.

        Args:
            cost: About what the largest of the next offspring costs.
            generations_left: How many the budget admits.
        """
        wanted = Outlook(generations_left, self._budget.offspring)
        if not self._clock.limited:
            return wanted
        race = (self._budget.generation_samples or self._race_by_data(cost)) * self._row_seconds(cost)
        races = max(1, math.floor(self._clock.left(SEARCH_SHARE) / race))
        generations = min(wanted.generations, races)
        return Outlook(generations, min(wanted.offspring, races // generations))

    def race_samples(self, cost: NetworkCost, races_left: float) -> int:
        """Rows for one offspring of this cost, with so many races to come, this one included."""
        wanted = self._budget.generation_samples or self._race_by_data(cost)
        return self._affordable(wanted, cost, self._clock.left(SEARCH_SHARE) / max(races_left, 1.0))

    def finish_samples(self, cost: NetworkCost, finishes_left: int) -> int:
        """Rows of the long finish for a network of this cost, with so many finalists to come."""
        races = _PATIENT_RACES if self._images and self._clock.limited else _FINISH_RACES
        wanted = self._budget.final_samples or races * self._race_by_data(cost)
        # Seconds that a control needs are not at the disposal of the finish.
        hope = 1.0 if self._budget.control else _HOPED_SPEED
        return self._affordable(wanted, cost, hope * self._clock.left(self._finish_share) / max(finishes_left, 1))

    @property
    def wants_speed(self) -> bool:
        """Whether rows are to be planned by seconds, and nothing is known of the machine's speed yet."""
        return self._clock.limited and self._speed is None

    def remaining_share(self, cost: NetworkCost, seen: int) -> float:
        """The share of a disadvantage that is expected to be left after the long finish of a network.

        Disadvantages shrink with a power of the rows seen: the usual one, averaged with those of the finishes so far.
        """
        exponent = sum(self._exponents) / len(self._exponents)
        share: float = (seen / (seen + self.finish_samples(cost, 1))) ** exponent
        return share

    def seconds_left(self, stage: CandidateStage) -> float:
        """Seconds until those for a stage are used up and the stint in progress should be over."""
        return self._clock.left(SEARCH_SHARE if stage is CandidateStage.RACED else 1.0)

    def observe(self, cost: NetworkCost, samples: int, seconds: float) -> None:
        """Learn the machine's speed from a stint."""
        if samples:
            self._speed = _Speed(float(cost.macs), seconds / samples)

    def observe_finish(self, before: float, after: float, growth: float) -> None:
        """Learn from a long finish how disadvantages shrink.

        Args:
            before: The network's disadvantage after its race, relative to the reference's quality.
            after: The same after the long finish.
            growth: Rows seen then over rows seen before.
        """
        if before > _UNTOLD and growth > 1.0:
            shrunk = math.log(before / max(after, _UNTOLD)) / math.log(growth)
            self._exponents.append(min(max(shrunk, 0.0), _LARGEST_EXPONENT))

    def _race_by_data(self, cost: NetworkCost) -> int:
        by_cost = _RACE_MACS / (3.0 * max(cost.macs, 1))
        by_data = _RACE_EPOCHS[self._images] * self._rows
        return int(min(max(min(by_cost, by_data), _SMALLEST_RACE), _LARGEST_RACE))

    def _affordable(self, wanted: int, cost: NetworkCost, seconds: float) -> int:
        if not self._clock.limited:
            return wanted
        return int(max(_FEWEST_ROWS, min(wanted, seconds / self._row_seconds(cost))))

    def _row_seconds(self, cost: NetworkCost) -> float:
        if self._speed is None:
            return _GUESSED_ROW_SECONDS + 3.0 * cost.macs / _GUESSED_MACS_PER_SECOND
        return self._speed.row_seconds_at(cost.macs)
