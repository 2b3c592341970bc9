"""What nobody can need any more goes, and nothing else; against real SQLite. MLflow's clock is the machine's."""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from features.config.load import parse
from features.config.sections import Config
from features.errors import JourneycastError, LogError, StoreError
from features.ingest.run import ingest_lock
from features.timeline import DAY_US
from models.actor import Actor
from models.bundle import save
from models.ledger import Entry
from models.promotion import Promotion
from models.registry.removal import past_runs
from models.registry.version import Version
from tests.support import bundles as fitted
from tests.support import log_files
from tests.support.registered_shop import register_folder
from training.lifecycle import prune as verb
from training.lifecycle.prune import Pruned, prune, total
from training.tuning.budget import study_address

TASK = "offer"
OFFER = {
    "kind": "next_action",
    "event": "email",
    "action": "channel",
    "nothing": "none",
    "reward": "purchase",
    "reward_unit": "count",
    "horizon_days": 14,
}
NOW = time.time_ns() // 1000


def hand(day: int = 200) -> Actor:
    return Actor("anna@desk", NOW + day * DAY_US)


@dataclass(frozen=True)
class Shop:
    """A shop with trainings of one task, each with a run in it and a file of a hundred bytes."""

    config: Config
    succession: Promotion

    def trained(self, seed: int, *, refused: bool = False) -> Version:
        registry = self.succession.registry
        folder = save(fitted.offer(seed=seed), self.config.workspace_path / "bundles")
        with registry.run(TASK, f"seed {seed}") as run:
            with registry.run(TASK, "a trial", {"mlflow.parentRunId": run.id}) as child:
                child.log_text("more.txt", "x" * 100)
            version = register_folder(registry, TASK, run, folder)
        note = self.succession.refuse if refused else self.succession.register
        note(TASK, version, hand(0), why="a test", evidence={})
        return version

    def failed(self, error: BaseException) -> str:
        with suppress(type(error)), self.succession.registry.run(TASK, "no luck") as run:
            run.log_text("half.txt", "x" * 100)
            raise error
        return run.id

    def promoted(self, version: Version) -> Version:
        self.succession.promote(TASK, version, hand(0), why="a test", evidence={})
        return version

    def prune(self, day: int = 200, *, dry_run: bool = False) -> list[tuple[str, str]]:
        gone = prune(self.config, days=180, hand=hand(day), dry_run=dry_run)
        return [(one.what, one.name) for one in gone]

    @property
    def left(self) -> tuple[set[int], set[str], set[str]]:
        """Versions, names of runs, and bundles."""
        registry = self.succession.registry
        bundles = {one.name for one in (self.config.workspace_path / "bundles").iterdir()}
        return {one.version for one in registry.versions(TASK)}, {one.name for one in past_runs(registry)}, bundles

    @property
    def entries(self) -> list[tuple[str, int]]:
        return [(one.what, one.version) for one in self.succession.history(TASK)]


@pytest.fixture
def shop(tmp_path: Path, tracking_database: Path) -> Shop:
    config = parse({"name": "my_shop", "tasks": {TASK: OFFER}}, folder=tmp_path)
    config.workspace_path.mkdir()
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    return Shop(config, Promotion.open(config))


def test_what_never_served_goes_with_its_runs_and_its_bundle(shop: Shop) -> None:
    shop.promoted(shop.trained(1))
    refused = shop.trained(2, refused=True)
    newest = shop.promoted(shop.trained(3))
    assert shop.prune() == [("version", "offer 2, with 2 runs"), ("bundle", refused.digest)]
    versions, runs, bundles = shop.left
    assert versions == {1, 3}
    assert runs == {"seed 1", "seed 3", "a trial"}
    assert len(bundles) == 2
    assert newest.digest in bundles
    assert shop.entries[-1] == ("pruned", 2)
    assert shop.succession.history(TASK)[-1].who == "anna@desk"
    assert shop.prune() == []


def test_the_artifacts_of_what_goes_are_gone_and_its_bytes_are_told(shop: Shop) -> None:
    run = shop.failed(ValueError())
    shop.promoted(shop.trained(1))
    place = shop.succession.registry.artifacts
    assert place is not None
    assert len(list(place.rglob("half.txt"))) == 1
    told: list[Pruned] = []
    prune(shop.config, days=180, hand=hand(), tell=told.append)
    assert told == [Pruned("run", "no luck, failed", 100)]
    assert total(told, "removed") == "Removed 1 in all, 0.1 kB."
    assert list(place.rglob("half.txt")) == []
    assert len(list(place.rglob("more.txt"))) == 1
    assert shop.succession.registry.client.get_run(run).info.lifecycle_stage == "deleted"


