"""The whole search on a task with a known answer: it shrinks, keeps quality, obeys, resumes and repeats itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.learning import COLUMNS, SMALL_BUDGET, customers, make_search, trained_reference

from darwin_core.contracts import CandidateRecord, CandidateStage, HeadKind, Pick, SearchBudget, SearchRecord
from darwin_core.errors import RequestError, RequirementError
from darwin_core.networks import Predictor, load_network, measure_cost
from darwin_core.progress import Reporter, Tracker
from darwin_core.synthesis import PickedPoint, SearchOutcome
from darwin_core.synthesis.journal import Journal
from darwin_core.training import prepare_runtime

ONE_SHOT = SearchBudget(generations=1, offspring=1, generation_samples=3_000, final_samples=3_000)


@pytest.fixture(scope="module", autouse=True)
def _runtime() -> None:
    prepare_runtime(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def one_shot(tmp_path_factory: pytest.TempPathFactory) -> SearchOutcome:
    """What an undisturbed search of one small generation finds."""
    return make_search(tmp_path_factory.mktemp("one-shot"), budget=ONE_SHOT).run()


@pytest.fixture(scope="module")
def outcome(folder: Path) -> SearchOutcome:
    return make_search(folder, ("pr_auc_drop<=0.02",)).run()


def essence(record: SearchRecord) -> list[object]:
    """Everything but the time it took."""
    found = [*record.candidates, *(control.record for control in record.controls)]
    return [record.chosen, record.front, *(item.model_copy(update={"seconds": 0.0}) for item in found)]


def weights(path: Path) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in load_network(path).get_weights()])


def test_the_chosen_network_is_small_good_and_plain(outcome: SearchOutcome) -> None:
    record = outcome.record
    assert record.feasible
    assert record.binding_requirements == ()
    cost = outcome.chosen.record.cost
    assert cost.parameters < 0.2 * record.reference.cost.parameters
    network = load_network(outcome.chosen.path)
    assert measure_cost(network) == cost
    fresh = customers(1_000, seed=9)
    own, theirs = (Predictor(model)(dict(fresh.inputs))[:, 0] > 0.5 for model in (network, trained_reference()))
    assert np.mean(own == fresh.labels) > np.mean(theirs == fresh.labels) - 0.03


def test_the_record_tells_the_whole_search(outcome: SearchOutcome) -> None:
    record = outcome.record
    ids = [item.candidate_id for item in record.candidates]
    assert record.chosen in ids
    assert len(set(ids)) == len(ids)
    assert set(record.front) == {item.candidate_id for item in record.candidates if item.on_front}
    assert [item.candidate_id for item in outcome.front] == list(record.front)
    sizes = [item.record.cost.parameters for item in outcome.front]
    assert sizes == sorted(sizes)
    chosen = next(item for item in record.candidates if item.candidate_id == record.chosen)
    assert chosen.stage is CandidateStage.FINISHED
    assert {"teacher", "probing", "generations", "finish", "control"} <= set(record.seconds)
    assert SearchRecord.from_json(record.to_json()) == record
    assert outcome.insights.network == "reference"
    assert set(outcome.insights.input_use) == set(COLUMNS)


def test_the_control_is_uniform_of_the_same_size_with_as_many_samples(outcome: SearchOutcome) -> None:
    control = outcome.record.controls[0].record
    assert control.strategy == "uniform"
    assert control.samples == outcome.chosen.lineage_samples
    assert control.cost.parameters <= 1.1 * outcome.chosen.record.cost.parameters
    shares = [width / 32 for width in control.genome.widths.values()]
    assert max(shares) - min(shares) < 1 / 32
    assert control.quality is not None


def test_run_again_it_finds_everything_done_and_says_the_same(folder: Path, outcome: SearchOutcome) -> None:
    started = time.monotonic()
    again = make_search(folder, ("pr_auc_drop<=0.02",)).run()
    assert essence(again.record) == essence(outcome.record)
    assert again.insights == outcome.insights
    assert time.monotonic() - started < 30


def test_a_picked_point_gets_the_very_finish_that_the_search_would_have_given_it(
    tmp_path: Path,
) -> None:
    budget = ONE_SHOT.model_copy(update={"offspring": 2})
    earlier = make_search(tmp_path / "earlier", budget=budget).run()
    name, networks = earlier.chosen.candidate_id, earlier.chosen.path.parent
    entry = Journal(networks.parent / "journal.jsonl").get(f"{name}-1")
    assert entry is not None
    raced = CandidateRecord.model_validate(entry["record"])
    assert raced.stage is CandidateStage.RACED
    record = earlier.record.model_copy(
        update={"candidates": tuple(raced if item.candidate_id == name else item for item in earlier.record.candidates)}
    )
    pick = Pick(run_id="earlier", candidate_id=name)
    point = PickedPoint(pick, record, earlier.insights, {name: networks / f"{name}-1.keras"})
    found = make_search(tmp_path / "picked", budget=budget).go_on_from(point)
    np.testing.assert_array_equal(weights(found.chosen.path), weights(earlier.chosen.path))
    assert found.record.origin == pick
    assert found.chosen.lineage_samples == earlier.chosen.lineage_samples
    assert found.record.controls[0].record.quality == earlier.record.controls[0].record.quality


def test_the_only_network_of_a_search_races_against_nobody(one_shot: SearchOutcome) -> None:
    (only,) = one_shot.record.candidates
    assert only.stage is CandidateStage.FINISHED
    assert ONE_SHOT.final_samples is not None
    assert 0 <= only.samples - ONE_SHOT.final_samples < 128  # in one stint of whole batches


def test_a_search_without_control_trains_none(tmp_path: Path) -> None:
    found = make_search(tmp_path, budget=ONE_SHOT.model_copy(update={"control": False})).run()
    assert found.record.controls == ()
    assert found.record.feasible


class _Deadly(Reporter):
    """Interrupts after some reports of progress, as a kill would."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def track(self, title: str, total: float | None = None):
        yield _DeadlyTracker(self)


