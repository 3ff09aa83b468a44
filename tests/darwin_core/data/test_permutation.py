import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.data.permutation import Permutation, mix64


@given(length=st.integers(1, 3000), seed=st.integers(-(2**70), 2**70))
def test_every_number_appears_once(length: int, seed: int) -> None:
    shuffled = Permutation(length, seed)(np.arange(length))
    assert np.array_equal(np.sort(shuffled), np.arange(length))


@given(length=st.integers(1, 1000), seed=st.integers(0, 100), data=st.data())
def test_any_stretch_can_be_had_on_its_own(length: int, seed: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    whole = Permutation(length, seed)(np.arange(length))
    assert np.array_equal(Permutation(length, seed)(np.arange(start, length)), whole[start:])


def test_seeds_give_different_orders_that_leave_few_numbers_in_place() -> None:
    first, second = (Permutation(10_000, seed)(np.arange(10_000)) for seed in (1, 2))
    assert (first == second).mean() < 0.01
    assert (first == np.arange(10_000)).mean() < 0.01


def test_positions_are_spread_evenly() -> None:
    """The first tenth of a shuffled order holds a tenth of every tenth of the rows."""
    head = Permutation(100_000, 3)(np.arange(10_000))
    shares = np.histogram(head, bins=10, range=(0, 100_000))[0] / 10_000
    assert np.abs(shares - 0.1).max() < 0.015


def test_mix64_agrees_with_the_published_generator() -> None:
    """SplitMix64 started at 0 yields these numbers first (reference implementation by S. Vigna)."""
    states = np.array([0, 0x9E3779B97F4A7C15], np.uint64)
    assert [hex(value) for value in mix64(states).tolist()] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]
