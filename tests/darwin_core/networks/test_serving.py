"""Networks at work: predictions, latency in a process of its own, SavedModels."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from support.zoo import SPECIMENS, sample

from darwin_core.dependency import narrow
from darwin_core.errors import BindingError, StepError
from darwin_core.networks import (
    Predictor,
    export_serving,
    measure_latency,
    network_inputs,
    save_network,
    signature_names,
)


@pytest.mark.parametrize("specimen", ["prepared", "shared", "mlp", "sequential"])
def test_predictions_do_not_depend_on_the_batch(specimen: str) -> None:
    predict = Predictor(SPECIMENS[specimen].make())
    rows = sample(SPECIMENS[specimen].make(), rows=7)
    whole = predict(rows)
    assert whole.shape == (7, 2)
    np.testing.assert_allclose(predict(rows, batch_size=3), whole, rtol=1e-5)
    assert predict({name: array[:0] for name, array in rows.items()}).shape == (0, 2)


def test_all_kinds_of_arrays_are_taken() -> None:
    model = SPECIMENS["embedded"].make()
    predict = Predictor(model)
    amount = np.asarray([0.1, 0.2])
    expected = predict({"word": np.asarray([["red"], ["?"]], dtype=object), "amount": amount[:, None]})
    for word in (np.asarray(["red", "?"]), np.asarray([b"red", b"?"]), np.asarray([[b"red"], [b"?"]], dtype=object)):
        np.testing.assert_array_equal(predict({"word": word, "amount": amount, "unused": amount}), expected)


def test_wrong_arrays_are_refused() -> None:
    predict = Predictor(SPECIMENS["embedded"].make())
    with pytest.raises(BindingError, match="Expected values for input 'word', got amount"):
        predict({"amount": np.zeros((2, 1))})
    with pytest.raises(BindingError, match=r"Input 'amount': expected shape \(rows, 1\), got \(2, 3\)"):
        predict({"amount": np.zeros((2, 3)), "word": np.asarray([["a"], ["b"]])})


def test_inputs_have_the_names_of_the_file() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    (only,) = network_inputs(model)
    assert only.name == model._functional.layers[0].name
    assert Predictor(model)({only.name: np.zeros((2, 3))}).shape == (2, 1)


def test_latency(tmp_path: Path) -> None:
    model = SPECIMENS["embedded"].make()
    save_network(model, tmp_path / "net.keras")
    latency = measure_latency(tmp_path / "net.keras", sample(model), threads=1, calls=30, warmup=3)
    assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms
    assert (latency.threads, latency.calls, latency.batch_size) == (1, 30, 1)


def test_latency_of_what_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="there is no such file"):
        measure_latency(tmp_path / "none.keras", {"x": np.zeros((1, 1))})


@pytest.mark.parametrize("specimen", ["embedded", "shared", "mlp"])
def test_a_saved_model_takes_tensors_by_name(specimen: str, tmp_path: Path) -> None:
    model = SPECIMENS[specimen].make()
    export_serving(model, tmp_path / "1")
    signature = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    rows = sample(model)
    served = signature(**{name: _tensor(array) for name, array in rows.items()})
    assert list(served) == ["output"]
    np.testing.assert_allclose(served["output"], Predictor(model)(rows), rtol=1e-5)


def test_a_candidate_without_a_column_takes_the_same_call(tmp_path: Path) -> None:
    model = SPECIMENS["embedded"].make()
    small = narrow(model, {}, dropped_inputs=["word"])
    export_serving(small, tmp_path / "1", inputs=network_inputs(model))
    signature = tf.saved_model.load(tmp_path / "1").signatures["serving_default"]
    rows = sample(model)
    served = signature(**{name: _tensor(array) for name, array in rows.items()})
    np.testing.assert_allclose(served["output"], Predictor(small)(rows), rtol=1e-5)


def _tensor(array: np.ndarray) -> tf.Tensor:
    return tf.constant(array, tf.string) if array.dtype == object else tf.constant(array)


SPREADSHEET = ("amount per day", "file", "Age", "age", "€")


def test_columns_named_as_people_name_them_can_be_served_and_timed(tmp_path: Path) -> None:
    given = {name: keras.Input((1,), name=name) for name in SPREADSHEET}
    model = keras.Model(given, layers.Dense(1)(layers.Concatenate()(list(given.values()))))
    served = signature_names(SPREADSHEET)
    assert list(served.values()) == ["amount_per_day", "file", "Age", "age_2", "input_"]
    export_serving(model, tmp_path / "saved")
    rows = {name: np.full((2, 1), place, np.float32) for place, name in enumerate(SPREADSHEET)}
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    found = serve(**{served[name]: tf.constant(values) for name, values in rows.items()})["output"]
    np.testing.assert_allclose(found, Predictor(model)(rows), rtol=1e-5)
    save_network(model, tmp_path / "net.keras")
    assert measure_latency(tmp_path / "net.keras", rows, calls=5, warmup=1).p50_ms > 0