def test_nothing_goes_before_its_days_are_over(shop: Shop) -> None:
    shop.failed(ValueError())
    for seed in (1, 2, 3):
        shop.trained(seed)
    (shop.config.workspace_path / "bundles" / ("f" * 64)).mkdir()
    assert shop.prune(day=179) == []
    assert {what for what, _ in shop.prune(day=181)} == {"version", "run", "bundle"}


def test_a_version_that_was_rolled_back_from_stays(shop: Shop) -> None:
    for seed in (1, 2):
        shop.promoted(shop.trained(seed))
    shop.succession.rollback(TASK, hand(1), why="a test")
    shop.trained(3)
    assert shop.prune() == []
    assert shop.left[0] == {1, 2, 3}


def test_the_challenger_and_the_newest_training_stay(shop: Shop) -> None:
    first = shop.trained(1)
    shop.trained(2)
    registry = shop.succession.registry
    registry.client.set_registered_model_alias(first.name, "challenger", "1")
    assert shop.prune() == []
    shop.failed(KeyboardInterrupt())
    assert shop.prune() == []


def test_what_the_ledger_does_not_know_stays(shop: Shop) -> None:
    registry = shop.succession.registry
    for seed in (1, 2):
        folder = save(fitted.offer(seed=seed), shop.config.workspace_path / "bundles")
        with registry.run(TASK, f"seed {seed}") as run:
            register_folder(registry, TASK, run, folder)
    assert shop.prune() == []


def test_another_shop_in_the_same_workspace_is_left_alone(shop: Shop) -> None:
    other = parse({"name": "myXshop", "tasks": {TASK: OFFER}}, folder=shop.config.folder)
    theirs = Shop(other, Promotion.open(other))
    theirs.failed(ValueError())
    for seed in (1, 2):
        theirs.trained(seed)
    shop.promoted(shop.trained(3))
    assert shop.prune() == []
    assert [what for what, _ in theirs.prune()] == ["version", "run", "bundle"]


def test_a_dry_run_tells_the_same_and_changes_nothing(shop: Shop) -> None:
    for seed in (1, 2):
        shop.trained(seed)
    shop.failed(KeyboardInterrupt())
    shop.promoted(shop.trained(3))
    before, entries = shop.left, shop.entries
    told = shop.prune(dry_run=True)
    assert [what for what, _ in told] == ["version", "version", "run", "bundle", "bundle"]
    assert (shop.left, shop.entries) == (before, entries)
    assert shop.prune() == told


def test_a_prune_that_is_killed_after_any_step_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        shop.trained(seed)
    shop.failed(KeyboardInterrupt())
    served = shop.promoted(shop.trained(3))
    kills = 0

    def killed_after(act: Callable[..., object]) -> Callable[..., object]:
        def acted(*args: object, **kwargs: object) -> None:
            act(*args, **kwargs)
            raise KeyboardInterrupt

        return acted

    for name in ("remove_run", "remove_version", "remove"):
        with monkeypatch.context() as patched:
            patched.setattr(verb, name, killed_after(getattr(verb, name)))
            for _ in range(12):
                with suppress(KeyboardInterrupt):
                    shop.prune()
                    break
                kills += 1
    assert kills >= 5
    shop.prune()
    assert shop.left == ({3}, {"seed 3", "a trial"}, {served.digest})
    assert sorted(shop.entries[-2:]) == [("pruned", 1), ("pruned", 2)]
    assert len(shop.entries) == 6


def test_a_version_that_is_going_cannot_be_promoted(shop: Shop) -> None:
    first = shop.trained(1)
    served = shop.promoted(shop.trained(2))
    shop.succession.prune(TASK, first, hand(), why="a test")
    with pytest.raises(JourneycastError, match=r"version 1 of my_shop.offer was pruned; promote another, or train"):
        shop.promoted(first)
    with pytest.raises(JourneycastError, match=r"expected version 2 of my_shop.offer to have never served; it stays"):
        shop.succession.prune(TASK, served, hand(), why="a test")
    assert shop.prune()[0] == ("version", "offer 1, with 2 runs")
    assert shop.entries.count(("pruned", 1)) == 1


def test_a_version_that_is_registered_again_before_it_is_gone_may_serve(shop: Shop) -> None:
    first = shop.trained(1)
    shop.promoted(shop.trained(2))
    shop.succession.prune(TASK, first, hand(), why="a test")
    again = shop.trained(1)
    assert again.version == first.version
    shop.promoted(again)
    assert shop.left[0] == {1, 2}


