"""Wrong labels told from doubt: how many labels no doubt of the network accounts for, and which they are.

Confident learning (Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70,
2021) takes every row for mislabelled whose network is surer of another class than it usually is. Where classes overlap
by nature that is a list of thousands. Here a label has to be explained by doubt first. The probability of label y for a
row to which the network gives p is modelled as

    P(y) = (1 - e) d_y + e (1 - d_y) / (K - 1),    d = (1 - a) softmax(w log p + b) + a softmax(v w log p + v b)

``d`` is the network's doubt, calibrated on the very labels: sharpened or flattened (temperature scaling, Guo, Pleiss,
Sun, Weinberger, ICML 2017; with a bias b for two classes), and in a share ``a`` of the rows flattened once more, since
every network is at times surer than it should be (such mixtures: Zhang, Kailkhura, Han, "Mix-n-Match", ICML 2020).
``e`` is the share of labels that were replaced by any other class. Doubt falls on classes that resemble the right one,
a wrong label on any, which is what tells the two apart. With two classes only the steepness of the scores is left to
tell them, and where even the surest rows are not sure, nothing is found. Nor are wrong labels found that the network
has learned, such as many of one class that all bear the name of the same other one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import expit, logsumexp

from darwin_core.explanation.checks.statistics import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FITTED_ROWS = 10_000
_FLATTENED = 0.5
_CLIP = 1e-7
_NEXT_TO_NONE = 0.01
_MOST_OVERLAP = 0.05
_NO_NOISE = -np.inf
_START_NOISE = (-5.0, -2.5)
_BOUNDS = ((-3.0, 3.0), (-5.0, 5.0), (-9.0, 3.0))
_NOISE_BOUNDS = (-9.0, -0.4)
_BISECTIONS = 12


@dataclass(frozen=True)
class Doubt:
    """What calibrates a network's doubt.

    Attributes:
        log_scale: Logarithm of ``w``.
        bias: ``b``, added to the second of two classes; 0 for more.
        overconfident: Log-odds of ``a``.
    """

    log_scale: float
    bias: float
    overconfident: float

    def probabilities(self, logs: Floats) -> Floats:
        """(rows, classes) calibrated probabilities of the labels if none were wrong, from log-probabilities."""
        scaled = np.exp(self.log_scale) * logs
        if logs.shape[1] == 2:
            scaled = scaled + np.array([0.0, self.bias])
        share = expit(self.overconfident)
        return np.asarray((1 - share) * _softmax(scaled) + share * _softmax(_FLATTENED * scaled))


@dataclass(frozen=True)
class WrongLabels:
    """What doubt does not account for.

    Attributes:
        share: Share of wrong labels with its 95 % interval.
        p_value: Chance of so much evidence if no label were wrong.
        own_probability: (rows,) probability of each row's label by doubt alone.
        found: Positions of rows whose label is more probably wrong than right and gets less than 1 % from doubt alone,
            the most certain first.
        foretold: Number of rows with labels as own_probability as those found that doubt alone foretells.
    """

    share: Interval
    p_value: float
    own_probability: Floats
    found: Ints
    foretold: float


def find_wrong_labels(scores: Floats, labels: Ints, rng: np.random.Generator, *, alpha: float) -> WrongLabels | None:
    """Wrong labels among some rows; None where doubt accounts for all labels.

    Three conditions:

    * The share of wrong labels differs from zero by a likelihood-ratio test, half of whose null distribution lies at
      zero (Self and Liang, JASA 82, 1987).
    * It exceeds the mean doubt, divided by the number of other classes: doubt of which the model knows nothing and that
      falls on classes at random looks like wrong labels. With two classes the doubt must be below 5 % as well: where
      they overlap, even the surest rows may hold outcomes that nobody can foretell.
    * There are more than twice as many rows whose label gets next to no probability as doubt foretells, by the lower
      bound of their number: most of the list is wrong.

    Args:
        scores: (rows,) probability of the second of two classes, or (rows, classes). Those of a network too small to
            have learned wrong labels by heart, also on the rows that it was trained on.
        labels: (rows,) class index.
        rng: Draws the rows for the fit where they are many.
        alpha: Chance of finding anything where no label is wrong.
    """
    logs = _log_probabilities(scores)
    rows = np.sort(rng.permutation(len(labels))[:_FITTED_ROWS])
    likelihood = _Likelihood(logs[rows], labels[rows])
    doubt, noise, evidence = _fitted(likelihood)
    p_value = 0.5 * float(stats.chi2.sf(evidence, 1))
    if p_value >= alpha:
        return None
    probabilities, share = doubt.probabilities(logs), float(expit(noise))
    own, others = probabilities[np.arange(len(labels)), labels], logs.shape[1] - 1
    overlap = float((1 - probabilities.max(axis=1)).mean())
    if share * others <= overlap or (others == 1 and overlap > _MOST_OVERLAP):
        return None
    limit = min(_NEXT_TO_NONE, share / (share + (1 - share) * others))  # below the second one, wrong is more probable
    found = np.flatnonzero(own < limit)
    foretold = float(probabilities[probabilities < limit].sum())
    at_least = stats.chi2.ppf(alpha, 2 * len(found)) / 2 if len(found) else 0.0
    if at_least <= 2 * foretold:
        return None
    return WrongLabels(
        share=_interval(likelihood, doubt, noise),
        p_value=p_value,
        own_probability=own,
        found=found[np.argsort(own[found], kind="stable")],
        foretold=foretold,
    )


def rows_to_list(scores: Floats, labels: Ints, own: WrongLabels | None, elsewhere: WrongLabels | None) -> Ints:
    """Positions of the rows that a person should go through, the most certain first.

    As many as their own scores give away, but at least as large a share as the lower bound of other rows that were
    labelled in the same way: scores of rows that a network was trained on rank well, but show too little surprise.

    Args:
        scores: (rows,) probability of the second of two classes, or (rows, classes).
        labels: (rows,) class index.
        own: What these rows show.
        elsewhere: What rows show that the network was not trained on.
    """
    count = 0 if own is None else len(own.found)
    if elsewhere is not None:
        count = max(count, int(elsewhere.share.low * len(labels)))
    order = np.argsort(_log_probabilities(scores)[np.arange(len(labels)), labels], kind="stable")
    return np.asarray(order[most_probable(scores[order]) != labels[order]][:count], np.int64)


def most_probable(scores: Floats) -> Ints:
    """(rows,) index of the most probable class."""
    return np.asarray(scores.argmax(axis=1) if scores.ndim == 2 else scores >= 0.5, np.int64)


class _Likelihood:
    """Negative log-likelihood of labels, and its minimum over the doubt for a given share of wrong labels."""

    def __init__(self, logs: Floats, labels: Ints) -> None:
        self._logs, self._labels = logs, labels
        self._others = logs.shape[1] - 1
        self._bounds = [*_BOUNDS] if self._others == 1 else [_BOUNDS[0], (0.0, 0.0), _BOUNDS[2]]

    def __call__(self, doubt: Doubt, noise: float) -> float:
        probabilities = doubt.probabilities(self._logs)
        own, share = probabilities[np.arange(len(self._labels)), self._labels], expit(noise)
        return float(-np.log(np.maximum((1 - share) * own + share * (1 - own) / self._others, 1e-12)).sum())

    def minimum(self, start: Doubt, noise: float) -> tuple[float, Doubt]:
        """Lowest value with this log-odds of wrong labels, and where it lies."""
        found = optimize.minimize(
            lambda x: self(Doubt(*x), noise), _vector(start), method="L-BFGS-B", bounds=self._bounds
        )
        return float(found.fun), Doubt(*found.x)

    def joint_minimum(self, start: Doubt, noise: float) -> tuple[float, Doubt, float]:
        """The same, over the share of wrong labels as well."""
        found = optimize.minimize(
            lambda x: self(Doubt(*x[:3]), x[3]),
            [*_vector(start), noise],
            method="L-BFGS-B",
            bounds=[*self._bounds, _NOISE_BOUNDS],
        )
        return float(found.fun), Doubt(*found.x[:3]), float(found.x[3])


def _fitted(likelihood: _Likelihood) -> tuple[Doubt, float, float]:
    """Doubt, log-odds of a wrong label, and twice the gain in log-likelihood over none being wrong."""
    without, plain = likelihood.minimum(Doubt(0.0, 0.0, -3.0), _NO_NOISE)
    lowest, doubt, noise = min(
        (likelihood.joint_minimum(plain, start) for start in _START_NOISE), key=lambda each: each[0]
    )
    # The simpler model gets the same chance to find its best: a poor optimum of it would look like evidence.
    without = min(without, likelihood.minimum(doubt, _NO_NOISE)[0])
    return doubt, noise, max(0.0, 2 * (without - lowest))


def _interval(likelihood: _Likelihood, doubt: Doubt, noise: float) -> Interval:
    """Profile likelihood: the shares of wrong labels that a 95 % test does not reject."""
    allowed = likelihood.minimum(doubt, noise)[0] + float(stats.chi2.isf(0.05, 1)) / 2
    ends = []
    for outside in _NOISE_BOUNDS:
        inside, nearby = noise, doubt
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            value, fitted = likelihood.minimum(nearby, middle)
            if value < allowed:
                inside, nearby = middle, fitted
            else:
                outside = middle
        ends.append(float(expit(inside)))
    return Interval(float(expit(noise)), ends[0], ends[1])


def _log_probabilities(scores: Floats) -> Floats:
    both = np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores
    return np.asarray(np.log(np.clip(both, _CLIP, 1.0)))


def _softmax(values: Floats) -> Floats:
    return np.asarray(np.exp(values - logsumexp(values, axis=1, keepdims=True)))


def _vector(doubt: Doubt) -> list[float]:
    return [doubt.log_scale, doubt.bias, doubt.overconfident]
