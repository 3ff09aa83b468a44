import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darwin_core.contracts import ArtifactRef, DataRoles, Snapshot, SplitConfig, SplitPart, Task
from darwin_core.data import MappedSplit
from darwin_core.evaluation.cases import Answers
from darwin_core.evaluation.evidence import write_evidence
from darwin_core.evaluation.holdout import read_holdout

REF = ArtifactRef(uri="x", sha256="0" * 64, size_bytes=0)


def holdout(tmp_path, roles, **columns):
    rows = len(next(iter(columns.values())))
    path = tmp_path / "test.parquet"
    pq.write_table(pa.table(columns), path)
    part = SplitPart(data=REF, rows=rows, label_counts={})
    snapshot = Snapshot(
        roles=DataRoles(label="y", **roles),
        split=SplitConfig(),
        columns=(),
        classes=("0", "1"),
        reference=REF,
        train=part,
        validation=part,
        test=part,
        train_profile=REF,
        test_profile=REF,
        sources={},
        split_rule="by hand",
    )
    split = MappedSplit(
        inputs={},
        input_types={},
        labels=np.arange(rows, dtype=np.int32) % 2,
        weights=None,
        row_ids=[f"r{row}" for row in range(rows)],
    )
    return read_holdout(path, snapshot, split)


def days(count, per_day):
    start = datetime.datetime(2026, 1, 1)
    return [start + datetime.timedelta(days=d, minutes=m) for d in range(count) for m in range(per_day)]


def test_rows_without_roles_are_independent(tmp_path):
    found = holdout(tmp_path, {}, y=[0, 1, 0])
    assert found.cases.clusters is None
    assert found.cases.periods is None
    assert found.slices == ()
    assert found.notes == ()


def test_rows_of_an_entity_belong_together(tmp_path):
    found = holdout(tmp_path, {"entity": "who"}, y=[0] * 5, who=["b", "a", None, "b", None])
    codes = found.cases.clusters
    assert codes[0] == codes[3]
    assert len(set(codes.tolist())) == 4, "rows without a value stand for themselves"
    assert "one who" in found.notes[0]


def test_rows_of_a_day_belong_together_and_fill_a_queue_of_their_own(tmp_path):
    found = holdout(tmp_path, {"time": "at"}, y=[0] * 36, at=days(12, 3))
    assert found.cases.periods.tolist() == np.repeat(np.arange(12), 3).tolist()
    assert (found.cases.clusters == found.cases.periods).all()


def test_few_days_are_not_resampled_as_wholes(tmp_path):
    found = holdout(tmp_path, {"time": "at"}, y=[0] * 9, at=days(3, 3))
    assert found.cases.periods.max() == 2
    assert found.cases.clusters is None
    assert "fewer than 10 days" in found.notes[0]


@pytest.mark.parametrize(("per_day", "daily"), [(60, True), (2, False)])
def test_numbers_are_days_when_many_rows_share_them(tmp_path, per_day, daily):
    found = holdout(tmp_path, {"time": "t"}, y=[0] * 12 * per_day, t=np.repeat(np.arange(12), per_day))
    assert (found.cases.periods is not None) is daily
    assert (found.cases.clusters is not None) is daily


def test_slices_and_evidence(tmp_path):
    found = holdout(tmp_path, {"slices": ("sex",)}, y=[0, 1, 0, 1], sex=["m", "f", None, "f"])
    assert [one.name for one in found.slices] == ["sex=f", "sex=m", "sex=(missing)"]
    answers = {name: Answers.from_scores(Task.BINARY, np.linspace(0, 1, 4)) for name in ("reference", "candidate")}
    write_evidence(tmp_path / "p.parquet", Task.BINARY, found, answers, {"reference": np.array([0, 0, 0, 1], bool)})
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == [
        "row_id",
        "label",
        "reference_score",
        "reference_predicted",
        "reference_alerted",
        "candidate_score",
        "candidate_predicted",
        "slice:sex",
    ]
    assert table["row_id"].to_pylist() == ["r0", "r1", "r2", "r3"]
    assert table["slice:sex"].to_pylist() == ["m", "f", "(missing)", "f"]
