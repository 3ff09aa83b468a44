import numpy as np
import pytest
from sklearn import metrics as judge

from darwin_core.contracts import SliceSpec
from darwin_core.evaluation.curves import MAX_POINTS, confusion_matrix, precision_recall_curve, roc_curve
from darwin_core.evaluation.slicing import MAX_VALUES, cut, slice_names


def names(spec, values):
    spec = SliceSpec.parse(spec)
    return slice_names((spec,), {spec.column: np.array(values, dtype=object)})[spec.column].tolist()


def test_a_column_is_cut_by_its_values():
    assert names("c", ["a", None, b"b", 2.0, 3, float("nan"), True]) == [
        "a",
        "(missing)",
        "b",
        "2",
        "3",
        "(missing)",
        "True",
    ]


def test_long_numbers_keep_their_digits():
    assert names("id", [1234567.0, 1234568.0]) == ["1234567", "1234568"]
    assert names("id:1234560,1234561,1234562", [1234560.5, 1234561.5]) == [
        "1234560 to < 1234561",
        "1234561 to < 1234562",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_slices_come_in_one_order_whatever_they_are_called(seed):
    values = np.array(["nan", "1", "2", "3", "a"], dtype=object)
    shuffled = np.random.default_rng(seed).permutation(values)
    assert [each.value for each in cut({"c": shuffled})] == ["1", "2", "3", "a", "nan"]


def test_a_number_is_cut_at_its_edges():
    assert names("age:30,45", [29.9, 30, 44, 45, None]) == [
        "< 30",
        "30 to < 45",
        "30 to < 45",
        ">= 45",
        "(missing)",
    ]


def test_slices_of_a_cut_hold_every_row_once_and_stand_in_order():
    values = np.array([10, 2, 50, 31, None, 46], dtype=object)
    found = cut(slice_names((SliceSpec.parse("a:30,45"), SliceSpec.parse("a")), {"a": values}))
    assert [one.name for one in found] == [
        "a:30,45=< 30",
        "a:30,45=30 to < 45",
        "a:30,45=>= 45",
        "a:30,45=(missing)",
        "a=2",
        "a=10",
        "a=31",
        "a=46",
        "a=50",
        "a=(missing)",
    ]
    by_cut = {}
    for one in found:
        by_cut[one.column] = by_cut.get(one.column, 0) + one.mask.astype(int)
    assert all((counts == 1).all() for counts in by_cut.values())


def test_many_values_are_cut_into_the_most_frequent_ones():
    values = np.array([*range(100), *range(MAX_VALUES)], dtype=object)
    found = {one.value: int(one.mask.sum()) for one in cut(slice_names((SliceSpec(column="c"),), {"c": values}))}
    assert len(found) == MAX_VALUES + 1
    assert found["(other)"] == 100 - MAX_VALUES
    assert found["0"] == 2


def test_thinned_curves_keep_their_area_and_finite_thresholds():
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.03).astype(int)
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 3)))
    roc, pr = roc_curve(labels, scores), precision_recall_curve(labels, scores)
    assert len(roc) <= MAX_POINTS
    assert len(pr) <= MAX_POINTS
    area = np.trapezoid([0.0, *(p.y for p in roc)], [0.0, *(p.x for p in roc)])
    assert area == pytest.approx(judge.roc_auc_score(labels, scores), abs=0.002)
    assert all(np.isfinite(point.threshold) for point in (*roc, *pr))
    assert (roc[-1].x, roc[-1].y, pr[-1].x) == (1.0, 1.0, 1.0)
    for point in pr[:: len(pr) // 5]:
        chosen = scores >= point.threshold
        assert point.x == pytest.approx(labels[chosen].sum() / labels.sum())
        assert point.y == pytest.approx(labels[chosen].mean())


def test_curves_of_one_class_do_not_exist():
    assert roc_curve([0, 0], [0.1, 0.2]) == ()
    assert precision_recall_curve([0, 0], [0.1, 0.2]) == ()


def test_confusion_counts_true_by_predicted():
    assert confusion_matrix([0, 1, 1, 2], [0, 1, 0, 2], 3) == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
