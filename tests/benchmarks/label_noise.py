"""Make labels wrong in real data, train networks on them, and see whether the wrong ones are found.

    python tests/benchmarks/label_noise.py --data DIR --output DIR [--peers-python PYTHON] [--case TEXT] [--seed N ...]

Each case makes labels of a sub-sample wrong, of training and validation rows alike, trains a reference, distils a
candidate of some thousand parameters from it, and looks for wrong labels as the explain step does. With
``--peers-python`` cleanlab gets the same rows, with the reference's scores of the rows it was trained on, and with those of
three references that were each trained without the rows in question. Scores are kept in ``--output``, results in
``label_noise.json``; cases that are there are not run again, ``--again`` judges kept scores anew. ``--render`` writes
LABEL_ERRORS.md.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from compact import commit
from label_noise_networks import Case, read_data, train_and_score
from scipy.stats import rankdata

from darwin_core.explanation.checks.base import FALSE_ALARM_RATE
from darwin_core.explanation.label_noise import find_wrong_labels, rows_to_list

HERE = Path(__file__).parent
DATA = ("fashion", "gtsrb", "bank", "taiwan")
KINDS = {"clean": 0.0, "symmetric 1 %": 0.01, "symmetric 3 %": 0.03, "symmetric 10 %": 0.1, "pair 30 %": 0.3}
HEAD = """# Wrong labels: planted and looked for

Made by `tests/benchmarks/label_noise.py`, see there. Symmetric: so many labels of all rows, training and validation, became
any other class; pair: 30 % of one class became one other class, both drawn at random. Listed: training rows that the
finding lists; right: those among them whose label was made wrong. Validation: the same for the validation rows. AUC: how
well the probability of the label, least first, ranks the training rows with a wrong label, by the scores of the candidate,
of the reference that was trained on them, and of references that were not (three folds). cleanlab: rows that
`find_label_issues` returns with its defaults, from the reference's scores and from those out of fold. Thresholds were chosen
on seed 0 (and on the scores of other small networks); seed 1 was run blind.
"""


@dataclass
class Outcome:
    """One line of the results; counts are rows."""

    data: str
    kind: str
    seed: int
    commit: str
    parameters: list[int]
    wrong: int
    share: float | None
    low: float | None
    high: float | None
    listed: int
    right: int
    validation_wrong: int
    validation_listed: int
    validation_right: int
    auc: dict[str, float | None]
    cleanlab: dict[str, list[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def noisy(labels: np.ndarray, classes: int, kind: str, seed: int) -> np.ndarray:
    """Labels of which some were made wrong."""
    rng = np.random.default_rng([seed, 7])
    given, share = labels.copy(), KINDS[kind]
    if kind.startswith("pair"):
        usual = np.flatnonzero(np.bincount(labels, minlength=classes) >= 100)
        source, target = rng.choice(usual, 2, replace=False)
        given[(labels == source) & (rng.random(len(labels)) < share)] = target
        return given
    rows = np.flatnonzero(rng.random(len(labels)) < share)
    given[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    return given


def scored(args: argparse.Namespace, data: str, kind: str, seed: int) -> Path:
    """The file with a case's labels and scores; trains the networks where there is none."""
    path = args.output / f"{data}-{kind}-{seed}.npz"
    if not path.exists():
        rows = read_data(args.data, data, seed)
        given = noisy(rows.labels, rows.classes, kind, seed)
        found = train_and_score(Case(data, rows, given, seed))
        np.savez(path, true=rows.labels, given=given, train_rows=rows.train_rows, **found)
    return path


