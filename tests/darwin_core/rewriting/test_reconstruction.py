"""Refitting on real rows brings a rewritten network nearer to what it was."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from support.zoo import run, unlike

from darwin_core.contracts import BlockOperator
from darwin_core.rewriting import rewrite


def network(*, bias: bool = True) -> keras.Model:
    x = keras.Input((10, 10, 3), name="x")
    y = layers.Conv2D(8, 5, padding="same", activation="relu", use_bias=bias, name="first")(x)
    y = layers.Conv2D(8, 3, activation="relu", use_bias=bias, name="second")(y)
    y = layers.Dense(24, "relu", name="hidden")(layers.Flatten()(layers.MaxPooling2D()(y)))
    return unlike(keras.Model(x, layers.Dense(3, name="out")(y)), 4)


def smooth_pictures(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Neighbouring pixels are alike, as in photographs."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 14, 14, 3))
    for axis in (1, 2):
        values = sum(np.roll(values, shift, axis) for shift in range(5))
    return {"x": values[:, 2:-2, 2:-2].astype("float32") / 5}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "blocks",
    [
        {"first": BlockOperator.DEPTHWISE_SEPARABLE},
        {"first": BlockOperator.SMALLER_KERNEL},
        {"second": BlockOperator.SMALLER_KERNEL},
        {"second": BlockOperator.LOW_RANK},
        {"hidden": BlockOperator.LOW_RANK},
        {
            "second": BlockOperator.DEPTHWISE_SEPARABLE,
            "first": BlockOperator.LOW_RANK,
            "hidden": BlockOperator.LOW_RANK,
        },
    ],
    ids=lambda blocks: "+".join(f"{name}-{operator.value}" for name, operator in blocks.items()),
)
def test_outputs_on_unseen_rows_come_nearer(blocks: dict[str, BlockOperator], bias: bool) -> None:
    model, rows, unseen = network(bias=bias), smooth_pictures(200, 1), smooth_pictures(200, 2)
    wanted = run(model, unseen)
    plain = np.square(run(rewrite(model, blocks, rank_share=0.4), unseen) - wanted).mean()
    refitted = rewrite(model, blocks, rank_share=0.4, reconstruct=rows)
    assert np.square(run(refitted, unseen) - wanted).mean() < 0.8 * plain


def test_what_is_exact_stays_so() -> None:
    model, rows = network(), smooth_pictures(50, 1)
    blocks = {"first": BlockOperator.LOW_RANK, "hidden": BlockOperator.LOW_RANK}
    same = rewrite(model, blocks, rank_share=2.0, reconstruct=rows)
    np.testing.assert_allclose(run(same, rows), run(model, rows), rtol=1e-3, atol=1e-3)
