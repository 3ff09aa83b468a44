import datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.contracts import ColumnKind, ColumnSchema
from darwin_core.data import profiles
from darwin_core.data.profiles import EdgeFinder, Profiler

NUMBER = ColumnSchema(name="x", kind=ColumnKind.NUMBER)
TEXT = ColumnSchema(name="s", kind=ColumnKind.STRING)


def edges_of(values: pa.Array, batch_rows: int = 1000) -> tuple[float, ...]:
    finder = EdgeFinder(["x"], len(values))
    for batch in pa.table({"x": values}).to_batches(max_chunksize=batch_rows):
        finder.add(batch)
    return finder.edges()["x"]


def test_few_values_get_a_bin_each() -> None:
    assert edges_of(pa.array([1, 2, 2, 7, None])) == (1.5, 4.5)


def test_many_values_get_bins_of_equal_weight() -> None:
    values = np.random.default_rng(0).exponential(size=50_000)
    profiler = Profiler([NUMBER], {}, {"x": edges_of(pa.array(values))})
    profiler.add(pa.record_batch({"x": values}))
    counts = np.array(profiler.profile()[0].counts)
    assert len(counts) == 20
    assert np.abs(counts / 2500 - 1).max() < 0.1


@given(st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=1, max_size=60), st.integers(1, 60))
def test_counts_add_up_however_the_rows_arrive(values: list[float | None], batch_rows: int) -> None:
    column = pa.array(values, pa.float64())
    profiler = Profiler([NUMBER], {}, {"x": (-1.0, 0.0, 2.5)})
    for batch in pa.table({"x": column}).to_batches(max_chunksize=batch_rows):
        profiler.add(batch)
    (found,) = profiler.profile()
    present = [value for value in values if value is not None]
    expected = [
        sum(value < -1 for value in present),
        sum(-1 <= value < 0 for value in present),
        sum(0 <= value < 2.5 for value in present),
        sum(value >= 2.5 for value in present),
    ]
    assert list(found.counts) == expected
    assert found.missing == len(values) - len(present)
    (schema,) = profiler.schemas()
    assert schema.distinct == len(set(present))
    assert schema.missing_share == found.missing / len(values)


def test_categories_are_ranked_and_cut_at_200() -> None:
    words = [f"w{number:03}" for number in range(300) for _ in range(300 - number)]
    profiler = Profiler([TEXT], {}, {})
    profiler.add(pa.record_batch({"s": pa.array([*words, None])}))
    (found,) = profiler.profile()
    assert list(found.categories.items())[:2] == [("w000", 300), ("w001", 299)]
    assert len(found.categories) == 200
    assert found.missing == 1


def test_a_flood_of_rare_values_keeps_the_frequent_ones(monkeypatch: object) -> None:
    profiler = Profiler([TEXT], {}, {})
    for start in range(4):
        rare = [f"r{start}-{number}" for number in range(profiles._MAX_COUNTED // 2)]
        profiler.add(pa.record_batch({"s": pa.array(rare + ["often"] * 10)}))
    (found,) = profiler.profile()
    assert next(iter(found.categories.items())) == ("often", 40)
    assert profiler.schemas()[0].distinct is None


def test_times_are_counted_in_seconds_and_flags_as_numbers() -> None:
    day = datetime.datetime(2020, 1, 1)
    columns = [ColumnSchema(name="t", kind=ColumnKind.TIME), ColumnSchema(name="b", kind=ColumnKind.BOOLEAN)]
    profiler = Profiler(columns, {}, {"t": (day.replace(tzinfo=datetime.UTC).timestamp(),), "b": (0.5,)})
    profiler.add(
        pa.record_batch(
            {"t": pa.array([day, day - datetime.timedelta(1)], pa.timestamp("us")), "b": pa.array([True, None])}
        )
    )
    times, flags = profiler.profile()
    assert times.counts == (1, 1)
    assert (flags.counts, flags.missing) == ((0, 1), 1)
