import keras
import numpy as np
import pytest

from darwin_core.contracts import Verdict
from darwin_core.data import MappedSplit
from darwin_core.evaluation.scoring import LoadedNetwork
from darwin_core.evaluation.serving import serving_check
from darwin_core.networks import network_inputs, output_kind


@keras.saving.register_keras_serializable("darwin-tests")
class Moody(keras.layers.Layer):
    """Adds another number at every call."""

    def call(self, values):
        return values + keras.random.uniform(keras.ops.shape(values))


@keras.saving.register_keras_serializable("darwin-tests")
class Sociable(keras.layers.Layer):
    """Looks at the other rows of the batch."""

    def call(self, values):
        return values - keras.ops.mean(values, axis=0, keepdims=True)


@keras.saving.register_keras_serializable("darwin-tests")
class Imputed(keras.layers.Layer):
    """Zero for a missing number."""

    def call(self, values):
        return keras.ops.where(keras.ops.isnan(values), 0.0, values)


def network(name, *, columns=("a", "b"), extra=None, impute=True, activation="sigmoid", units=1):
    keras.utils.set_random_seed(0)
    inputs = {column: keras.Input((1,), name=column) for column in columns}
    x = keras.layers.Concatenate()(list(inputs.values()))
    x = Imputed()(x) if impute else x
    x = keras.layers.Dense(4)(x)
    x = extra(x) if extra else x
    model = keras.Model(inputs, keras.layers.Dense(units, activation=activation)(x))
    model.compile(loss="binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy")
    return LoadedNetwork(name, "0" * 64, None, model, output_kind(model), network_inputs(model))


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    inputs = {column: rng.normal(size=(300, 1)).astype(np.float32) for column in ("a", "b", "c")}
    return MappedSplit(
        inputs=inputs,
        input_types={name: values.dtype for name, values in inputs.items()},
        labels=np.zeros(300, np.int32),
        weights=None,
        row_ids=[str(row) for row in range(300)],
    )


def judge(candidate, split, *, dropped=(), bad_rows=0, reference=None):
    return serving_check(
        reference or network("reference"), candidate, split, dropped_inputs=dropped, not_finite_rows=bad_rows
    )


def test_a_network_keeps_its_own_contract(split):
    check = judge(network("candidate"), split)
    assert check.verdict is Verdict.PASS, check.reason


@pytest.mark.parametrize(
    ("candidate", "complaint"),
    [
        (lambda: network("c", columns=("a",)), "input 'b' is missing"),
        (lambda: network("c", columns=("a", "b", "c")), "input 'c' is unknown to the reference"),
        (lambda: network("c", extra=Moody()), "two calls with the same rows differ"),
        (lambda: network("c", extra=Sociable()), "a row alone and the same row in a batch differ"),
        (lambda: network("c", impute=False), "without a value for 'a' the reference gives a number"),
        (lambda: network("c", activation="linear"), "the output leaves the range of probabilities"),
        (lambda: network("c", activation="softmax", units=2), "the output is float32[None, 2]"),
    ],
    ids=["missing", "unknown", "random", "batch", "NaN", "logits", "units"],
)
def test_broken_contracts(candidate, complaint, split):
    check = judge(candidate(), split)
    assert check.verdict is Verdict.FAIL
    assert complaint in check.reason


def test_what_the_search_dropped_may_be_missing(split):
    check = judge(network("c", columns=("a",)), split, dropped=("b",))
    assert check.verdict is Verdict.PASS
    assert "dropped the inputs b on purpose" in check.reason


def test_a_reference_that_cannot_handle_missing_values_asks_no_more_of_the_candidate(split):
    check = judge(network("c", impute=False), split, reference=network("reference", impute=False))
    assert check.verdict is Verdict.PASS


def test_rows_without_a_number_break_the_contract(split):
    check = judge(network("c"), split, bad_rows=3)
    assert "on 3 hold-out rows" in check.reason
