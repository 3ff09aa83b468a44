import numpy as np
import pyarrow as pa
import pytest
from support.data import BINARY, multiclass

from darwin_core.data.labels import class_indices, class_order, label_flags, label_numbers, label_text
from darwin_core.errors import DataError


def row(position: int) -> str:
    return f"data.csv row {position}"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, 0]), ["1", "0"]),
        (pa.array([1.0, 0.0]), ["1", "0"]),
        (pa.array([1.5, 0.0]), ["1.5", "0"]),
        (pa.array([True, False]), ["1", "0"]),
        (pa.array(["yes", None]), ["yes", None]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    ],
)
def test_labels_read_as_text(values: pa.Array, texts: list[str | None]) -> None:
    assert label_text(values).to_pylist() == texts


@pytest.mark.parametrize(
    ("seen", "units", "positive", "expected"),
    [
        (["10", "9", "0"], 3, None, ("0", "9", "10")),
        (["b", "c", "a"], 3, None, ("a", "b", "c")),
        (["yes", "no"], None, None, ("no", "yes")),
        (["yes", "no"], None, "no", ("yes", "no")),
        (["1", "0"], None, "0", ("1", "0")),
        (["3", "1"], 5, None, ("0", "1", "2", "3", "4")),
        (["1"], None, None, ("0", "1")),
    ],
)
def test_classes_follow_the_outputs(
    seen: list[str], units: int | None, positive: str | None, expected: tuple[str, ...]
) -> None:
    output = BINARY if units is None else multiclass(units)
    assert class_order(seen, output, positive) == expected


@pytest.mark.parametrize(
    ("seen", "units", "positive", "words"),
    [
        (["a", "b", "c"], None, None, ["2 classes", "have 3", "'a', 'b', 'c'"]),
        (["a"], None, None, ["2 classes", "have 1"]),
        (["5", "7"], 5, None, ["5 classes", "have 2"]),
        (["a", "b"], None, "c", ["'c'", "'a', 'b'"]),
        (["a", "b", "c"], 3, "c", ["needs two classes"]),
    ],
)
def test_labels_that_do_not_fit_the_outputs_are_refused(
    seen: list[str], units: int | None, positive: str | None, words: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        class_order(seen, BINARY if units is None else multiclass(units), positive)
    for word in words:
        assert word in str(caught.value)


def test_indices_follow_the_class_order() -> None:
    assert class_indices(pa.array([3, 1, 3]), ("1", "3"), row).tolist() == [1, 0, 1]


@pytest.mark.parametrize(("values", "word"), [(["a", "z"], "'z'"), (["a", None], "missing")])
def test_unknown_and_missing_labels_name_their_row(values: list[str | None], word: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv row 1") as caught:
        class_indices(pa.array(values, pa.string()), ("a", "b"), row)
    assert word in str(caught.value)


def test_regression_labels_are_finite_numbers() -> None:
    assert np.allclose(label_numbers(pa.array([1, 2]), row), [1, 2])
    for bad in (pa.array([1.0, None]), pa.array([1.0, float("inf")])):
        with pytest.raises(DataError, match="row 1"):
            label_numbers(bad, row)
    with pytest.raises(DataError, match="numeric label"):
        label_numbers(pa.array(["x"]), row)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 1, 1]),
        pa.array([0.0, 1.0, 1.0]),
        pa.array([False, True, True]),
        pa.array(["0", "1", "1"]),
        pa.array(["0", "1", "1"]).dictionary_encode(),
    ],
)
def test_several_labels_are_zeros_and_ones_in_any_type(column: pa.Array) -> None:
    found = label_flags([column, pa.array([1, 0, 1])], ["rain", "wind"], row)
    assert found.dtype == np.int8
    assert found.tolist() == [[0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([0, 1, 2]), ["row 2", "'wind'", "expected 0 or 1", "got 2"]),
        (pa.array([0, 0.5, 1]), ["row 1", "got 0.5"]),
        (pa.array([0, 1, None]), ["row 2", "missing"]),
        (pa.array([0, 1, float("nan")]), ["row 2", "got nan"]),
        (pa.array(["0", "yes", "1"]), ["row 1", "got 'yes'"]),
    ],
)
def test_other_values_are_no_labels(column: pa.Array, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        label_flags([pa.array([1, 0, 1]), column], ["rain", "wind"], row)
    for word in words:
        assert word in str(caught.value)