def test_bundles_wait_while_a_training_runs(shop: Shop) -> None:
    bundle = shop.config.workspace_path / "bundles" / ("f" * 64)
    bundle.mkdir(parents=True)
    os.utime(bundle, (0, 0))
    with shop.succession.registry.run(TASK, "under way"):
        assert shop.prune(day=1) == []
    assert shop.prune(day=1) == [("bundle", "f" * 64)]


def test_a_run_that_runs_since_long_ago_is_one_that_nobody_ended(shop: Shop) -> None:
    with shop.succession.registry.run(TASK, "its machine is gone"):
        pass
    shop.trained(1)
    gone = shop.succession.registry.client.search_runs(
        [one.experiment_id for one in shop.succession.registry.client.search_experiments()]
    )[-1]
    shop.succession.registry.client.update_run(gone.info.run_id, "RUNNING")
    assert shop.prune(day=1) == []
    assert shop.prune() == [("run", "its machine is gone, running")]


def test_a_bundle_that_served_stays_though_mlflow_lost_its_version(shop: Shop) -> None:
    for seed in (1, 2):
        shop.promoted(shop.trained(seed))
    shop.succession.registry.client.delete_model_version("my_shop.offer", "1")
    assert shop.prune() == []
    assert len(shop.left[2]) == 2


def test_a_killed_run_that_made_what_served_stays_though_mlflow_lost_its_version(shop: Shop) -> None:
    first, client = shop.promoted(shop.trained(1)), shop.succession.registry.client
    client.set_terminated(first.run_id, "KILLED")
    shop.promoted(shop.trained(2))
    client.delete_model_version(first.name, "1")
    assert shop.prune() == []
    assert "seed 1" in shop.left[1]


def test_studies_that_nobody_went_on_with_go(shop: Shop) -> None:
    address = study_address(shop.config)
    for name in ("my_shop.offer.14d.one", "another.offer.14d.one"):
        study = optuna.create_study(storage=address, study_name=name)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert shop.prune(day=179) == []
    assert shop.prune(dry_run=True) == [("study", "my_shop.offer.14d.one")]
    assert shop.prune() == [("study", "my_shop.offer.14d.one")]
    assert optuna.get_all_study_names(address) == ["another.offer.14d.one"]


def test_of_the_quarantine_goes_what_belongs_to_no_file_of_the_store(shop: Shop) -> None:
    folder = shop.config.folder
    config = log_files.config(folder)
    log_files.write(folder / "log" / "good.csv", [log_files.event(), log_files.event(who=None)])
    log_files.run(config)
    quarantine = config.workspace_path / "quarantine"
    kept = {one.name for one in quarantine.iterdir()}
    log_files.write(folder / "log" / "good.csv", [log_files.event(who=None, at="never")])
    with pytest.raises(LogError, match="no good row"):
        log_files.run(config)
    (refused,) = {one.name for one in quarantine.iterdir()} - kept
    (quarantine / ".tmp-00000000-a").write_text("half")
    assert shop.prune(day=179) == []
    assert set(shop.prune()) == {("unfinished", ".tmp-00000000-a"), ("unfinished", "spill"), ("quarantine", refused)}
    assert {one.name for one in quarantine.iterdir()} == kept


def test_what_killed_verbs_left_unfinished_goes_once_it_is_old(shop: Shop) -> None:
    workspace = shop.config.workspace_path
    for name in ("bundles/.tmp-1-f", "scores/0123456789abcdef"):
        (workspace / name).mkdir(parents=True)
        (workspace / name / "part-00000.arrow").write_bytes(b"half")
    (workspace / ".tmp-2-scores.parquet").write_bytes(b"half")
    (workspace / "scores.parquet").write_bytes(b"whole")
    os.utime(workspace / "scores.parquet", (0, 0))
    assert shop.prune(day=179) == []
    names = [".tmp-2-scores.parquet", ".tmp-1-f", "0123456789abcdef"]
    assert shop.prune() == [("unfinished", name) for name in names]
    assert (workspace / "scores.parquet").read_bytes() == b"whole"


def test_nothing_is_swept_from_under_an_ingest(shop: Shop) -> None:
    quarantine = shop.config.workspace_path / "quarantine"
    quarantine.mkdir()
    (quarantine / ".tmp-1-a").write_text("half")
    with ingest_lock(shop.config.workspace_path), pytest.raises(StoreError, match="another ingest is at work"):
        shop.prune()
    assert (quarantine / ".tmp-1-a").exists()


def test_entries_of_what_went_can_still_be_read(shop: Shop) -> None:
    shop.trained(1)
    shop.promoted(shop.trained(2))
    shop.prune()
    last: Entry = shop.succession.history(TASK)[-1]
    assert (last.what, last.version, last.before) == ("pruned", 1, 2)
    assert last.why == "it never served and was registered more than 180 days ago"
