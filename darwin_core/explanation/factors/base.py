"""What a factor is, and the registry through which users add their own.

A factor of pictures of one's own takes a few lines::

    @register_factor
    class Vignette(PictureFactor):
        name = "vignette"

        def describe_pictures(self, pictures):
            return pictures[:, 8:-8, 8:-8].mean(axis=(1, 2, 3)) - pictures.mean(axis=(1, 2, 3))

        def transfer_pictures(self, pictures, donors):
            difference = self.describe_pictures(donors) - self.describe_pictures(pictures)
            return pictures + difference[:, None, None, None] * self.bowl
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.attribution.features import FeatureMap, count_rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pictures = NDArray[np.float32]
"""(rows, height, width, channels), values from 0 to 1."""

_BATCH_ROWS = 1024
_UNIT_RANGE = 1.5
_THUMBNAIL = 8
_COARSE = 0.25
"""Standard deviation, as a share of the shorter side, of the blur after which nothing tells how sharp a picture was."""


@dataclass(frozen=True)
class FactorSpace:
    """What the samples of a data set are made of.

    Attributes:
        features: Raw columns and where they enter the network.
        samples: Some rows, from which ranges and usual values are taken.
        picture: Name of the input that takes pictures; None for tables.
    """

    features: FeatureMap
    samples: Inputs
    picture: str | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the pictures."""
        assert self.picture is not None
        height, width, channels = self.samples[self.picture].shape[1:]
        return height, width, channels

    @property
    def value_range(self) -> tuple[float, float]:
        """The range that pixels come from: bytes, 0 to 1, or what occurs."""
        assert self.picture is not None
        return _value_range(self.samples[self.picture])


class Factor(ABC):
    """A property of samples that should decide nothing, with a way to give a sample that of another.

    That one operation serves every experiment: planting (donors have the factor), neutralising (donors lack it) and the
    control (donors drawn without regard to it).
    """

    name: str
    """In words, e.g. ``brightness`` or ``upper left corner``."""

    columns: tuple[str, ...] = ()
    """Raw columns it consists of; empty for pictures."""

    aversion: float = 3.0
    """How often a region must be more frequent in one class than elsewhere to count as that class's own."""

    is_proposed: bool = False
    """Whether the finder made it up from the rows. Then it must part a class clearly, and nothing may foretell it."""

    is_graded: bool = False
    """Whether classes honestly differ in it by degrees. Then only a region with a sharp border is suspicious."""

    @classmethod
    @abstractmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """The factors of this kind that a data set has; empty where it does not apply."""

    @abstractmethod
    def measure(self, samples: Inputs) -> Floats:
        """(rows, dimensions) description in a space where near means alike, and equal means the same."""

    @abstractmethod
    def transfer(self, recipients: Inputs, donors: Inputs) -> dict[str, NDArray[Any]]:
        """The recipients, row by row with the factor of the donor; everything else stays as it is."""

    @abstractmethod
    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:
        """(rows, dimensions) coarse description of everything else in the samples, of which some have the factor."""

    def hides(self, samples: Inputs, has_factor: Bools) -> Bools:  # noqa: ARG002 - most factors always show
        """(rows,) samples of which nobody could say whether the factor is there, whatever they count as."""
        return np.zeros(len(has_factor), bool)

    @abstractmethod
    def tell(self, inside: Inputs, outside: Inputs) -> str:
        """In words what the samples ``inside`` have that those ``outside`` lack."""


_FACTORS: dict[str, type[Factor]] = {}
_FactorT = TypeVar("_FactorT", bound=type[Factor])


def register_factor(factor: _FactorT) -> _FactorT:
    """Class decorator: look for this factor in every data set from now on. A later one of the same name replaces it."""
    _FACTORS[factor.__name__] = factor
    return factor


def factors_of(space: FactorSpace) -> list[Factor]:
    """All registered factors that a data set has."""
    return [factor for kind in _FACTORS.values() for factor in kind.of(space)]


