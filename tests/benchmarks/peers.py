"""Hold what `darwin compact` chose against the peers, on the same rows; makes PEERS.md.

    python -m venv peers && peers/bin/pip install -r tests/benchmarks/peers.txt
    python tests/benchmarks/peers.py --runs DIR --data DIR --references DIR --peers-python peers/bin/python [--case NAME]

DIR of ``--runs`` is the output of `compact.py`. Tables: LightGBM with 100 trees. Pictures: Torch-Pruning with fine-tuning
on a weight-for-weight copy, int8 after training, the chosen shape from scratch, uniform narrowing; all with the samples of
the chosen network and the reference's outputs to learn from. Nothing is tuned. Figures are kept in ``peers.json`` beside
the runs, so that the page holds all cases run so far.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from cases import CASES, Case
from compact import commit

from darwin_core.evaluation.metrics import pr_auc, recall_at_budget

HERE = Path(__file__).parent
HEAD = """# Peers and controls

Made by `tests/benchmarks/peers.py` from runs of `tests/benchmarks/compact.py`. All are judged by the same
functions on the same test rows. No peer is tuned: defaults, and the settings that stand in the script.
"""
NOTES = HERE / "PEERS_NOTES.md"
"""What a reader must know beside the figures; goes in as it is."""


def row_of(runs: Path, case: str, seed: int) -> dict[str, Any]:
    """What `compact.py` noted of one run; where there is none yet, its reference alone is told of."""
    noted = runs / "results.json"
    rows = json.loads(noted.read_text()) if noted.exists() else []
    found = [row for row in rows if (row["case"], row["seed"]) == (case, seed)]
    reference = runs.resolve() / case / f"reference-{seed}.keras"
    if not found and reference.exists():
        return {"seed": seed, "commit": "no run", "summary": {"paths": {"reference": str(reference)}}}
    if not found:
        raise SystemExit(f"{noted} has no run of {case} with seed {seed}: run compact.py first.")
    return found[0]


def local(uri: str) -> Path:
    """The file behind a URI of a local run."""
    return Path(uri.removeprefix("file://"))


def table_peers(case: Case, row: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """LightGBM beside reference and candidate: quality on the test rows, rows per second on one thread."""
    work = args.runs.resolve() / case.name
    train, test, _, _ = case.prepare(args.data, args.references, work)
    wanted = case.positive_label or "1"
    columns = [name for name in pq.read_schema(train).names if name not in {*case.exclude, case.label}]
    request = {
        "train": train,
        "test": test,
        "label": case.label,
        "positive_label": wanted,
        "columns": columns,
        "threads": args.threads,
        "seed": row["seed"],
    }
    request_file = work / "peer-lightgbm.json"
    request_file.write_text(json.dumps(request))
    rows = pq.read_table(test, columns=[case.label])[case.label].to_pylist()
    labels = np.asarray([str(value) == wanted for value in rows])
    commands = {"LightGBM": [args.peers_python, str(HERE / "peers_lightgbm.py"), str(request_file)]}
    paths = row["summary"]["paths"]
    for name in ("reference", "candidate"):
        if name in paths:
            speed = str(HERE / "throughput.py")
            commands[name] = [sys.executable, speed, str(local(paths[name])), test, str(args.threads)]
    found = {}
    for name, command in commands.items():
        scores = work / f"peer-{name}.npy"
        done = subprocess.run([*command, str(scores)], check=True, stdout=subprocess.PIPE, text=True)
        budget = float(_option(case, "--alert-budget", "0.10"))
        found[name] = json.loads(done.stdout.splitlines()[-1]) | {"metrics": measured(labels, np.load(scores), budget)}
    return found


def measured(labels: np.ndarray, scores: np.ndarray, alert_budget: float) -> dict[str, float]:
    """Quality by the functions that judge candidates."""
    return {
        "pr_auc": pr_auc(labels, scores),
        "recall_at_budget": recall_at_budget(labels, scores, alert_budget=alert_budget),
        "accuracy": float(np.mean((scores > 0.5) == labels)),
    }


def _option(case: Case, name: str, default: str) -> str:
    return case.options[case.options.index(name) + 1] if name in case.options else default


def picture_peers(case: Case, row: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Peers and controls for a network on pictures."""
    from peers_pictures import PicturePeers

    return PicturePeers(case, row, args).run()


