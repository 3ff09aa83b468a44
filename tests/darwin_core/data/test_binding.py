import pytest

from darwin_core.contracts import ColumnKind, ColumnSchema, NetworkInput
from darwin_core.data import bind_inputs
from darwin_core.errors import BindingError


def column(name: str, kind: str, shape: tuple[int, ...] = ()) -> ColumnSchema:
    return ColumnSchema(name=name, kind=ColumnKind(kind), shape=shape)


def wanted(name: str, shape: tuple[int | None, ...] = (1,), dtype: str = "float32") -> NetworkInput:
    return NetworkInput(name=name, shape=shape, dtype=dtype)


TABLE = (column("age", "integer"), column("sex", "string"), column("limit", "number"))


def names(inputs: tuple[NetworkInput, ...], columns: tuple[ColumnSchema, ...]) -> list[list[str]]:
    return [[found.name for found in item.columns] for item in bind_inputs(inputs, columns)]


def test_inputs_are_bound_by_name_and_extra_columns_are_ignored() -> None:
    assert names((wanted("limit"), wanted("sex", (), "string")), TABLE) == [["limit"], ["sex"]]


def test_the_one_image_column_feeds_the_one_image_input() -> None:
    columns = (column("label_text", "string"), column("picture", "image", (32, 32, 3)))
    assert names((wanted("input_layer", (32, 32, 3)),), columns) == [["picture"]]
    assert names((wanted("input_layer", (None, None, 3)),), columns) == [["picture"]]


def test_grey_images_fit_inputs_with_and_without_a_channel_axis() -> None:
    assert names((wanted("x", (28, 28)),), (column("image", "image", (28, 28, 1)),)) == [["image"]]
    assert names((wanted("x", (28, 28, 1)),), (column("image", "image", (28, 28)),)) == [["image"]]


def test_a_vector_input_takes_all_numbers_in_order_or_the_one_array() -> None:
    columns = (column("b", "number"), column("a", "integer"), column("c", "boolean"))
    assert names((wanted("vector", (3,)),), columns) == [["b", "a", "c"]]
    assert names((wanted("vector", (3,)),), (column("embedding", "tensor", (3,)),)) == [["embedding"]]


@pytest.mark.parametrize(
    ("inputs", "columns", "words"),
    [
        ((wanted("Age"), wanted("limit")), TABLE, ["'Age'", "'age'", "Near misses", "'sex' (string)"]),
        ((wanted("vector", (4,)),), TABLE[:1], ["'vector'", "'age'", "exclude"]),
        ((wanted("vector", (2,)),), TABLE, ["'vector'", "features"]),
        ((wanted("sex"),), TABLE, ["'sex'", "float32", "string"]),
        ((wanted("limit", (), "string"),), TABLE, ["'limit'", "string", "number"]),
        ((wanted("age", (5,)),), TABLE, ["'age'", "(5,)", "single values"]),
        ((wanted("image", (64, 64, 3)),), (column("image", "image", (32, 32, 3)),), ["(64, 64, 3)", "(32, 32, 3)"]),
    ],
)
def test_what_does_not_fit_is_named_on_both_sides(
    inputs: tuple[NetworkInput, ...], columns: tuple[ColumnSchema, ...], words: list[str]
) -> None:
    with pytest.raises(BindingError) as caught:
        bind_inputs(inputs, columns)
    for word in words:
        assert word in str(caught.value)


def test_whole_numbers_may_feed_text_lookups() -> None:
    assert names((wanted("age", (), "string"),), TABLE) == [["age"]]


def test_long_lists_are_shortened() -> None:
    many = tuple(wanted(f"column_{number}") for number in range(200))
    with pytest.raises(BindingError) as caught:
        bind_inputs(many, TABLE)
    assert "188 more" in str(caught.value)
    assert len(str(caught.value)) < 1500
