"""What Kubeflow's orchestration costs: the seconds of a pipeline beyond those of its steps.

    python tests/benchmarks/orchestration.py                       in child processes
    python tests/benchmarks/orchestration.py --runner containers   on Darwin's image (tests/infra/containers.sh env)
    python tests/benchmarks/orchestration.py --starts              what a task's processes need before they work

The demo's bank retrains and compacts with a small budget. A step's own seconds are those in its result; the rest is the
orchestrator's, the start of a Python and of TensorFlow in every task, reading and storing results. Starts are given in
processor seconds, which hardly depend on what else the machine does. Writes ``orchestration-RUNNER.json`` (or
``orchestration-starts.json``) and, from all of them, ``tests/benchmarks/ORCHESTRATION.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kfp import local

from darwin_components import CONTAINERS, SUBPROCESSES, docker_runner, subprocess_runner
from darwin_core.contracts import STEPS, SearchBudget
from darwin_core.demo.settings import demo_config
from darwin_pipelines.kubeflow_pipelines import declare_train_and_compact_pipeline

PAGE = Path(__file__).with_name("ORCHESTRATION.md")
TIMES = 3
STARTS = {
    "Python alone": "pass",
    "the launcher of a component": "import darwin_components.launcher",
    "`darwin`, before it loads a step": "import darwin_core.cli, darwin_core.steps.runner",
    "publish where the champion stays": "import darwin_core.cli, darwin_core.steps.publish",
    "TensorFlow alone": "import tensorflow",
    "synthesize": "import darwin_core.cli, darwin_core.steps.synthesize",
}
"""What a task loads -> the code that does so."""


def measure(runner: str, root: Path) -> dict[str, Any]:
    """Run the pipeline once; wall-clock seconds of all and of each step."""
    root.chmod(0o777)  # the image's user is not ours
    if runner == "containers":
        local.init(
            docker_runner(network_mode="none", read_only=True, tmpfs={"/tmp": "mode=1777"}), pipeline_root=str(root)
        )
    else:
        local.init(subprocess_runner(), pipeline_root=str(root))
    budget = SearchBudget(generations=1, offspring=1, generation_samples=40_000, final_samples=80_000)
    config = demo_config(root / "line", reference="-", train="-", validation="-", test="-", budget=budget)
    pipeline = declare_train_and_compact_pipeline(CONTAINERS if runner == "containers" else SUBPROCESSES)
    started = time.monotonic()
    pipeline(config=config.to_json(), night=1)
    total = time.monotonic() - started
    (run,) = (root / "line" / "runs").iterdir()
    steps = {name.value: json.loads((run / name.value / "result.json").read_text())["seconds"] for name in STEPS}
    return {
        "runner": runner,
        "total": total,
        "steps": steps,
        "tasks": task_seconds(root),
        "load": os.getloadavg()[1],
        "bytecode": runner == "containers" or not sys.dont_write_bytecode,
    }


def measure_starts(folder: Path) -> dict[str, Any]:
    """Processor seconds of loading, with compiled bytecode at hand and without: medians of fresh interpreters."""
    rows = {}
    for name, code in STARTS.items():
        cached = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        cached.pop("PYTHONDONTWRITEBYTECODE", None)
        bare = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "nothing"), "PYTHONDONTWRITEBYTECODE": "1"}
        processor_seconds(code, cached)  # compiles
        rows[name] = {
            key: statistics.median(processor_seconds(code, environment) for _ in range(TIMES))
            for key, environment in (("compiled", cached), ("bare", bare))
        }
    return {"runner": "starts", "starts": rows, "load": os.getloadavg()[1]}


def processor_seconds(code: str, environment: dict[str, str]) -> float:
    """What a fresh interpreter needs for the code, in its own and the system's time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def task_seconds(root: Path) -> dict[str, float]:
    """Task -> seconds from the end of the task before it to its own end, by the times of the files they leave."""
    ends = sorted((path.stat().st_mtime, path.parent.name) for path in root.glob("*/*/executor_output.json"))
    return {name: end - before for (before, _), (end, name) in itertools.pairwise(ends)}


def render(results: list[dict[str, Any]]) -> str:
    """The page."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    about = """A task is what Kubeflow starts; its step is the work inside. The difference is the start of the task, of Python
and of TensorFlow, and the reading and storing of results. It does not grow with the search: a search of hours gets as
many seconds on top."""
    origin = (
        f"Made by `tests/benchmarks/orchestration.py` at commit {commit}: {os.cpu_count()} processors, seed 0, one run."
    )
    sections = [render_starts(result) if "starts" in result else render_tasks(result) for result in results]
    return "\n\n".join(["# What orchestration costs", origin, about, *sections]) + "\n"


def render_tasks(result: dict[str, Any]) -> str:
    """One pipeline's tasks beside their steps."""
    pairs = {step: (task_of(step, result["tasks"]), own) for step, own in result["steps"].items()}
    extra = sum(task - own for task, own in pairs.values())
    rows = [f"| {step} | {task:.1f} | {own:.1f} | {task - own:.1f} |" for step, (task, own) in pairs.items()]
    bytecode = "with compiled bytecode" if result["bytecode"] else "without compiled bytecode (PYTHONDONTWRITEBYTECODE)"
    said = f"The five tasks: {extra:.1f} s beyond their steps, at a load of {result['load']:.1f}, {bytecode}."
    table = "\n".join(["| step | task, s | step, s | beyond, s |", "|---|---:|---:|---:|", *rows])
    return "\n\n".join([f"## In {result['runner']}", said, table])


def render_starts(result: dict[str, Any]) -> str:
    """What is loaded before the work begins."""
    rows = [f"| {name} | {item['compiled']:.2f} | {item['bare']:.2f} |" for name, item in result["starts"].items()]
    said = f"""Processor seconds of a fresh interpreter that loads it, medians of {TIMES}, at a load of {result["load"]:.1f}. Two
interpreters start in a task: the component's launcher, and `darwin` with the step. The image holds compiled bytecode; an
environment has it from the first start on, unless PYTHONDONTWRITEBYTECODE is set."""
    head = ["| | with bytecode | without |", "|---|---:|---:|"]
    return "\n\n".join(["## Where the seconds go", said, "\n".join([*head, *rows])])


def task_of(step: str, tasks: dict[str, float]) -> float:
    """The seconds of a step's task, in either form and on either branch."""
    return next(seconds for task, seconds in tasks.items() if task.startswith(step))


def main() -> None:
    """Measure one runner, and write the page anew from all that were measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", choices=("processes", "containers"), default="processes")
    parser.add_argument("--starts", action="store_true", help="measure starts, and no pipeline")
    parser.add_argument("--output", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DARWIN_WORK_DIR", str(Path(folder) / "work"))
        result = measure_starts(Path(folder)) if arguments.starts else measure(arguments.runner, Path(folder))
    (arguments.output / f"orchestration-{result['runner']}.json").write_text(json.dumps(result, indent=2) + "\n")
    found = sorted(arguments.output.glob("orchestration-*.json"))
    PAGE.write_text(render([json.loads(path.read_text()) for path in found]))
    sys.stdout.write(PAGE.read_text())


if __name__ == "__main__":
    main()
