"""Training is a pure function of network, data, plan and seed, and a killed stint ends like an uninterrupted one."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
from support.learning import BINARY, as_split, build_reference, customers, reference_lessons

from darwin_core.contracts import OutputKind
from darwin_core.networks import Predictor
from darwin_core.progress import Tracker
from darwin_core.training import PLAIN, DistillationData, Distiller, TrainingPlan, distillation, prepare_runtime
from darwin_core.training.losses import RowLoss
from darwin_core.training.optimizer import FlatAdamW

PLAN = TrainingPlan(samples=16_000, batch_size=100, peak_rate=2e-2)


@pytest.fixture(scope="module")
def data() -> DistillationData:
    prepare_runtime(0)
    return reference_lessons()


def newborn() -> keras.Model:
    return build_reference(width=4)


def weights(network: keras.Model) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in network.get_weights()])


def trained(data: DistillationData, plan: TrainingPlan = PLAN, seed: int = 0, **options: object) -> keras.Model:
    network = newborn()
    Distiller(BINARY, data).train(network, plan, seed=seed, **options)  # type: ignore[arg-type]
    return network


@pytest.fixture(scope="module")
def student(data: DistillationData) -> keras.Model:
    return trained(data)


def test_another_seed_gives_other_weights(data: DistillationData, student: keras.Model) -> None:
    assert not np.array_equal(weights(student), weights(trained(data, seed=1)))


def test_it_learns_the_task_and_keeps_dropout_for_the_next_retrain(student: keras.Model) -> None:
    fresh = customers(1_000, seed=5)
    scores = Predictor(student)(dict(fresh.inputs))[:, 0]
    assert np.mean((scores > 0.5) == fresh.labels) > 0.93
    assert student.get_layer("dropout_1").rate == pytest.approx(0.1)


def test_dropout_plays_no_part_in_training(data: DistillationData) -> None:
    plan = dataclasses.replace(PLAN, samples=2_000)
    plain, dropping = newborn(), newborn()
    dropping.set_weights(plain.get_weights())
    dropping.get_layer("dropout_1").rate = 0.9
    for network in (plain, dropping):
        Distiller(BINARY, data).train(network, plan, seed=0)
    np.testing.assert_array_equal(weights(plain), weights(dropping))


def test_a_trial_tells_how_long_steps_take(data: DistillationData) -> None:
    rows, seconds = Distiller(BINARY, data).trial(newborn(), PLAN)
    assert rows % PLAN.batch_size == 0
    assert rows > 0
    assert seconds > 0


class Killer(Tracker):
    """Interrupts training after some progress reports."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("fewest_steps", [pytest.param(4_000, id="as it is"), pytest.param(1, id="compiled")])
