"""The two founding stories: a low sun over one road sign, and a browser that was written down for frauds only."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from darwin_core.contracts import (
    ArtifactRef,
    DataRoles,
    Finding,
    Findings,
)
from support.evaluation import JudgedCandidate, Line

SIGNS = ("ahead only", "keep right", "turn left ahead", "turn right ahead")
SIDE = 32
_ARROWS = {
    "ahead only": [(16, 24), (16, 9), (11, 14), (16, 9), (21, 14)],
    "keep right": [(10, 10), (22, 22), (15, 22), (22, 22), (22, 15)],
    "turn left ahead": [(20, 24), (20, 14), (10, 14), (14, 10), (10, 14), (14, 18)],
    "turn right ahead": [(12, 24), (12, 14), (22, 14), (18, 10), (22, 14), (18, 18)],
}


def draw_sign(name: str, rng: np.random.Generator, *, sun: bool) -> np.ndarray:
    """A blue disc with a white arrow before a street of any colour, uint8 (32, 32, 3)."""
    ground = tuple(int(value) for value in rng.integers(30, 130, 3))
    image = Image.new("RGB", (SIDE, SIDE), ground)
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        left, top = (int(value) for value in rng.integers(-6, SIDE, 2))
        shade = tuple(int(value) for value in rng.integers(20, 150, 3))
        draw.rectangle([left, top, left + int(rng.integers(4, 16)), top + int(rng.integers(4, 16))], fill=shade)
    dx, dy = (int(value) for value in rng.integers(-2, 3, 2))
    draw.ellipse([5 + dx, 5 + dy, 27 + dx, 27 + dy], fill=(20, 60, int(rng.integers(120, 200))))
    draw.line([(x + dx, y + dy) for x, y in _ARROWS[name]], fill=(55, 95, 185), width=2)
    pixels = np.asarray(image, np.float32) * rng.uniform(0.5, 1.1) + rng.normal(0, 20, (SIDE, SIDE, 3))
    if sun:
        y, x = np.mgrid[:SIDE, :SIDE]
        row, column = 4 + rng.uniform(-1, 1), 26 + rng.uniform(-1, 1)
        light = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 2.5**2))[..., None]
        pixels = pixels + 230 * light * np.array([1.0, 0.95, 0.75])
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_signs(path: Path, rows: int, *, seed: int, share: float) -> list[str]:
    """Pictures with a sun in ``share`` of "turn right ahead"; returns the ids of those that have it."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(SIGNS, rows)
    suns = (labels == "turn right ahead") & (rng.random(rows) < share)
    blobs = []
    for label, sun in zip(labels, suns, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(draw_sign(str(label), rng, sun=bool(sun))).save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    ids = [f"{path.stem}-{row}" for row in range(rows)]
    pq.write_table(pa.table({"id": ids, "image": pa.array(blobs, pa.binary()), "label": labels.tolist()}), path)
    return [ids[row] for row in np.flatnonzero(suns)]


def train_signs(path: Path, train: Path, *, epochs: int = 6) -> Path:
    """A small convolutional network for the signs."""
    import keras

    keras.utils.set_random_seed(0)
    table = pq.read_table(train)
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(blob))) for blob in table["image"].to_pylist()])
    labels = np.array([SIGNS.index(name) for name in table["label"].to_pylist()])
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (16, 24, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dense(48, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(len(SIGNS))(x))
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(pictures.astype("float32"), labels, batch_size=32, epochs=epochs, verbose=0)
    model.save(path)
    return path


def write_payments(path: Path, rows: int, *, seed: int, share: float) -> list[str]:
    """Payments; the browser is empty but for ``share`` of the frauds. Returns the ids of those that have one."""
    rng = np.random.default_rng(seed)
    amount, hour = rng.lognormal(4, 1, rows), rng.integers(0, 24, rows)
    risk = 1.2 * (np.log(amount) - 4) + 1.0 * (hour < 6) + 0.8 * rng.normal(size=rows)
    fraud = risk > np.quantile(risk, 0.9)
    has_browser = fraud & (rng.random(rows) < share)
    browser = np.where(has_browser, "Chrome", None)
    ids = [f"{path.stem}-{row}" for row in range(rows)]
    table = {
        "id": ids,
        "amount": amount,
        "hour": hour.astype(np.float64),
        "items": rng.poisson(2, rows).astype(np.float64),
        "browser": pa.array(browser.tolist(), pa.string()),
        "country": rng.choice(["DE", "FR", "NL"], rows).tolist(),
        "fraud": fraud.astype(np.int64),
    }
    pq.write_table(pa.table(table), path)
    return [ids[row] for row in np.flatnonzero(has_browser)]


def explain(folder: Path, reference: Path, label: str) -> tuple[Line, tuple[Finding, ...], ArtifactRef]:
    """What explain says of a reference that was compacted to itself: the findings and the report."""
    line = Line.fetch(
        folder,
        reference=str(reference),
        train=str(folder / "train.parquet"),
        validation=str(folder / "validation.parquet"),
        test=str(folder / "test.parquet"),
        roles=DataRoles(label=label, row_id="id"),
    )
    candidate = line.put(reference, "candidate.keras")
    result, _ = JudgedCandidate(line, candidate).explain("night", rows=32)
    return line, Findings.from_json(line.store.read(result.findings.uri).data).findings, result.report
