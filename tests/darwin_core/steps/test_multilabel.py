"""A network with several labels through all five steps: a table to the end, pictures as far as they differ."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, f1_score
from support.evaluation import JudgedCandidate, Line
from support.runs import FinishedRun

from darwin_core.contracts import (
    CompactionConfig,
    CompactionReport,
    DataRoles,
    DataSource,
    Evaluation,
    Explanation,
    ExportFormat,
    FindingKind,
    GateConfig,
    Insights,
    SearchBudget,
    Verdict,
    VerdictDocument,
)
from darwin_core.networks import load_network

pytestmark = pytest.mark.usefixtures("fixed_latency")

LABELS = ("rain", "wind", "fog")
COLUMNS = tuple(f"x{index}" for index in range(5))
GATE = GateConfig(bootstrap_rounds=200, pr_auc_margin=0.2, f1_margin=0.2, calibration_rise=0.2, slice_margin=0.3)
"""A few hundred rows prove little: this is about what is measured, not about tight bounds."""


def weather(path: Path, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Five numbers and three labels; the fog gives itself away in ``x3``."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(COLUMNS))).astype(np.float32)
    signal = np.stack([values[:, 0] + 0.5 * values[:, 1], values[:, 1] - values[:, 2], 3 * values[:, 3] - 2], axis=1)
    labels = (signal + 0.3 * rng.normal(size=signal.shape) > 0.3).astype(np.int64)
    columns = {name: values[:, index] for index, name in enumerate(COLUMNS)}
    columns["region"] = rng.choice(["north", "south"], rows)
    columns |= {name: labels[:, index] for index, name in enumerate(LABELS)}
    pq.write_table(pa.table(columns), path)
    return values, labels


def reference(path: Path, values: np.ndarray, labels: np.ndarray) -> Path:
    keras.utils.set_random_seed(0)
    x = vector = keras.Input((len(COLUMNS),), name="weather")
    for index in range(2):
        x = keras.layers.Dense(48, activation="relu", name=f"hidden_{index}")(x)
    network = keras.Model(vector, keras.layers.Dense(len(LABELS), name="labels")(x))
    network.compile(keras.optimizers.Adam(5e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    network.fit(values, labels.astype("float32"), epochs=8, batch_size=64, verbose=0)
    network.save(path)
    return path


class Finished(FinishedRun):
    """A run that is over."""

    def __init__(self, folder: Path) -> None:
        values, labels = weather(folder / "train.parquet", 1_200, 0)
        self.test = weather(folder / "test.parquet", 900, 1)
        config = CompactionConfig(
            line=str(folder / "line"),
            reference=str(reference(folder / "reference.keras", values, labels)),
            train=DataSource(uri=str(folder / "train.parquet")),
            test=DataSource(uri=str(folder / "test.parquet")),
            roles=DataRoles(label=LABELS[0], more_labels=LABELS[1:], exclude=("region",), slices=("region",)),
            budget=SearchBudget(generations=1, offspring=1, generation_samples=6_000, final_samples=12_000),
            requirements=("parameters<=1200", "pr_auc_drop<=0.05", "f1_drop<=0.1", "f1>=0.5"),
            gate=GATE,
            exports=(ExportFormat.LITERT_FLOAT16,),
        )
        super().__init__(config, folder / "work")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("multilabel"))


def test_a_smaller_network_is_found_blessed_and_published(finished: Finished) -> None:
    summary = finished.summary
    assert summary.verdict is Verdict.PASS
    assert summary.published
    assert summary.candidate.parameters <= 1_200 < summary.reference.parameters
    checks = VerdictDocument.from_json(finished.read("evaluate/verdict.json")).checks
    ids = {check.check_id for check in checks}
    assert {"Q1", "Q3", "Q6", "O1", "O2:f1_drop<=0.1", "O2:f1>=0.5", "S1:label=fog", "S1:region=north"} <= ids
    assert not ids & {"Q0", "Q2", "Q4", "Q5", "Q8", "D1"}


def test_the_figures_are_those_of_the_published_network(finished: Finished) -> None:
    values, labels = finished.test
    network = load_network(finished.line / "runs" / "r" / "synthesize" / "candidate.keras")
    scores = 1 / (1 + np.exp(-network.predict(values, verbose=0).astype(np.float64)))
    evaluation = Evaluation.from_json(finished.read("evaluate/evaluation.json"))
    found = {estimate.metric: estimate.candidate for estimate in evaluation.estimates}
    assert found["pr_auc"] == pytest.approx(average_precision_score(labels, scores, average="macro"), abs=1e-4)
    assert found["f1"] == pytest.approx(f1_score(labels, scores >= 0.5, average="micro"), abs=1e-3)
    assert found["pr_auc"] > 0.8
    by_label = {item.value: item for item in evaluation.slices if item.column == "label"}
    assert list(by_label) == list(LABELS)
    assert by_label["wind"].positives == labels[:, 1].sum()
    assert evaluation.class_names == LABELS
    predictions = pq.read_table(finished.line / "runs" / "r" / "evaluate" / "predictions.parquet")
    np.testing.assert_allclose(predictions["candidate_score.fog"].to_numpy(), scores[:, 2], atol=1e-4)


def test_importance_is_known_for_each_label(finished: Finished) -> None:
    insights = Insights.from_json(finished.read("synthesize/insights.json"))
    assert all(len(group.class_response) == len(LABELS) for group in insights.groups)
    assert max(insights.input_use, key=insights.input_use.__getitem__) != "x4"
    assert min(insights.input_use, key=insights.input_use.__getitem__) == "x4"


def test_the_export_is_held_against_the_network(finished: Finished) -> None:
    report = CompactionReport.from_json(finished.read("explain/report.json"))
    (export,) = report.search.exports
    assert export.problem is None
    assert export.metric == "pr_auc"
    assert export.quality == pytest.approx(export.network_quality, abs=0.02)
    assert export.decision_agreement is not None
    assert export.decision_agreement > 0.98


def test_the_report_explains_and_says_what_it_leaves_out(finished: Finished) -> None:
    report = CompactionReport.from_json(finished.read("explain/report.json"))
    explanation = report.explanation
    assert {feature.feature for feature in explanation.features} == set(COLUMNS)
    assert explanation.features[-1].feature == "x4"
    assert {check.check_id for check in explanation.checks} == {"X1", "X2"}
    assert "likeliest" in explanation.method
    assert "shortcuts" not in explanation.checks_run
    shown = {part for example in explanation.row_examples for part in example.predicted.split(", ")}
    assert shown <= {*LABELS, "no label"}
    assert all(example.counterfactual is None for example in explanation.row_examples)
    leaks = [finding for finding in explanation.findings if finding.kind is FindingKind.LEAKING_COLUMN]
    assert any(finding.columns == ("x3",) and "label fog" in finding.description for finding in leaks)
    page = finished.read("explain/report.html").decode()
    assert "A row can have several labels" in page
    assert "rain, wind, fog" in page


def test_the_model_card_names_the_labels(finished: Finished) -> None:
    (card,) = finished.line.rglob("model_card.md")
    assert "which of the labels `rain`, `wind`, `fog` a row has" in card.read_text()


def bars(path: Path, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures with a bright bar at the left, at the right, at both sides or at none."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (rows, 2))
    images = rng.integers(0, 90, (rows, 12, 12, 1), dtype=np.uint8)
    for image, (left, right) in zip(images, labels, strict=True):
        image[:, :4] += np.uint8(120 * left)
        image[:, 8:] += np.uint8(120 * right)
    np.savez(path, image=images, left=labels[:, 0], right=labels[:, 1])
    return images, labels


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    """What explain says of a reference that stands in for its own candidate."""
    folder = tmp_path_factory.mktemp("pictures")
    images, labels = bars(folder / "train.npz", 500, 0)
    bars(folder / "test.npz", 200, 1)
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 1), name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    network = keras.Model(image, keras.layers.Dense(2, activation="sigmoid", name="sides")(x))
    network.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    network.fit(images.astype("float32"), labels.astype("float32"), epochs=5, batch_size=32, verbose=0)
    path = folder / "reference.keras"
    network.save(path)
    line = Line.fetch(
        folder,
        reference=str(path),
        train=str(folder / "train.npz"),
        test=str(folder / "test.npz"),
        roles=DataRoles(label="left", more_labels=("right",)),
    )
    candidate = line.put(path, "candidate.keras")
    return JudgedCandidate(line, candidate, gate=GATE).explain("explained")[1]


def test_pictures_are_explained_by_their_likeliest_label(pictures: Explanation) -> None:
    assert "log-odds behind the probability of the label" in pictures.method
    assert pictures.map_agreement == pytest.approx(1.0), "both networks are one"
    assert pictures.image_examples
    names = {"left", "right", "left, right", "no label"}
    assert {example.label for example in pictures.image_examples} <= names
    assert {example.predicted for example in pictures.image_examples} <= names
    assert [check.check_id for check in pictures.checks] == ["X2"]
    assert pictures.notes
