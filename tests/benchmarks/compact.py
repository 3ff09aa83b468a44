"""Run `darwin demo` and `darwin compact` on real data and write what came out as JSON.

    python tests/benchmarks/compact.py --data DIR --references DIR --output DIR [--case NAME ...] [--seed N ...]

Every case is the command line as a user types it, in a process of its own. A case that is already in the results file
with the same commit and seed is not run again, so a stopped benchmark can be taken up. `render.py` makes the table.
The sealed test set of each case is opened by the run's own evaluate step and by nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
from cases import CASES, Case

from darwin_core.contracts import DataRoles
from darwin_core.contracts.data import DataSource
from darwin_core.progress import default_reporter

ROOT = Path(__file__).parents[2]
_TRAINING_BATCH, _TRAINING_STEPS = 64, 22


def darwin(*args: str, log: Path) -> tuple[dict[str, Any], float]:
    """Run one command with `--json`; returns its answer and its wall seconds."""
    command = [sys.executable, "-m", "darwin_core", *args, "--json"]
    started = time.monotonic()
    with log.open("w") as errors:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed with {result.returncode}:\n{log.read_text()[-3000:]}")
    return json.loads(result.stdout), time.monotonic() - started


def compact_command(case: Case, args: argparse.Namespace, seed: int, work: Path) -> tuple[list[str], float]:
    """The command of a case and the seconds of training its reference, which is done first where the case brings none."""
    train, test, validation, reference = case.prepare(args.data, args.references, work)
    if reference is not None:
        seconds = training_seconds(Path(reference), DataSource.parse(train), case.reference_epochs)
    else:
        reference = str(work / f"reference-{seed}.keras")
        timing = work / f"reference-{seed}.seconds"
        if not Path(reference).exists():
            roles = DataRoles(label=case.label, exclude=case.exclude, positive_label=case.positive_label)
            started = time.monotonic()
            rows = DataSource.parse(train)
            case.train_reference(rows, roles, Path(reference), default_reporter(), seed=seed)
            timing.write_text(str(time.monotonic() - started))
        seconds = float(timing.read_text())
    command = ["compact", "--reference", reference, "--train", train, "--test", test, "--label", case.label]
    command += [word for column in case.exclude for word in ("--exclude", column)]
    command += ["--validation", validation] if validation else []
    command += ["--positive-label", case.positive_label] if case.positive_label else []
    command += [*case.options, "--seed", str(seed), "--output", str(work / f"line-{seed}"), "--title", case.name]
    return command, seconds


def run_case(name: str, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One case with one seed: its summary, its command and its wall seconds."""
    # A line of another commit would give its results back: steps are not repeated for the same contents.
    work = args.output.resolve() / name / COMMIT
    work.mkdir(parents=True, exist_ok=True)
    log = work / f"log-{seed}.txt"
    reference_seconds: float | None = None
    if name == "demo":
        command = ["demo", "--output", str(work / f"demo-{seed}"), "--seed", str(seed)]
    else:
        case = next(case for case in CASES if case.name == name)
        command, reference_seconds = compact_command(case, args, seed, work)
    summary, seconds = darwin(*command, log=log)
    return {
        "case": name,
        "seed": seed,
        "commit": COMMIT,
        "command": "darwin " + " ".join(command),
        "wall_seconds": round(seconds, 1),
        "reference_seconds": reference_seconds and round(reference_seconds, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "summary": summary,
        "chosen": chosen(summary),
        "search_seconds": _document(summary, "search_record")["seconds"],
        "estimates": _document(summary, "evaluation")["estimates"],
    }


def chosen(summary: dict[str, Any]) -> dict[str, Any]:
    """The record of the chosen candidate, with its figures on the validation rows."""
    record = _document(summary, "search_record")
    return next(item for item in record["candidates"] if item["candidate_id"] == record["chosen"])


def _document(summary: dict[str, Any], name: str) -> dict[str, Any]:
    return json.loads(Path(summary["paths"][name].removeprefix("file://")).read_text())


def training_seconds(reference: Path, rows: DataSource, epochs: int) -> float:
    """What training a given network once took here: measured over a few of its steps, and told for all of its epochs.

    Batches of 64 made-up pictures; reading and varying real ones comes on top, so this is rather too short.
    """
    network = keras.models.load_model(reference)
    shape = (_TRAINING_BATCH, *network.inputs[0].shape[1:])
    rng = np.random.default_rng(0)
    classes = network.outputs[0].shape[-1]
    batch = rng.uniform(0, 255, shape).astype("float32"), rng.integers(0, classes, _TRAINING_BATCH)
    times = []
    for _ in range(_TRAINING_STEPS):
        started = time.monotonic()
        network.train_on_batch(*batch)
        times.append(time.monotonic() - started)
    column, values = next(iter(rows.where.items()))
    table = pq.read_table(rows.uri, columns=[column])
    count = sum(str(value) in values for value in table[column].to_pylist())
    return median(times[2:]) * epochs * count / _TRAINING_BATCH


def commit() -> str:
    """The checkout's commit, marked where files differ from it."""
    text = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return text.stdout.strip()


COMMIT = commit()
"""As it was at the start: a checkout may move on meanwhile."""


def main() -> None:
    """Run what was asked for and add it to `results.json`."""
    names = ["demo", *(case.name for case in CASES)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the data sets")
    parser.add_argument("--references", type=Path, help="folder with the trained reference networks")
    parser.add_argument("--output", type=Path, required=True, help="folder for results.json and everything written")
    parser.add_argument("--case", action="append", choices=names, help="all of them without it")
    parser.add_argument("--seed", action="append", type=int, help="0, 1 and 2 without it")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "results.json"
    results = json.loads(target.read_text()) if target.exists() else []
    for name in args.case or names:
        for seed in args.seed or (0, 1, 2):
            if any((row["case"], row["seed"], row["commit"]) == (name, seed, COMMIT) for row in results):
                continue
            print(f"{name}, seed {seed} ...", flush=True)
            row = run_case(name, args, seed)
            results = [old for old in results if (old["case"], old["seed"]) != (name, seed)] + [row]
            partial = target.with_suffix(".part")
            partial.write_text(json.dumps(results, indent=1))
            partial.replace(target)


if __name__ == "__main__":
    main()
