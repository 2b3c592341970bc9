"""A worker searches what a training would, in the same study, and a training goes on from there."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from features.config.load import load
from features.config.sections import Config
from features.errors import InputError
from tests.support.log_files import event, opened, run, write
from tests.support.training_shop import config, crowd
from training.dataset.split import split
from training.request import study_name
from training.run import prepare, train_task
from training.tuning.budget import ADDRESS, StudyLocation
from training.tuning.cleanup import drop_study
from training.tuning.sampler import SeededTPE
from training.tuning.storage import open_study as study_at
from training.worker import work

ROOT = Path(__file__).parents[2]
TRIALS, WORKERS = 40, 4
TOML = """
name = "{name}"
[log]
source = ["log/*"]
customer = "who"
time = "at"
event = "what"
value = "money"
[tasks.churn]
kind = "churn"
event = "purchase"
horizon_days = 30
[train]
threads = 1
"""


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, tracking_database: Path) -> None:
    (tmp_path / "workspace").mkdir()
    shutil.copy(tracking_database, tmp_path / "workspace" / "mlflow.db")


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(200, 300))
    run(shop)
    return shop


def test_a_training_goes_on_from_what_workers_found(shop: Config) -> None:
    (worked,) = work(shop, opened(shop), "churn", trials=3)
    assert worked.summary().startswith(f"{worked.study}: 3 trials (3 complete), best loss 0.")
    context, facts = prepare(shop, opened(shop), as_of=None, trials=3, progress=lambda _: None)
    _, (trained,) = train_task(context, shop.task("churn"), facts)
    assert worked.search is not None
    assert trained.choice.trials == worked.search.trials  # seconds and all
    assert trained.choice.parameters == replace(worked.search.parameters, learning_rate=0.06)


def test_a_worker_searches_every_horizon_and_other_options_are_another_study(shop: Config) -> None:
    told: list[str] = []
    worked = work(shop, opened(shop), "buys", trials=1, progress=told.append)
    assert [one.horizon_days for one in worked] == [7, 30]
    other = work(shop, opened(shop), "buys", trials=2)
    assert len({one.study for one in (*worked, *other)}) == 4
    assert "buys, 30 days: trial 1 of the search is done" in told


def test_a_task_without_a_search_says_so(shop: Config) -> None:
    with pytest.raises(InputError, match=r"expected a task with a search, found the next_action task 'offer'"):
        work(shop, opened(shop), "offer")


def test_too_few_rows_for_trees_are_told(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", [event("anna", "2024-01-01") | {"kind": None}])
    run(shop)
    (worked,) = work(shop, opened(shop), "churn")
    assert worked.summary().endswith("too few rows for trees, so there is nothing to search")


@pytest.mark.slow
@pytest.mark.postgres
def test_four_workers_share_one_study_on_postgres_and_one_is_killed(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, postgres_url)
    (tmp_path / "journeycast.toml").write_text(TOML.format(name=f"tune-{time.time_ns()}"))
    write(tmp_path / "log" / "rows.jsonl", crowd(500, 300))
    shop = load(tmp_path / "journeycast.toml")
    run(shop)
    where = StudyLocation(postgres_url, churn_study(shop))
    try:
        workers = [worker(tmp_path) for _ in range(WORKERS)]
        with study_at(where, SeededTPE([], 1, shared=True)) as study:
            while not study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
                assert any(process.poll() is None for process in workers), "the workers met in another study"
                time.sleep(0.05)
        workers[0].kill()
        told = [process.communicate(timeout=300) for process in workers]
        ended = states(where)
    finally:
        drop_study(where.address, where.name)
    assert [process.returncode for process in workers] == [-9, 0, 0, 0], told
    assert TRIALS <= ended.count("COMPLETE") + ended.count("PRUNED") <= TRIALS + WORKERS
    assert ended.count("RUNNING") == 0
    assert ended.count("FAIL") <= 1
    assert all(where.name in said and "best loss" in said for said, _ in told[1:])


def churn_study(shop: Config) -> str:
    """The name of the study that workers with so many trials meet in."""
    context, _ = prepare(shop, opened(shop), as_of=None, trials=TRIALS, progress=lambda _: None)
    return study_name(context, shop.task("churn"), split(30, context.first, context.end))


def worker(folder: Path) -> subprocess.Popen[str]:
    verb = ["-c", "journeycast.toml", "tune-worker", "churn", "--trials", str(TRIALS)]
    command = [sys.executable, str(ROOT / "journeycast.py"), *verb]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def states(where: StudyLocation) -> list[str]:
    with study_at(where, SeededTPE([], 1, shared=True)) as study:
        return [trial.state.name for trial in study.trials]
