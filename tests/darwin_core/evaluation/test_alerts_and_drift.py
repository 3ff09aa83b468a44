import numpy as np
import pytest

from darwin_core.contracts import GateConfig
from darwin_core.evaluation.alerts import alert_overlap, alerted, deployed_threshold, missed_rows, overlap
from darwin_core.evaluation.cases import Cases
from darwin_core.evaluation.drift import score_drift

GATE = GateConfig(bootstrap_rounds=200)


def test_the_deployed_threshold_alerts_the_budget():
    scores = np.random.default_rng(0).random(1000)
    threshold = deployed_threshold(scores, 0.1)
    assert (scores >= threshold).sum() == 100


def test_overlap_is_the_jaccard_index_with_bounds():
    flags = np.zeros((2, 100), bool)
    flags[0, :20], flags[1, 5:25] = True, True
    found = overlap(Cases(np.zeros(100)), (flags[0], flags[1]), GATE)
    assert (found.jaccard, found.both, found.either) == (15 / 25, 15, 25)
    assert 0.4 < found.interval.low < 0.6 < found.interval.high < 0.8
    whole = overlap(Cases(np.zeros(100)), (flags[0], flags[0]), GATE)
    assert whole.jaccard == pytest.approx(whole.interval.high) == 1.0
    assert whole.interval.low < 0.9, "twenty rows prove little"


def test_nobody_alerted_is_no_overlap_and_no_knowledge():
    none = np.zeros(10, bool)
    found = overlap(Cases(np.zeros(10)), (none, none), GATE)
    assert (found.interval.low, found.interval.high) == (0.0, 1.0)


def test_alert_overlap_is_the_jaccard_index_of_both_queues():
    scores = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], float)
    other = np.array([9, 8, 0, 6, 5, 4, 3, 2, 1, 7], float)
    assert alert_overlap(scores, scores**3, 0.3) == 1.0
    assert alert_overlap(scores, other, 0.3) == pytest.approx(2 / 4)
    assert alert_overlap(scores, -scores, 0.5) == 0.0
    assert alert_overlap(scores, np.zeros(10), 0.3) == 0.0, "no row of this tie is surely alerted"


def test_clustered_alerts_widen_the_bounds_of_the_overlap():
    clusters = np.repeat(np.arange(20), 50)
    flags = (clusters < 12, (clusters >= 2) & (clusters < 14))
    alone = overlap(Cases(np.zeros(1000)), flags, GATE)
    together = overlap(Cases(np.zeros(1000), clusters=clusters), flags, GATE)
    assert together.jaccard == alone.jaccard
    assert together.interval.low < alone.interval.low - 0.05


def test_missed_rows_are_the_frauds_that_fell_off_the_queue_surest_first():
    labels = np.array([1, 1, 0, 1, 1])
    flags = (np.array([1, 1, 1, 1, 0], bool), np.array([0, 1, 0, 0, 0], bool))
    scores = np.array([0.4, 0.9, 0.1, 0.2, 0.0])
    assert missed_rows(Cases(labels), flags, scores).tolist() == [3, 0]
    assert missed_rows(Cases(labels), flags, scores, limit=1).tolist() == [3]


def test_a_tied_row_is_alerted_when_half_of_its_tie_fits():
    first, second = alerted((np.array([1.0, 0.5, 0.4]), np.array([0.0, 0.0, 1.0])))
    assert first.tolist() == [True, True, False]
    assert second.tolist() == [False, False, True]


@pytest.mark.parametrize("rows", [300, 5000])
def test_without_drift_chance_is_exceeded_once_in_a_hundred(rows):
    rng = np.random.default_rng(1)
    exceeded = 0
    for seed in range(100):
        drift = score_drift(rng.beta(1, 8, rows), rng.beta(1, 8, rows), seed=seed)
        exceeded += drift.psi > drift.chance
    assert exceeded / 100 <= 0.04


def test_drift_in_the_tail_alone_is_seen():
    """Doubling the top half per cent leaves ten equal bins almost untouched: there the alerts come from."""
    rng = np.random.default_rng(2)
    before, after = rng.random(50_000), rng.random(50_000)
    after[rng.random(50_000) < 0.005] = 0.9999
    drift = score_drift(before, after)
    assert drift.psi > 3 * drift.chance


def test_constant_scores_do_not_drift():
    drift = score_drift(np.full(100, 0.5), np.full(80, 0.5))
    assert drift.psi == 0.0
