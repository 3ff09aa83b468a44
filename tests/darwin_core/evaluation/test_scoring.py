import keras
import numpy as np
import pytest

from darwin_core.contracts import Task
from darwin_core.data import MappedSplit
from darwin_core.evaluation import scoring
from darwin_core.evaluation.cases import Answers
from darwin_core.evaluation.scoring import LoadedNetwork, not_finite, score_split
from darwin_core.networks import network_inputs, output_kind
from darwin_core.progress import Reporter

ROWS = 1700


def network(units=1):
    keras.utils.set_random_seed(1)
    value = keras.Input((3,), name="x")
    outputs = keras.layers.Dense(units, activation="sigmoid" if units == 1 else "softmax")(value)
    model = keras.Model(value, outputs)
    return LoadedNetwork("candidate", "ab" * 32, None, model, output_kind(model), network_inputs(model))


@pytest.fixture
def split():
    values = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    return MappedSplit(
        inputs={"x": values},
        input_types={"x": values.dtype},
        labels=np.zeros(ROWS, np.int32),
        weights=None,
        row_ids=[str(row) for row in range(ROWS)],
    )


def test_scores_are_those_of_the_network_and_are_kept(split, tmp_path):
    one = network()
    scores = score_split(one, split, tmp_path, "test", Reporter())
    expected = keras.ops.convert_to_numpy(one.model(split.inputs["x"]))[:, 0]
    assert scores == pytest.approx(expected, abs=1e-6)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]
    again = score_split(None or one, split, tmp_path, "test", Reporter())
    assert (again == scores).all()


def test_several_classes_give_a_matrix(split, tmp_path):
    scores = score_split(network(units=4), split, tmp_path, "test", Reporter())
    assert scores.shape == (ROWS, 4)
    assert Answers.from_scores(Task.MULTICLASS, scores).scores == pytest.approx(scores.max(axis=1))


def test_a_killed_scoring_goes_on_where_it_was(split, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_SAVE_EVERY_SECONDS", 0.0)
    real, seen = MappedSplit.take, []

    def take(self, rows):
        seen.append(int(rows[0]))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(self, rows)

    monkeypatch.setattr(MappedSplit, "take", take)
    with pytest.raises(KeyboardInterrupt):
        score_split(network(), split, tmp_path, "test", Reporter())
    resumed = score_split(network(), split, tmp_path, "test", Reporter())
    assert seen == [0, 512, 1024, 1024, 1536]
    monkeypatch.undo()
    assert (resumed == score_split(network(), split, tmp_path / "fresh", "test", Reporter())).all()


def test_rows_without_a_number_are_found():
    assert not_finite(np.array([0.1, np.nan, np.inf])).tolist() == [False, True, True]
    assert not_finite(np.array([[0.1, 0.2], [np.nan, 0.2]])).tolist() == [False, True]
