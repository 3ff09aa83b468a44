"""Raw columns and where they enter the network: which part of which input array is which column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind
from darwin_core.data.binding import BoundInput
from darwin_core.explanation.attribution.base import Inputs


@dataclass(frozen=True)
class Feature:
    """One raw column of the data, or one position of an array column.

    Attributes:
        name: The column's name.
        kind: What it holds.
        source: Name of the network input that it enters by.
        position: Its position along the input's last axis that is longer than one; None: the whole input.
    """

    name: str
    kind: ColumnKind
    source: str
    position: int | None = None


@dataclass(frozen=True)
class FeatureMap:
    """All features of a network, in the data's order."""

    features: tuple[Feature, ...]

    @classmethod
    def of(cls, bound: Sequence[BoundInput]) -> FeatureMap:
        """Features of bound inputs.

        An input fed by one scalar column is one feature, a vector of several columns has one per column. The only
        input of a network is taken apart also where a single array column feeds it; beside other inputs, an array is
        one feature.
        """
        features: list[Feature] = []
        for item in bound:
            name, first = item.input.name, item.columns[0]
            if len(item.columns) > 1:
                features += [Feature(c.name, c.kind, name, position) for position, c in enumerate(item.columns)]
                continue
            long_axes = [size for size in first.shape if size != 1]
            if len(bound) == 1 and long_axes:
                features += [
                    Feature(f"{first.name}[{position}]", first.kind, name, position)
                    for position in range(long_axes[-1])
                ]
            else:
                features.append(Feature(first.name, first.kind, name))
        return cls(tuple(features))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(feature.name for feature in self.features)

    def __len__(self) -> int:
        return len(self.features)

    def restricted_to(self, sources: Sequence[str]) -> FeatureMap:
        """The features that enter by these inputs."""
        return FeatureMap(tuple(feature for feature in self.features if feature.source in sources))

    def values(self, inputs: Inputs, feature: Feature) -> NDArray[Any]:
        """(rows, ...) what rows hold for a feature; scalars come as (rows,)."""
        array = _part(inputs[feature.source], feature)
        return array.reshape(len(array)) if array.size == len(array) else array

    def differing(self, first: Inputs, second: Inputs) -> NDArray[np.bool_]:
        """(rows, features) where two equally long sets of rows hold different values; missing equals missing."""
        return np.stack([_differ(self.values(first, f), self.values(second, f)) for f in self.features], axis=1)

    def mix(self, first: Inputs, second: Inputs, from_first: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """New rows: each feature from ``first`` where (rows, features) ``from_first`` says so, else from ``second``."""
        sources = dict.fromkeys(feature.source for feature in self.features)
        mixed = {source: _writable(second[source], first[source]) for source in sources}
        for column, feature in enumerate(self.features):
            target, ours = _part(mixed[feature.source], feature), _part(first[feature.source], feature)
            choice = from_first[:, column]
            target[choice] = ours[choice]
        return mixed

    def replace(self, inputs: Inputs, feature: Feature, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The rows with other (rows,) values for one feature."""
        changed = {**inputs, feature.source: _writable(inputs[feature.source], values)}
        target = _part(changed[feature.source], feature)
        target[...] = values.reshape(target.shape)
        return changed


def take(inputs: Inputs, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> dict[str, NDArray[Any]]:
    """Some rows of all inputs."""
    return {name: array[rows] for name, array in inputs.items()}


def count_rows(inputs: Inputs) -> int:
    """How many rows the inputs hold."""
    return len(next(iter(inputs.values())))


def concatenate(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Rows of several sets, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _writable(array: NDArray[Any], incoming: NDArray[Any]) -> NDArray[Any]:
    """A copy that can take the incoming values; text of fixed width would be cut off otherwise."""
    is_text = array.dtype.kind in "SU"
    return np.array(array, dtype=np.promote_types(array.dtype, incoming.dtype) if is_text else array.dtype)


def _part(array: NDArray[Any], feature: Feature) -> NDArray[Any]:
    """A view of what belongs to a feature, rows first."""
    if feature.position is None:
        return array
    axis = max((axis for axis in range(1, array.ndim) if array.shape[axis] != 1), default=array.ndim - 1)
    part: NDArray[Any] = np.moveaxis(array, axis, 0)[feature.position]
    return part


def _differ(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    different = first != second
    if first.dtype.kind == "f":
        different &= ~(np.isnan(first) & np.isnan(second))
    return np.asarray(different.reshape(len(first), -1).any(axis=1))
