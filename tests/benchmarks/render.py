"""Make RESULTS.md from the JSON of `compact.py`: one line per case, medians over the seeds; memory from `memory.py`.

RESULTS.json and MEMORY.json keep the last run of each case, so that a few can be measured anew. What a reader must know beside the figures is in `RESULTS_NOTES.md` and goes in as it is.

python tests/benchmarks/render.py results.json [memory.json] > tests/benchmarks/RESULTS.md
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from cases import CASES

HEAD = """# Measured results

Made by `tests/benchmarks/compact.py` (real data, the command line as a user types it, each run in a process of its own) and
written by `tests/benchmarks/render.py`. Figures are medians over the seeds; where there are several, the range stands in
brackets. Quality is measured on a sealed test set that a run's search never sees, opened once per run by its evaluate step.
Differences are candidate minus reference in points; the bound is one-sided, 95 %, paired. Seconds are wall time on a
shared machine and say little by themselves.
"""
NOTES = Path(__file__).with_name("RESULTS_NOTES.md")
RESULTS = Path(__file__).with_name("RESULTS.json")
MEMORY = Path(__file__).with_name("MEMORY.json")


def span(values: list[float], form: str) -> str:
    """Median, and the range where there is one."""
    text = form.format(median(values))
    return text if len(values) < 2 else f"{text} [{form.format(min(values))} .. {form.format(max(values))}]"


def cost_line(name: str, rows: list[dict[str, Any]]) -> str:
    """Cost of reference and candidate."""

    def both(field: str, form: str) -> str:
        before = median(row["summary"]["reference"][field] for row in rows)
        after = [row["summary"]["candidate"][field] for row in rows]
        return f"{form.format(before)} -> {span(after, form)} ({100 * (median(after) / before - 1):.1f} %)"

    def latency(side: str) -> float | None:
        found = [row["summary"][side]["latency_ms"] for row in rows]
        return median(item["p50_ms"] for item in found) if all(found) else None

    before, after = latency("reference"), latency("candidate")
    milliseconds = f"{before:.2f} -> {after:.2f}" if before is not None and after is not None else ""
    before, after = ([row["summary"][side]["input_features"] for row in rows] for side in ("reference", "candidate"))
    inputs = f"{median(before):.0f} -> {span(after, '{:.0f}')}"
    return f"| {name} | {len(rows)} | {both('parameters', '{:,.0f}')} | {both('macs', '{:,.0f}')} | {milliseconds} | {inputs} |"


def quality_lines(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Quality of reference and candidate on the sealed test rows, one line per metric."""
    lines = []
    shared = [m for m in rows[0]["summary"]["reference"]["metrics"] if m in ("accuracy", "pr_auc", "recall_at_budget")]
    verdicts = ", ".join(row["summary"]["verdict"] for row in rows)
    for metric in shared:
        before = [row["summary"]["reference"]["metrics"][metric] for row in rows]
        after = [row["summary"]["candidate"]["metrics"][metric] for row in rows]
        change = [100 * (b - a) for a, b in zip(before, after, strict=True)]
        bounds = [100 * item["low"] for row in rows for item in row["estimates"] if item["metric"] == metric]
        cells = [f"{median(before):.4f}", f"{median(after):.4f}", span(change, "{:+.2f}")]
        cells += [f"{median(bounds):+.2f}" if bounds else "", verdicts]
        lines.append(f"| {name} | {metric} | {' | '.join(cells)} |")
    return lines