def table_lines(name: str, found: dict[str, Any]) -> list[str]:
    """One line per network."""
    order = [
        *(item for item in ("reference", "candidate") if item in found),
        *(item for item in found if item not in ("reference", "candidate")),
    ]
    base = found.get("reference", {}).get("rows_per_second")
    lines = []
    for item in order:
        cell = found[item]
        quality = " | ".join(
            _number(cell["metrics"].get(key), "{:.4f}") for key in ("pr_auc", "recall_at_budget", "accuracy")
        )
        size = _number(cell.get("parameters"), "{:,}") if "parameters" in cell else f"{cell['trees']} trees"
        speed = _number(cell.get("rows_per_second"), "{:,}")
        ratio = f" ({cell['rows_per_second'] / base:.1f}x)" if base and cell.get("rows_per_second") else ""
        kilobytes = cell.get("weight_bytes", cell.get("bytes", 0)) / 1000
        lines.append(
            f"| {name} | {item} | {size} | {kilobytes:,.1f} | {cell['input_features']} | {quality} | {speed}{ratio} |"
        )
    return lines


def picture_lines(name: str, found: dict[str, Any]) -> list[str]:
    """One line per network."""
    lines = []
    for item, cell in found.items():
        costs = " | ".join(
            _number(cell.get(key), form)
            for key, form in (("parameters", "{:,}"), ("macs", "{:,}"), ("samples", "{:,}"))
        )
        quality = " | ".join(_number(cell.get(key), "{:.4f}") for key in ("validation", "test"))
        lines.append(f"| {name} | {item} | {costs} | {quality} | {cell.get('note', '')} |")
    return lines


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def render(results: list[dict[str, Any]]) -> str:
    """The page."""
    tables = [row for row in results if "LightGBM" in row["peers"]]
    pictures = [row for row in results if row not in tables]
    parts = [HEAD, NOTES.read_text()]
    if tables:
        parts.append(
            "## Tables\n\nRows per second: raw columns in, all test rows, one process, "
            f"{tables[0]['threads']} thread, median of five passes; text is turned into codes inside the networks and before "
            "LightGBM's clock starts. Input columns of LightGBM: those that any tree reads.\n\n"
            "| case | network | size | kB | input columns | PR-AUC | recall at budget | accuracy | rows/s |\n"
            "|---|---|---|---|---|---|---|---|---|"
        )
        parts += [line for row in tables for line in table_lines(row["case"], row["peers"])]
    if pictures:
        parts.append(
            "\n## Pictures\n\n| case | network | parameters | MACs | samples | accuracy, validation | accuracy, test | note |\n"
            "|---|---|---|---|---|---|---|---|"
        )
        parts += [line for row in pictures for line in picture_lines(row["case"], row["peers"])]
    parts.append(
        "\n## How it was run\n\n| case | seed | commit of the run | commit of this page | command |\n|---|---|---|---|---|"
    )
    parts += [
        f"| {row['case']} | {row['seed']} | {row['run_commit']} | {row['commit']} | `{row['command']}` |"
        for row in results
    ]
    parts.append(f"\nMachine: {results[0]['machine']}.")
    return "\n".join(parts) + "\n"


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="output folder of compact.py")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--references", type=Path, required=True, help="folder with the trained reference networks")
    parser.add_argument("--peers-python", required=True, help="interpreter of the peers' environment")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--samples", type=int, help="rows each picture peer learns from; as many as the candidate without it"
    )
    args = parser.parse_args()
    target = args.runs / "peers.json"
    results = json.loads(target.read_text()) if target.exists() else []
    for name in args.case:
        case = next(case for case in CASES if case.name == name)
        row = row_of(args.runs, name, args.seed)
        peers = (picture_peers if name.startswith("gtsrb") else table_peers)(case, row, args)
        entry = {
            "case": name,
            "seed": args.seed,
            "threads": args.threads,
            "run_commit": row["commit"],
            "commit": commit(),
            "command": f"python tests/benchmarks/peers.py --case {name} --seed {args.seed} --threads {args.threads}"
            + (f" --samples {args.samples}" if args.samples else ""),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "peers": peers,
        }
        results = [old for old in results if (old["case"], old["seed"]) != (name, args.seed)] + [entry]
        target.write_text(json.dumps(results, indent=1))
        (HERE / "PEERS.md").write_text(render(results))


if __name__ == "__main__":
    main()
