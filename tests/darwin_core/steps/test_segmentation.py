"""A network with a class at every pixel through all five steps."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score
from support.runs import FinishedRun

from darwin_core.contracts import (
    CompactionConfig,
    CompactionReport,
    DataRoles,
    DataSource,
    Evaluation,
    ExportFormat,
    GateConfig,
    SearchBudget,
    Verdict,
    VerdictDocument,
)
from darwin_core.networks import load_network

pytestmark = pytest.mark.usefixtures("fixed_latency")

SIDE, CLASSES = 12, 3
GATE = GateConfig(bootstrap_rounds=200, accuracy_margin=0.1, mean_iou_margin=0.2, slice_margin=None)


def scenes(path: Path, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A red and a blue block on grey noise, and the mask that tells them from the ground."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 110, (rows, SIDE, SIDE, 3), dtype=np.uint8)
    masks = np.zeros((rows, SIDE, SIDE), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        for index, channel in ((1, 0), (2, 2)):
            top, left = rng.integers(0, SIDE - 5, 2)
            block = np.s_[top : top + 5, left : left + 5]
            image[block] = image[block] // 2
            image[(*block, channel)] += 150
            mask[block] = index
    np.savez(path, image=images, mask=masks)
    return images, masks


def reference(path: Path, images: np.ndarray, masks: np.ndarray) -> Path:
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = skip = keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="down")(x)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="deep")(keras.layers.MaxPooling2D()(x))
    x = keras.layers.Concatenate()([keras.layers.UpSampling2D()(x), skip])
    x = keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="up")(x)
    network = keras.Model(image, keras.layers.Conv2D(CLASSES, 1, name="classes")(x))
    network.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images.astype("float32"), masks, epochs=5, batch_size=32, verbose=0)
    network.save(path)
    return path


class Finished(FinishedRun):
    """A run that is over."""

    def __init__(self, folder: Path) -> None:
        images, masks = scenes(folder / "train.npz", 400, 0)
        self.test = scenes(folder / "test.npz", 200, 1)
        config = CompactionConfig(
            line=str(folder / "line"),
            reference=str(reference(folder / "reference.keras", images, masks)),
            train=DataSource(uri=str(folder / "train.npz")),
            test=DataSource(uri=str(folder / "test.npz")),
            roles=DataRoles(label="mask"),
            budget=SearchBudget(generations=1, offspring=1, generation_samples=1_500, final_samples=3_000),
            requirements=("parameters<=6000", "mean_iou_drop<=0.2", "mean_iou>=0.4"),
            gate=GATE,
            exports=(ExportFormat.LITERT_FLOAT16,),
        )
        super().__init__(config, folder / "work")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("segmentation"))


def test_a_smaller_network_is_found_and_published(finished: Finished) -> None:
    summary = finished.summary
    assert summary.verdict is Verdict.PASS
    assert summary.published
    assert summary.candidate.parameters <= 6_000 < summary.reference.parameters
    ids = {check.check_id for check in VerdictDocument.from_json(finished.read("evaluate/verdict.json")).checks}
    assert {"Q0", "Q9", "O1", "O2:mean_iou_drop<=0.2", "O2:mean_iou>=0.4"} <= ids
    assert not ids & {"Q1", "Q2", "Q6", "D1"}


def test_the_figures_are_those_of_the_published_network(finished: Finished) -> None:
    images, masks = finished.test
    network = load_network(finished.line / "runs" / "r" / "synthesize" / "candidate.keras")
    predicted = network.predict(images.astype("float32"), verbose=0).argmax(axis=-1)
    evaluation = Evaluation.from_json(finished.read("evaluate/evaluation.json"))
    found = {estimate.metric: estimate for estimate in evaluation.estimates}
    assert set(found) == {"accuracy", "mean_iou"}
    expected = jaccard_score(masks.ravel(), predicted.ravel(), average="macro")
    assert found["mean_iou"].candidate == pytest.approx(expected, abs=1e-3)
    assert found["accuracy"].candidate == pytest.approx((predicted == masks).mean(), abs=1e-3)
    assert found["accuracy"].method.startswith("paired bootstrap")
    matrix = np.asarray(evaluation.confusion["candidate"])
    assert np.abs(matrix - confusion_matrix(masks.ravel(), predicted.ravel())).sum() <= 0.001 * masks.size
    predictions = pq.read_table(finished.line / "runs" / "r" / "evaluate" / "predictions.parquet")
    right = (predicted == masks).mean(axis=(1, 2))
    np.testing.assert_allclose(predictions["candidate_right"].to_numpy(), right, atol=0.02)


def test_the_export_and_the_report(finished: Finished) -> None:
    report = CompactionReport.from_json(finished.read("explain/report.json"))
    (export,) = report.search.exports
    assert export.problem is None
    assert export.metric == "mean_iou"
    assert export.decision_agreement is not None
    assert export.decision_agreement > 0.99
    assert report.snapshot.mask == (SIDE, SIDE)
    counts, rows = report.snapshot.train.label_counts, report.snapshot.train.rows
    assert counts["0"] == counts["2"] == rows >= counts["1"] > 0.9 * rows, "the blue block may hide the red one"
    assert "decide at every position" in report.explanation.notes[0]
    assert "decide at every position" in finished.read("explain/report.html").decode()
