"""The publish step with real networks: who becomes champion, what lies in the store, and what a kill leaves behind."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.faulty_proxy import Fault, FaultyProxy, forward
from support.publishing import Line, Night, write_network
from support.s3 import S3Server, new_bucket
from support.stores import proxy as proxy

from darwin_core.contracts import (
    CostStatement,
    ExportFormat,
    ExportRecord,
    ExportReport,
    HistoryAction,
    Pointer,
    PointerName,
    PublishResult,
    Severity,
    StepName,
    StorageOptions,
    Verdict,
    VerdictDocument,
)
from darwin_core.errors import ConditionalWritesUnsupportedError, IntegrityError, RequestError
from darwin_core.progress import Reporter
from darwin_core.registry import read_history, read_pointer, read_version, rollback
from darwin_core.steps import publish
from darwin_core.steps.runner import run_step
from darwin_core.storage import ObjectStore, open_store


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A reference and three candidates; the last does without one input."""
    folder = tmp_path_factory.mktemp("networks")
    made = {name: write_network(folder / f"{name}.keras", seed) for seed, name in enumerate(("reference", "a", "b"))}
    made["narrow"] = write_network(folder / "narrow.keras", 9, inputs=("amount",))
    return made


@pytest.fixture
def line(tmp_path: Path, networks: dict[str, Path]) -> Line:
    """An empty line on the file system."""
    prefix = str(tmp_path / "store" / "credit")
    return Line(open_store(prefix), prefix, networks["reference"])


def run(night: Night, work: Path, store: ObjectStore | None = None) -> PublishResult:
    """Run the step on a machine whose disk is ``work``."""
    return PublishResult(key="k", seconds=0, **publish.run(night.request, night.context(work, store)))


def pointer(line: Line, name: PointerName = PointerName.CHAMPION) -> tuple[Pointer, str]:
    """An alias that has to exist."""
    found = read_pointer(line.store, line.prefix, name)
    assert found is not None
    return found


def actions(line: Line) -> list[HistoryAction]:
    """The ledger's actions in order."""
    return [entry.action for entry in read_history(line.store, line.prefix)]


def names_below(line: Line, *parts: str) -> list[str]:
    """What lies below a folder of the line."""
    folder = "/".join([line.prefix, *parts]) + "/"
    return [item.uri.removeprefix(folder) for item in line.store.list(folder)]