def control_lines(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """The controls' cost and quality on the validation rows, where the search compares."""
    lines = []
    for control in rows[0]["summary"]["controls"]:
        cells = [row["summary"]["controls"][control] for row in rows if control in row["summary"]["controls"]]
        quality = {
            metric: median(cell["metrics"][metric] for cell in cells)
            for metric in cells[0]["metrics"]
            if metric.removeprefix("validation_") in ("accuracy", "pr_auc", "recall_at_budget")
        }
        shown = ", ".join(f"{metric.removeprefix('validation_')} {value:.4f}" for metric, value in quality.items())
        parameters, macs = (median(cell[field] for cell in cells) for field in ("parameters", "macs"))
        lines.append(f"| {name} | {control} | {parameters:,.0f} | {macs:,.0f} | {shown} |")
    return lines


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last run of each case and seed, in the order of the benchmark's cases, without places on a machine."""
    for row in (*old, *new):
        row["summary"].pop("paths", None)
    runs = {(row["case"], row["seed"]): without_places(row) for row in (*old, *new)}
    names = ["demo", *(case.name for case in CASES)]
    return sorted(runs.values(), key=lambda row: (names.index(row["case"]), row["seed"]))


def main() -> None:
    """Print the page."""
    rows = merged(
        json.loads(RESULTS.read_text()) if RESULTS.exists() else [], json.loads(Path(sys.argv[1]).read_text())
    )
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    by_case: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_case[row["case"]].append(row)
    print(HEAD)
    print(NOTES.read_text())
    print("## Cost\n\n| case | runs | parameters | MACs | p50 ms, batch 1 | input columns |\n|---|---|---|---|---|---|")
    for name, rows in by_case.items():
        print(cost_line(name, rows))
    print(
        "\n## Quality on the sealed test set\n\n| case | metric | reference | candidate | points | bound | verdicts |\n|---|---|---|---|---|---|---|"
    )
    for name, rows in by_case.items():
        print("\n".join(quality_lines(name, rows)))
    print("\n## Controls (validation rows)\n\n| case | network | parameters | MACs | quality |\n|---|---|---|---|---|")
    for name, rows in by_case.items():
        print("\n".join([*control_lines(name, rows), *own_lines(name, rows)]))
    exported = [line for name, rows in by_case.items() for line in export_lines(name, rows)]
    if exported:
        print("\n## Exports\n\n| case | format | kB | decides as the candidate | quality |\n|---|---|---|---|---|")
        print("\n".join(exported))
    print(
        "\n## How it was run\n\n| case | seeds | commit | seconds, all steps | synthesis over training | explanation over training | command of the first seed |\n|---|---|---|---|---|---|---|"
    )
    for name, rows in by_case.items():
        seeds = ", ".join(str(row["seed"]) for row in rows)
        commits = ", ".join(sorted({row["commit"] for row in rows}))
        seconds = span([sum(row["summary"]["seconds"].values()) for row in rows], "{:.0f}")
        shares = " | ".join(training_share(rows, step) for step in ("synthesize", "explain"))
        print(f"| {name} | {seeds} | {commits} | {seconds} | {shares} | `{rows[0]['command']}` |")
    print(f"\nMachine: {next(iter(by_case.values()))[0]['machine']}.")
    memory = {path: json.loads(path.read_text()) for path in (MEMORY, *map(Path, sys.argv[2:3])) if path.exists()}
    kept = {case: found for cases in memory.values() for case, found in cases.items()}
    MEMORY.write_text(json.dumps(kept, indent=1) + "\n")
    print(memory_section(kept))


def training_share(rows: list[dict[str, Any]], step: str) -> str:
    """Seconds of a step over seconds of training the reference, without those of a control that comes after the choice."""
    shares = [
        (row["summary"]["seconds"][step] - (control_seconds(row) if step == "synthesize" else 0.0))
        / row["reference_seconds"]
        for row in rows
        if row["reference_seconds"]
    ]
    return span(shares, "{:.2f}") if shares else ""


def control_seconds(row: dict[str, Any]) -> float:
    """Seconds of training a control; rows that do not tell come from runs without one."""
    return float(row.get("search_seconds", {}).get("control", 0.0))


def own_lines(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """The chosen candidate's figures on the same validation rows."""
    found = [row["chosen"] for row in rows]
    quality = [
        f"{metric} {median(c['quality'][metric] for c in found):.4f}"
        for metric in ("accuracy", "pr_auc", "recall_at_budget")
        if found[0]["quality"].get(metric) is not None
    ]
    parameters, macs = (median(c["cost"][field] for c in found) for field in ("parameters", "macs"))
    return [f"| {name} | chosen candidate | {parameters:,.0f} | {macs:,.0f} | {', '.join(quality)} |"]


def export_lines(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Size of the candidate's exports and how often they decide as it does."""
    lines = []
    for exports in zip(*(row["summary"]["exports"] for row in rows), strict=True):
        sizes = [item["file_bytes"] / 1000 for item in exports if item["file_bytes"]]
        agreement = [item["decision_agreement"] for item in exports if item["decision_agreement"] is not None]
        quality = [item["quality"] for item in exports if item["quality"] is not None]
        cells = [span(sizes, "{:.1f}"), span(agreement, "{:.4f}"), span(quality, "{:.4f}")]
        lines.append(f"| {name} | {exports[0]['format']} | {' | '.join(cells)} |")
    return lines


def memory_section(results: dict[str, Any]) -> str:
    """Highest memory of each step on data of one size and of ten times that size."""
    lines = [
        "\n## Memory\n",
        "Made by `tests/benchmarks/memory.py` on generated data: the same network and number of training rows at both sizes,",
        "each step in a process of its own. Anonymous memory is what a step allocates; resident memory also holds libraries and",
        "pages of the memory-mapped data, which the kernel drops when it needs the room.\n",
        "| data | step | rows | anonymous MiB | growth | resident MiB | growth | commit |\n|---|---|---|---|---|---|---|---|",
    ]
    for case, found in results.items():
        for step, sizes in found["mib"].items():
            peaks, growth = list(sizes.values()), found["growth"][step]
            cells = [" -> ".join(f"{rows:,}" for rows in found["rows"])]
            for name in ("anon", "rss"):
                cells += [" -> ".join(f"{peak[name]:.0f}" for peak in peaks), f"{100 * growth[name]:+.1f} %"]
            lines.append(f"| {case} | {step} | {' | '.join(cells)} | {found['commit']} |")
    return "\n".join(lines)


def without_places(value: Any) -> Any:
    """Results without the folders of the machine that they were measured on."""
    if isinstance(value, dict):
        return {name: without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_places(part) for part in value]
    return short_command(value) if isinstance(value, str) else value


def short_command(command: str) -> str:
    """Paths of the machine do not help a reader: only the last part of each is kept."""
    words = command.split(" ")
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith(("/", "file:///")) else word for word in words)


if __name__ == "__main__":
    main()
