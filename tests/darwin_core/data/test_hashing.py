import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.data.hashing import hash_arrays, hash_column, hash_rows, hex_text

CELLS = st.one_of(st.none(), st.text(max_size=4))


def hashes(columns: dict[str, pa.Array]) -> list[int]:
    rows = len(next(iter(columns.values())))
    found: list[int] = hash_rows({name: hash_column(values) for name, values in columns.items()}, rows).tolist()
    return found


@given(st.lists(st.tuples(CELLS, st.integers(-5, 5), st.floats(allow_nan=False, width=16)), min_size=1, max_size=30))
def test_rows_hash_alike_exactly_when_they_are_alike(rows: list[tuple[str | None, int, float]]) -> None:
    texts, whole, real = zip(*rows, strict=True)
    columns = {"t": pa.array(texts, pa.string()), "w": pa.array(whole), "r": pa.array(real, pa.float64())}
    found = hashes(columns)
    assert hashes(dict(reversed(columns.items()))) == found  # the order of columns does not matter
    for i in range(len(rows)):
        for j in range(i):
            assert (found[i] == found[j]) == (rows[i] == rows[j])


def test_swapped_values_of_two_columns_differ() -> None:
    assert hashes({"a": pa.array([1]), "b": pa.array([2])}) != hashes({"a": pa.array([2]), "b": pa.array([1])})


def test_missing_text_is_not_empty_text_and_nan_is_missing() -> None:
    empty, missing = hash_column(pa.array(["", None]))
    assert empty != missing
    nan, null, zero, minus_zero = hash_column(pa.array([np.nan, None, 0.0, -0.0], pa.float64()))
    assert nan == null != zero
    assert zero == minus_zero


def test_neighbouring_large_integers_differ() -> None:
    assert len(set(hash_column(pa.array([2**62, 2**62 + 1, -(2**62)])).tolist())) == 3


def test_arrays_hash_by_their_values() -> None:
    arrays = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    first, second, again = hash_arrays(np.concatenate([arrays, arrays[:1]])).tolist()
    assert first == again != second


def test_hex_has_sixteen_digits() -> None:
    assert hex_text(np.array([10], np.uint64)) == ["000000000000000a"]
