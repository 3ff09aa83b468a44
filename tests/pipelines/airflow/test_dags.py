"""The DAG factories, and every DAG file of the package, without a running Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

import darwin_pipelines.airflow_dags
from darwin_core.contracts import CompactionConfig
from darwin_pipelines.airflow_dags import compaction_dag, compaction_group, published_asset, reference_asset
from darwin_pipelines.airflow_dags.example_credit_risk import CREDIT_RISK

CONFIG = {
    "line": "s3://bank/models/fraud",
    "reference": "s3://bank/training/fraud/model.keras",
    "train": "s3://bank/training/fraud/train.parquet",
    "roles": {"label": "is_fraud"},
}
STEPS = ["fetch-data", "synthesize", "evaluate", "explain", "publish"]


def test_the_steps_follow_each_other() -> None:
    dag = compaction_dag("compact_fraud", CONFIG)
    assert [task.task_id for task in dag.topological_sort()] == STEPS
    assert [task.downstream_task_ids for task in dag.topological_sort()] == [{name} for name in STEPS[1:]] + [set()]


def test_it_starts_on_the_reference_and_updates_the_line() -> None:
    dag = compaction_dag("compact_fraud", CONFIG)
    assert [asset.uri for asset in dag.timetable.asset_condition.objects] == [CONFIG["reference"]]
    assert [outlet.uri for outlet in dag.get_task("publish").outlets] == [CONFIG["line"]]
    assert not [task for task in dag.tasks if task.outlets and task.task_id != "publish"]
    assert dag.max_active_runs == 1
    assert CONFIG["line"] in dag.doc_md


def test_it_never_starts_itself() -> None:
    with pytest.raises(ValueError, match="would start itself for ever"):
        compaction_dag("compact_fraud", CONFIG, starts_on=published_asset(CONFIG))
    with pytest.raises(ValueError, match="would start itself for ever"):
        compaction_dag("compact_fraud", CONFIG, published=Asset(name="other", uri=CONFIG["reference"] + "/"))


def test_several_sources_start_it_together() -> None:
    rows = Asset(uri="s3://bank/training/fraud/train.parquet")
    dag = compaction_dag("compact_fraud", CONFIG, starts_on=[reference_asset(CONFIG), rows])
    assert len(dag.timetable.asset_condition.objects) == 2


def test_defaults_can_be_overruled() -> None:
    dag = compaction_dag(
        "compact_fraud",
        CONFIG,
        on_rejection="fail",
        operator_args={"launcher_args": {"python": "/opt/darwin/bin/python"}, "pool": "gpu"},
        default_args={"retries": 5},
        schedule="@weekly",
        tags=["fraud"],
    )
    publish = dag.get_task("publish")
    assert (publish.retries, publish.retry_delay, publish.pool) == (5, timedelta(minutes=1), "gpu")
    assert publish.launcher_args == {"python": "/opt/darwin/bin/python"}
    assert publish.on_rejection == "fail"
    assert dag.tags == {"fraud"}


def test_a_group_inside_a_training_dag() -> None:
    with DAG("train_fraud", schedule=None) as dag:
        train = BaseOperator(task_id="train")
        train >> compaction_group(CONFIG)
    assert train.downstream_task_ids == {"compaction.fetch-data"}
    assert dag.get_task("compaction.publish").upstream_task_ids == {"compaction.explain"}
    assert dag.get_task("compaction.evaluate").retries == 2


def test_searches_side_by_side_stand_between_the_data_and_the_choice() -> None:
    dag = compaction_dag("compact_fraud", CONFIG, searches=[{"seed": 0}, {"seed": 1}, {"generator": "separable"}])
    assert [task.task_id for task in dag.topological_sort()] == [STEPS[0], "search", *STEPS[1:]]
    search, choice = dag.get_task("search"), dag.get_task("synthesize")
    assert isinstance(search, MappedOperator)
    assert search.retries == 2
    assert choice.searches == 3


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("s3://bank/models/fraud/", "s3://bank/models/fraud"), ("/data/line", "file:///data/line")],
)
def test_assets_have_a_scheme(uri: str, expected: str) -> None:
    assert published_asset(CONFIG | {"line": uri}).uri == expected
    assert published_asset(CompactionConfig.model_validate(CONFIG | {"line": uri})).uri == expected


def test_an_asset_cannot_be_a_template() -> None:
    with pytest.raises(ValueError, match="cannot be a template"):
        reference_asset(CONFIG | {"reference": "s3://bank/{{ ds }}/model.keras"})


def test_every_dag_file_loads() -> None:
    bag = DagBag(str(Path(darwin_pipelines.airflow_dags.__file__).parent))
    assert bag.import_errors == {}
    assert set(bag.dags) == {"retrain_credit_risk", "compact_credit_risk"}
    for dag in bag.dags.values():
        assert dag.description or dag.doc_md, f"DAG {dag.dag_id} says nothing about itself"


def test_the_example_is_the_demo(engine_python: str) -> None:
    """The DAG file spells the configuration out for people to read; the engine's demo builds the same one."""
    code = (
        "import json, sys; from darwin_core.demo.settings import demo_config; "
        "print(demo_config(**json.loads(sys.argv[1])).to_json())"
    )
    places = {name: CREDIT_RISK[name] for name in ("line", "reference", "train", "validation", "test")}
    output = subprocess.run([engine_python, "-c", code, json.dumps(places)], check=True, capture_output=True, text=True)
    assert CompactionConfig.model_validate(CREDIT_RISK) == CompactionConfig.from_json(output.stdout)


def test_the_lines_to_paste_are_a_dag_file(tmp_path: Path) -> None:
    text = textwrap.dedent(darwin_pipelines.airflow_dags.__doc__.split("::\n", 1)[1].split("\nand let", 1)[0])
    assert len(text.strip().splitlines()) <= 10
    (tmp_path / "compact_fraud.py").write_text(text)
    bag = DagBag(str(tmp_path))
    assert (bag.import_errors, set(bag.dags)) == ({}, {"compact_fraud"})


def test_reading_dags_imports_nothing_heavy() -> None:
    heavy = ("tensorflow", "keras", "numpy", "pyarrow", "boto3")
    code = f"import sys, darwin_pipelines.airflow_dags; print([name for name in {heavy!r} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip().splitlines()[-1] == "[]"
