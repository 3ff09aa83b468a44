import io
import math
from datetime import UTC, datetime

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from support.evaluation import Line
from support.latency import FIGURE
from support.tiny import write_image_network, write_images, write_table, write_table_network

from darwin_core.contracts import (
    DataRoles,
    GateConfig,
    HistoryAction,
    Pointer,
    PointerName,
    Requirement,
    StepName,
    Verdict,
)
from darwin_core.dependency import analyse, narrow, uniform_widths
from darwin_core.errors import NetworkError
from darwin_core.networks import load_network
from darwin_core.progress import Reporter
from darwin_core.registry import move_pointer, read_history
from darwin_core.steps.runner import run_step

LENIENT = GateConfig(
    bootstrap_rounds=200,
    pr_auc_margin=0.05,
    recall_margin=0.05,
    alert_rate_change=0.25,
    alert_overlap=0.7,
    calibration_rise=0.05,
)


@pytest.fixture(autouse=True)
def fixed_latency(request, monkeypatch):
    """Each measurement starts a process that loads TensorFlow: one test measures for real, the others take a figure."""
    if "real_latency" not in request.fixturenames:
        monkeypatch.setattr("darwin_core.steps.evaluation_case.measure_latency", lambda *args, **kwargs: FIGURE)


@pytest.fixture
def real_latency():
    """Marks the test that measures."""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    train, test = (
        write_table(folder / "train.parquet", missing=0.03),
        write_table(folder / "test.parquet", seed=1, rows=1500, missing=0.03),
    )
    reference = write_table_network(folder / "reference.keras", train, epochs=6, units=16)
    roles = DataRoles(label="is_fraud", row_id="row_id", slices=("browser", "age:30,50"))
    return Line.fetch(folder, reference=str(reference), train=str(train), test=str(test), roles=roles)


@pytest.fixture(scope="module")
def reference_path(line):
    return line.store.read(line.fetched.reference.uri).data


@pytest.fixture(scope="module")
def networks(line, reference_path, tmp_path_factory):
    """The reference's equal, a crude half of it, and one without the column that decides nothing."""
    folder = tmp_path_factory.mktemp("candidates")
    path = folder / "reference.keras"
    path.write_bytes(reference_path)
    reference = load_network(path)
    equal = keras.models.clone_model(reference)
    equal.set_weights(reference.get_weights())
    rng = np.random.default_rng(0)
    graph = analyse(reference)
    keep = {
        group: np.sort(rng.choice(graph.groups[group].channels, width, replace=False))
        for group, width in uniform_widths(graph, 0.25).items()
    }
    found = {
        "equal": equal,
        "crude": narrow(reference, keep),
        "blind": narrow(reference, {}, dropped_inputs=("unused",)),
    }
    refs = {}
    for name, model in found.items():
        model.save(folder / f"{name}.keras")
        refs[name] = line.put(folder / f"{name}.keras", f"{name}.keras")
    return refs


def checks(document):
    return {check.check_id: check for check in document.checks}


def test_an_equal_candidate_passes_and_everything_is_written_down(line, networks):
    requirements = (Requirement.parse("parameters<=100000"), Requirement.parse("pr_auc_drop<=0.05"))
    result, evaluation, verdict = line.evaluate("equal", networks["equal"], gate=LENIENT, requirements=requirements)

    assert result.verdict is verdict.verdict is Verdict.PASS, verdict.reasons
    assert verdict.reasons[0].startswith("All ")
    found = checks(verdict)
    assert {"Q1", "Q2", "Q4", "Q5", "Q6", "D1", "I1", "O1", "O2:parameters<=100000", "O2:pr_auc_drop<=0.05"} <= set(
        found
    )
    assert found["Q5"].value == 1.0
    assert verdict.champion_etag is None
    assert verdict.baseline_version is None
    assert [status.met for status in verdict.requirements] == [True, True]
    assert result.metrics["candidate_latency_p95_ms"] == 1.5
    assert any("no number for" in note for note in evaluation.notes), "the reference cannot handle a missing amount"

    assert evaluation.rows == 1500
    assert evaluation.estimates[0].metric == "pr_auc"
    assert evaluation.estimates[0].difference == pytest.approx(0.0, abs=1e-6)
    assert {f"{one.column}={one.value}" for one in evaluation.slices} == {
        "browser=chrome",
        "browser=firefox",
        "browser=safari",
        "age=< 30",
        "age=30 to < 50",
        "age=>= 50",
    }
    assert sum(one.rows for one in evaluation.slices) == 3000
    assert all(2 < len(curve) <= 200 for curve in (*evaluation.roc.values(), *evaluation.precision_recall.values()))
    assert all(math.isfinite(point.threshold) for point in evaluation.roc["candidate"])
    assert np.sum(evaluation.confusion["reference"]) == 1500
    assert evaluation.tfma_validation_ok is None
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert result.metrics["alert_overlap"] == 1.0


