"""FINDER.md from the rows of `planted.json`: the finder and its rivals, by data, kind and share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
NOTES = Path(__file__).with_name("FINDER_NOTES.md")
HEAD = """# The finder on planted confounders, beside its rivals

Made by `tests/benchmarks/planted.py`; see there for what is planted and how small the networks are, and
`planted_rivals.py` for how the rivals are judged. All see the same rows and networks.

**Finder**: top 1 and top 3 are cases in which the planted factor is named with its class as the first, or among the first
three findings. Recall and precision: of the affected rows in the finder's pool, mean over the cases identified. Other
findings: those about other rows than the planted ones; on clean data all are false alarms.

**cleanlab** {threshold}: cases in which it reports any property of the pictures, in which it reports one that the plant
moves, and in which such a property is the first of all seven when sorted by score, reported or not; pictures only, it has no
such check for tables. It names no class and no rows. On clean data whatever it reports is a false alarm.

**Mean saliency**, the better of two maps in each case (tables: one map): cases in which the planted place is the hottest, or
among the three hottest, of those of its class for a reader who is told the class (36 windows, or the columns); among the
three hottest of all classes for one who is not; and in which it is hotter than any place of any class in the clean cases of
the same data. Some place is always the hottest, on clean data too, so that only the last says something unasked: without
that bar every clean case would be a false alarm.

"""
FINDER = ("top 1", "top 3", "recall", "precision", "other findings")
CLEANLAB = ("cleanlab reports", "names", "sorts first")
SALIENCY = ("saliency top 1, class told", "top 3, class told", "top 3, not told", "above clean")
GROUP = ("data", "kind", "share", "cases")


def render(results: Sequence[Row]) -> str:
    """The page: definitions, `FINDER_NOTES.md`, sums over all seeds, one line per data, kind and share, and the runs."""
    thresholds = sorted({row["cleanlab"]["threshold"] for row in results if row["cleanlab"]})
    told = f"(reports scores below {', '.join(map(str, thresholds))})" if thresholds else "(not run)"
    bars = clean_bars(results)
    header = (*GROUP, *FINDER, *CLEANLAB, *SALIENCY, "search / training", "saliency / training")
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in results:
        groups[row["kind"] != "clean", row["data"], row["kind"], row["share"]].append(row)
    for (is_planted, data, kind, share), rows in sorted(groups.items()):
        group = [data, kind, f"{share:g}" if is_planted else "", str(len(rows))]
        cells = [*group, *finder_cells(rows), *cleanlab_cells(rows), *saliency_cells(rows, bars)]
        lines.append(f"| {' | '.join([*cells, *cost_cells(rows)])} |")
    notes = [NOTES.read_text().strip(), ""] if NOTES.exists() else []
    return (
        HEAD.format(threshold=told) + "\n".join([*notes, *totals(results, bars), "", *lines, "", *runs(results)]) + "\n"
    )


def totals(results: Sequence[Row], bars: dict[tuple[str, str], float]) -> list[str]:
    """Sums over pictures and over tables."""
    header = ("", "cases", *FINDER[:2], FINDER[-1], *CLEANLAB, *SALIENCY)
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for name, has_pictures in (("pictures", True), ("tables", False)):
        for state, is_clean in (("planted", False), ("clean", True)):
            rows = [
                row for row in results if is_picture_case(row) == has_pictures and (row["kind"] == "clean") == is_clean
            ]
            if rows:
                finder = finder_cells(rows)
                cells = [f"{name}, {state}", str(len(rows)), *finder[:2], finder[-1]]
                lines.append(f"| {' | '.join([*cells, *cleanlab_cells(rows), *saliency_cells(rows, bars)])} |")
    return lines


def is_picture_case(row: Row) -> bool:
    """Whether a case is one of pictures: tables have one map."""
    return len(row["saliency"]) > 1


def finder_cells(rows: Sequence[Row]) -> list[str]:
    """What the finder found in cases of one kind."""
    hits = [row for row in rows if row["rank"] is not None]
    tops = ["", ""] if rows[0]["kind"] == "clean" else [count(hits, lambda row, k=k: row["rank"] <= k) for k in (1, 3)]
    means = [f"{np.mean([row[name] for row in hits]):.2f}" if hits else "" for name in ("recall", "precision")]
    return [*tops, *means, str(sum(row["false_alarms"] for row in rows))]


def cleanlab_cells(rows: Sequence[Row]) -> list[str]:
    """What cleanlab reported in cases of one kind."""
    asked = [row for row in rows if row["cleanlab"]]
    if not asked:
        return ["", "", ""]
    reported = count(asked, lambda row: bool(row["cleanlab"]["flagged"]))
    if rows[0]["kind"] == "clean":
        return [reported, "", ""]
    return [
        reported,
        count(asked, lambda row: row["cleanlab"]["named"]),
        count(asked, lambda row: row["cleanlab"]["rank"] == 1),
    ]


def clean_bars(results: Sequence[Row]) -> dict[tuple[str, str], float]:
    """(data, map) -> heat of the hottest place of any class in the clean cases."""
    bars: dict[tuple[str, str], float] = {}
    for row in results:
        if row["kind"] == "clean":
            for name, found in row["saliency"].items():
                key = row["data"], name
                bars[key] = max(bars.get(key, 0.0), found["hottest"][0][2])
    return bars


def saliency_cells(rows: Sequence[Row], bars: dict[tuple[str, str], float]) -> list[str]:
    """What the mean maps showed in cases of one kind, by the better map of each case."""
    if rows[0]["kind"] == "clean":
        return ["", "", "", ""]

    def best(row: Row, field: str, most: int) -> bool:
        return any(found[field] is not None and found[field] <= most for found in row["saliency"].values())

    def above(row: Row) -> bool:
        return any(
            found["heat"] is not None and found["heat"] > bars[row["data"], name]
            for name, found in row["saliency"].items()
        )

    has_bar = all((row["data"], name) in bars for row in rows for name in row["saliency"])
    return [
        count(rows, lambda row: best(row, "told", 1)),
        count(rows, lambda row: best(row, "told", 3)),
        count(rows, lambda row: best(row, "untold", 3)),
        count(rows, above) if has_bar else "",
    ]


def cost_cells(rows: Sequence[Row]) -> list[str]:
    """Processor time of the search and of the mean maps, over that of training."""
    training = max(sum(row["train_seconds"] for row in rows), 1e-9)
    return [f"{sum(row[name] for row in rows) / training:.2f}" for name in ("find_seconds", "saliency_seconds")]


def runs(results: Sequence[Row]) -> list[str]:
    """Seeds and commit of every command."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in results:
        found[row["command"], row["commit"]].add(row["seed"])
    lines = ["| command | commit | seeds |", "|---|---|---|"]
    for (command, commit), seeds in sorted(found.items()):
        shown = command.replace("|", r"\|")
        lines.append(f"| `{shown}` | {commit} | {', '.join(map(str, sorted(seeds)))} |")
    return lines


def count(rows: Sequence[Row], holds: Callable[..., bool]) -> str:
    """In how many rows something holds."""
    return str(sum(holds(row) for row in rows))
