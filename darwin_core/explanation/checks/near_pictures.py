"""How near the nearest picture is, against what the data's own spread makes usual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.checks.base import FALSE_ALARM_RATE
from darwin_core.explanation.checks.statistics import Interval, share_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Looks = NDArray[np.int8]

FEWEST_ROWS = 200
MAX_QUERIES = 10_000
_RANK = 64
_PAIRS = 2e9
"""Pairs of sketches compared at most, beyond 1,000 queries: work grows with the rows, not with their square."""

_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
_THINNINGS = 4
_FEWEST_THINNED = 32
_TILE = 1 << 24


@dataclass(frozen=True)
class NearPictures:
    """Pictures that lie nearer to another than the data explain.

    Attributes:
        ratios: (queries,) distance of the nearest row over the usual one, that of the 64th nearest.
        threshold: Ratio below which a query counts.
        share: Share of such queries.
        usual: Largest share that the data's own spread makes plausible.
    """

    ratios: Floats
    threshold: float
    share: Interval
    usual: float

    @property
    def near(self) -> Bools:
        """(queries,) which queries count."""
        return np.asarray(self.ratios < self.threshold)

    @property
    def excess(self) -> float:
        """Share of queries that is beyond the data's own spread for certain."""
        return self.share.low - self.usual


@dataclass(frozen=True)
class Asked:
    """Queries: their sketches and, where they stand among the rows themselves, their positions and labels there."""

    looks: Looks
    rows: Ints | None = None


def query_count(available: int, rows: int) -> int:
    """How many queries can be held against so many rows."""
    return int(min(available, MAX_QUERIES, max(_PAIRS / max(rows, 1), 1000)))


def find_near(asked: Asked, rows: Looks, labels: Ints | None, rng: np.random.Generator) -> NearPictures | None:
    """Queries with a row unusually near; None where there are no more than the data explain.

    Only nearness relative to the neighbourhood tells a copy from a look-alike: all road signs of one class lie near
    each other. What is usual comes from the rows themselves, thinned to a thirtieth at random (less for few rows): near
    copies come in small groups, which thinning takes apart, while a natural cloud of pictures keeps its shape, or seems
    to have fewer dimensions, in which small ratios are more frequent. The share among thinned rows thus bounds the
    natural one from above. Groups of hundreds (few long films) survive thinning and pass for natural.

    Args:
        asked: The queries. Blank pictures count as far from everything.
        rows: (rows, 64) sketches they are held against.
        labels: (rows,) with labels, only rows of another label count as near; queries must then stand among the rows.
        rng: Draws the thinned rows.
    """
    if len(rows) < FEWEST_ROWS or not len(asked.looks):
        return None
    order = rng.permutation(len(rows))
    factor = int(np.clip(len(rows) // _FEWEST_THINNED, 4, 32))
    size = len(rows) // factor
    rank = max(min(_RANK, size // 4), 2)
    everything = _ratios(asked, rows, labels, np.arange(len(rows)), rank)
    thinned = [
        _ratios(asked, rows, labels, np.sort(order[start * size : (start + 1) * size]), rank)
        for start in range(_THINNINGS)
    ]
    alpha = FALSE_ALARM_RATE / len(_THRESHOLDS)
    found = []
    for threshold in _THRESHOLDS:
        hits = round(sum(float((ratios < threshold).sum()) for ratios in thinned) / _THINNINGS)
        usual = share_interval(hits, everything.size, alpha).high
        share = share_interval(int((everything < threshold).sum()), everything.size, alpha)
        found.append(NearPictures(everything, threshold, share, usual))
    best = max(found, key=lambda each: each.excess)
    return best if best.excess > 0 else None


def _ratios(asked: Asked, rows: Looks, labels: Ints | None, kept: Ints, rank: int) -> Floats:
    """(queries,) distance of the nearest kept row over that of the ``rank``-th nearest; 1 where there is none."""
    # The rank-th nearest of all is about the (rank / step)-th nearest of every step-th, at a fraction of the work.
    step = min(8, max(1, len(kept) // 4096))
    usual_rank = max(rank // step, 1)
    if labels is not None:
        kept = kept[np.argsort(labels[kept], kind="stable")]
    others = rows[kept].astype(np.float32)
    lengths = (others**2).sum(axis=1)
    place = np.full(len(rows), -1)
    place[kept] = np.arange(len(kept))
    block = max(1, _TILE // len(kept))
    ratios = np.ones(len(asked.looks))
    for start in range(0, len(asked.looks), block):
        part = asked.looks[start : start + block].astype(np.float32)
        squares = (part**2).sum(axis=1)[:, None] + lengths[None] - 2.0 * part @ others.T
        own = None if asked.rows is None else asked.rows[start : start + block]
        if own is not None:
            itself = place[own]
            squares[np.flatnonzero(itself >= 0), itself[itself >= 0]] = np.inf
        usual = np.partition(squares[:, ::step], usual_rank - 1, axis=1)[:, usual_rank - 1]
        if labels is None or own is None:
            nearest = squares.min(axis=1)
        else:
            nearest = _nearest_of_another_label(squares, labels[kept], labels[own])
        told = (usual > 0) & np.isfinite(usual) & np.isfinite(nearest) & (part != 0).any(axis=1)
        ratios[start : start + block][told] = np.sqrt(np.maximum(nearest[told], 0) / usual[told])
    return ratios


def _nearest_of_another_label(squares: NDArray[np.float32], labels: Ints, own: Ints) -> NDArray[np.float32]:
    """(queries,) smallest entry of each row of ``squares``, whose columns are ordered by label, under another label."""
    present, starts = np.unique(labels, return_index=True)
    per_label = np.minimum.reduceat(squares, starts, axis=1)
    per_label[own[:, None] == present[None]] = np.inf
    return np.asarray(per_label.min(axis=1))
