"""cleanlab on the scores of a case, in the peers' environment: python peers_cleanlab.py CASE.npz."""

from __future__ import annotations

import json
import sys

import numpy as np
from cleanlab.filter import find_label_issues


def main() -> None:
    """Print, for each kind of scores of the training rows, the rows flagged."""
    case = np.load(sys.argv[1])
    rows = int(case["train_rows"])
    labels = case["given"][:rows].astype(int)
    found = {}
    for name in ("reference", "out_of_fold"):
        scores = case[name][:rows]
        both = np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores
        flagged = find_label_issues(labels, both, return_indices_ranked_by="self_confidence", n_jobs=1)
        found[name] = [int(row) for row in flagged]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
