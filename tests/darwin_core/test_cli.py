"""The command line as a person meets it: a real process, its exit code, what it prints and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import tiny

from darwin_core.cli_requests import read_gate
from darwin_core.contracts import (
    CompactionSummary,
    ExportReport,
    ParetoFront,
    Pick,
    SearchRecord,
    StepName,
    SynthesizeResult,
)


def darwin(*args: object, timeout: float = 540) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "darwin_core", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("table")
    train = tiny.write_table(folder / "train.parquet", rows=1600, seed=1)
    return {
        "folder": folder,
        "train": train,
        "test": tiny.write_table(folder / "test.parquet", rows=900, seed=2),
        "reference": tiny.write_table_network(folder / "reference.keras", train),
    }


SMALL_DATA_GATE = """{"accuracy_margin": 0.2, "pr_auc_margin": 0.2, "recall_margin": 0.2, "alert_rate_change": null,
 "alert_overlap": null, "calibration_rise": null, "slice_margin": null}"""
"""A few hundred rows prove little: this is about what follows a verdict, not about the verdict."""


def compact_args(table: dict[str, Path], output: Path) -> list[object]:
    return [
        "compact", "--reference", table["reference"], "--train", table["train"], "--test", table["test"],
        "--label", "is_fraud", "--row-id", "row_id", "--exclude", "row_id", "--slice", "browser",
        "--slice", "age:40,60", "--generations", 2, "--offspring", 2, "--output", output, "--run-id", "first",
        "--require", "parameters<=1500", "--require", "pr_auc_drop<=0.1",
        "--generation-samples", 41_000, "--final-samples", 161_000,
    ]  # fmt: skip


def rows_seen(summary: CompactionSummary) -> set[int]:
    record = SearchRecord.from_json(Path(summary.paths["search_record"].removeprefix("file://")).read_text())
    return {candidate.samples for candidate in record.candidates}


@pytest.fixture(scope="module")
def finished(table: dict[str, Path]) -> tuple[Path, CompactionSummary]:
    output = table["folder"] / "line"
    result = darwin(*compact_args(table, output), "--gate", SMALL_DATA_GATE, "--json")
    assert result.returncode == 0, result.stderr
    return output, CompactionSummary.from_json(result.stdout)


def test_compact_makes_a_smaller_network_and_says_so(finished: tuple[Path, CompactionSummary]) -> None:
    output, summary = finished
    assert summary.candidate.parameters <= 1500 < summary.reference.parameters / 3
    assert summary.candidate.metrics["pr_auc"] > summary.reference.metrics["pr_auc"] - 0.1
    assert CompactionSummary.from_json((output / "summary.json").read_text()) == summary
    assert set(summary.seconds) == {step.value for step in StepName}
    for name, path in summary.paths.items():
        assert Path(path.removeprefix("file://")).exists(), name


def test_networks_see_the_rows_that_were_asked_for(finished: tuple[Path, CompactionSummary]) -> None:
    raced, batch = 41_000, 128
    finishing = raced + 161_000
    assert {round(seen, -3) for seen in rows_seen(finished[1])} == {raced, finishing}
    assert all(min(abs(seen - raced), abs(seen - finishing)) < 2 * batch for seen in rows_seen(finished[1]))


def test_the_candidate_runs_without_darwin(finished: tuple[Path, CompactionSummary]) -> None:
    _, summary = finished
    code = (
        "import keras, sys, tensorflow as tf; m = keras.models.load_model(sys.argv[1]);"
        "x = {i.name: tf.constant([['chrome']]) if i.dtype == 'string' else tf.constant([[1.0]]) for i in m.inputs};"
        "print(float(tf.reshape(m(x), [-1])[0]), 'darwin_core' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, summary.paths["candidate"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    value, darwin_loaded = output.split()
    assert 0 <= float(value) <= 1
    assert darwin_loaded == "False"


def test_the_same_command_again_reuses_everything(
    table: dict[str, Path], finished: tuple[Path, CompactionSummary]
) -> None:
    output, summary = finished
    result = darwin(*compact_args(table, output), "--gate", SMALL_DATA_GATE, "--json")
    assert result.returncode == 0, result.stderr
    again = CompactionSummary.from_json(result.stdout)
    assert again.version == summary.version
    assert "already done" in result.stderr


def test_another_run_meets_the_champion(table: dict[str, Path], finished: tuple[Path, CompactionSummary]) -> None:
    output, first = finished
    args = [arg if arg != "first" else "second" for arg in compact_args(table, output)]
    result = darwin(*args, "--gate", SMALL_DATA_GATE, "--json", "--seed", "3")
    assert result.returncode == 0, result.stderr
    second = CompactionSummary.from_json(result.stdout)
    assert first.published
    assert second.baseline is not None
    assert second.baseline.parameters == first.candidate.parameters


def test_the_front_is_listed_for_people_and_for_programs(finished: tuple[Path, CompactionSummary]) -> None:
    output, summary = finished
    place = output / "runs" / "first"
    front = ParetoFront.from_json(darwin("front", place, "--json").stdout)
    by_name = darwin("front", "first", "--output", output)
    assert [point.on_front for point in front.points] == [True] * len(front.points)
    assert summary.candidate.parameters in [point.cost.parameters for point in front.points]
    for point in front.points:
        assert point.candidate_id in by_name.stdout
        assert f"{point.cost.parameters:,}" in by_name.stdout
    assert f"--from {place} --pick" in by_name.stdout.replace("\n", " ")


def test_every_door_keeps_the_configuration_beside_the_run(finished: tuple[Path, CompactionSummary]) -> None:
    config = finished[0] / "runs" / "first" / "config.json"
    text = config.read_text()
    config.unlink()
    result = darwin("run-step", "synthesize", "--config", text, "--run-id", "first")
    assert result.returncode == 0, result.stderr
    assert SynthesizeResult.from_json(result.stdout).reused
    assert config.read_text() == text


@pytest.mark.slow
def test_a_person_picks_another_point_and_the_run_goes_on_from_it(
    table: dict[str, Path], finished: tuple[Path, CompactionSummary]
) -> None:
    output, first = finished
    place = output / "runs" / "first"
    front = ParetoFront.from_json(darwin("front", place, "--json").stdout)
    wanted = front.points[-1]
    command = ("compact", "--from", place, "--pick", wanted.candidate_id, "--export", "litert-float16")
    result = darwin(*command, "--json")
    assert result.returncode == 0, result.stderr
    summary = CompactionSummary.from_json(result.stdout)
    assert [(item.file, item.problem) for item in summary.exports] == [("float16.tflite", None)]
    origin = Pick(run_id="first", candidate_id=wanted.candidate_id)
    assert (summary.run_id, summary.origin, first.origin) == (f"first-{wanted.candidate_id}", origin, None)
    assert summary.candidate.parameters == wanted.cost.parameters
    assert summary.reference.parameters == first.reference.parameters
    assert [str(status.requirement) for status in summary.requirements] == [
        str(status.requirement) for status in first.requirements
    ]
    assert summary.paths["snapshot"] == first.paths["snapshot"]
    assert f"A person picked this network: {origin}." in Path(summary.paths["report"]).read_text()
    again = darwin(*command)
    assert again.returncode == 0, again.stderr
    assert "already done" in again.stderr
    assert f"Picked by a person: {origin}" in again.stdout
    if summary.version is not None:
        assert f"picked {origin}" in (output / "versions" / summary.version / "model_card.md").read_text()


PICKS = {
    "no such run": (("--from", "RUNS/nights", "--pick", "g1n1"), "first"),
    "no such point": (("--from", "RUNS/first", "--pick", "g9n9"), "Points of the front: g"),
    "no point": (("--from", "RUNS/first"), "darwin front"),
    "no run": (("--pick", "g1n1"), "--from"),
    "a name without its line": (("--from", "first", "--pick", "g1n1"), "--output"),
    "a folder that is no run": (("--from", "RUNS/first/synthesize", "--pick", "g1n1"), "LINE/runs/NAME"),
    "settings of its own": (
        ("--from", "RUNS/first", "--pick", "g1n1", "--require", "macs<=9", "--seed", 2),
        "--require",
    ),
    "nothing at all": ((), "--reference, --train, --label, --output"),
}


@pytest.mark.parametrize("case", PICKS)
def test_a_pick_that_cannot_be_is_a_sentence(case: str, finished: tuple[Path, CompactionSummary]) -> None:
    words, expected = PICKS[case]
    runs = str(finished[0] / "runs")
    result = darwin("compact", *(str(word).replace("RUNS", runs) for word in words))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert expected in " ".join(result.stderr.split())


def test_rollback_moves_the_pointer_back(table: dict[str, Path], finished: tuple[Path, CompactionSummary]) -> None:
    output, first = finished
    champion = json.loads((output / "pointers" / "champion.json").read_text())["version"]
    if champion == first.version:
        result = darwin("rollback", output)
        assert result.returncode != 0
        assert "Error" in result.stderr
    else:
        assert darwin("rollback", output).returncode == 0
        before = json.loads((output / "pointers" / "champion.json").read_text())["version"]
        assert before != champion
        assert int(before.partition("-")[0]) < int(champion.partition("-")[0])


def test_run_step_saves_what_an_orchestrator_asks_for(
    table: dict[str, Path], finished: tuple[Path, CompactionSummary], tmp_path: Path
) -> None:
    output, _ = finished
    request = output / "runs" / "first" / "synthesize" / "request.json"
    saved = tmp_path / "deep" / "candidate.keras"
    result = darwin(
        "run-step", "synthesize", "--request", request, "--result", tmp_path / "result.json",
        "--save", f"candidate={saved}", "--save", f"feasible={tmp_path / 'feasible'}",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    outcome = SynthesizeResult.from_json((tmp_path / "result.json").read_text())
    assert outcome.reused
    assert saved.stat().st_size == outcome.candidate.size_bytes
    assert (tmp_path / "feasible").read_text() in ("True", "False")


def test_inspect_and_narrow(table: dict[str, Path], tmp_path: Path) -> None:
    inspection = json.loads(darwin("inspect", table["reference"], "--json").stdout)
    assert {group["channels"] for group in inspection["groups"]} >= {64}
    narrowed = tmp_path / "narrow.keras"
    result = darwin("narrow", table["reference"], "--width", "0.5", "-o", narrowed, "--json")
    assert result.returncode == 0, result.stderr
    costs = json.loads(result.stdout)
    assert costs["after"]["parameters"] < 0.5 * costs["before"]["parameters"]
    assert (
        json.loads(darwin("inspect", narrowed, "--json").stdout)["cost"]["parameters"] == costs["after"]["parameters"]
    )


@pytest.mark.slow
def test_export_writes_files_and_says_how_close_they_are(table: dict[str, Path], tmp_path: Path) -> None:
    result = darwin(
        "export", table["reference"], "--format", "litert-int8", "--format", "litert-float16", "-o", tmp_path / "out",
        "--train", table["train"], "--label", "is_fraud", "--exclude", "row_id", "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = ExportReport.from_json(result.stdout)
    assert ExportReport.from_json((tmp_path / "out" / "exports.json").read_text()) == report
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "int8.tflite", "float16.tflite", "lookups.json", "exports.json"
    }  # fmt: skip
    int8, float16 = report.exports
    for export in (int8, float16):
        assert (export.problem, export.metric, export.real_rows) == (None, "pr_auc", True)
        assert export.quality is not None
        assert export.network_quality is not None
        assert export.quality > export.network_quality - 0.05
    assert int8.file_bytes is not None
    assert float16.file_bytes is not None
    assert int8.file_bytes < float16.file_bytes


@pytest.mark.slow
def test_an_export_that_cannot_be_made_is_a_failure_with_a_reason(table: dict[str, Path], tmp_path: Path) -> None:
    result = darwin("export", table["reference"], "--format", "litert-int8", "-o", tmp_path / "out")
    assert result.returncode == 1
    assert "needs training rows" in " ".join(result.stdout.split())


def test_rows_for_an_export_need_a_label(tmp_path: Path) -> None:
    result = darwin("export", "x.keras", "--format", "onnx", "-o", tmp_path, "--train", "t.parquet")
    assert result.returncode == 2
    assert "--train together with --label" in result.stderr


def test_version_is_said() -> None:
    from darwin_core import __version__

    result = darwin("--version")
    assert (result.returncode, result.stdout.strip()) == (0, __version__)


def test_schema_is_json_schema() -> None:
    document = json.loads(darwin("schema", "SynthesizeRequest").stdout)
    assert document["properties"]["snapshot"]
    assert "CompactionConfig" in json.loads(darwin("schema").stdout)


def bad_inputs(folder: Path, table: dict[str, Path]) -> dict[str, tuple[dict[str, object], str]]:
    import pyarrow.parquet as pq

    empty = folder / "empty.parquet"
    pq.write_table(pq.read_table(table["train"]).slice(0, 0), empty)
    truncated = folder / "truncated.parquet"
    truncated.write_bytes(table["train"].read_bytes()[:3000])
    no_column = folder / "no_column.parquet"
    pq.write_table(pq.read_table(table["train"]).drop_columns(["browser"]), no_column)
    renamed = folder / "renamed.parquet"
    columns = ["row_id", "amt", "age", "browser", "unused", "is_fraud"]
    pq.write_table(pq.read_table(table["train"]).rename_columns(columns), renamed)
    strange = folder / "strange.parquet"
    test = pq.read_table(table["test"])
    label = test["is_fraud"].to_pylist()
    label[0] = 7
    pq.write_table(test.set_column(test.column_names.index("is_fraud"), "is_fraud", [label]), strange)
    return {
        "missing column": ({"--train": no_column}, "browser"),
        "unknown label column": ({"--label": "fraud"}, "fraud"),
        "unknown label value": ({"--test": strange}, "7"),
        "empty file": ({"--train": empty}, "row"),
        "truncated Parquet": ({"--train": truncated}, "truncated.parquet"),
        "no such file": ({"--test": folder / "nowhere.parquet"}, "nowhere.parquet"),
        "no serving rows": ({"--serving": folder / "nobody.parquet"}, "nobody.parquet"),
        "input names that do not match": ({"--train": renamed, "--test": renamed}, "amount"),
        "unknown metric": ({"--require": "weights<=3"}, "weights"),
        "not a network": ({"--reference": table["train"]}, "train.parquet"),
    }


BAD = (
    "missing column", "unknown label column", "unknown label value", "empty file", "truncated Parquet", "no such file",
    "no serving rows", "input names that do not match", "unknown metric", "not a network",
)  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_sentence_and_leaves_nothing(case: str, table: dict[str, Path], tmp_path: Path) -> None:
    changes, expected = bad_inputs(tmp_path, table)[case]
    options: dict[str, object] = {
        "--reference": table["reference"], "--train": table["train"], "--test": table["test"], "--label": "is_fraud",
        "--exclude": "row_id", "--output": tmp_path / "line",
    }  # fmt: skip
    options |= changes
    result = darwin("compact", *(word for option in options.items() for word in option))
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    assert "Error:" in result.stderr
    assert expected in result.stderr
    left = {path.name for path in (tmp_path / "line").rglob("*") if path.is_file()}
    assert left <= {"request.json"}, f"half-written output: {left}"


def test_a_network_with_a_lambda_layer_is_refused(table: dict[str, Path], tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Lambda(lambda x: x * 2, name="doubled")(inputs)))
    model.save(tmp_path / "lambda.keras")
    result = darwin("inspect", tmp_path / "lambda.keras")
    assert result.returncode == 2
    assert "Lambda" in result.stderr
    assert "doubled" in result.stderr


def test_an_impossible_requirement_ends_in_a_report(table: dict[str, Path], tmp_path: Path) -> None:
    result = darwin(
        *compact_args(table, tmp_path / "line"), "--require", "parameters<=3", "--require", "pr_auc_drop<=0.0", "--json"
    )
    assert result.returncode == 0, result.stderr
    summary = CompactionSummary.from_json(result.stdout)
    assert summary.verdict == "FAIL"
    assert not summary.published
    assert any(not status.met for status in summary.requirements)
    assert any("parameters" in reason for reason in summary.reasons)


def test_without_the_engine_the_way_out_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['keras'] = None; sys.argv = ['darwin', 'inspect', 'x.keras'];"
        "from darwin_core.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert "darwin-mlops[engine]" in result.stderr


def test_options_that_do_not_fit_are_named(table: dict[str, Path], tmp_path: Path) -> None:
    result = darwin(*compact_args(table, tmp_path / "line"), "--generations", 0, "--slice", "age:9,1")
    assert result.returncode == 2
    assert "generations" in result.stderr or "ascending" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_margin_holds_for_every_kind_of_quality() -> None:
    gate = read_gate(None, 0.1, 0.05)
    margins = (gate.accuracy_margin, gate.pr_auc_margin, gate.recall_margin, gate.f1_margin, gate.mean_iou_margin)
    assert {*margins, gate.rmse_margin} == {0.1}
