"""The search for growth: where it begins, what bounds it, that it can be repeated, cut off anywhere and shared."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from features.config.load import parse
from features.errors import ConfigError, JourneycastError
from features.system.processes import is_gone
from models.ladder.lightgbm import Stop, TreeParameters
from training.tuning import storage as studies
from training.tuning.budget import ADDRESS, Budget, StudyLocation, study_address
from training.tuning.cleanup import drop_study
from training.tuning.sampler import SeededTPE
from training.tuning.search import ENOUGH, Objective, SearchResult, search
from training.tuning.storage import open_study

START, CHAMPION = (
    TreeParameters(min_data_in_leaf=40),
    TreeParameters(num_leaves=5, min_data_in_leaf=9000, feature_fraction=0.2, bagging_fraction=0.9, lambda_l2=3.0),
)
BUDGET = Budget(12, champion=CHAMPION)
ELSEWHERE = "elsewhere boot space 1 1"


def bowl(growth: TreeParameters, stop: Stop) -> tuple[int, float]:
    """A loss that is lowest at 12 leaves and l2 of 20; pruned trials end early."""
    loss = abs(growth.num_leaves - 12) / 12 + abs(growth.lambda_l2 - 20) / 20
    stopped = any(stop(trees, loss + 10 / trees) for trees in range(10, 101, 10))
    return (10 if stopped else 100), loss


def found(objective: Objective = bowl, **keys: Any) -> SearchResult:
    return search(objective, START, budget=replace(BUDGET, **keys), seed=1)


def place(folder: Path, **keys: Any) -> StudyLocation:
    return StudyLocation(f"sqlite:///{folder / 'studies.db'}", "shop.churn", **keys)


def what(made: SearchResult) -> tuple[Any, ...]:
    """All of it but how long trials took, and those that failed."""
    rows = [{**row, "seconds": 0, "trial": 0} for row in made.trials if row["state"] != "failed"]
    return made.parameters, made.trees, made.loss, rows, made.importances


def dying(at: int) -> Callable[[TreeParameters, Stop], tuple[int, float]]:
    """An objective that leaves its trial running, as a process that is killed does, at its how-manyth call."""
    calls = 0

    def objective(growth: TreeParameters, stop: Stop) -> tuple[int, float]:
        nonlocal calls
        calls += 1
        if calls == at:
            raise SystemExit
        return bowl(growth, stop)

    return objective


def test_without_trials_the_start_is_taken_as_it_is() -> None:
    assert found(trials=0).parameters == START
    assert len(found(trials=0).trials) == 1


def test_a_search_never_ends_worse_than_it_began_and_equal_seeds_give_equal_trials() -> None:
    assert found().loss <= bowl(START, lambda _, __: False)[1]
    assert what(found()) == what(found())
    assert {row["state"] for row in found().trials} == {"complete", "pruned"}


def test_the_champion_is_tried_second_inside_of_what_is_searched() -> None:
    made = found(trials=3)
    assert [row["began"] for row in made.trials] == ["start", "champion", ""]
    assert made.trials[0]["num_leaves"] == START.num_leaves
    assert made.trials[1]["num_leaves"] == CHAMPION.num_leaves
    assert made.trials[1]["lambda_l2"] == CHAMPION.lambda_l2
    assert made.trials[1]["min_data_in_leaf"] == 8 * START.min_data_in_leaf


@pytest.mark.parametrize("trials", [0, 1])
def test_where_one_trial_is_all_it_is_the_start(trials: int) -> None:
    assert len(found(trials=trials).trials) == 1


def test_minutes_bound_the_search_instead_of_trials() -> None:
    made = found(trials=0, minutes=0.005)
    assert len(made.trials) > 1
    assert made.loss <= bowl(START, lambda _, __: False)[1]


def test_what_mattered_is_said_after_enough_trials() -> None:
    assert found(trials=3).importances is None
    importances = found(trials=40).importances
    assert importances is not None
    assert sum(importances.values()) == pytest.approx(1)
    assert importances["lambda_l2"] > importances["bagging_fraction"]  # which the bowl does not read
    assert ENOUGH > 3


def test_a_search_in_a_database_finds_what_one_in_memory_finds_and_the_same_again_tries_nothing(tmp_path: Path) -> None:
    made = found(study=place(tmp_path))
    assert what(made) == what(found())
    assert found(dying(1), study=place(tmp_path)) == made


@pytest.mark.parametrize("cuts", [(1, 1), (2,), (5, 1, 3), (12,)], ids=str)
def test_a_search_that_was_cut_anywhere_finds_what_an_uncut_one_finds(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    for at in cuts:
        with pytest.raises(SystemExit):
            found(dying(at), study=place(tmp_path))
    made = found(study=place(tmp_path))
    assert what(made) == what(found())
    assert [row["state"] for row in made.trials].count("failed") == len(cuts)


def test_minutes_of_an_earlier_run_count(tmp_path: Path) -> None:
    made = found(minutes=0.005, study=place(tmp_path))
    assert found(dying(1), minutes=0.005, study=place(tmp_path)) == made


def test_a_trial_of_a_process_elsewhere_is_left_to_it_until_its_heart_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = place(tmp_path, beat_seconds=1, grace_seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr(studies, "identity", lambda: ELSEWHERE)
        with pytest.raises(SystemExit):
            found(dying(4), study=where)
    lost = running(where)
    assert [row["trial"] for row in found(trials=5, study=where).trials] == [0, 1, 2, 4, 5]
    assert running(where) == lost
    time.sleep(2.1)  # the database tells whole seconds
    made = found(trials=6, study=where)
    assert not running(where)
    again = next(row for row in made.trials if row["trial"] == 6)
    assert made.trials[3]["state"] == "failed"
    assert {name: again[name] for name in lost} == lost


def running(where: StudyLocation) -> dict[str, float]:
    """The hyper-parameters of the trial that runs, if any."""
    with open_study(where, SeededTPE([], 1, shared=False)) as study:
        trials = study.get_trials(states=(TrialState.RUNNING,))
    return {name: value for one in trials for name, value in one.params.items()}


def test_a_trial_that_others_took_for_dead_is_not_counted_and_the_search_goes_on(tmp_path: Path) -> None:
    where = place(tmp_path)

    def robbed(growth: TreeParameters, stop: Stop) -> tuple[int, float]:
        with open_study(where, SeededTPE([], 1, shared=False)) as study:
            if len(study.trials) == 2:
                study.tell(1, state=TrialState.FAIL)
        return bowl(growth, stop)

    made = found(robbed, study=where)
    assert [row["state"] for row in made.trials].count("failed") == 1
    assert what(made) == what(found())


def test_a_database_that_fails_once_loses_no_finished_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter(range(3))
    real = RDBStorage.set_trial_state_values

    def hiccup(self: RDBStorage, trial_id: int, state: TrialState, values: Any = None) -> bool:
        if state == TrialState.COMPLETE and trial_id == 3 and next(failures, None) is not None:
            raise StorageInternalError
        return real(self, trial_id, state, values)

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", hiccup)
    assert what(found(study=place(tmp_path))) == what(found())


def test_a_heart_goes_on_beating_after_a_beat_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[bool] = []
    real = RDBStorage.record_heartbeat

    def beat(self: RDBStorage, trial_id: int) -> None:
        beats.append(len(beats) == 1)
        if beats[-1]:
            raise StorageInternalError
        real(self, trial_id)

    def slow(growth: TreeParameters, stop: Stop) -> tuple[int, float]:
        time.sleep(2.5)
        return bowl(growth, stop)

    monkeypatch.setattr(RDBStorage, "record_heartbeat", beat)
    assert found(slow, trials=1, study=place(tmp_path, beat_seconds=1)).trials[0]["state"] == "complete"
    assert beats == [False, True, False]


def test_every_finished_trial_is_told() -> None:
    told: list[tuple[int, float | None]] = []
    made = found(on_trial=lambda number, loss: told.append((number, loss)))
    assert told == [(row["trial"], row["loss"]) for row in made.trials]


def test_a_trial_has_a_name_and_a_beat_from_its_first_moment(tmp_path: Path) -> None:
    storage = studies.storage_of(place(tmp_path, grace_seconds=1))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "some")
    trial_id = storage.create_new_trial(study_id)
    assert is_gone(storage.get_trial(trial_id).user_attrs[studies.PROCESS]) is False
    time.sleep(2.1)
    assert storage._get_stale_trial_ids(study_id) == [trial_id]
    storage.engine.dispose()


@pytest.mark.postgres
def test_a_study_on_postgres_is_that_of_memory_and_can_be_cut_too(postgres_url: str, tmp_path: Path) -> None:
    where = StudyLocation(postgres_url, f"test.{tmp_path}")
    try:
        with pytest.raises(SystemExit):
            found(dying(4), study=where)
        made = found(study=where)
    finally:
        drop_study(where.address, where.name)
    first = [row for row in made.trials if row["trial"] < 3]  # type: ignore[operator]
    assert [{**row, "seconds": 0} for row in first] == [{**row, "seconds": 0} for row in found(trials=3).trials]
    assert [row["state"] for row in made.trials if row["trial"] == 3] == ["failed"]
    again = {
        name: value for name, value in made.trials[4].items() if name in ("num_leaves", "lambda_l2", "bagging_fraction")
    }
    assert again.items() <= made.trials[3].items()
    assert len(made.trials) == 13


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    where = StudyLocation("postgresql+psycopg://me:secret@127.0.0.1:1/none", "shop.churn")
    with pytest.raises(JourneycastError, match=r"studies at postgresql\+psycopg://…@127.0.0.1:1/none could") as told:
        found(study=where)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", "sqlite:///{}/workspace/studies.db"),
        ("sqlite:///more/s.db", "sqlite:///{}/more/s.db"),
        ("sqlite:////srv/s.db", "sqlite:////srv/s.db"),
        ("postgresql://me@db/x", "postgresql+psycopg://me@db/x"),
        ("postgres://me@db/x", "postgresql+psycopg://me@db/x"),
        ("postgresql+psycopg://me@db/x", "postgresql+psycopg://me@db/x"),
    ],
)
def test_studies_are_kept_in_the_workspace_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, address: str
) -> None:
    monkeypatch.setenv(ADDRESS, given)
    assert study_address(parse({}, folder=tmp_path)) == address.format(tmp_path)


def test_an_address_that_is_no_database_of_ours_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "mysql://me:secret@db/x")
    with pytest.raises(ConfigError, match=r"JOURNEYCAST_STUDY_URI to begin with .*, got 'mysql:'") as told:
        study_address(parse({}, folder=tmp_path))
    assert "secret" not in str(told.value)


def test_mlflow_and_studies_in_one_database_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYCAST_STUDY_URI", "postgresql://me:secret@db/one")
    monkeypatch.setenv("JOURNEYCAST_TRACKING_URI", "postgresql+psycopg://me:secret@db/one")
    with pytest.raises(ConfigError, match=r"expected two databases for MLflow and for studies, found .*://…@db/one"):
        study_address(parse({}, folder=tmp_path))
