"""The whole way: conversion, the format's own process, the comparison; and what is said where it does not work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from darwin_core.arrays import load_arrays, save_arrays
from darwin_core.contracts import ExportFormat, ExportRecord, OutputKind, Task
from darwin_core.errors import MissingExtraError, NetworkError, StepError
from darwin_core.exports.core import numeric_core
from darwin_core.exports.exporting import LOOKUPS, export_network, made_up_rows, spread
from darwin_core.exports.formats.litert import LiteRtFloat16
from darwin_core.exports.formats.onnx import Onnx
from darwin_core.exports.measuring import TrialRows, compared
from darwin_core.exports.processes import run_module
from darwin_core.networks import network_inputs
from darwin_core.progress import Reporter

BINARY = OutputKind(task=Task.BINARY, units=1, from_logits=False)
CLASSES = OutputKind(task=Task.MULTICLASS, units=3, from_logits=True)
NUMBER = OutputKind(task=Task.REGRESSION, units=1, from_logits=False)
RECORD = ExportRecord(format=ExportFormat.ONNX, runtime="r 1")


def network() -> keras.Model:
    word, amount = keras.Input((1,), name="file", dtype="string"), keras.Input((1,), name="amount-per-day")
    index = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(word)
    joined = keras.layers.Concatenate()([index, amount])
    hidden = keras.layers.Dense(8, "relu")(joined)
    return keras.Model({"file": word, "amount-per-day": amount}, keras.layers.Dense(1, activation="sigmoid")(hidden))


def test_one_export_the_whole_way(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = network()
    rows = made_up_rows(network_inputs(model))
    (record,) = export_network(
        model, BINARY, [ExportFormat.LITERT_INT8], tmp_path, rows=rows, calibration=rows.inputs, reporter=Reporter()
    )
    assert record.problem is None
    assert record.file is not None
    assert record.file_bytes == (tmp_path / record.file).stat().st_size
    assert (tmp_path / LOOKUPS).exists()
    assert record.max_score_difference is not None
    assert 0 < record.max_score_difference < 0.2
    assert (record.rows, record.real_rows, record.metric, record.batch_size) == (256, False, None, 1)
    assert record.latency is not None
    assert 0 < record.latency.p50_ms <= record.latency.p95_ms


def test_what_cannot_be_converted_is_said_per_format(tmp_path: Path) -> None:
    sequence = keras.Input((None, 2), name="sequence")  # LiteRT needs a fixed length
    model = keras.Model(sequence, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(sequence)))
    rows = made_up_rows(network_inputs(model))
    (tmp_path / "int8.tflite").write_text("of an earlier network")
    (record,) = export_network(
        model, NUMBER, [ExportFormat.LITERT_INT8], tmp_path, rows=rows, calibration=None, reporter=Reporter()
    )
    assert record.problem is not None
    assert "needs training rows" in record.problem
    assert (record.file, list(tmp_path.iterdir())) == (None, [])
    with pytest.raises(NetworkError, match="input 'sequence' has the shape"):
        LiteRtFloat16().convert(numeric_core(model).network, tmp_path / "float16.tflite", None)


def test_a_network_without_a_core_fails_in_every_format(tmp_path: Path) -> None:
    word = keras.Input((1,), name="word", dtype="string")
    model = keras.Model(word, keras.layers.StringLookup(vocabulary=["a"], output_mode="one_hot")(word))
    formats = [ExportFormat.LITERT_FLOAT16, ExportFormat.LITERT_INT8]
    rows = made_up_rows(network_inputs(model))
    records = export_network(model, CLASSES, formats, tmp_path, rows=rows, calibration=None, reporter=Reporter())
    assert [record.format for record in records] == formats
    assert all("ends in a look-up" in (record.problem or "") for record in records)


@pytest.mark.slow
def test_a_converter_that_crashes_takes_nothing_with_it(tmp_path: Path) -> None:
    sequence = keras.Input((5, 4), name="sequence")  # TensorFlow 2.21 dies of a segmentation fault on this one
    model = keras.Model(sequence, keras.layers.Dense(1)(keras.layers.LSTM(6)(sequence)))
    rows = made_up_rows(network_inputs(model))
    (record,) = export_network(
        model, NUMBER, [ExportFormat.LITERT_INT8], tmp_path, rows=rows, calibration=rows.inputs, reporter=Reporter()
    )
    assert record.problem is None or "crashed (SIG" in record.problem or "cannot be converted" in record.problem


def test_a_missing_package_names_its_extra() -> None:
    class Elsewhere(Onnx):
        packages = ("numpy", "no_such_package")

    with pytest.raises(MissingExtraError, match=r"needs no_such_package.*darwin-mlops\[onnx\]"):
        Elsewhere().check_installed()


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_a_missing_format_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"darwin-mlops\[torch\]"):
        export_network(
            network(),
            BINARY,
            [ExportFormat.TORCH],
            tmp_path / "new",
            rows=TrialRows({}),
            calibration=None,
            reporter=Reporter(),
        )
    assert not (tmp_path / "new").exists()


def test_classes_are_compared_by_scores_and_decisions() -> None:
    ours = np.asarray([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [1.0, 0.0, 0.0]])
    theirs = ours.copy()
    theirs[3] = [0.0, 1.0, 0.0]
    rows = TrialRows({}, labels=np.asarray([0, 1, 2, 0]))
    found = compared(RECORD, CLASSES, rows, (ours, theirs), alert_budget=0.1)
    assert (found.rows, found.decision_agreement) == (4, 0.75)
    assert (found.metric, found.network_quality, found.quality) == ("accuracy", 1.0, 0.75)
    assert found.max_score_difference == pytest.approx((np.e - 1) / (np.e + 2))


def test_alerts_are_compared_at_the_threshold_of_the_network() -> None:
    ours = np.linspace(0, 0.3, 10)  # no score reaches one half, and still two of ten rows are alerted
    theirs = ours.copy()
    theirs[[0, 9]] = theirs[[9, 0]]
    found = compared(RECORD, BINARY, TrialRows({}), (ours, theirs), alert_budget=0.2)
    assert found.decision_agreement == pytest.approx(0.8)
    assert found.metric is None


def test_numbers_have_no_decisions() -> None:
    ours = np.asarray([1.0, 2.0, 3.0])
    found = compared(RECORD, NUMBER, TrialRows({}, labels=ours), (ours, ours + 1), alert_budget=0.1)
    assert (found.decision_agreement, found.max_score_difference, found.quality) == (None, 1.0, 1.0)
    assert (found.metric, found.network_quality) == ("rmse", 0.0)


def test_rows_without_an_answer_are_told_apart() -> None:
    ours = np.asarray([0.1, np.nan, 0.3, 0.4])
    theirs = np.asarray([0.1, 0.2, np.nan, 0.4])
    found = compared(RECORD, BINARY, TrialRows({}), (ours, theirs), alert_budget=0.5)
    assert found.rows == 2
    assert found.problem == "On 1 rows the network gives a number and the export does not."
    nothing = compared(RECORD, BINARY, TrialRows({}), (ours[1:2], theirs[1:2]), alert_budget=0.5)
    assert nothing.rows == 0
    assert nothing.problem is not None


def test_processes_say_what_went_wrong() -> None:
    with pytest.raises(StepError, match=r"No module named darwin_core\.no_such_module"):
        run_module("darwin_core.no_such_module")


def test_arrays_travel_under_any_name(tmp_path: Path) -> None:
    arrays = {"file": np.zeros((2, 1), "float32"), "a/b c": np.arange(3)}
    save_arrays(tmp_path / "x.npz", arrays)
    found = load_arrays(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_positions_are_spread_over_all_rows() -> None:
    assert spread(3, 10).tolist() == [0, 1, 2]
    assert spread(1000, 3).tolist() == [0, 499, 999]
