"""cleanlab's check of spurious correlations on a case's pictures, in the peers' environment: python peers_spurious.py CASE.npz.

The case holds ``pictures``, (rows, height, width, channels) bytes, and ``labels``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
from cleanlab import Datalab
from cleanlab.datalab.internal.adapter.constants import DEFAULT_CLEANVISION_ISSUES
from datasets import Dataset, Features, Image, Value, load_from_disk
from PIL import Image as Picture


def main() -> None:
    """Print cleanlab's score of every property of the pictures (low: tied to the labels) and the score it reports below."""
    case = np.load(sys.argv[1])
    pictures = [Picture.fromarray(each[..., 0] if each.shape[-1] == 1 else each) for each in case["pictures"]]
    rows = {"image": pictures, "label": [str(label) for label in case["labels"]]}
    data = Dataset.from_dict(rows, features=Features({"image": Image(), "label": Value("string")}))
    # cleanlab hands the data over with every picture, which is cheap only where they are a file.
    folder = sys.argv[1] + "-data"
    data.save_to_disk(folder)
    data = load_from_disk(folder)
    with contextlib.redirect_stdout(sys.stderr):
        lab = Datalab(data, label_name="label", image_key="image", verbosity=0)
        properties: dict[str, dict] = {name: {} for name in DEFAULT_CLEANVISION_ISSUES}
        lab.find_issues(issue_types={"image_issue_types": properties, "spurious_correlations": {}})
        found = lab.get_info("spurious_correlations")
    scores = {
        name.removesuffix("_score"): float(score)
        for name, score in found["correlations_df"].itertuples(index=False, name=None)
    }
    print(json.dumps({"threshold": found["threshold"], "scores": scores}))


if __name__ == "__main__":
    main()
