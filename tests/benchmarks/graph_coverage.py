"""Narrow every architecture of keras.applications, and the specimen networks of the tests, and write what came out.

    python tests/benchmarks/graph_coverage.py --output FILE.json [--network NAME ...] [--set SET ...] [--table]

Random weights, the smallest input that the architecture takes, each architecture in a process of its own. Every network goes to
the widths 0.75, 0.5 and 0.25 of each dependency group, through a file and back. A network that is already in the file
with the same commit of the sources is not run again, so a stopped benchmark can be taken up. ``--table`` prints the
file as Markdown.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHARES = (0.75, 0.5, 0.25)
HEAD = """# Graph coverage

Written by `tests/benchmarks/graph_coverage.py`: every architecture of `keras.applications` with random weights at the
smallest input it takes, and small networks of other families. Each was narrowed to 0.75, 0.5 and 0.25 of the channels of
every dependency group, saved and loaded.

- **parameters, MACs**: measured on the narrowed network. They equal the estimate made beforehand, the output has the
  same shape and is finite; where one of these fails, the cell says so.
- **groups**: dependency groups; **analysis s**: seconds to find them, on a busy two-core machine.
- **reload**: the largest difference between outputs before saving and after loading, and between the network and its copy
  with every channel kept, relative to the largest output.
- **silent**: half of the channels of every group were silenced (every weight that touches them set to zero) and then
  removed, in double precision: the largest difference this makes, relative to how far the outputs of two rows are apart.
  Rounding only is expected, except where a layer computes statistics over channels ("mixes channels"). Values between
  1e-8 and 1e-4 are of single precision, from a first run; those of MobileNetV2 and of EfficientNet B4 to B7, V2B3, V2S
  and V2L come from a second run of this check alone. EfficientNetV2L with random weights amplifies any rounding:
  its outputs move by 9 % of that distance when its own input moves by 1e-13, more than when silent channels go.
- **frozen**: layers that keep their full width, by reason. The last layer always does.
- **MB**: peak memory of the process.

Not run yet: EfficientNetV2M, ConvNeXtBase and ConvNeXtLarge.
"""
SMALLEST_SIDE = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}
"""Pixels; 32 for all others."""
APPLICATIONS = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"),
    *("EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5"),
    *("EfficientNetB6", "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2"),
    *("EfficientNetV2B3", "EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L"),
    *("DenseNet121", "DenseNet169", "DenseNet201", "NASNetMobile", "NASNetLarge"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("InceptionV3", "InceptionResNetV2", "Xception", "VGG16", "VGG19"),
    *("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
)


def specimens() -> dict[str, Any]:
    """The tests' networks; the families of whole networks come first."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.families import ALL

    return ALL


def build(name: str) -> tuple[Any, bool]:
    """A network with random weights, and whether its layers compute statistics over channels."""
    import keras

    keras.utils.set_random_seed(0)
    if name not in APPLICATIONS:
        return specimens()[name].make(), specimens()[name].mixes
    side = SMALLEST_SIDE.get(name, 32)
    # Logits instead of probabilities, in which a difference would hardly show.
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classifier_activation=None)
    _scatter(model)
    return model, any(isinstance(layer, keras.layers.LayerNormalization) for layer in model.layers)


def _scatter(model: Any) -> None:
    """Random biases, factors and running statistics: as they are made, a mistake with them would not show."""
    import keras
    import numpy as np

    rng = np.random.default_rng(1)
    plain = not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) > 1 and plain:
                weight.assign(2 * weight)  # or the signal would fade from layer to layer
            elif len(weight.shape) == 1 and not isinstance(layer, keras.layers.Normalization):
                factor = weight.path.rsplit("/", 1)[-1] in ("gamma", "moving_variance")
                weight.assign(rng.uniform(0.5, 1.5, weight.shape) if factor else rng.uniform(-0.2, 0.2, weight.shape))


def _adapt(model: Any) -> None:
    """Running statistics from a few random rows, or the outputs of a deep network would not depend on its inputs."""
    import keras
    from support.zoo import sample

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    (rows,) = sample(model, 8).values()
    model(rows, training=True)
    for layer, momentum in zip(layers, before, strict=True):
        layer.momentum = momentum


