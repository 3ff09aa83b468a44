"""Takes the engine's place behind a launcher, as a real process: behaves as the environment variable SCENARIO says.

It is called as an interpreter would be, ``-P -m darwin_core run-step STEP --config JSON --run-id ID`` (or ``run`` for
all steps), and writes what the real step writes where it writes it; the figures are made up.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from darwin_core.contracts import (
    ArtifactRef,
    CompactionConfig,
    EvaluateResult,
    ExplainResult,
    FetchDataResult,
    GateConfig,
    NetworkCost,
    PublishResult,
    StepName,
    StepResult,
    SynthesizeResult,
    Verdict,
    VerdictDocument,
    step_key,
)
from darwin_core.errors import ObjectNotFoundError
from darwin_core.storage import join_uri, open_store
from darwin_operators.stored_run import StoredRun

REASON = "Q1 PR-AUC: the lower bound of the difference is -0.031, below -0.005."


def main() -> int:
    assert sys.argv[1:4] == ["-P", "-m", "darwin_core"], sys.argv
    arguments = sys.argv[4:]
    steps = list(StepName) if arguments.pop(0) == "run" else [StepName(arguments.pop(0))]
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    options = dict(pairs)
    scenario = os.environ.get("SCENARIO", "good")
    for step in steps:
        print(f"step {step} begins", file=sys.stderr, flush=True)
        if scenario in _ODDITIES:
            return _ODDITIES[scenario]()
        config = CompactionConfig.from_json(options["--config"])
        if trunk := options.get("--branch-of"):
            copy_data(config, trunk, options["--run-id"])
        write_result(
            step, config, options["--run-id"], scenario, [text for name, text in pairs if name == "--choose-from"]
        )
    return 0


def copy_data(config: CompactionConfig, trunk: str, branch: str) -> None:
    """A branch searches the snapshot of the run that it belongs to."""
    origin, target = (
        join_uri(config.line, "runs", name, StepName.FETCH_DATA.value, "result.json") for name in (trunk, branch)
    )
    store = open_store(config.line, config.storage)
    store.write(target, store.read(origin).data)


def write_result(
    step: StepName, config: CompactionConfig, run_id: str, scenario: str, branches: Sequence[str] = ()
) -> None:
    """Store what ``step`` leaves behind; ``scenario`` other than ``good`` is a rejected candidate."""
    store = open_store(config.line, config.storage)

    def put(name: str, data: bytes) -> ArtifactRef:
        uri = join_uri(config.line, "runs", run_id, step.value, name)
        store.write(uri, data)
        return ArtifactRef(uri=uri, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))

    def some(name: str) -> ArtifactRef:
        return put(name, name.encode())

    verdict = Verdict.PASS if scenario in ("good", "another-version") else Verdict.FAIL
    published = scenario in ("good", "published-in-error")
    if scenario == "published-in-error":
        verdict = Verdict.FAIL
    cost = NetworkCost(parameters=10, macs=20, weight_bytes=40, input_features=3)
    document = VerdictDocument(
        verdict=verdict,
        reasons=(REASON,),
        checks=(),
        candidate_sha256="a" * 64,
        reference_sha256="b" * 64,
        reference_cost=cost,
        candidate_cost=cost,
        holdout_sha256="c" * 64,
        look=1,
        gate=GateConfig(),
    )
    made = {"key": _key(step, config, run_id, branches) if scenario != "another-version" else "k", "seconds": 0.1}
    results: dict[StepName, StepResult] = {
        StepName.FETCH_DATA: FetchDataResult(
            **made,
            snapshot=some("snapshot.json"),
            reference=some("reference.keras"),
            train_rows=1000,
            validation_rows=200,
            test_rows=300,
        ),
        StepName.SYNTHESIZE: SynthesizeResult(
            **made,
            candidate=some("candidate.keras"),
            front=(),
            search_record=some("search.json"),
            insights=some("insights.json"),
            feasible=scenario == "good",
            candidate_parameters=1234,
            candidate_macs=2000,
        ),
        StepName.EVALUATE: EvaluateResult(
            **made,
            verdict=verdict,
            verdict_document=put("verdict.json", document.to_json().encode()),
            evaluation=some("evaluation.json"),
            predictions=some("predictions.parquet"),
            metrics={"pr_auc": 0.5},
        ),
        StepName.EXPLAIN: ExplainResult(
            **made,
            explanation=some("explanation.json"),
            findings=some("findings.json"),
            report=put("report.html", b"<html></html>"),
            finding_count=2,
            high_severity_count=1,
        ),
        StepName.PUBLISH: PublishResult(
            **made,
            published=published,
            verdict=verdict,
            version="3-0123456789ab" if published else None,
            version_uri=join_uri(config.line, "versions/3-0123456789ab") if published else None,
            champion="3-0123456789ab" if published else "2-aaaaaaaaaaaa",
            reason="every check passed" if published else REASON,
        ),
    }
    put("result.json", results[step].to_json().encode())


def _key(step: StepName, config: CompactionConfig, run_id: str, branches: Sequence[str]) -> str:
    """The content address that the real step would store; the steps that did not run before are as good as any."""
    run, names = StoredRun(config, run_id), list(StepName)
    for name in names[: names.index(step)]:
        try:
            run.result(name)
        except ObjectNotFoundError:
            write_result(name, config, run_id, "good")
    rivals = tuple(StoredRun(config, name).reference(StepName.SYNTHESIZE) for name in branches)
    request = run.request(step)
    return step_key(step, request.model_copy(update={"rivals": rivals}) if rivals else request)


def _bad_request() -> int:
    print("Error: Expected a column 'default'.", file=sys.stderr)
    return 2


def _crash() -> int:
    raise RuntimeError("out of luck")


def _out_of_memory() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _hang() -> int:
    """Work for ever with a process of its own, whose id it tells; end as the real door does on SIGTERM."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    helper = subprocess.Popen(["sleep", "600"])
    _tell(helper.pid)
    time.sleep(600)
    return 0


def _stubborn() -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _tell(os.getpid())
    time.sleep(600)
    return 0


def _orphan() -> int:
    """End well, but leave a process behind that keeps the log's pipe open."""
    _tell(subprocess.Popen(["sleep", "600"]).pid)
    return 0


def _environment() -> int:
    print(json.dumps(dict(os.environ)), file=sys.stderr)
    return 0


def _chatter() -> int:
    for line in ("20:15:00 first", "", "zweite Zeile: größer", "third"):
        print(line, file=sys.stderr)
    print("not for people")
    return 0


def _silent_failure() -> int:
    return 1


def _tell(other: int) -> None:
    print(f"pids {os.getpid()} {other}", file=sys.stderr, flush=True)


_ODDITIES = {
    "bad-request": _bad_request,
    "crash": _crash,
    "out-of-memory": _out_of_memory,
    "hang": _hang,
    "stubborn": _stubborn,
    "orphan": _orphan,
    "environment": _environment,
    "chatter": _chatter,
    "silent-failure": _silent_failure,
}

if __name__ == "__main__":
    raise SystemExit(main())