def test_a_candidate_that_passed_becomes_the_champion(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    night = line.night("night-1", networks["a"])
    result = run(night, tmp_path / "disk")
    version = f"1-{night.request.candidate.sha256[:12]}"
    assert (result.published, result.version, result.champion) == (True, version, version)
    assert result.version_uri == f"{line.prefix}/versions/{version}"
    champion, _ = pointer(line)
    assert (champion.version, champion.previous_version, champion.moved_by) == (version, None, "night-1")
    assert champion.serve_uri == f"{line.prefix}/versions/{version}/serve/"
    stored = read_version(line.store, line.prefix, version)
    assert stored.manifest_sha256 == champion.manifest_sha256
    assert set(names_below(line, "versions", version)) == {*stored.manifest.files, "manifest.json"}
    assert {"model.keras", "verdict.json", "report.html", "model_card.md", "cost.json"} < set(stored.manifest.files)
    assert names_below(line, "versions", version, "serve")[-1].startswith("1/variables/")
    assert "1/saved_model.pb" in names_below(line, "versions", version, "serve")
    assert actions(line) == [HistoryAction.PUBLISH]
    assert read_pointer(line.store, line.prefix, PointerName.CHALLENGER) is None


def test_the_documents_of_a_version_can_be_read(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    result = run(line.night("night-1", networks["a"]), tmp_path / "disk")

    def read(name: str) -> bytes:
        return line.store.read(f"{result.version_uri}/{name}").data

    assert VerdictDocument.from_json(read("verdict.json")).verdict is Verdict.PASS
    assert CostStatement.from_json(read("cost.json")).pay_back_predictions is not None
    assert f"version {result.version}".encode() in read("model_card.md")


def test_exports_become_part_of_the_version(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    sound = ExportRecord(
        format=ExportFormat.ONNX, runtime="r 1", file="network.onnx", lookups="lookups.json", file_bytes=9
    )
    broken = ExportRecord(format=ExportFormat.LITERT_INT8, runtime="r 1", file="int8.tflite", problem="It fails.")
    result = run(line.night("night-1", networks["a"], exports=(sound, broken)), tmp_path / "disk")
    assert result.version is not None
    folder = f"{result.version_uri}/exports"
    names = ["exports.json", "lookups.json", "network.onnx"]
    assert sorted(names_below(line, "versions", result.version, "exports")) == names
    assert line.store.read(f"{folder}/network.onnx").data == b"network.onnx"
    report = ExportReport.from_json(line.store.read(f"{folder}/exports.json").data)
    assert [item.format for item in report.exports] == [ExportFormat.ONNX]
    manifest = read_version(line.store, line.prefix, result.version).manifest
    assert {f"exports/{name}" for name in names} < set(manifest.files)
    assert "network.onnx" in line.store.read(f"{result.version_uri}/model_card.md").data.decode()


def test_what_is_served_answers_like_the_network(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    result = run(line.night("night-1", networks["narrow"]), tmp_path / "disk")
    served = tf.saved_model.load(f"{result.version_uri}/serve/1").signatures["serving_default"]
    network = keras.saving.load_model(f"{result.version_uri}/model.keras")
    amount = np.linspace(-2, 2, 7, dtype="float32")[:, None]
    answers = served(amount=tf.constant(amount), age=tf.zeros((7, 1)))
    assert set(served.structured_input_signature[1]) == {"amount", "age"}, "the reference's inputs, unread ones too"
    np.testing.assert_allclose(answers["output"], network({"amount": amount}), atol=1e-6)


def test_too_little_evidence_makes_a_challenger(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    first = run(line.night("night-1", networks["a"]), tmp_path / "disk")
    _, etag = pointer(line)
    doubtful = line.night("night-2", networks["b"], verdict=Verdict.INSUFFICIENT_EVIDENCE, champion_etag=etag)
    result = run(doubtful, tmp_path / "disk")
    assert (result.published, result.champion) == (False, first.version)
    assert result.version is not None
    assert result.version.startswith("2-")
    assert pointer(line, PointerName.CHALLENGER)[0].version == result.version
    assert pointer(line)[1] == etag
    assert "The champion stays" in result.reason
    assert "The gate had its reasons" in result.reason


@pytest.mark.parametrize(
    ("verdict", "block", "severities"),
    [
        (Verdict.FAIL, False, ()),
        (Verdict.PASS, True, (Severity.HIGH,)),
        (Verdict.INSUFFICIENT_EVIDENCE, True, (Severity.HIGH, Severity.LOW)),
    ],
)
def test_a_rejected_candidate_leaves_a_reason_and_nothing_else(
    line: Line,
    networks: dict[str, Path],
    tmp_path: Path,
    verdict: Verdict,
    block: bool,
    severities: tuple[Severity, ...],
) -> None:
    night = line.night("night-1", networks["a"], verdict=verdict, block_on_findings=block, severities=severities)
    result = run(night, tmp_path / "disk")
    assert (result.published, result.verdict, result.version, result.champion) == (False, verdict, None, None)
    (entry,) = read_history(line.store, line.prefix)
    assert entry.action is HistoryAction.REJECT
    assert entry.subject == night.request.candidate.sha256
    assert entry.detail == result.reason
    assert names_below(line, "versions") == []
    assert names_below(line, "pointers") == []


def test_a_champion_stays_without_tensorflow(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    night = line.night("night-1", networks["a"], verdict=Verdict.FAIL)
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was loaded')")
    told = subprocess.run(
        [sys.executable, "-m", "darwin_core", "run-step", "publish", "--request", night.request.to_json()],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "DARWIN_WORK_DIR": str(tmp_path / "work")},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert not PublishResult.from_json(told.stdout).published
    assert actions(line) == [HistoryAction.REJECT]


def test_findings_block_only_where_asked(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    assert run(line.night("night-1", networks["a"], severities=(Severity.HIGH,)), tmp_path / "disk").published
    _, etag = pointer(line)
    calm = line.night(
        "night-2", networks["b"], champion_etag=etag, block_on_findings=True, severities=(Severity.MEDIUM,)
    )
    assert run(calm, tmp_path / "disk").published


def test_nights_follow_each_other_and_roll_back(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    first = run(line.night("night-1", networks["a"]), tmp_path / "disk")
    second = run(line.night("night-2", networks["b"], champion_etag=pointer(line)[1]), tmp_path / "disk")
    assert pointer(line)[0].previous_version == first.version
    assert second.version is not None
    assert read_version(line.store, line.prefix, second.version).manifest.previous_champion == first.version
    assert rollback(line.store, line.prefix).version == first.version
    assert actions(line) == [HistoryAction.PUBLISH, HistoryAction.PUBLISH, HistoryAction.ROLLBACK]


def test_a_champion_that_moved_since_the_gate_stays(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    first = run(line.night("night-1", networks["a"]), tmp_path / "disk")
    late = run(line.night("night-2", networks["b"], champion_etag=None), tmp_path / "disk")
    assert (late.published, late.verdict, late.version, late.champion) == (False, Verdict.PASS, None, first.version)
    assert "moved since" in late.reason
    assert actions(line) == [HistoryAction.PUBLISH, HistoryAction.REJECT]


class Interfering:
    """Does something once, right before a write to a URI with this ending."""

    def __init__(self, store: ObjectStore, ending: str, act: Callable[[], object]) -> None:
        self._store, self._ending, self._acts = store, ending, iter([act])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, uri: str, data: bytes, **options: Any) -> str:
        """Write, after the interference."""
        if uri.endswith(self._ending):
            for act in self._acts:
                act()
        return self._store.write(uri, data, **options)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.INSUFFICIENT_EVIDENCE])
def test_a_race_lost_at_the_last_moment_is_a_result(
    line: Line, networks: dict[str, Path], tmp_path: Path, verdict: Verdict
) -> None:
    alias = PointerName.CHAMPION if verdict is Verdict.PASS else PointerName.CHALLENGER
    rival = line.night("rival", networks["a"], verdict=verdict)
    night = line.night("night-1", networks["b"], verdict=verdict)
    store: Any = Interfering(line.store, f"{alias.value}.json", lambda: run(rival, tmp_path / "rival"))
    result = run(night, tmp_path / "disk", store)
    assert not result.published
    assert result.version is not None, "it had been stored when the race was lost, and stays"
    assert pointer(line, alias)[0].moved_by == "rival"
    assert read_version(line.store, line.prefix, result.version).manifest.verdict is verdict
    assert sorted(actions(line)) == [HistoryAction.PUBLISH, HistoryAction.PUBLISH, HistoryAction.REJECT]
    entry = next(entry for entry in read_history(line.store, line.prefix) if entry.action is HistoryAction.REJECT)
    assert (entry.run_id, entry.subject, entry.detail) == ("night-1", result.version, result.reason)


class Killed(BaseException):
    """The process is gone."""


class Killing:
    """Dies at the n-th change of the store, just before it happens or just after; a dead process does nothing more."""

    def __init__(self, store: ObjectStore, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def __getattr__(self, name: str) -> Any:
        method, changes = getattr(self._store, name), name in ("write", "upload", "delete")

        def call(*args: Any, **options: Any) -> Any:
            if self._left <= 0:
                raise Killed
            self._left -= changes
            if self._left == 0 and not self._after:
                raise Killed
            try:
                return method(*args, **options)
            finally:
                if self._left == 0:
                    raise Killed

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before a change", "after a change"])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_publish_killed_again_and_again_ends_in_one_version(
    line: Line, networks: dict[str, Path], tmp_path: Path, verdict: Verdict, after: bool
) -> None:
    night = line.night("night-1", networks["a"], verdict=verdict)
    for attempt in itertools.count(1):
        try:
            store: Any = Killing(line.store, attempt, after=after)
            result = run(night, tmp_path / f"machine-{attempt}", store)
        except Killed:
            continue
        break
    assert attempt > (7 if verdict is Verdict.FAIL else 15), "the kills did not reach the changes that matter"
    assert result.published == (verdict is Verdict.PASS)
    if verdict is Verdict.FAIL:
        assert actions(line) == [HistoryAction.REJECT]
        assert names_below(line, "versions") == []
        return
    assert actions(line) == [HistoryAction.PUBLISH]
    assert names_below(line, "versions", "claims") == ["00000001.json"]
    assert result.version is not None
    stored = read_version(line.store, line.prefix, result.version)
    expected = {"claims/00000001.json", *(f"{result.version}/{name}" for name in stored.manifest.files)}
    assert set(names_below(line, "versions")) == {*expected, f"{result.version}/manifest.json"}
    alias = PointerName.CHAMPION if verdict is Verdict.PASS else PointerName.CHALLENGER
    assert pointer(line, alias)[0].manifest_sha256 == stored.manifest_sha256


def test_a_result_lost_after_the_move_is_found_again(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    night = line.night("night-1", networks["a"])
    first = run(night, tmp_path / "disk")
    again = run(night, tmp_path / "another-disk")
    assert (again.published, again.version, again.champion) == (True, first.version, first.version)
    assert actions(line) == [HistoryAction.PUBLISH]


def test_a_verdict_on_another_network_is_refused(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    night, other = line.night("night-1", networks["a"]), line.night("night-2", networks["b"])
    mixed = night.request.model_copy(update={"candidate": other.request.candidate})
    with pytest.raises(RequestError, match="Expected a verdict on the candidate"):
        publish.run(mixed, night.context(tmp_path / "disk"))
    assert names_below(line, "versions") == names_below(line, "history") == []


def test_a_verdict_that_was_changed_is_refused(line: Line, networks: dict[str, Path], tmp_path: Path) -> None:
    night = line.night("night-1", networks["a"], verdict=Verdict.FAIL)
    uri = night.request.verdict_document.uri
    forged = json.loads(line.store.read(uri).data) | {"verdict": "PASS"}
    line.store.write(uri, json.dumps(forged).encode())
    with pytest.raises(IntegrityError, match="verdict_document"):
        run(night, tmp_path / "disk")
    assert names_below(line, "versions") == names_below(line, "pointers") == []


def test_publish_to_s3_through_the_runner(s3_environment: S3Server, networks: dict[str, Path], tmp_path: Path) -> None:
    options = StorageOptions(endpoint_url=s3_environment.endpoint, path_style=True)
    prefix = f"s3://{new_bucket(s3_environment)}/models/credit"
    line = Line(open_store(prefix, options), prefix, networks["reference"])
    request = line.night("night-1", networks["a"]).request.model_copy(update={"storage": options})
    result = run_step(StepName.PUBLISH, request, reporter=Reporter(), work_root=tmp_path)
    again = run_step(StepName.PUBLISH, request, reporter=Reporter(), work_root=tmp_path)
    assert isinstance(result, PublishResult)
    assert result.published
    assert again == result.model_copy(update={"reused": True})
    assert pointer(line)[0].version == result.version


def test_a_store_that_ignores_conditions_gets_nothing(
    s3_environment: S3Server, proxy: FaultyProxy, networks: dict[str, Path], tmp_path: Path
) -> None:
    prefix = f"s3://{new_bucket(s3_environment)}/credit"
    options = StorageOptions(endpoint_url=proxy.endpoint, path_style=True)
    line = Line(open_store(prefix, options), prefix, networks["reference"])
    night = line.night("night-1", networks["a"])
    proxy.faults.append(
        Fault(
            lambda exchange: exchange.method == "PUT",
            lambda exchange: forward(exchange, without=("if-match", "if-none-match")),
            times=999,
        )
    )
    with pytest.raises(ConditionalWritesUnsupportedError):
        run(night, tmp_path / "disk")
    for folder in ("versions", "pointers", "history"):
        assert names_below(line, folder) == []
