from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from darwin_core.contracts import DataRoles, DataSource, NetworkInput, Task
from darwin_core.demo.data import write_demo_data
from darwin_core.demo.reference import (
    OUTPUT_NAME,
    Recipe,
    TrainedReference,
    build_table_reference,
    train_reference,
    train_table_reference,
)
from darwin_core.demo.tables import TableColumn, read_table
from darwin_core.dependency import analyse, narrow
from darwin_core.errors import DataError
from darwin_core.networks import load_network, network_inputs, output_kind
from darwin_core.progress import Reporter

SMALL = Recipe(widths=(16, 8), learning_rate=1e-2, epochs=6, batch_size=64)
ROWS = 1000
ROLES = DataRoles(label="y", positive_label="yes", row_id="id")


def mixed_table(path: Path, label: str = "y") -> Path:
    """Numbers with gaps, flags, words and many-valued words; `amount` and `browser` decide."""
    rng = np.random.default_rng(0)
    amount, browser = rng.normal(size=ROWS), rng.choice(["chrome", "ie", "opera"], ROWS)
    score = 2 * amount + 1.5 * (browser == "ie") + 0.3 * rng.normal(size=ROWS)
    labels = {"y": np.where(score > 1, "yes", "no"), "value": score, "three": np.digitize(score, [-1, 1])}
    table = {
        "id": np.arange(ROWS),
        "amount": pa.array(1000 + 300 * amount, mask=rng.random(ROWS) < 0.05),
        "emp.var rate": rng.integers(0, 5, ROWS),
        "flag": rng.random(ROWS) < 0.5,
        "browser": pa.array(browser, mask=rng.random(ROWS) < 0.05),
        "city": rng.choice([f"city {n}" for n in range(30)], ROWS),
        "when": pa.array(np.arange(ROWS), pa.timestamp("s")),
        label: labels[label],
    }
    pq.write_table(pa.table(table), path)
    return path


def tensors(path: Path, roles: DataRoles, rows: int) -> dict[str, tf.Tensor]:
    table = read_table(DataSource(uri=str(path)), roles)
    return {name: tf.constant(values[:rows]) for name, values in table.values.items()}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixed_table(tmp_path_factory.mktemp("table") / "rows.parquet")


@pytest.fixture(scope="module")
def trained(table: Path) -> TrainedReference:
    return train_table_reference(
        DataSource(uri=str(table)), ROLES, table.with_name("r.keras"), Reporter(), recipe=SMALL, output_name="fraud"
    )


def test_a_reference_learns_a_mixed_table_and_survives_saving(trained: TrainedReference) -> None:
    assert trained.validation["pr_auc"] > 0.85
    model = load_network(trained.path)
    assert {item.name for item in network_inputs(model)} == {"amount", "emp.var rate", "flag", "browser", "city"}
    assert model.get_layer("fraud").units == 1
    kind = output_kind(model, trained.path)
    assert (kind.task, kind.from_logits) == (Task.BINARY, False)
    assert trained.parameters == model.count_params()


def test_missing_and_unseen_values_give_ordinary_predictions(table: Path, trained: TrainedReference) -> None:
    model = load_network(trained.path)
    inputs = tensors(table, ROLES, 4)
    inputs["amount"] = tf.constant([[np.nan], [1e30], [-1e30], [1000.0]])
    inputs["browser"] = tf.constant([[b""], [b"netscape"], [b"ie"], [b"ie"]])
    assert np.isfinite(np.asarray(model(inputs))).all()


@pytest.mark.parametrize(("label", "regression", "units"), [("three", False, 3), ("value", True, 1)])
def test_other_tasks_get_their_own_outputs(tmp_path: Path, label: str, *, regression: bool, units: int) -> None:
    path = mixed_table(tmp_path / "rows.parquet", label)
    trained = train_table_reference(
        DataSource(uri=str(path)),
        DataRoles(label=label, row_id="id"),
        tmp_path / "r.keras",
        Reporter(),
        recipe=replace(SMALL, epochs=1),
        regression=regression,
    )
    kind = output_kind(load_network(trained.path), trained.path)
    assert kind.task is (Task.REGRESSION if regression else Task.MULTICLASS)
    assert kind.units == units


def test_the_reference_can_be_narrowed_and_forgets_dropped_columns() -> None:
    columns = [TableColumn("a", has_missing=True), TableColumn("b", mean=3.0), TableColumn("s", words=("x", "y"))]
    model = build_table_reference(columns, 2, widths=(16, 8))
    graph = analyse(model)
    assert [frozen.name for frozen in graph.frozen] == ["prediction"]
    smaller = narrow(model, {"dense_1": np.arange(4)}, dropped_inputs=("b",), graph=graph)
    assert {item.name for item in network_inputs(smaller)} == {"a", "s"}
    rows = {"a": tf.constant([[np.nan]]), "s": tf.constant([[b"x"]])}
    assert np.isfinite(np.asarray(smaller(rows))).all()


def test_a_column_without_any_value_does_no_harm(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.nulls(40), "b": [1.0, 2.0] * 20, "y": [0, 1] * 20}), tmp_path / "rows.parquet")
    table = read_table(DataSource(uri=str(tmp_path / "rows.parquet")), DataRoles(label="y"))
    assert [(column.name, column.has_missing) for column in table.columns] == [("a", True), ("b", False)]
    model = build_table_reference(table.columns, 2, widths=(4,))
    inputs = {name: tf.constant(values) for name, values in table.values.items()}
    assert np.isfinite(np.asarray(model(inputs))).all()


def test_a_table_without_usable_columns_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [0, 1]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="0 usable columns"):
        read_table(DataSource(uri=str(tmp_path / "rows.parquet")), DataRoles(label="y"))


@pytest.mark.slow
def test_the_demo_reference_is_as_good_as_others_report_for_this_table(tmp_path: Path) -> None:
    train, _, test = write_demo_data(tmp_path)
    trained = train_reference(train, tmp_path / "reference.keras", Reporter())
    assert 300_000 < trained.parameters < 700_000
    model = load_network(trained.path)
    assert model.output_names == [OUTPUT_NAME]
    table = read_table(DataSource(uri=str(test)), DataRoles(label="default.payment.next.month", row_id="ID"))
    scores = np.asarray(model({name: tf.constant(values) for name, values in table.values.items()}))[:, 0]
    metric = keras.metrics.AUC(curve="PR", num_thresholds=2000)
    metric.update_state(table.labels, scores)
    assert 0.53 < float(metric.result()) < 0.58


def test_inputs_carry_the_kinds_of_the_columns(table: Path) -> None:
    columns = read_table(DataSource(uri=str(table)), ROLES).columns
    found = {item.name: item for item in network_inputs(build_table_reference(columns, 2, widths=(4,)))}
    assert found["city"] == NetworkInput(name="city", shape=(1,), dtype="string")
    assert found["flag"] == NetworkInput(name="flag", shape=(1,), dtype="float32")
    assert "when" not in found  # times are no features of this network
