"""How the time of synthesis grows with rows, layers and offspring: makes GROWTH.md and its picture.

    python tests/benchmarks/growth.py --output DIR [--repeats 3]

A dense network on generated numbers; one of the three grows while the others stay. Every point is `darwin compact` in a
process of its own, with the settings a user gets; what counts is the seconds of the synthesize step that the run itself
reports, over those of training the reference beside it. Points that ``growth.json`` holds are not measured again. The exponent is the slope
of log seconds over log size: 1 where doubling one doubles the other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
from compact import commit, darwin
from memory import COLUMNS, write_table

HERE = Path(__file__).parent
BASE = {"rows": 20_000, "layers": 4, "offspring": 2}
AXES = {"rows": (10_000, 20_000, 40_000, 80_000), "layers": (2, 4, 8, 16), "offspring": (1, 2, 4, 8)}
WIDTH, GENERATIONS = 128, 2
PICTURE = HERE.parents[1] / "docs" / "images" / "growth.svg"


def reference(rows: int, layers: int, folder: Path) -> tuple[Path, Path, float]:
    """Training rows, a network trained on them for ten epochs, and the seconds that took."""
    data, path = folder / f"rows-{rows}.parquet", folder / f"network-{rows}-{layers}.keras"
    if not data.exists():
        write_table(data, rows)
    table = pq.read_table(data)
    numbers = np.stack([table[f"x{index}"].to_numpy() for index in range(COLUMNS)], axis=1).astype(np.float32)
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((COLUMNS,), name="numbers")
    for _ in range(layers):
        x = keras.layers.Dense(WIDTH, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(x))
    model.compile("adam", "binary_crossentropy")
    started = time.monotonic()
    model.fit(numbers, table["y"].to_numpy().astype(np.float32), batch_size=128, epochs=10, verbose=0)
    seconds = time.monotonic() - started
    model.save(path)
    return data, path, seconds


def measure(size: dict[str, int], repeat: int, folder: Path) -> dict[str, Any]:
    """One point: seconds of synthesis and of training."""
    data, network, trained = reference(size["rows"], size["layers"], folder)
    name = "-".join(map(str, (*size.values(), repeat)))
    command = ["compact", "--reference", str(network), "--train", str(data), "--label", "y", "--no-control"]
    command += ["--generations", str(GENERATIONS), "--offspring", str(size["offspring"]), "--seed", str(repeat)]
    summary, _ = darwin(*command, "--output", str(folder / f"line-{name}"), log=folder / f"log-{name}.txt")
    return {**size, "repeat": repeat, "synthesis": summary["seconds"]["synthesize"], "training": round(trained, 2)}


def points(results: list[dict[str, Any]], axis: str) -> list[tuple[int, float, float]]:
    """(size, median seconds of synthesis, median of its ratio to training) along one axis."""
    found = []
    for size in AXES[axis]:
        rows = [row for row in results if all(row[key] == (BASE | {axis: size})[key] for key in BASE)]
        if rows:
            ratio = median(row["synthesis"] / row["training"] for row in rows)
            found.append((size, median(row["synthesis"] for row in rows), ratio))
    return found


def exponent(found: list[tuple[int, float, float]]) -> float:
    """Slope of log seconds over log size, least squares."""
    sizes, seconds = (np.log([point[place] for point in found]) for place in (0, 1))
    return float(np.polyfit(sizes, seconds, 1)[0])


def draw(results: list[dict[str, Any]]) -> str:
    """The three curves, both axes logarithmic, each size relative to its smallest."""
    width, height, pad = 520, 320, 48
    curves = {axis: points(results, axis) for axis in AXES}
    most = max(point[1] for found in curves.values() for point in found)
    least = min(point[1] for found in curves.values() for point in found)
    top = 8

    def place(size: float, seconds: float) -> str:
        x = pad + np.log(size) / np.log(top) * (width - 2 * pad)
        y = height - pad - np.log(seconds / least) / np.log(most / least) * (height - 2 * pad)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<path d="M{pad},{pad}V{height - pad}H{width - pad}" fill="none" stroke="#555"/>',
        f'<text x="{width / 2}" y="{height - 12}" text-anchor="middle">size, times the smallest</text>',
        f'<text x="{pad}" y="{pad - 14}">seconds of synthesis: {least:.0f} to {most:.0f}</text>',
    ]
    for number in (1, 2, 4, 8):
        x, _ = place(number, least).split(",")
        parts.append(f'<text x="{x}" y="{height - pad + 16}" text-anchor="middle">{number}</text>')
    for (axis, found), colour in zip(curves.items(), ("#1b6ca8", "#c8553d", "#3a7d44"), strict=True):
        line = [place(size / AXES[axis][0], seconds) for size, seconds, _ in found]
        x, y = line[-1].split(",")
        parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{float(x) - 6}" y="{float(y) - 8}" text-anchor="end" fill="{colour}">{axis}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def render(results: list[dict[str, Any]], command: str) -> str:
    """The page."""
    lines = [
        "# How the time of synthesis grows\n",
        f"Made by `tests/benchmarks/growth.py`; commits {', '.join(sorted({row['commit'] for row in results}))}; command",
        f"`{command}`; {platform.machine()}, {os.cpu_count()} shared cores. A dense network of {WIDTH} wide layers on {COLUMNS} generated",
        f"numbers, {GENERATIONS} generations. The base is {BASE['rows']:,} rows, {BASE['layers']} layers, {BASE['offspring']} offspring; medians.",
        "Over training: seconds of synthesis over those of ten epochs of the reference, measured right before.\n",
        "![Seconds of synthesis over rows, layers and offspring](../../docs/images/growth.svg)\n",
        "| what grows | sizes | seconds | over training | exponent |",
        "|---|---|---|---|---|",
    ]
    for axis in AXES:
        found = points(results, axis)
        columns = zip(("{:,}", "{:.1f}", "{:.1f}"), zip(*found, strict=True), strict=True)
        cells = [", ".join(form.format(value) for value in column) for form, column in columns]
        lines.append(f"| {axis} | {' | '.join(cells)} | {exponent(found):.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is missing, then write page and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for growth.json and everything written")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    folder = args.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "growth.json"
    results = json.loads(target.read_text()) if target.exists() else []
    # Round by round, so that a change of the machine's load does not fall on one size alone.
    for repeat in range(args.repeats):
        for size in {tuple((BASE | {axis: value}).values()) for axis in AXES for value in AXES[axis]}:
            wanted = dict(zip(BASE, size, strict=True))
            if any(all(row[key] == value for key, value in {**wanted, "repeat": repeat}.items()) for row in results):
                continue
            results.append({**measure(wanted, repeat, folder), "commit": commit()})
            print(results[-1], flush=True)
            target.write_text(json.dumps(results, indent=1))
    PICTURE.write_text(draw(results))
    (HERE / "GROWTH.md").write_text(render(results, f"growth.py --repeats {args.repeats}"))


if __name__ == "__main__":
    main()