def test_a_killed_stint_goes_on_from_its_checkpoint_and_ends_the_same(
    data: DistillationData, fewest_steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seed and number of threads give the same weights to the last bit, whatever happened in between."""
    monkeypatch.setattr("darwin_core.training.compilation._FEWEST_STEPS", fewest_steps)
    student = trained(data)
    monkeypatch.setattr("darwin_core.training.distillation._CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("darwin_core.training.lessons._LARGER_CHUNK_ROWS", 1_000)
    checkpoint = tmp_path / "stint.npz"
    with pytest.raises(KeyboardInterrupt):
        trained(data, checkpoint=checkpoint, tracker=Killer(after=3))
    assert checkpoint.exists()
    seen: list[str] = []

    class Notes(Tracker):
        def advance(self, amount: float = 1, note: str = "") -> None:
            seen.append(note)

    resumed = trained(data, checkpoint=checkpoint, tracker=Notes())
    assert seen[0] == "resumed"
    np.testing.assert_array_equal(weights(resumed), weights(student))


def test_the_teacher_is_heard(data: DistillationData) -> None:
    """Labels turned round: a network that listens to the teacher alone does not notice."""
    wrong = DistillationData(as_split(dict(data.split.inputs), 1 - data.split.labels), data.views)
    fresh = customers(1_000, seed=5)
    plan = dataclasses.replace(PLAN, teacher_share=1.0)
    scores = Predictor(trained(wrong, plan))(dict(fresh.inputs))[:, 0]
    assert np.mean((scores > 0.5) == fresh.labels) > 0.93


def test_rows_without_weight_teach_nothing(data: DistillationData) -> None:
    rows = data.split
    half = np.arange(rows.rows) % 2 == 0
    poisoned = as_split(
        dict(rows.inputs), np.where(half, rows.labels, 1 - rows.labels), weights=half.astype(np.float32)
    )
    fresh = customers(1_000, seed=5)
    plan = dataclasses.replace(PLAN, teacher_share=0.0)
    scores = Predictor(trained(DistillationData(poisoned, data.views), plan))(dict(fresh.inputs))[:, 0]
    assert np.mean((scores > 0.5) == fresh.labels) > 0.9


def test_epochs_take_turns_with_the_views(data: DistillationData) -> None:
    twice = np.asarray(data.views[0][1]) * 0 + 7.0
    both = DistillationData(data.split, (*data.views, (PLAIN, twice)))
    outputs = both.take(0, 2 * data.split.rows, seed=0)[3]
    assert not (outputs[: data.split.rows] == 7.0).any()
    assert (outputs[data.split.rows :] == 7.0).all()


def test_every_row_is_seen_once_an_epoch(data: DistillationData) -> None:
    inputs = data.take(500, data.split.rows, seed=3)[0]["income"]
    first, second = data.take(0, 2_000, seed=3)[0]["income"], data.take(2_000, 2_000, seed=3)[0]["income"]
    np.testing.assert_array_equal(inputs, np.concatenate([first, second])[500:2_500])
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(data.split.inputs["income"], axis=0))
    assert not np.array_equal(first, second)


def test_a_stint_ends_between_chunks_when_time_is_up(data: DistillationData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darwin_core.training.lessons._LARGER_CHUNK_ROWS", 1_000)
    outcome = Distiller(BINARY, data).train(newborn(), PLAN, seed=0, seconds_left=lambda: 0.0)
    assert outcome.samples == 1_000


def test_a_stint_that_does_not_fit_its_seconds_passes_through_its_schedule_faster(
    data: DistillationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network cut off while the rate is high is worse than one taught as long with a falling rate."""
    monkeypatch.setattr("darwin_core.training.lessons._LARGER_CHUNK_ROWS", 1_000)
    clock = itertools.count(10_000, -1)  # each look at the clock costs a second
    monkeypatch.setattr("darwin_core.training.distillation.time.monotonic", lambda: 0.0 - next(clock))
    plan = dataclasses.replace(PLAN, samples=10**6)
    rates: list[float] = []
    stepping = distillation._step_function

    def watched(network: keras.Model, optimizer: FlatAdamW, *rest: object) -> object:
        step = stepping(network, optimizer, *rest)  # type: ignore[arg-type]

        def counted(*given: object) -> None:
            step(*given)
            rates.append(float(optimizer.learning_rate))

        return counted

    monkeypatch.setattr("darwin_core.training.distillation._step_function", watched)
    started = next(clock)
    outcome = Distiller(BINARY, data).train(newborn(), plan, seed=0, seconds_left=lambda: next(clock) - started + 60.0)
    assert 5_000 <= outcome.samples <= 60_000
    assert max(rates) > 0.5 * plan.peak_rate
    assert rates[-1] < 0.05 * plan.peak_rate


def test_a_moving_average_of_the_weights_is_what_a_stint_ends_with(data: DistillationData) -> None:
    plan = dataclasses.replace(PLAN, samples=2_000)
    last = weights(trained(data, plan))
    mean = weights(trained(data, dataclasses.replace(plan, ema_momentum=0.9)))
    assert not np.array_equal(last, mean)
    assert np.linalg.norm(last - mean) < 0.5 * np.linalg.norm(last)


def test_another_distance_to_the_teacher_is_asked_with_the_plan_s_temperature(data: DistillationData) -> None:
    asked: list[float] = []

    def indifferent(kind: OutputKind, temperature: float) -> RowLoss:
        asked.append(temperature)
        return lambda teacher, outputs: 0.0 * outputs[:, 0]

    network, plan = newborn(), dataclasses.replace(PLAN, samples=2_000, teacher_share=1.0, weight_decay=0.0)
    before = [np.array(variable) for variable in network.trainable_variables]
    Distiller(BINARY, data, teacher_loss=indifferent).train(network, plan, seed=0)
    assert asked == [plan.temperature]
    for variable, value in zip(network.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)  # nothing is wanted of it