def judged(args: argparse.Namespace, data: str, kind: str, seed: int) -> Outcome:
    """What is found in a case, beside what was planted."""
    path = scored(args, data, kind, seed)
    case = np.load(path)
    rows, given = int(case["train_rows"]), case["given"].astype(np.int64)
    wrong = given != case["true"]
    parts = [slice(0, rows), slice(rows, None)]
    own, other = (
        find_wrong_labels(case["candidate"][part], given[part], np.random.default_rng(0), alpha=FALSE_ALARM_RATE / 2)
        for part in parts
    )
    listed = rows_to_list(case["candidate"][:rows], given[:rows], own, other)
    in_validation = np.empty(0, np.int64) if other is None else other.found
    share = (own or other).share if own or other else None
    names = ("candidate", "reference", "out_of_fold")
    aucs = {name: auc(wrong[:rows], label_probability(case[name][:rows], given[:rows])) for name in names}
    outcome = Outcome(
        data=data, kind=kind, seed=seed, commit=commit(), parameters=[int(n) for n in case["parameters"]],
        wrong=int(wrong[:rows].sum()), share=share and share.value, low=share and share.low, high=share and share.high,
        listed=len(listed), right=int(wrong[:rows][listed].sum()), validation_wrong=int(wrong[rows:].sum()),
        validation_listed=len(in_validation), validation_right=int(wrong[rows:][in_validation].sum()), auc=aucs,
        seconds=[round(float(value), 1) for value in (*case["seconds"], case["fold_seconds"])],
    )  # fmt: skip
    if args.peers_python:
        command = [args.peers_python, str(HERE / "peers_cleanlab.py"), str(path)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for name, flagged in found.items():
            outcome.cleanlab[name] = [len(flagged), int(wrong[:rows][np.array(flagged, np.int64)].sum())]
    return outcome


def label_probability(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(rows,) the probability that scores give to each row's label."""
    both = np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores
    return both[np.arange(len(labels)), labels]


def auc(wrong: np.ndarray, quality: np.ndarray) -> float | None:
    """Chance that a wrong label has the lower quality of a wrong and a right one."""
    positives = int(wrong.sum())
    if not positives:
        return None
    ranks = rankdata(-quality)[wrong].sum()
    return round(float((ranks - positives * (positives + 1) / 2) / positives / (len(wrong) - positives)), 3)


def render(results: list[dict]) -> str:
    """LABEL_ERRORS.md."""
    order = list(KINDS)
    results = sorted(results, key=lambda row: (DATA.index(row["data"]), order.index(row["kind"]), row["seed"]))
    commits = ", ".join(sorted({row["commit"] for row in results}))
    lines = [
        "| data | labels | seed | wrong | listed | right | share found | validation: wrong | listed | right | AUC candidate | reference | out of fold | cleanlab: listed, right | out of fold |",
        "|" + "---|" * 15,
    ]
    for row in results:
        share = "" if row["share"] is None else f"{row['share']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        aucs = ["" if row["auc"][name] is None else f"{row['auc'][name]:.3f}" for name in row["auc"]]
        rival = [", ".join(map(str, row["cleanlab"].get(name, ()))) for name in ("reference", "out_of_fold")]
        cells = [row["data"], row["kind"], row["seed"], row["wrong"], row["listed"], row["right"], share]
        cells += [row["validation_wrong"], row["validation_listed"], row["validation_right"], *aucs, *rival]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    seconds = np.array([row["seconds"] for row in results]).mean(axis=0)
    tail = (
        f"\nSeconds of the processor per case, on average: reference {seconds[0]:.0f}, candidate {seconds[1]:.0f}, "
        f"three more references for the scores out of fold {seconds[2]:.0f}. Commits {commits}."
    )
    notes = HERE / "LABEL_ERRORS_NOTES.md"
    return "\n".join([HEAD, *([notes.read_text()] if notes.exists() else []), *lines, tail]) + "\n"


def main() -> None:
    """Run what was asked for and add it to `label_noise.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for scores and label_noise.json")
    parser.add_argument("--peers-python", help="interpreter of an environment with cleanlab")
    parser.add_argument("--case", default="", help="regular expression for names such as 'bank symmetric 3 %%'")
    parser.add_argument("--seed", action="append", type=int, help="0 and 1 without it")
    parser.add_argument("--again", action="store_true", help="judge kept scores anew, train nothing")
    parser.add_argument("--render", type=Path, help="only write this Markdown file from label_noise.json")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "label_noise.json"
    results = json.loads(target.read_text()) if target.exists() else []
    if args.render:
        args.render.write_text(render(results))
        return
    for seed in args.seed or (0, 1):
        for data in DATA:
            for kind in KINDS:
                known = any((row["data"], row["kind"], row["seed"]) == (data, kind, seed) for row in results)
                missing = args.again and not (args.output / f"{data}-{kind}-{seed}.npz").exists()
                if missing or (known and not args.again) or not re.search(args.case, f"{data} {kind}"):
                    continue
                row = asdict(judged(args, data, kind, seed))
                print(f"{data} {kind} {seed}: {row['wrong']} wrong, {row['listed']} listed, {row['right']} right, "
                      f"validation {row['validation_listed']}, {row['validation_right']}; {row['cleanlab']}", flush=True)  # fmt: skip
                results = [old for old in results if (old["data"], old["kind"], old["seed"]) != (data, kind, seed)] + [
                    row
                ]
                target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
