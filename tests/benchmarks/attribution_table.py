"""Make ATTRIBUTION.md from the JSON of `attribution.py`, of one run or of several.

python tests/benchmarks/attribution_table.py results.json [more.json] > tests/benchmarks/ATTRIBUTION.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from render import short_command

HEAD = """# How far the attributions can be believed

Measured by `tests/benchmarks/attribution.py` and written by `tests/benchmarks/attribution_table.py`.

**Impact Score** at a fixed area: the share of cases in which removing the strongest pixels (or columns), always as many,
changes the decision or at least halves its confidence. Brackets: 95 % interval, bootstrap over tracks (pictures) or rows.
Pictures come from GTSRB's validation part, tracks at odd positions; the methods were tuned on the other tracks, and the
test part was not read. The inquisitor's method covers pixels by a blurred copy while it searches, so "blur" is its home
ground; the other removers are not. Cost is processor time in all threads, on a machine that was shared with other work.
"""


CURVES = "Mean probability of the decision along the curves (deletion by inpainting, insertion by blur), and cost:"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; figures to the right."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|--:" * (len(header) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def percent(values: Sequence[float], *, signed: bool = False) -> str:
    """Mean and interval, in percent or points."""
    mean, low, high = (100 * value for value in values)
    return f"{mean:+.0f} [{low:+.0f}, {high:+.0f}]" if signed else f"{mean:.0f} [{low:.0f}, {high:.0f}]"


def pictures(part: dict[str, Any]) -> str:
    """The section of one network."""
    removers = list(next(iter(part["impact"].values())))
    areas = list(next(iter(part["impact"].values()))["mean"])
    blocks = [f"## Pictures, gtsrb_{part['network']}: {part['cases']} pictures of {part['tracks']} tracks"]
    header = ["", *(f"{float(area):.0%} of the picture" for area in areas)]
    rows = [[name, *(percent(by["mean"][area]) for area in areas)] for name, by in part["impact"].items()]
    blocks += ["Impact Score in %, mean over the four removers:", table(header, rows)]
    rows = [[name, *(percent(by[area], signed=True) for area in areas)] for name, by in part["ahead"].items()]
    blocks += ["How many points the inquisitor's method is ahead, on the same cases:", table(header, rows)]
    middle = areas[len(areas) // 2]
    names = [remover for remover in removers if remover != "mean"]
    rows = [[name, *(percent(by[remover][middle]) for remover in names)] for name, by in part["impact"].items()]
    blocks += [f"Impact Score in % by remover, {float(middle):.0%} of the picture:", table(["", *names], rows)]
    rows = [
        [
            name,
            f"{part['curves'][name]['deletion']:.3f}",
            f"{part['curves'][name]['insertion']:.3f}",
            f"{part['cpu_ms'][name]:.0f}",
        ]
        for name in part["curves"]
    ]
    header = ["", "deletion (lower)", "insertion (higher)", "CPU ms per picture"]
    blocks += [
        CURVES,
        table(header, rows),
        quantus(part["quantus"]),
        *(f"{name} did not run: {why}" for name, why in part["failures"].items()),
    ]
    return "\n\n".join(blocks)


def quantus(found: dict[str, Any]) -> str:
    """Whether an outside judge agrees."""
    if "theirs" not in found:
        return f"Quantus did not run: {found['failed']}"
    order = {side: sorted(found[side], key=found[side].get) for side in ("theirs", "ours")}
    rows = [
        [name, *(cell for side in order for cell in (f"{found[side][name]:.3f}", str(order[side].index(name) + 1)))]
        for name in found["theirs"]
    ]
    return (
        f"Quantus' Pixel Flipping (mean colour) and our deletion curve on the same maps, {found['cases']} cases, mean "
        f"probability of the decision (lower is better). Rank correlation of the methods "
        f"{found['rank_correlation_of_methods']:.2f}, of methods and cases {found['rank_correlation_of_cases']:.2f}:\n\n"
        + table(["", "Quantus", "place", "ours", "place"], rows)
    )


def rows_of(name: str, part: dict[str, Any]) -> str:
    """The section of one table."""
    counts = list(next(iter(part["impact"].values())))
    header = ["", *(f"{count} column{'s' if count != '1' else ''}" for count in counts)]
    scores = [[method, *(percent(by[count]) for count in counts)] for method, by in part["impact"].items()]
    falls = [[method, *(percent(by[count]) for count in counts)] for method, by in part["fall"].items()]
    leads = [[method, *(percent(by[count], signed=True) for count in counts)] for method, by in part["ahead"].items()]
    costs = [
        [method, f"{cost:.1f}", f"{part['rank_correlation'][method]:.2f}"] for method, cost in part["cpu_ms"].items()
    ]
    return "\n\n".join(
        [
            f"## Rows, {name}: {part['rows']} alerts, {part['columns']} columns",
            "Impact Score in %, columns replaced by those of 16 training rows in turn:",
            table(header, scores),
            "Fall of the decision's probability in points:",
            table(header, falls),
            "How many points sampled Shapley is ahead in Impact Score, on the same rows:",
            table(header, leads),
            table(["", "CPU ms per row", "rank correlation with sampled Shapley"], costs),
            *(f"{method} did not run: {why}" for method, why in part["failures"].items()),
        ]
    )


def sections(results: dict[str, Any]) -> list[str]:
    """What one run measured, and how it was run."""
    made = []
    for name, part in results.items():
        if name.startswith("pictures"):
            made.append(pictures(part))
        elif name.startswith("coverage"):
            rows = [[method, percent(values)] for method, values in part["coverage"].items()]
            what = f"Coverage in %: overlap (IoU) with a pasted patch that changed the decision, {part['cases']} cases"
            made.append(what + ":\n\n" + table(["", "Coverage"], rows))
        elif name.startswith("table"):
            made.append(rows_of(name.removeprefix("table "), part))
    command = f"attribution.py {short_command(results['command'])}"
    return [*made, f"Sources at commit {results['commit']}, Python {results['python']}, command `{command}`."]


def main() -> None:
    """Write the page to standard output."""
    made = [HEAD]
    for path in sys.argv[1:]:
        made += sections(json.loads(Path(path).read_text()))
    print("\n".join(section + "\n" for section in made).rstrip())


if __name__ == "__main__":
    main()
