from pathlib import Path

from darwin_core.contracts import FetchDataResult, Snapshot, StepName, request_for
from darwin_core.demo.data import readable_table, write_demo_data
from darwin_core.demo.reference import OUTPUT_NAME, build_table_reference
from darwin_core.demo.settings import demo_config
from darwin_core.demo.tables import TableColumn
from darwin_core.progress import Reporter
from darwin_core.steps.runner import run_step


def test_the_demo_passes_fetch_data(tmp_path: Path) -> None:
    train, validation, test = write_demo_data(tmp_path / "data")
    texts = {"SEX", "EDUCATION", "MARRIAGE"}
    names = [name for name in readable_table().column_names if name not in ("ID", "default.payment.next.month")]
    columns = [TableColumn(name, words=("female", "university") if name in texts else ()) for name in names]
    model = build_table_reference(columns, 2, widths=(4,), output_name=OUTPUT_NAME)
    model.compile("adam", loss="binary_crossentropy")
    model.save(tmp_path / "reference.keras")
    config = demo_config(
        tmp_path / "line", reference=tmp_path / "reference.keras", train=train, validation=validation, test=test
    )
    result = run_step(
        StepName.FETCH_DATA,
        request_for(StepName.FETCH_DATA, config, "night-1", {}),
        reporter=Reporter(),
        work_root=tmp_path / "work",
    )
    assert isinstance(result, FetchDataResult)
    assert result.train_rows + result.validation_rows == 21_500
    assert result.test_rows == 7_500
    snapshot = Snapshot.from_json(Path(result.snapshot.uri).read_bytes())
    assert snapshot.classes == ("0", "1")
    assert len(snapshot.columns) == 23
    assert {spec.column for spec in snapshot.roles.slices} == texts - {"MARRIAGE"} | {"AGE"}


def test_margins_are_what_this_many_test_rows_can_prove() -> None:
    gate = demo_config("line", reference="r.keras", train="a.parquet", validation="v.parquet", test="b.parquet").gate
    assert gate.alert_budget == 0.10
    assert gate.pr_auc_margin == gate.recall_margin == 0.02