def test_the_predictions_are_evidence_that_the_verdict_can_be_checked_with(line, networks):
    result, evaluation, _ = line.evaluate("equal", networks["equal"], gate=LENIENT)
    table = pq.read_table(io.BytesIO(line.store.read(result.predictions.uri).data)).to_pandas()
    assert list(table["row_id"][:2]) == ["test-0", "test-1"]
    assert set(table.columns) == {
        "row_id",
        "label",
        "slice:browser",
        "slice:age",
        *(f"{name}_{what}" for name in ("reference", "candidate") for what in ("score", "predicted", "alerted")),
    }
    assert table["reference_alerted"].sum() == 150
    caught = (table["label"] * table["candidate_alerted"]).sum() / table["label"].sum()
    recall = next(one for one in evaluation.estimates if one.metric == "recall_at_budget")
    assert caught == pytest.approx(recall.candidate)


def test_a_crude_candidate_fails_with_reasons_and_missed_rows(line, networks):
    _, evaluation, verdict = line.evaluate("crude", networks["crude"], gate=LENIENT)
    assert verdict.verdict is Verdict.FAIL
    assert checks(verdict)["Q1"].verdict is Verdict.FAIL
    assert verdict.reasons[0].startswith("Q1: PR-AUC 0.")
    assert 0 < len(evaluation.missed_row_ids) <= 200
    assert evaluation.missed_row_ids[0].startswith("test-")
    assert checks(verdict)["O1"].verdict is Verdict.PASS
    assert any(note.startswith("The networks disagree on") for note in evaluation.notes)


def test_every_look_is_in_the_ledger_and_a_finished_step_looks_no_more(line, networks):
    before = [entry for entry in read_history(line.store, line.uri) if entry.action is HistoryAction.HOLDOUT_LOOK]
    _, _, first = line.evaluate("look-1", networks["equal"], gate=LENIENT)
    result, _, again = line.evaluate("look-1", networks["equal"], gate=LENIENT)
    assert result.reused
    assert again.look == first.look == len(before) + 1
    after = [entry for entry in read_history(line.store, line.uri) if entry.action is HistoryAction.HOLDOUT_LOOK]
    assert len(after) == len(before) + 1
    assert after[-1].subject == first.holdout_sha256
    assert networks["equal"].sha256 in after[-1].detail


def test_a_killed_step_goes_on_with_the_same_look(line, networks, monkeypatch):
    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("darwin_core.steps.evaluate.quality_checks", die)
        with pytest.raises(KeyboardInterrupt):
            line.evaluate("killed", networks["equal"], gate=LENIENT)
    looks = len(read_history(line.store, line.uri))
    line.evaluate("killed", networks["equal"], gate=LENIENT)
    assert len(read_history(line.store, line.uri)) == looks


def test_a_worn_out_hold_out_proves_nothing(line, networks):
    gate = LENIENT.model_copy(update={"holdout_looks": 1})
    line.evaluate("worn-0", networks["equal"], gate=gate)
    _, _, verdict = line.evaluate("worn", networks["equal"], gate=gate)
    assert verdict.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert "draw a fresh one" in verdict.reasons[0]


