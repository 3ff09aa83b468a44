"""A small task with a known answer, a reference that learned it, and everything a search needs."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import keras
import numpy as np

from darwin_core.contracts import OutputKind, Requirement, SearchBudget, Task
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor, save_network
from darwin_core.progress import Reporter
from darwin_core.synthesis import Aim, Part, Reference, Search, generator_named
from darwin_core.training import PLAIN, DistillationData

COLUMNS = ("income", "debt", "noise", "unused")
BINARY = OutputKind(task=Task.BINARY, units=1, from_logits=False)
SMALL_BUDGET = SearchBudget(generations=2, offspring=2, generation_samples=6_000, final_samples=12_000)


def customers(rows: int, seed: int) -> MappedSplit:
    """Rows whose label depends on income and debt alone; ``unused`` is not read by the reference either."""
    rng = np.random.default_rng(seed)
    inputs = {name: rng.normal(size=(rows, 1)).astype(np.float32) for name in COLUMNS}
    signal = 2.0 * inputs["income"] - 1.5 * inputs["debt"] + 0.3 * rng.normal(size=(rows, 1))
    return as_split(inputs, (signal[:, 0] > 0.8).astype(np.int32))


def as_split(inputs: dict[str, np.ndarray], labels: np.ndarray, weights: np.ndarray | None = None) -> MappedSplit:
    return MappedSplit(
        inputs=inputs,
        input_types={name: values.dtype for name, values in inputs.items()},
        labels=labels,
        weights=weights,
        row_ids=[str(row) for row in range(len(labels))],
    )


def build_reference(width: int = 32) -> keras.Model:
    """Two hidden layers with batch normalisation and dropout over named columns."""
    keras.utils.set_random_seed(7)
    inputs = {name: keras.Input((1,), name=name) for name in COLUMNS}
    scaled = [keras.layers.Rescaling(0.0 if name == "unused" else 1.0, name=f"{name}_scaled")(inputs[name])
              for name in COLUMNS]  # fmt: skip
    x = keras.layers.Concatenate(name="joined")(scaled)
    for number in (1, 2):
        x = keras.layers.Dense(width, use_bias=False, name=f"dense_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{number}")(x)
        x = keras.layers.ReLU(name=f"relu_{number}")(x)
        x = keras.layers.Dropout(0.1, name=f"dropout_{number}")(x)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="risk")(x), name="customers")


@cache
def trained_reference() -> keras.Model:
    """The reference after a few epochs; shared, so tests must not change it."""
    model = build_reference()
    rows = customers(2_000, seed=1)
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.BinaryCrossentropy())
    model.fit(dict(rows.inputs), rows.labels[:, None], epochs=4, batch_size=128, verbose=0)
    return model


@cache
def reference_lessons() -> DistillationData:
    """Rows, and what the reference says of them."""
    rows = customers(2_000, seed=1)
    teacher = Predictor(trained_reference())(dict(rows.inputs))
    return DistillationData(rows, ((PLAIN, teacher.astype(np.float32)),))


def make_search(
    folder: Path,
    requirements: tuple[str, ...] = (),
    *,
    budget: SearchBudget = SMALL_BUDGET,
    seed: int = 0,
    reporter: Reporter | None = None,
    performance_function: str = "smallest",
    generator: str = "importance",
) -> Search:
    """A search over the small task; a second one in the same folder goes on where the first one stopped."""
    path = folder / "reference.keras"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        save_network(trained_reference(), path)
    reference = Reference(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        kind=BINARY,
        loss=keras.losses.BinaryCrossentropy(),
        features={name: (name,) for name in COLUMNS},
    )
    aim = Aim(
        requirements=tuple(Requirement.parse(text) for text in requirements),
        budget=budget,
        performance_function=performance_function,
        generator=generator_named(generator),
        seed=seed,
    )
    return Search(
        reference,
        Part(customers(2_000, seed=1), "a" * 64),
        Part(customers(1_500, seed=2), "b" * 64),
        aim,
        workdir=folder / "work",
        cache_dir=folder / "cache",
        reporter=reporter or Reporter(),
    )
