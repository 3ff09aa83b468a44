import pytest

from darwin_core.training import TrainingPlan


def decay(strength: float) -> float:
    return TrainingPlan.for_data(1_000, images=True, strength=strength).weight_decay


def test_weights_decay_the_less_the_less_pictures_may_be_varied() -> None:
    assert decay(0.5) == pytest.approx(decay(1.0) / 2)
    assert decay(0.25) == pytest.approx(decay(1.0) / 4)
    assert decay(0.0) == decay(0.25)


def test_steps_are_whole_batches_and_at_least_one() -> None:
    plan = TrainingPlan(samples=65, batch_size=64, peak_rate=1e-2)
    assert plan.steps == 2
    assert TrainingPlan(samples=0, batch_size=64, peak_rate=1e-2).steps == 1