def test_the_candidate_must_not_be_worse_than_the_champion_either(line, networks, tmp_path):
    champion = Pointer(
        name=PointerName.CHAMPION,
        version="1-0123456789ab",
        manifest_sha256="0" * 64,
        serve_uri=f"{line.uri}/versions/1/serve/",
        network=networks["equal"],
        previous_version=None,
        moved_at=datetime.now(UTC),
        moved_by="test",
    )
    etag = move_pointer(line.store, line.uri, champion, None)
    try:
        _, evaluation, verdict = line.evaluate("night-2", networks["crude"], gate=LENIENT)
        assert verdict.champion_etag == etag
        assert verdict.baseline_version == "1-0123456789ab"
        assert checks(verdict)["B-Q1"].verdict is Verdict.FAIL
        assert "champion" in checks(verdict)["B-Q1"].reason
        assert evaluation.baseline_estimates[0].metric == "pr_auc"
        assert "champion" in evaluation.roc
    finally:
        line.store.delete(f"{line.uri}/pointers/champion.json")


def test_dropped_inputs_are_fine_when_the_search_dropped_them_on_purpose(line, networks):
    _, _, meant = line.evaluate("meant", networks["blind"], gate=LENIENT, dropped_inputs=("unused",))
    assert checks(meant)["O1"].verdict is Verdict.PASS
    assert "unused" in checks(meant)["O1"].reason
    _, _, lost = line.evaluate("lost", networks["blind"], gate=LENIENT)
    assert lost.verdict is Verdict.FAIL
    assert "'unused' is missing" in checks(lost)["O1"].reason


def test_a_network_of_another_task_is_refused_before_the_hold_out_is_opened(line, networks, tmp_path):
    value = keras.Input((1,), name="something_else")
    stranger = keras.Model(value, keras.layers.Dense(1, activation="sigmoid")(value))
    stranger.save(tmp_path / "stranger.keras")
    looks = len(read_history(line.store, line.uri))
    with pytest.raises(NetworkError, match="something_else"):
        line.evaluate("stranger", line.put(tmp_path / "stranger.keras", "stranger.keras"))
    assert len(read_history(line.store, line.uri)) == looks


def test_pictures_are_judged_by_accuracy(tmp_path):
    train, test = write_images(tmp_path / "train.parquet", rows=300), write_images(tmp_path / "test.parquet", seed=1)
    reference = write_image_network(tmp_path / "reference.keras", train, epochs=2)
    line = Line.fetch(
        tmp_path, reference=str(reference), train=str(train), test=str(test), roles=DataRoles(label="label")
    )
    gate = GateConfig(bootstrap_rounds=200)
    _, evaluation, verdict = line.evaluate("pictures", line.fetched.reference, gate=gate)
    assert checks(verdict)["Q0"].verdict is Verdict.PASS, checks(verdict)["Q0"].reason
    assert verdict.verdict is Verdict.PASS
    assert [one.metric for one in evaluation.estimates] == ["accuracy", "ece"]
    assert evaluation.class_names == ("0", "1", "2")
    assert evaluation.roc == {}


@pytest.mark.slow
def test_tfma_gives_a_second_opinion_on_the_same_predictions(line, networks, real_latency):
    request = line.request("tfma", networks["equal"], gate=LENIENT, tfma_rows=1000)
    run_step(StepName.EVALUATE, request, reporter=Reporter(), work_root=line.work)
    _, evaluation, verdict = line.evaluate("tfma", networks["equal"], gate=LENIENT, tfma_rows=1000)
    assert verdict.verdict is Verdict.PASS
    assert evaluation.tfma_validation_ok is True
    assert evaluation.tfma_rows == 1000
    for cost in (verdict.reference_cost, verdict.candidate_cost):
        assert cost.latency.calls == 200
        assert 0 < cost.latency.p50_ms != 1.0
    assert any("1,000 of 1,500" in note for note in evaluation.notes)
    stored = {item.uri.rpartition("/")[2] for item in line.store.list(f"{line.uri}/runs/tfma/evaluate/tfma")}
    assert {"eval_config.json", "validations.tfrecord"} <= stored
