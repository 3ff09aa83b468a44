"""The explain step on real snapshots, networks and verdicts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.evaluation import JudgedCandidate, Line
from support.tiny import write_image_network, write_images, write_table, write_table_network

from darwin_core.contracts import (
    CompactionReport,
    DataRoles,
    ExplainResult,
    Explanation,
    FindingKind,
    Findings,
    Severity,
    Verdict,
)
from darwin_core.dependency import narrow
from darwin_core.errors import RequestError
from darwin_core.explanation.checks.skew import TrainServeSkew
from darwin_core.networks import load_network, save_network

pytestmark = pytest.mark.usefixtures("fixed_latency")

COPIED = 30


def flawed_table(folder: Path) -> tuple[Path, Path]:
    """The tiny table with the answer in its column `unused`, and test rows copied from training."""
    train, test = (
        write_table(folder / "train.parquet", missing=0.03),
        write_table(folder / "test.parquet", seed=1, rows=900, missing=0.03),
    )
    rows, fresh = (_with_answer(pq.read_table(path), seed) for seed, path in enumerate((train, test)))
    copied = rows.slice(0, COPIED).set_column(0, "row_id", pa.array([f"copy-{row}" for row in range(COPIED)]))
    pq.write_table(rows, train)
    pq.write_table(pa.concat_tables([fresh, copied]), test)
    return train, test


def _with_answer(table: pa.Table, seed: int) -> pa.Table:
    noise = 0.3 * np.random.default_rng(seed).normal(size=table.num_rows)
    answer = pa.array(table["is_fraud"].to_numpy() * 2.0 + noise)
    return table.set_column(table.column_names.index("unused"), "unused", answer)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> JudgedCandidate:
    folder = tmp_path_factory.mktemp("table")
    train, test = flawed_table(folder)
    reference = write_table_network(folder / "reference.keras", train, epochs=6, units=16)
    roles = DataRoles(label="is_fraud", row_id="row_id", slices=("browser",))
    line = Line.fetch(folder, reference=str(reference), train=str(train), test=str(test), roles=roles)
    save_network(narrow(load_network(reference), {}, dropped_inputs=("unused",)), folder / "candidate.keras")
    case = JudgedCandidate(line, line.put(folder / "candidate.keras", "candidate.keras"), dropped_inputs=("unused",))
    # Whatever explain needs, the sealed rows are not among it.
    line.store.delete(case.snapshot.test.data.uri)
    return case


@pytest.fixture(scope="module")
def explained(table: JudgedCandidate) -> tuple[ExplainResult, Explanation]:
    return table.explain("first")


def test_columns_are_ranked_for_both_networks(explained) -> None:
    _, found = explained
    shares = {item.feature: item for item in found.features}
    assert set(shares) == {"amount", "age", "browser", "unused"}
    assert max(shares, key=lambda name: shares[name].reference) == "unused"
    assert [item.candidate for item in found.features] == sorted((s.candidate for s in shares.values()), reverse=True)
    assert shares["unused"].candidate == 0
    for network in ("reference", "candidate"):
        assert sum(getattr(item, network) for item in found.features) == pytest.approx(1)
    assert found.rank_overlap is not None
    assert 0.3 < found.rank_overlap < 1
    assert [check.check_id for check in found.checks] == ["X1", "X2"]
    assert found.checks[0].value == found.rank_overlap
    assert found.checks[1].verdict is Verdict.PASS
    assert all(len(item.spread) == 5 for item in found.features)
    assert "sampled Shapley values" in found.method
    assert "the probability of is_fraud = 1" in found.method
    assert "no finite score" in found.method, "the reference cannot handle a missing amount"


def test_columns_that_are_not_there_cannot_be_actionable(table: JudgedCandidate) -> None:
    with pytest.raises(RequestError, match="income"):
        table.explain("unknown", actionable=("income",))


def test_row_attributions_add_up_for_both_networks(table: JudgedCandidate, explained) -> None:
    _, found = explained
    assert found.row_attributions is not None
    rows = pq.read_table(io.BytesIO(table.read(found.row_attributions))).to_pandas()
    assert len(rows) == 2 * found.rows == 128
    parts = rows[[name for name in rows.columns if name.startswith("attribution.")]]
    np.testing.assert_allclose(parts.sum(axis=1) + rows["base"], rows["score"], atol=1e-9)
    assert set(rows["network"]) == {"reference", "candidate"}
    assert (rows.loc[rows["network"] == "candidate", "attribution.unused"] == 0).all()


def test_single_rows_are_told_in_words(explained) -> None:
    _, found = explained
    assert 6 <= len(found.row_examples) <= 9
    for row in found.row_examples:
        assert row.predicted in ("0", "1")
        assert row.reasons
        assert all(reason.text.startswith(f"{reason.feature} ") for reason in row.reasons)
        assert "unused" not in {reason.feature for reason in row.reasons}
        assert row.counterfactual
    scores = [row.score for row in found.row_examples[:3]]
    assert scores == sorted(scores, reverse=True)


def test_planted_flaws_are_found(explained) -> None:
    result, found = explained
    by_kind = {finding.kind: finding for finding in found.findings if finding.columns != ("amount",)}
    assert set(by_kind) == {FindingKind.LEAKING_COLUMN, FindingKind.TRAIN_TEST_OVERLAP}
    leak = by_kind[FindingKind.LEAKING_COLUMN]
    assert leak.columns == ("unused",)
    assert "unused carries 0 % of the candidate's decisions, less than of the reference's" in leak.description
    overlap = by_kind[FindingKind.TRAIN_TEST_OVERLAP]
    assert set(overlap.affected_ids) == {f"copy-{row}" for row in range(COPIED)}
    assert overlap.effect == pytest.approx(COPIED / (900 + COPIED))
    assert result.finding_count == len(found.findings)
    assert result.high_severity_count == sum(f.severity is Severity.HIGH for f in found.findings) == 2
    assert [finding.severity for finding in found.findings] == sorted(
        (finding.severity for finding in found.findings), key=[Severity.HIGH, Severity.MEDIUM, Severity.LOW].index
    )


def test_serving_rows_are_compared_with_the_training_rows(table: JudgedCandidate, tmp_path: Path) -> None:
    stored = pq.read_table(io.BytesIO(table.read(table.snapshot.train.data)))
    rows = stored.slice(0, 400).drop_columns(["is_fraud", "__row_id__"])
    cents = pa.array(rows["amount"].to_numpy(zero_copy_only=False) * 100, from_pandas=True)
    capitals = pa.array([value.capitalize() for value in rows["browser"].to_pylist()])
    rows = rows.set_column(rows.column_names.index("amount"), "amount", cents)
    rows = rows.set_column(rows.column_names.index("browser"), "browser", capitals)
    pq.write_table(rows, tmp_path / "serving.parquet")
    result, found = table.explain("served", serving=str(tmp_path / "serving.parquet"))
    assert TrainServeSkew.name in found.checks_run
    skews = {finding.columns: finding for finding in found.findings if finding.kind is FindingKind.TRAIN_SERVE_SKEW}
    assert set(skews) == {("amount",), ("browser",)}
    amount, browser = skews["amount",], skews["browser",]
    assert amount.title == "amount is 100 times as large in serving"
    assert "of 400 rows with the same id" in amount.description
    assert "'chrome' is 'Chrome'" in browser.description
    assert {amount.severity, browser.severity} == {Severity.HIGH}
    changes = [
        re.search(r"By this column alone (\S+) % of the candidate's decisions", each.description)
        for each in skews.values()
    ]
    assert all(each is not None and float(each[1]) > 2 for each in changes)
    assert "amount is 100 times as large in serving" in table.read(result.report).decode()


def test_documents_and_report_are_stored(table: JudgedCandidate, explained) -> None:
    result, found = explained
    findings = Findings.from_json(table.read(result.findings))
    assert findings.findings == found.findings
    assert findings.checks_run == found.checks_run
    assert len(found.checks_run) >= 7
    assert TrainServeSkew.name not in found.checks_run, "no serving rows were given"
    stored = table.line.store.read(f"{table.line.uri}/runs/first/explain/report.json").data
    report = CompactionReport.from_json(stored)
    assert report.explanation == found
    assert report.provenance.digests["candidate"] == table.candidate.sha256
    assert {"keras", "tensorflow", "numpy"} <= set(report.provenance.packages)
    page = table.read(result.report).decode()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "unused alone nearly gives the label away" in page


def without_places(found: Explanation) -> Explanation:
    """All but where files lie, which is below the run."""
    findings = tuple(
        item.model_copy(update={"affected": item.affected and item.affected.sha256}) for item in found.findings
    )
    return found.model_copy(update={"row_attributions": None, "findings": findings})


def test_the_same_seed_gives_the_same_explanation(table: JudgedCandidate, explained) -> None:
    _, again = table.explain("again")
    _, found = explained
    assert without_places(again) == without_places(found)
    assert again.row_attributions is not None
    assert found.row_attributions is not None
    assert again.row_attributions.sha256 == found.row_attributions.sha256
    _, other = table.explain("other", seed=7)
    assert other.features != found.features


def test_a_killed_step_does_not_attribute_again(
    table: JudgedCandidate, explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("darwin_core.steps.explain.run_checks", killed)
        table.explain("killed")
    monkeypatch.setattr("darwin_core.steps.explain.explain_table", killed)
    _, resumed = table.explain("killed")
    assert resumed.features == explained[1].features
    assert resumed.row_attributions is not None


def add_near_copies(train: Path, test: Path) -> None:
    """The first training pictures, with one pixel changed, behind the test pictures."""
    copies, rows = pq.read_table(train).slice(0, COPIED), pq.read_table(test)
    blobs = []
    for blob in copies["image"].to_pylist():
        picture, buffer = Image.open(io.BytesIO(blob)), io.BytesIO()
        picture.putpixel((5, 5), (60, 0, 60))
        picture.save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    pq.write_table(pa.concat_tables([rows, copies.set_column(0, "image", pa.array(blobs, pa.binary()))]), test)


def with_wrong_labels(path: Path, share: float, seed: int) -> set[str]:
    """Give pictures the label of another class; returns the names of their rows."""
    table, rng = pq.read_table(path), np.random.default_rng(seed)
    labels = table["label"].to_numpy()
    wrong = rng.random(len(labels)) < share
    given = np.where(wrong, (labels + rng.integers(1, 3, len(labels))) % 3, labels)
    names = [f"{path.stem}-{row}" for row in range(len(labels))]
    table = table.set_column(table.column_names.index("label"), "label", pa.array(given))
    pq.write_table(table.append_column("id", pa.array(names)), path)
    return {name for name, is_wrong in zip(names, wrong, strict=True) if is_wrong}


def test_wrong_labels_of_pictures_are_listed(tmp_path: Path) -> None:
    sizes = {"train": 900, "validation": 500, "test": 150}
    paths = {
        name: write_images(tmp_path / f"{name}.parquet", rows=rows, seed=seed)
        for seed, (name, rows) in enumerate(sizes.items())
    }
    wrong = {name: with_wrong_labels(path, 0.05, seed) for seed, (name, path) in enumerate(paths.items())}
    reference = write_image_network(tmp_path / "reference.keras", paths["train"], epochs=3)
    sources = {name: str(path) for name, path in paths.items()}
    line = Line.fetch(tmp_path, reference=str(reference), roles=DataRoles(label="label", row_id="id"), **sources)
    case = JudgedCandidate(line, line.put(reference, "candidate.keras"))
    result, found = case.explain("wrong-labels")
    assert "wrong labels" in found.checks_run
    flaws = {item.title.split()[1]: item for item in found.findings if item.kind is FindingKind.LABEL_ERROR}
    assert set(flaws) == {"training", "validation"}
    for part, name in (("training", "train"), ("validation", "validation")):
        flaw = flaws[part]
        assert flaw.affected is not None
        listed = pq.read_table(io.BytesIO(case.read(flaw.affected)))["row_id"].to_pylist()
        assert flaw.affected_rows == len(listed)
        assert tuple(listed[:100]) == flaw.affected_ids
        assert len(wrong[name] & set(listed)) > 0.8 * len(listed)
        assert len(wrong[name] & set(listed)) > 0.5 * len(wrong[name])
        assert flaw.low is not None
        assert flaw.low < 0.05
        assert all(example.before and example.predicted_after is None for example in flaw.examples)
        assert {example.row_id for example in flaw.examples} <= set(listed)
    page = case.read(result.report).decode()
    assert flaws["training"].title in page
    assert flaws["training"].examples[0].before in page


def test_pictures_are_explained_by_pixels(tmp_path: Path) -> None:
    train = write_images(tmp_path / "train.parquet", rows=400)
    test = write_images(tmp_path / "test.parquet", rows=150, seed=1)
    add_near_copies(train, test)
    reference = write_image_network(tmp_path / "reference.keras", train, epochs=2)
    line = Line.fetch(
        tmp_path, reference=str(reference), train=str(train), test=str(test), roles=DataRoles(label="label")
    )
    case = JudgedCandidate(line, line.put(reference, "candidate.keras"))
    result, found = case.explain("pictures")
    assert "the inquisitor's attribution" in found.method
    assert found.map_agreement == pytest.approx(1), "both networks are the same"
    assert [check.check_id for check in found.checks] == ["X2"]
    assert 3 <= len(found.image_examples) <= 12
    for example in found.image_examples:
        assert example.label in ("0", "1", "2")
        assert example.picture.startswith("data:image/png;base64,")
        assert example.attribution == example.reference_attribution
        assert example.attribution != example.picture
    assert found.features == ()
    # A bar is all there is to these classes; whether it is the object or stands for it, no experiment can tell.
    assert {item.severity for item in found.findings if item.kind is not FindingKind.NEAR_DUPLICATE} <= {Severity.LOW}
    (near,) = (item for item in found.findings if item.kind is FindingKind.NEAR_DUPLICATE)
    assert set(near.affected_ids) == {f"test:{row}" for row in range(150, 150 + COPIED)}
    assert "data:image/png;base64," in case.read(result.report).decode()


def test_numbers_are_explained_on_a_vector_input(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = np.array([3.0, 0.0, -1.0, 0.5])
    for name, rows in (("train", 900), ("test", 300)):
        x = rng.normal(size=(rows, 4))
        columns = {f"x{index}": x[:, index] for index in range(4)}
        y = x @ weights + 4 * rng.normal(size=rows)
        pq.write_table(pa.table({**columns, "y": y}), tmp_path / f"{name}.parquet")
    vector = keras.Input((4,), name="vector")
    model = keras.Model(vector, keras.layers.Dense(1, name="price")(vector))
    model.layers[-1].set_weights([weights[:, None], np.zeros(1)])
    model.compile("sgd", "mse")
    save_network(model, tmp_path / "reference.keras")
    line = Line.fetch(
        tmp_path,
        reference=str(tmp_path / "reference.keras"),
        train=str(tmp_path / "train.parquet"),
        test=str(tmp_path / "test.parquet"),
        roles=DataRoles(label="y"),
    )
    _, found = JudgedCandidate(line, line.put(tmp_path / "reference.keras", "candidate.keras")).explain("numbers")
    assert [item.feature for item in found.features] == ["x0", "x2", "x3", "x1"]
    assert found.features[-1].candidate == 0
    assert found.rank_overlap == 1
    assert "the predicted y" in found.method
    assert all(row.counterfactual is None for row in found.row_examples)
    assert "raises the prediction by" in " ".join(r.text for row in found.row_examples for r in row.reasons)
    assert not found.findings
