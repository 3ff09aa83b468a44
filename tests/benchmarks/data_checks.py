"""Near copies and skew between training and serving, in real data: what is found, what is not, and in how many seconds.

    python tests/benchmarks/data_checks.py --data DIR --output DIR [--part near|skew|scale] [--render FILE]

``near``: the splits as published, random splits, and copies planted among the test rows. ``skew``: four ways of computing
a column otherwise, planted in three tables, with and without common row ids, and random halves without any. ``scale``:
a million rows. Results go to `data_checks.json` in the output folder; a part that is run again replaces its lines.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.checked_data import checked_data, checked_pictures

from darwin_core.contracts import DataRoles, Finding
from darwin_core.data.columns import scalar_kind
from darwin_core.explanation.checks import CheckedData, Column, DataCheck, ServingRows
from darwin_core.explanation.checks.near_duplicates import NearDuplicates, NearLabelConflicts
from darwin_core.explanation.checks.overlap import TrainTestOverlap
from darwin_core.explanation.checks.skew import TrainServeSkew

Arrays = dict[str, np.ndarray]
Row = dict[str, Any]

ROOT = Path(__file__).parents[2]
PLANTED = 0.02
HALVES = 10
TABLES = {
    "bank": ("bank_marketing_additional_full", "y", ()),
    "taiwan": ("taiwan_credit_default", "default.payment.next.month", ("ID",)),
    "ecommerce": ("ecommerce_fraud_sample", "class", ()),
    "transactions": ("simulated_card_transactions_21days", "TX_FRAUD", ("TRANSACTION_ID", "TX_FRAUD_SCENARIO")),
}
SKEWED = {
    "bank": {"unit": "duration", "default": "euribor3m", "spelling": "job"},
    "taiwan": {"unit": "LIMIT_BAL", "default": "AGE"},
    "ecommerce": {"unit": "purchase_value", "default": "age", "spelling": "browser", "time zone": "purchase_time"},
}
WORDS = {"unit": "100 times", "default": "default for missing", "spelling": "spelled", "time zone": "2 hours later"}


NOTES = """
What is missed, and why. Pictures moved by a pixel lie no nearer to their original than another picture of the class does
where pictures are as plain as Fashion-MNIST's. In tables of coarse columns (bank, taiwan) so many rows agree in all but one
column by nature that planted ones do not stand out; nothing is said there. Near copies of ecommerce are its own: purchases
from one device, equal but for the user. A column that spreads over months shows two hours only where rows have common ids.
Of a random split of road signs about half of the rows are told: frames far apart in a film differ as signs do. Rows named
are at most 100; for pictures some of them are look-alikes, as the finding says how many there would be anyway.
"""


def near_cases(data: Path) -> Iterator[tuple[str, int, Callable[[], CheckedData]]]:
    """Name, planted near copies among the test rows, and how to get the data."""
    pixels, columns = read_pictures(data / "gtsrb_32x32.parquet")
    labels, split = columns["label"], columns["split"]
    train = split == "train"
    for part in ("valid", "test"):
        yield f"gtsrb, {part} as published (by track)", 0, picture_case(pixels, labels, train, split == part)
    drawn = train & (np.random.default_rng(0).random(len(split)) < 0.15)
    yield "gtsrb, random split of train", -1, picture_case(pixels, labels, train & ~drawn, drawn)
    pixels, columns = read_pictures(data / "fashion_mnist.parquet")
    labels, train = columns["label"], columns["split"] == "train"
    yield "fashion, test as published", 0, picture_case(pixels, labels, train, ~train)
    for way in ("brighter", "jpeg", "shifted"):
        rows = np.flatnonzero(train)[: int(PLANTED * (~train).sum())]
        copies = altered(pixels[rows], way)
        yield f"fashion, 2 % {way} copies", len(rows), picture_case(pixels, labels, train, ~train, copies)
    for name in TABLES:
        for planted in (0.0, PLANTED):
            yield table_case(data, name, planted)


def picture_case(
    pixels: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, copies: np.ndarray | None = None
) -> Callable[[], CheckedData]:
    """Pictures split by two masks; copies go behind the test rows."""

    def make() -> CheckedData:
        rows = pixels[test] if copies is None else np.concatenate([pixels[test], copies])
        return checked_pictures(pixels[train], labels[train], rows, classes=int(labels.max()) + 1)

    return make


def table_case(data: Path, name: str, planted: float) -> tuple[str, int, Callable[[], CheckedData]]:
    """A quarter of the rows, drawn at random, is the test set; some of its rows are training rows but for one column."""
    columns, labels, classes = read_table(data, name)
    rng = np.random.default_rng(0)
    test = rng.random(len(labels)) < 0.25
    ours, theirs = ({key: values[mask] for key, values in columns.items()} for mask in (~test, test))
    count = int(planted * test.sum())
    sources, changed = rng.permutation((~test).sum())[:count], rng.integers(0, len(columns), count)
    fresh = {key: values[count : 2 * count].copy() for key, values in theirs.items()}
    for position, (key, values) in enumerate(theirs.items()):
        values[:count] = np.where(changed == position, fresh[key], ours[key][sources])
    label = f"{name}, random split" + (f", {planted:.0%} copies but for one column" if planted else "")
    return label, count, lambda: checked_data(ours, labels[~test], theirs, classes=classes)


def run_near(data: Path) -> Iterator[Row]:
    """One line per case."""
    for name, planted, make in near_cases(data):
        case = make()
        assert case.fingerprints is not None
        found = {}
        for check in (TrainTestOverlap(), NearDuplicates(), NearLabelConflicts()):
            started = time.process_time()
            found[check.name] = (check.run(case), round(time.process_time() - started, 1))
        near, seconds = found[NearDuplicates.name]
        yield {
            "part": "near",
            "case": name,
            "train rows": case.train_rows,
            "test rows": len(case.fingerprints.test_ids),
            "planted": "nearly all" if planted < 0 else planted,
            "exact copies": rows_of(found[TrainTestOverlap.name][0]),
            "near copies": rows_of(near),
            "planted among the named": named(
                near, len(case.fingerprints.test_ids) - planted, planted, name in SPLITS_AT_END
            )
            if planted > 0
            else "",
            "severity": near[0].severity.value if near else "",
            "across labels": rows_of(found[NearLabelConflicts.name][0]),
            "seconds": seconds,
            "seconds across labels": found[NearLabelConflicts.name][1],
        }


SPLITS_AT_END = tuple(f"fashion, 2 % {way} copies" for way in ("brighter", "jpeg", "shifted"))


def rows_of(findings: list[Finding]) -> int:
    """Affected rows of all findings."""
    return sum(finding.affected_rows or 0 for finding in findings)


def named(findings: list[Finding], start: int, planted: int, at_end: bool) -> str:
    """Planted rows among the (at most 100) rows that findings name; a large test set is asked about a sample."""
    ids = [int(name.split("-")[1]) for finding in findings for name in finding.affected_ids]
    hits = sum(row >= start if at_end else row < planted for row in ids)
    return f"{hits} of {len(ids)}" if ids else "none found"


def run_skew(data: Path) -> Iterator[Row]:
    """Planted skews, then random halves."""
    for name, plants in SKEWED.items():
        columns, labels, _ = read_table(data, name)
        order = np.random.default_rng(0).permutation(len(labels))
        half = len(labels) // 2
        for kind, column in plants.items():
            for matched in (True, False):
                ours = {key: values[order[:half]] for key, values in columns.items()}
                theirs = dict(ours) if matched else {key: values[order[half:]] for key, values in columns.items()}
                if kind == "default":
                    for side, fill in ((ours, np.nan), (theirs, -1.0)):
                        values = side[column].astype(float)
                        gaps = np.random.default_rng(1).random(len(values)) < 0.05
                        side[column] = np.where(gaps, fill, values)
                else:
                    theirs[column] = skewed(theirs[column], kind)
                started = time.process_time()
                findings = skew_findings(ours, theirs, labels[order[:half]], matched)
                right = [f for f in findings if f.columns == (column,) and WORDS[kind] in f.title]
                yield {
                    "part": "skew",
                    "table": name,
                    "skew": f"{kind} of {column}",
                    "rows": "same ids" if matched else "other rows",
                    "found": "yes" if right else "no",
                    "title": right[0].title if right else "; ".join(f.title for f in findings),
                    "severity": right[0].severity.value if right else "",
                    "other findings": len(findings) - len(right),
                    "seconds": round(time.process_time() - started, 1),
                }
        alarms = 0
        for seed in range(HALVES):
            order = np.random.default_rng(seed).permutation(len(labels))
            sides = [{key: values[rows] for key, values in columns.items()} for rows in (order[:half], order[half:])]
            alarms += bool(skew_findings(sides[0], sides[1], labels[order[:half]], False, seed))
        yield {"part": "clean", "table": name, "halves": HALVES, "columns": len(columns), "false alarms": alarms}


def skew_findings(ours: Arrays, theirs: Arrays, labels: np.ndarray, matched: bool, seed: int = 0) -> list[Finding]:
    """Findings of the check, with the ids of the training rows or without ids."""
    rows = len(labels)
    roles = DataRoles(label="label", row_id="id" if matched else None)
    case = checked_data(ours, labels, {key: values[:10] for key, values in ours.items()}, roles=roles, seed=seed)
    serving = ServingRows(
        columns={key: column_of(key, values) for key, values in theirs.items()},
        row_ids=[f"train-{row}" for row in range(rows)] if matched else None,
    )
    return TrainServeSkew().run(dataclasses.replace(case, serving=serving))


def column_of(name: str, values: np.ndarray) -> Column:
    """A column as it is read from a file."""
    array = pa.array(values, from_pandas=True)
    kind = scalar_kind(array.type)
    assert kind is not None
    return Column.from_arrow(name, kind, array)


def skewed(values: np.ndarray, kind: str) -> np.ndarray:
    """The column as another pipeline computes it."""
    if kind == "unit":
        return values * 100.0
    if kind == "time zone":
        return values + np.timedelta64(2, "h")
    return np.array([str(value).upper().replace(" ", "_") for value in values], object)


def run_scale() -> Iterator[Row]:
    """A million training rows and 100,000 test rows of noise, with 2 % near copies: seconds only."""
    rng = np.random.default_rng(0)
    rows, fresh = 1_000_000, 100_000
    copies = int(PLANTED * fresh)
    ours = {f"x{index}": rng.normal(size=rows) for index in range(16)}
    theirs = {key: np.concatenate([rng.normal(size=fresh - copies), ours[key][:copies]]) for key in ours}
    theirs["x3"][-copies:] = rng.normal(size=copies)
    yield scale_row("table of 16 columns", checked_data(ours, rng.integers(0, 2, rows), theirs), rows, fresh)
    looks = rng.integers(0, 256, (rows, 8, 8, 1), np.uint8)
    near = np.clip(looks[:copies] + rng.normal(0, 4, (copies, 8, 8, 1)), 0, 255).astype(np.uint8)
    test = np.concatenate([rng.integers(0, 256, (fresh - copies, 8, 8, 1), np.uint8), near])
    case = checked_pictures(looks, rng.integers(0, 2, rows), test)
    yield scale_row("pictures of 8 x 8", case, rows, fresh)


def scale_row(name: str, case: CheckedData, rows: int, fresh: int) -> Row:
    """Both checks on a large case."""
    checks: tuple[DataCheck, ...] = (NearDuplicates(), NearLabelConflicts())
    line: Row = {"part": "scale", "case": name, "train rows": rows, "test rows": fresh}
    for check, key in zip(checks, ("near copies", "across labels"), strict=True):
        started = time.process_time()
        found = check.run(case)
        line[key] = f"{rows_of(found):,} ({found[0].effect:.1%})" if found and found[0].effect else "0"
        line[f"seconds {key}"] = round(time.process_time() - started, 1)
    return line


def read_pictures(path: Path) -> tuple[np.ndarray, Arrays]:
    """(rows, height, width, channels) bytes, and the other columns."""
    table = pq.read_table(path)
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(blob))) for blob in table["image"].to_pylist()])
    columns = {name: np.array(table[name].to_pylist()) for name in ("label", "split")}
    return pixels.reshape(*pixels.shape[:3], -1), columns


def read_table(data: Path, name: str) -> tuple[Arrays, np.ndarray, tuple[str, ...]]:
    """Features, class indices and classes of a table; at most 60,000 rows."""
    file, label, dropped = TABLES[name]
    table = pq.read_table(data / f"{file}.parquet")
    table = table.take(np.sort(np.random.default_rng(0).permutation(table.num_rows)[:60_000]))
    classes, labels = np.unique(np.array(table[label].to_pylist()).astype(str), return_inverse=True)
    kept = [column for column in table.column_names if column not in (label, *dropped)]
    return {column: table[column].to_numpy().copy() for column in kept}, labels, tuple(classes)


def altered(pixels: np.ndarray, way: str) -> np.ndarray:
    """Copies: brighter with more contrast, coded anew, or moved by one pixel."""
    if way == "brighter":
        return np.clip(pixels * 1.2 + 10, 0, 255).astype(np.uint8)
    if way == "shifted":
        return np.concatenate([pixels[:, :, :1], pixels[:, :, :-1]], axis=2)
    coded = []
    for picture in pixels:
        buffer = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(buffer, "JPEG", quality=60)
        coded.append(np.asarray(Image.open(buffer)).reshape(picture.shape))
    return np.stack(coded)


def render(results: list[Row]) -> str:
    """All results as Markdown tables, one per part."""
    text = "# The data checks on real data\n\nMade by `tests/benchmarks/data_checks.py`; see there for the cases. "
    text += f"Commit {commit()}.\n"
    text += NOTES
    heads = {
        "near": "Near copies. Seconds are those of the processor, on sketches that were already made.",
        "skew": "Skews planted in serving rows: half of the table is training, serving is the same or the other half.",
        "clean": "Random halves of the tables without any skew: draws with a finding.",
        "scale": "Noise with 2 % near copies. Of large test sets a sample is asked about.",
    }
    for part, head in heads.items():
        rows = [{key: value for key, value in row.items() if key != "part"} for row in results if row["part"] == part]
        if rows:
            lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
            lines += ["| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()) + " |" for row in rows]  # fmt: skip
            text += f"\n{head}\n\n" + "\n".join(lines) + "\n"
    return text


def commit() -> str:
    """The checkout's commit, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Run the parts asked for and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for data_checks.json")
    parser.add_argument("--part", action="append", choices=("near", "skew", "scale"), help="all without it")
    parser.add_argument("--render", type=Path, help="write this Markdown file from all results")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "data_checks.json"
    results: list[Row] = json.loads(target.read_text()) if target.exists() else []
    runs = {"near": lambda: run_near(args.data), "skew": lambda: run_skew(args.data), "scale": run_scale}
    for part in args.part or runs:
        results = [row for row in results if row["part"] not in (part, "clean" if part == "skew" else part)]
        for row in runs[part]():
            print(row, flush=True)
            results.append(row)
        target.write_text(json.dumps(results, indent=1))
    if args.render:
        args.render.write_text(render(results))


if __name__ == "__main__":
    main()
