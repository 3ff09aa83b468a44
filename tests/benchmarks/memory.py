"""How much memory fetch-data and synthesize take on data of one size, and on ten times as much.

Example:
    python tests/benchmarks/memory.py --output FOLDER

Tables and images are generated; the network and the number of training rows are the same at both sizes. Every step runs
as `darwin run-step` in a process of its own with an empty work folder, so that decoding and the reference's outputs are
part of what is measured. Three figures, all of that one process, in MiB:

    rss   highest resident memory as the kernel counted it (VmHWM of /proc/PID/status). Holds pages of memory-mapped files, which the
          kernel keeps as long as nobody else wants the memory: those grow with the data and cost nothing.
    anon  highest anonymous memory (RssAnon, read every 5 ms): what the step itself allocated.
    file  highest resident pages of files (RssFile, read likewise): libraries, and the memory-mapped data.

Writes memory.json into the folder. Ends with 1 where `anon` or `rss` of synthesize grows by 20 % or more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from compact import commit  # noqa: E402
from support import tiny  # noqa: E402

from darwin_core.contracts import (  # noqa: E402
    CompactionConfig,
    DataRoles,
    DataSource,
    Requirement,
    SearchBudget,
    StepName,
)

COLUMNS = 40
SIDE = 32
SIZES = {"table": (30_000, 300_000), "images": (5_000, 50_000)}
BUDGETS = {
    "table": SearchBudget(generations=2, offspring=2, generation_samples=40_000, final_samples=80_000),
    "images": SearchBudget(generations=2, offspring=2, generation_samples=6_000, final_samples=12_000),
}
MOST_GROWTH = 0.20
_POLL_SECONDS = 0.005
_MIB = 1024


@dataclass
class Peak:
    """Highest memory of one process, in MiB."""

    rss: float = 0.0
    anon: float = 0.0
    file: float = 0.0
    seconds: float = 0.0


def write_table(path: Path, rows: int) -> Path:
    """Forty numbers per row, four of which decide."""
    rng = np.random.default_rng(rows)
    columns = {f"x{index}": rng.normal(size=rows) for index in range(COLUMNS)}
    score = columns["x0"] + columns["x1"] * columns["x2"] - columns["x3"] + 0.5 * rng.normal(size=rows)
    pq.write_table(pa.table({**columns, "y": (score > 0.8).astype(np.int64)}), path)
    return path


def write_table_network(path: Path, train: Path) -> Path:
    """A network over all forty numbers, trained a little."""
    import keras

    keras.utils.set_random_seed(0)
    table = pq.read_table(train)
    rows = np.stack([table[f"x{index}"].to_numpy() for index in range(COLUMNS)], axis=1).astype(np.float32)
    inputs = x = keras.Input((COLUMNS,), name="numbers")
    for index in range(3):
        x = keras.layers.Dense(256, activation="relu", name=f"dense_{index}")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(x))
    model.compile("adam", "binary_crossentropy")
    model.fit(rows, table["y"].to_numpy().astype(np.float32), batch_size=256, epochs=4, verbose=0)
    model.save(path)
    return path


def prepare(case: str, rows: int, folder: Path) -> Path:
    """The data file of a case."""
    path = folder / f"{case}-{rows}.parquet"
    if path.exists():
        return path
    return write_table(path, rows) if case == "table" else tiny.write_images(path, rows=rows, side=SIDE)


def reference(case: str, train: Path, folder: Path) -> Path:
    """The network of a case, trained on the smaller data."""
    path = folder / f"{case}.keras"
    if path.exists():
        return path
    if case == "table":
        return write_table_network(path, train)
    return tiny.write_image_network(path, train, epochs=2, side=SIDE)


def watch(command: list[str], environment: dict[str, str], log: Path) -> Peak:
    """Run a process to its end and watch its memory."""
    peak, started = Peak(), time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
    status = Path(f"/proc/{process.pid}/status")
    while True:
        lines = (line.split() for line in status.read_text().splitlines() if line.startswith(("Rss", "VmHWM")))
        found = {words[0].rstrip(":"): float(words[1]) / _MIB for words in lines}
        if process.poll() is not None:
            break
        # Not ru_maxrss: a child inherits that from the process that started it.
        peak.rss = max(peak.rss, found.get("VmHWM", 0.0))
        peak.anon = max(peak.anon, found.get("RssAnon", 0.0) + found.get("RssShmem", 0.0))
        peak.file = max(peak.file, found.get("RssFile", 0.0))
        time.sleep(_POLL_SECONDS)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command[:5])} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
    peak.seconds = time.monotonic() - started
    return peak


def measure(case: str, rows: int, folder: Path, network: Path) -> dict[str, dict[str, float]]:
    """Step -> peaks."""
    line, work = folder / f"line-{case}-{rows}", folder / f"work-{case}-{rows}"
    for path in (line, work):
        shutil.rmtree(path, ignore_errors=True)
    config = CompactionConfig(
        line=str(line),
        reference=str(network),
        train=DataSource(uri=str(prepare(case, rows, folder))),
        roles=DataRoles(label="y" if case == "table" else "label"),
        requirements=(Requirement.parse("pr_auc_drop<=0.02" if case == "table" else "accuracy_drop<=0.02"),),
        budget=BUDGETS[case],
        threads=2,
    )
    environment = os.environ | {"DARWIN_WORK_DIR": str(work), "PYTHONPATH": str(ROOT)}
    found = {}
    for step in (StepName.FETCH_DATA, StepName.SYNTHESIZE):
        command = [sys.executable, "-m", "darwin_core", "run-step", step.value]
        command += ["--config", config.model_dump_json(), "--run-id", "memory", "--quiet"]
        peak = watch(command, environment, folder / "log.txt")
        found[step.value] = {name: round(value, 1) for name, value in vars(peak).items()}
        print(f"{case}, {rows:,} rows, {step.value}: {found[step.value]}", flush=True)
    for path in (line, work):
        shutil.rmtree(path, ignore_errors=True)
    return found


def growth(small: dict[str, float], large: dict[str, float]) -> dict[str, float]:
    """By which share each figure grows."""
    return {name: round(large[name] / small[name] - 1, 4) for name in ("rss", "anon", "file")}


def main() -> int:
    """Measure every case at both sizes and write `memory.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for memory.json and everything written")
    parser.add_argument("--case", action="append", choices=list(SIZES), help="all of them without it")
    args = parser.parse_args()
    folder = args.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "memory.json"
    results: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    for case in args.case or SIZES:
        small, large = SIZES[case]
        network = reference(case, prepare(case, small, folder), folder)
        peaks = {rows: measure(case, rows, folder, network) for rows in (small, large)}
        results[case] = {
            "commit": commit(),
            "rows": [small, large],
            "mib": {step: {str(rows): peaks[rows][step] for rows in peaks} for step in peaks[small]},
            "growth": {step: growth(peaks[small][step], peaks[large][step]) for step in peaks[small]},
        }
        target.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({case: found["growth"] for case, found in results.items()}, indent=1))
    grown = [found["growth"]["synthesize"][name] for found in results.values() for name in ("rss", "anon")]
    return int(max(grown) >= MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
