"""O1: can the candidate take the reference's place in a model server without anybody noticing?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Check, Task, Verdict
from darwin_core.data import MappedSplit
from darwin_core.evaluation.scoring import LoadedNetwork
from darwin_core.networks import Predictor
from darwin_core.wording import listed

CHECK_ID = "O1"
_ROWS = 256
_SINGLE_ROWS = 8
_TOLERANCE = 1e-4  # relative to the largest output: batch sizes change the order of float32 sums

Inputs = dict[str, NDArray[Any]]


def serving_check(
    reference: LoadedNetwork,
    candidate: LoadedNetwork,
    split: MappedSplit,
    *,
    dropped_inputs: tuple[str, ...],
    not_finite_rows: int,
) -> Check:
    """Hold the candidate against the serving contract that the reference set.

    Args:
        reference: The network that is served now.
        candidate: The network that shall take its place.
        split: Rows to try both with.
        dropped_inputs: Inputs that the search dropped on purpose.
        not_finite_rows: Hold-out rows on which the reference gives a number and the candidate does not.
    """
    problems = [
        *_signature_problems(reference, candidate, dropped_inputs),
        *_behaviour_problems(reference, candidate, split),
    ]
    if not_finite_rows:
        problems.append(f"on {not_finite_rows:,} hold-out rows the reference gives a number and the candidate does not")
    gone = [item.name for item in reference.inputs if item.name not in _by_name(candidate)]
    passed = "Inputs, output, batches of 1 and 256, missing values and repeated calls behave as the reference's do"
    if gone:
        passed += f"; the search dropped the inputs {listed(gone, most=8)} on purpose, and a server may still send them"
    return Check(
        check_id=CHECK_ID,
        title="Serving contract",
        definition="same input names, dtypes, shapes and output as the reference (inputs dropped by the search "
        "excepted); batch of 1 equals batch of 256; missing values give numbers; two calls give the same bits",
        verdict=Verdict.FAIL if problems else Verdict.PASS,
        reason=f"{passed}." if not problems else f"The contract is broken: {'; '.join(problems)}.",
    )


def _by_name(network: LoadedNetwork) -> dict[str, tuple[tuple[int | None, ...], str]]:
    return {item.name: (item.shape, item.dtype) for item in network.inputs}


def _signature_problems(reference: LoadedNetwork, candidate: LoadedNetwork, dropped: tuple[str, ...]) -> Iterator[str]:
    ours, theirs = _by_name(candidate), _by_name(reference)
    for name, wanted in theirs.items():
        if name not in ours:
            if name not in dropped:
                yield f"input {name!r} is missing, and the search record does not say that it was dropped"
        elif ours[name] != wanted:
            yield f"input {name!r} is {_spec(ours[name])}, expected {_spec(wanted)}"
    for name in ours.keys() - theirs.keys():
        yield f"input {name!r} is unknown to the reference"
    if candidate.kind != reference.kind:
        yield f"the output means {candidate.kind}, expected {reference.kind}"
    (ours_out,), (theirs_out,) = candidate.model.outputs, reference.model.outputs
    found, expected = ((tuple(tensor.shape), str(tensor.dtype)) for tensor in (ours_out, theirs_out))
    if found != expected:
        yield f"the output is {_spec(found)}, expected {_spec(expected)}"


def _behaviour_problems(reference: LoadedNetwork, candidate: LoadedNetwork, split: MappedSplit) -> Iterator[str]:
    predict, expected = Predictor(candidate.model), Predictor(reference.model)
    inputs = split.take(np.arange(min(_ROWS, split.rows))).inputs
    together = predict(inputs)
    if not np.array_equal(together, predict(inputs), equal_nan=True):
        yield "two calls with the same rows differ"
    speaks_in_shares = reference.kind.task is not Task.REGRESSION and not reference.kind.from_logits
    if speaks_in_shares and np.any((together < -_TOLERANCE) | (together > 1 + _TOLERANCE)):
        yield "the output leaves the range of probabilities"
    singles = np.concatenate([predict(_rows(inputs, row)) for row in range(min(_SINGLE_ROWS, len(together)))])
    scale = max(1.0, float(np.nanmax(np.abs(together), initial=0.0)))
    if not np.allclose(singles, together[: len(singles)], rtol=0, atol=_TOLERANCE * scale, equal_nan=True):
        yield "a row alone and the same row in a batch differ"
    for name in _can_be_missing(inputs):
        without = {**inputs, name: _missing_like(inputs[name])}
        broken = ~_finite(predict(without)) & _finite(expected(without))
        if broken.any():
            yield f"without a value for {name!r} the reference gives a number and the candidate does not"


def _finite(outputs: NDArray[Any]) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    return finite


def _rows(inputs: Mapping[str, NDArray[Any]], row: int) -> Inputs:
    return {name: values[row : row + 1] for name, values in inputs.items()}


def _can_be_missing(inputs: Mapping[str, NDArray[Any]]) -> list[str]:
    return [name for name, values in inputs.items() if values.dtype.kind in "fSOU"]


def _missing_like(values: NDArray[Any]) -> NDArray[Any]:
    """How a missing value reaches a network: NaN for numbers, the empty string for text."""
    if values.dtype.kind == "f":
        return np.full_like(values, np.nan)
    return np.full(values.shape, b"", dtype=object)


def _spec(found: tuple[tuple[int | None, ...], str]) -> str:
    shape, dtype = found
    return f"{dtype}{list(shape)}"