class PictureFactor(Factor):
    """A factor of pictures. Subclasses see pictures with values from 0 to 1, whatever the network reads.

    Args:
        space: The data set.
    """

    def __init__(self, space: FactorSpace) -> None:
        assert space.picture is not None
        self._input = space.picture
        self._low, self._high = space.value_range

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """One factor, where the samples are pictures."""
        return () if space.picture is None else (cls(space),)

    @abstractmethod
    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) or (rows, dimensions) description of the factor."""

    @abstractmethod
    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the factor of the donors; values beyond 0 and 1 are cut off."""

    def measure(self, samples: Inputs) -> Floats:
        """See the base class; goes through the pictures in batches."""
        pictures = samples[self._input]
        parts = [
            np.asarray(self.describe_pictures(self._to_unit(pictures[start : start + _BATCH_ROWS])), np.float64)
            for start in range(0, len(pictures), _BATCH_ROWS)
        ]
        return np.concatenate(parts).reshape(len(pictures), -1)

    def transfer(self, recipients: Inputs, donors: Inputs) -> dict[str, NDArray[Any]]:
        """See the base class."""
        pictures = recipients[self._input]
        changed = self.transfer_pictures(self._to_unit(pictures), self._to_unit(donors[self._input]))
        values = self._low + np.clip(changed, 0, 1) * (self._high - self._low)
        return {**recipients, self._input: values.astype(pictures.dtype)}

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the same for all
        """Thumbnails of the pictures, all brought to the factor of the first."""
        same = self.transfer(samples, {name: np.repeat(rows[:1], len(rows), axis=0) for name, rows in samples.items()})
        return thumbnails(self._to_unit(same[self._input]))

    def tell(self, inside: Inputs, outside: Inputs) -> str:
        """See the base class."""
        return self.tell_levels(np.median(self.measure(inside), axis=0), np.median(self.measure(outside), axis=0))

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """In words how pictures with these (dimensions,) values differ from usual ones."""
        return f"{self.name} around {level[0]:.2f}, where other pictures have {usual[0]:.2f}"

    def _to_unit(self, pictures: NDArray[Any]) -> Pictures:
        return ((pictures.astype(np.float32) - self._low) / (self._high - self._low)).astype(np.float32)


def luminance(pictures: Pictures) -> NDArray[np.float32]:
    """(rows, height, width) brightness of each pixel (ITU-R BT.601 weights for three channels)."""
    if pictures.shape[-1] < 3:
        return pictures[..., 0]
    return pictures[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)


def thumbnails(pictures: Pictures) -> Floats:
    """(rows, 64 * channels) means of an eight by eight grid."""
    cells = [
        cell.mean(axis=(1, 2))
        for band in np.array_split(pictures, min(_THUMBNAIL, pictures.shape[1]), axis=1)
        for cell in np.array_split(band, min(_THUMBNAIL, pictures.shape[2]), axis=2)
    ]
    return np.concatenate(cells, axis=1).astype(np.float64)


def coarse_thumbnails(pictures: Pictures) -> Floats:
    """(rows, 64 * channels) thumbnails of what a strong blur leaves, the same whatever the fine detail was.

    The rest of a picture for factors of fine detail: to sharpen what is blurred, until all are alike, leaves its trace.
    """
    sigma = _COARSE * min(pictures.shape[1:3])
    return thumbnails(gaussian_filter(pictures, (0, sigma, sigma, 0), mode="nearest"))


def broadcast(values: NDArray[Any]) -> NDArray[np.float32]:
    """(rows,) numbers, shaped to be combined with pictures."""
    return np.asarray(values, np.float32).reshape(-1, 1, 1, 1)


def _value_range(pictures: NDArray[Any]) -> tuple[float, float]:
    """The range that pixels come from: bytes, 0 to 1, or what occurs."""
    drawn = pictures[: min(count_rows({"": pictures}), 512)].astype(np.float32)
    low, high = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    if low >= 0 and high <= 255:
        return 0.0, 1.0 if high <= _UNIT_RANGE else 255.0
    return low, max(high, low + 1e-6)
