"""How often a LiteRT file is right on the official test pictures of the road signs.

    python tests/benchmarks/litert_accuracy.py FILE.tflite --data DIR

For a row of RESULTS.md that speaks of an export: a run compares exports with the candidate on validation rows only.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from peers_pictures import read_pictures


def accuracy(file: Path, table: Path) -> tuple[float, int]:
    """Share of the test pictures that the file puts into the right class, and how many there are."""
    interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=2)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    split = read_pictures(table, "test", "image")
    right = 0
    for picture, label in zip(split.inputs["image"], split.labels, strict=True):
        interpreter.set_tensor(given["index"], picture[None].astype(given["dtype"]))
        interpreter.invoke()
        right += int(np.argmax(interpreter.get_tensor(made["index"])[0]) == label)
    return right / split.rows, split.rows


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    args = parser.parse_args()
    share, rows = accuracy(args.file, args.data / "gtsrb_32x32.parquet")
    print(json.dumps({"file": args.file.name, "bytes": args.file.stat().st_size, "accuracy": share, "rows": rows}))


if __name__ == "__main__":
    main()