def measure(name: str) -> dict[str, Any]:
    """One network through analysis, narrowing, estimating, saving and loading."""
    sys.path.insert(0, str(ROOT / "tests"))
    import numpy as np
    from support.zoo import run, sample

    from darwin_core.dependency import analyse, estimate_cost, magnitude_importance, narrow, uniform_widths
    from darwin_core.networks import load_network, measure_cost, save_network

    model, mixes = build(name)
    if name in APPLICATIONS:
        _adapt(model)
    rows = sample(model, 2)
    started = time.perf_counter()
    graph = analyse(model)
    analysis = time.perf_counter() - started
    cost, reference = measure_cost(model), run(model, rows)
    started = time.perf_counter()
    importance = magnitude_importance(graph)
    ranking = time.perf_counter() - started
    same = run(narrow(model, {}, graph=graph), rows)
    narrowed = []
    for share in SHARES:
        widths = uniform_widths(graph, share)
        keep = {group: np.argsort(importance[group])[-width:] for group, width in widths.items()}
        started = time.perf_counter()
        small = narrow(model, keep, graph=graph)
        seconds = time.perf_counter() - started
        found, outputs = measure_cost(small), run(small, rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "small.keras"
            save_network(small, path)
            del small
            reloaded = run(load_network(path), rows)
        narrowed.append(
            {
                "share": share,
                "parameters": found.parameters,
                "macs": found.macs,
                "estimated": found == estimate_cost(graph, widths),
                "same_shape": outputs.shape == reference.shape,
                "finite": bool(np.isfinite(outputs).all()),
                "reload_difference": _relative(reloaded, outputs),
                "seconds": round(seconds, 2),
            }
        )
    return {
        "input": [list(tensor.shape[1:]) for tensor in model.inputs],
        "parameters": cost.parameters,
        "macs": cost.macs,
        "layers": len(graph.wiring.layers()),
        "groups": len(graph.groups),
        "channels": sum(group.channels for group in graph.groups.values()),
        "analysis_seconds": round(analysis, 2),
        "importance_seconds": round(ranking, 2),
        "same_difference": _relative(same, reference),
        "narrowed": narrowed,
        "silent_difference": None if mixes else silent_difference(name),
        "frozen": [layer.model_dump() for layer in graph.frozen],
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def silent_difference(name: str) -> float:
    """What removing silenced channels changes, relative to how far the outputs of two rows are apart.

    In double precision: a deep network with random weights amplifies the rounding of single precision without bound.
    """
    import keras
    import numpy as np
    from support.surgery import silence
    from support.zoo import run, sample

    from darwin_core.dependency import analyse, magnitude_importance, narrow, uniform_widths

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model, _ = build(name)
        rows, graph = sample(model, 2), analyse(model)
        importance = magnitude_importance(graph)
        keep = {group: np.argsort(importance[group])[-width:] for group, width in uniform_widths(graph, 0.5).items()}
        silence(model, graph, keep)
        if name in APPLICATIONS:
            _adapt(model)
        before, after = run(model, rows), run(narrow(model, keep, graph=graph), rows)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    return float(np.abs(after - before).max() / max(np.ptp(before, axis=0).max(), 1e-30))


def _relative(found: Any, expected: Any) -> float:
    return float(abs(found - expected).max() / max(abs(expected).max(), 1e-30))


def commit() -> str:
    """The last commit that changed the sources, marked where files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "darwin_core")
    return git("log", "-1", "--format=%h", "--", "darwin_core") + ("-dirty" if changed else "")


def run_apart(names: list[str]) -> dict[str, dict[str, Any]]:
    """Measure networks in one process of their own, where a crash or a lack of memory hurts nobody else."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, __file__, "--measure", *names, "--output", str(answer)]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        found: dict[str, dict[str, Any]] = json.loads(answer.read_text()) if answer.exists() else {}
    return {name: found.get(name, {"error": ended.stderr[-2000:]}) for name in names}


def run_all(names: list[str], target: Path, together: int) -> list[dict[str, Any]]:
    """Run what is not in the file yet, and tell which networks failed."""
    results = json.loads(target.read_text()) if target.exists() else []
    now = commit()
    done = {row["network"] for row in results if row["commit"] == now and "error" not in row}
    left = [name for name in names if name not in done]
    small = [name for name in left if name not in APPLICATIONS]
    large = [name for name in left if name in APPLICATIONS]
    jobs = [*(large[start : start + together] for start in range(0, len(large), together)), *([small] if small else [])]
    for number, job in enumerate(jobs, 1):
        started = time.monotonic()
        found = run_apart(job)
        seconds = round(time.monotonic() - started, 1)
        failed = [name for name in job if "error" in found[name]]
        results = [row for row in results if row["network"] not in found]
        results += [{"network": name, "commit": now, "seconds": seconds, **found[name]} for name in job]
        shown = ", ".join(job) if len(job) < 6 else f"{len(job)} specimens"
        print(f"{number} of {len(jobs)}: {shown}, {seconds} s{f', failed: {failed}' if failed else ''}", flush=True)
        partial = target.with_suffix(".part")
        partial.write_text(json.dumps(results, indent=1))
        partial.replace(target)
    return results


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown: one line per network."""
    shares = " | ".join(f"parameters, MACs at {share}" for share in SHARES)
    lines = [
        HEAD,
        f"| network | input | parameters | MACs | groups | analysis s | {shares} | reload | silent | frozen | MB | commit |",
        "|" + "---|" * (11 + len(SHARES)),
    ]
    order = {name: number for number, name in enumerate(APPLICATIONS)}
    for row in sorted(results, key=lambda row: order.get(row["network"], len(order))):
        lines.append(_failed(row) if "error" in row else _line(row))
    missing = sorted(set(APPLICATIONS) - {row["network"] for row in results})
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    return "\n".join(lines)


def _failed(row: dict[str, Any]) -> str:
    reason = row["error"].strip().splitlines()[-1] if row["error"].strip() else "ended without a word"
    return f"| {row['network']} | failed: {reason} |" + " |" * (9 + len(SHARES))


def _line(row: dict[str, Any]) -> str:
    narrowed = " | ".join(
        f"{item['parameters']:,} ({item['parameters'] / row['parameters']:.1%}), {item['macs']:,}" + _doubts(item)
        for item in row["narrowed"]
    )
    reasons = Counter(_reason(layer["reason"]) for layer in row["frozen"])
    frozen = "; ".join(f"{count} x {reason}" for reason, count in reasons.items())
    shapes = ", ".join("x".join(map(str, shape)) for shape in row["input"])
    reload = max(item["reload_difference"] for item in row["narrowed"])
    silent = "mixes channels" if row["silent_difference"] is None else f"{row['silent_difference']:.1e}"
    return (
        f"| {row['network']} | {shapes} | {row['parameters']:,} | {row['macs']:,} | {row['groups']} | "
        f"{row['analysis_seconds']:.1f} | {narrowed} | {max(reload, row['same_difference']):.1e} | {silent} | {frozen} | "
        f"{row['megabytes']:,} | {row['commit']} |"
    )


def _doubts(item: dict[str, Any]) -> str:
    """What did not come out as it must, in words; nothing where all did."""
    checks = {"estimated": "cost not as estimated", "same_shape": "other shape", "finite": "not finite"}
    wrong = [words for field, words in checks.items() if not item[field]]
    return f" **{', '.join(wrong)}**" if wrong else ""


def _reason(text: str) -> str:
    """A reason without the names of layers, so that equal ones count together."""
    return text.split(" '")[0] + text[text.rfind("' ") + 1 :] if " '" in text and "' " in text else text


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="results file (JSON)")
    parser.add_argument("--network", action="append", help="names; all of them without it")
    parser.add_argument("--set", choices=["applications", "specimens"], help="one of the two sets only")
    parser.add_argument(
        "--together",
        type=int,
        default=1,
        help="architectures per process: starts faster, memory is that of the highest",
    )
    parser.add_argument("--table", action="store_true", help="print the results file as Markdown and run nothing")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.table:
        print(table(json.loads(args.output.read_text())))
    elif args.measure:
        import keras

        found = {}
        for name in args.measure:
            try:
                found[name] = measure(name)
            except Exception:
                found[name] = {"error": traceback.format_exc()}
            args.output.write_text(json.dumps(found))
            keras.backend.clear_session()
            gc.collect()
    else:
        names = args.network or [
            *(APPLICATIONS if args.set != "specimens" else ()),
            *(specimens() if args.set != "applications" else ()),
        ]
        failed = [row["network"] for row in run_all(names, args.output, args.together) if "error" in row]
        if failed:
            raise SystemExit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