class _DeadlyTracker(Tracker):
    def __init__(self, reporter: _Deadly) -> None:
        self._reporter = reporter

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._reporter.left -= 1
        if self._reporter.left < 0:
            raise KeyboardInterrupt


def test_interrupted_again_and_again_it_ends_in_the_same_result(tmp_path: Path, one_shot: SearchOutcome) -> None:
    deaths = 0
    found = None
    while found is None:
        try:
            found = make_search(tmp_path / "killed", budget=ONE_SHOT, reporter=_Deadly(after=5 * (deaths + 1))).run()
        except KeyboardInterrupt:
            deaths += 1
    assert deaths >= 2
    assert essence(found.record) == essence(one_shot.record)
    np.testing.assert_array_equal(weights(found.chosen.path), weights(one_shot.chosen.path))


_CHILD = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from support.learning import make_search
from darwin_core.contracts import SearchBudget
from darwin_core.training import prepare_runtime
prepare_runtime(0)
make_search(Path(sys.argv[2]), budget=SearchBudget.model_validate_json(sys.argv[3])).run()
"""


def test_a_killed_process_leaves_work_that_another_one_finishes(tmp_path: Path, one_shot: SearchOutcome) -> None:
    make_search(tmp_path / "killed", budget=ONE_SHOT)  # writes the reference
    tests = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, tests, str(tmp_path / "killed"), ONE_SHOT.model_dump_json()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.DEVNULL,
    )
    journal = tmp_path / "killed" / "work" / "journal.jsonl"
    try:
        while child.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 3):
            time.sleep(0.02)
        assert child.poll() is None, "the search ended before it could be killed"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    found = make_search(tmp_path / "killed", budget=ONE_SHOT).run()
    assert essence(found.record) == essence(one_shot.record)
    np.testing.assert_array_equal(weights(found.chosen.path), weights(one_shot.chosen.path))


def test_ceilings_are_kept_by_the_chosen_network(tmp_path: Path) -> None:
    found = make_search(tmp_path, ("parameters<=150", "input_features<=2", "pr_auc_drop<=0.2"), budget=ONE_SHOT).run()
    cost = found.chosen.record.cost
    assert found.record.feasible
    assert cost.parameters <= 150
    assert cost.input_features == 2
    assert set(found.chosen.record.genome.dropped_inputs) == {"noise", "unused"}
    assert {item.name for item in load_network(found.chosen.path).inputs} == {"income", "debt"}
    assert found.chosen.record.genome.head is HeadKind.KEEP
    control = found.record.controls[0].record
    assert control.cost.input_features == 2


def test_impossible_requirements_end_in_the_nearest_network_and_name_what_binds(tmp_path: Path) -> None:
    found = make_search(tmp_path, ("parameters<=3", "pr_auc_drop<=0.5"), budget=ONE_SHOT).run()
    record = found.record
    assert not record.feasible
    assert record.binding_requirements == ("parameters<=3",)
    assert record.reason.startswith("None of")
    assert found.chosen.record.cost.parameters == min(item.cost.parameters for item in record.candidates)


def test_a_quality_beyond_reach_is_no_crash_either(tmp_path: Path) -> None:
    found = make_search(tmp_path, ("accuracy>=1",), budget=ONE_SHOT, seed=3).run()
    assert not found.record.feasible
    assert found.record.binding_requirements == ("accuracy>=1",)
    assert found.record.seed == 3
    assert found.chosen.record.stage is CandidateStage.FINISHED


def test_a_budget_of_seconds_ends_the_search_soon_with_a_result(tmp_path: Path) -> None:
    budget = SMALL_BUDGET.model_copy(update={"seconds": 1.0, "generations": 20, "generation_samples": 10**6})
    found = make_search(tmp_path, budget=budget).run()
    assert found.record.chosen
    assert max(item.generation for item in found.record.candidates) <= 2
    assert all(item.samples < 500_000 for item in found.record.candidates)


def test_misuse_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RequirementError, match="rmse"):
        make_search(tmp_path, ("rmse_rise<=0.1",)).run()
    with pytest.raises(RequestError, match="Unknown performance function"):
        make_search(tmp_path, performance_function="fastest").run()
