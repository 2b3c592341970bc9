"""A training of each kind, tracked in real SQLite. One database serves all tests, each with a shop of its own."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
from mlflow.entities import Run as MlflowRun

from features.arrays import Floats
from features.config.load import parse
from features.config.sections import Config
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.timeline import SECOND_US, days
from models.bundle import Bundle, load, save
from models.ladder.hurdle import History, Hurdle
from models.ladder.lightgbm import QUIET, Trees
from models.ladder.rules import Binned, Scaled
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.predictor.intervals import PredictionInterval
from models.predictor.predictor import Predictor
from models.registry.version import Version
from models.registry.versions import Registry
from tests.support.bundles import two_actions
from tests.support.horizon_evidence import horizon_evidence, predictions
from training.context import Phase
from training.gate.gate import Verdict
from training.selection.choose import Candidate
from training.tracking.child_runs import ALL_OF, MOST, telling
from training.tracking.evidence import Evidence, HorizonEvidence
from training.tracking.git_version import source_tags
from training.tracking.metric_names import recorded_horizons
from training.tracking.plots import canvas
from training.tracking.timings import Phases
from training.tracking.track import track, tracked

SHOPS = count()
FEATURES = FeatureSet((Feature("recency", Stream(("purchase",))), Feature("count", Stream(("purchase",)), None, 90)))
SECRET = "hunter2-canary"
TOML = """
name = "shop"
[log]
source = "${JOURNEYCAST_TEST_SECRET:-none}"
value = "value"
[tasks.churn]
kind = "churn"
event = "${JOURNEYCAST_TEST_SECRET:-none}"
horizon_days = 90
[tasks.buys]
kind = "propensity"
event = "purchase"
horizons_days = [7, 30]
[tasks.value]
kind = "cltv"
event = "purchase"
horizon_days = 365
[tasks.offer]
kind = "next_action"
event = "email"
action = "campaign"
nothing = "none"
reward = "purchase"
horizon_days = 14
"""
CHANCE = np.random.default_rng(3)
ROWS = 200
TRIALS = (
    {"trial": 0, "state": "complete", "loss": 0.5, "trees": 9, "seconds": 1.5, "began": "start", "num_leaves": 31},
    {"trial": 1, "state": "pruned", "loss": 0.6, "trees": None, "seconds": 0.5, "began": "", "lambda_l2": 3.0},
    {"trial": 2, "state": "failed", "loss": None, "trees": None, "seconds": 0.1, "began": "", "lambda_l2": 9.0},
)
RUNGS = (
    Candidate("rule", {"rung": "rule"}, chosen=False, loss=0.6, saved=0.0, error=0.0),
    Candidate("lightgbm", {"rung": "lightgbm", "num_leaves": 31}, chosen=True, loss=0.5, saved=0.1, error=0.02),
)
LOOKED_AT = ("learning", "stability", "shap", "search", "search-importances")
TESTED = ("ranking", "gains", "reliability", "distribution", "importance", *LOOKED_AT)
PHASES = ("panel", "audit", "trials", "pictures", "registering")
FIRST = Verdict("there was no champion")
VALUES = CHANCE.exponential(50, (ROWS, 2))
TRUTH = (CHANCE.random(ROWS) < VALUES[:, 0] / 150).astype(np.float64)


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Registry:
    config = parse({}, folder=tmp_path_factory.mktemp("tracked"))
    config.workspace_path.mkdir()
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    return Registry.open(config)


@pytest.fixture
def registry(first: Registry) -> Registry:
    return replace(first, shop=f"shop{next(SHOPS)}")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "DPI", 30)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Config:
    import tomllib

    monkeypatch.setenv("JOURNEYCAST_TEST_SECRET", SECRET)
    return parse(tomllib.loads(TOML), folder=tmp_path)


@pytest.fixture(scope="session")
def trees() -> Trees:
    parameters = {**QUIET, "objective": "binary", "num_threads": 1, "min_data_in_leaf": 5}
    booster = lgb.train(parameters, lgb.Dataset(VALUES, TRUTH), num_boost_round=5)
    return Trees.from_text(booster.model_to_string())


def answer(kind: str, horizon_days: int, rung: Rung) -> Predictor:
    rule: Rung = (
        Binned("purchase_recency", (30.0,), (0.2, 0.8, 0.5)) if kind != "cltv" else Scaled("purchase_count_90d", 2)
    )
    spread = PredictionInterval((), (0.0,), (0.1,))
    return Predictor(
        horizon_days=horizon_days,
        fitted_days=horizon_days,
        kind=kind,
        outcome="silence" if kind == "churn" else "event",
        rung=rung,
        baseline=rule,
        interval=spread,
        base=(0.0, 1.0),
        grade="B",
        metrics={"auroc": [0.75, 0.7, 0.8], "lift": [1.5, None, None]},
        baseline_metrics={"auroc": [0.7, 0.65, 0.75]},
        notes=("one more quarter of history would make it an A",),
    )


def of_horizon(horizon_days: int, truth: Floats) -> HorizonEvidence:
    model = np.clip(VALUES[:, 0] / 150, 0, 1) * max(1.0, truth.max())
    return horizon_evidence(
        horizon_days,
        test="2011-06-11",
        rows={"train": 1000, "test": ROWS},
        trials=TRIALS,
        candidates=RUNGS,
        importances={"leaves": 0.75, "l2": 0.25},
        evaluation=predictions(truth, model),
    )


def evidence(bundle: Bundle, folder: Path, *horizons: HorizonEvidence) -> Evidence:
    facts = {
        "trained_as_of_us": days(15000),
        "end_us": days(15100),
        "log_position": 812,
        "seed": 7,
        "code_version": "0.1.0",
    }
    complete = replace(bundle, facts=facts)
    return Evidence(complete, save(complete, folder), "5" * 64, horizons)


def tracked_whole(registry: Registry, given: Evidence, *, toml: str) -> Version:
    """A training from its first moment on; every look at the clock takes a second."""
    task, ticks = given.bundle.task, count(0, SECOND_US)
    phases = Phases(lambda: next(ticks))
    with tracked(registry, task, given.bundle.trained_as_of_us, toml=toml) as run:
        phases.on_progress(Phase.PANEL, f"{task.name}, 90 days: computing features at 3 cutoffs")
        phases.on_progress(Phase.AUDIT, f"{task.name}, 90 days: auditing the data")
        return track(registry, run, given, FIRST, toml=toml, phases=phases)


def below(registry: Registry, run_id: str) -> dict[str, MlflowRun]:
    """The runs that MLflow shows under another, by name."""
    experiment = registry.client.get_run(run_id).info.experiment_id
    found = registry.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {str(run.info.run_name): run for run in found}


def artifacts(registry: Registry, run_id: str) -> Iterator[Path]:
    assert registry.artifacts is not None
    for folder in registry.artifacts.glob(f"*/{run_id}/artifacts"):
        yield from (file for file in folder.rglob("*") if file.is_file())


def names(registry: Registry, run_id: str) -> set[str]:
    return {str(file).partition("/artifacts/")[2] for file in artifacts(registry, run_id)}


def text_of(registry: Registry, run_id: str, name: str) -> str:
    return next(file for file in artifacts(registry, run_id) if str(file).endswith(f"/artifacts/{name}")).read_text()


def churn(config: Config, trees: Trees, folder: Path) -> Evidence:
    bundle = Bundle(config.task("churn"), FEATURES, (answer("churn", 90, Probability(trees)),))
    return evidence(bundle, folder, of_horizon(90, TRUTH))


def test_a_churn_training_leaves_all_that_it_takes_to_judge_it(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    given = churn(config, trees, tmp_path)
    version = tracked_whole(registry, given, toml=TOML)
    run = registry.client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "churn as of 2011-01-26"
    assert run.data.metrics == {
        "test_auroc": 0.75,
        "test_auroc_low": 0.7,
        "test_auroc_high": 0.8,
        "test_lift": 1.5,
        "baseline_auroc": 0.7,
        "baseline_auroc_low": 0.65,
        "baseline_auroc_high": 0.75,
        **{f"seconds_{phase}": 1.0 for phase in PHASES},
    }
    expected = {"rung": "lightgbm", "grade": "B", "chosen.learning_rate": "0.12", "rows.test": "200", "features": "2"}
    assert expected.items() <= run.data.params.items()
    assert run.data.params["split.test"] == "2011-06-11T00:00:00Z"
    plots = {f"plots/{name}.png" for name in TESTED}
    files = {"journeycast.toml", "data.json", "features.json", "trials.csv", "gate.json", "study.json", "model_card.md"}
    bundle = {f"model/artifacts/bundle/{file.name}" for file in given.folder.iterdir()}
    found = names(registry, version.run_id)
    assert {name for name in found if not name.startswith("model/")} == plots | files
    assert {name for name in found if name.startswith("model/artifacts/bundle/")} == bundle
    assert run.inputs is not None
    assert run.inputs.dataset_inputs[0].dataset.digest == "5" * 36


def test_the_bundle_comes_back_from_the_registry_and_loads(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    version = tracked_whole(registry, churn(config, trees, tmp_path / "made"), toml=TOML)
    assert version.tags["grade"] == "B"
    assert version.tags["as_of"] == "2011-01-26T00:00:00Z"
    folder = registry.fetch(version, tmp_path / "bundles")
    assert load(folder, version.digest).predictors[0].rung.name == "lightgbm"


def test_what_a_training_read_is_told(registry: Registry, config: Config, trees: Trees, tmp_path: Path) -> None:
    version = tracked_whole(registry, churn(config, trees, tmp_path), toml=TOML)
    data = json.loads(text_of(registry, version.run_id, "data.json"))
    assert (data["store_digest"], data["log_position"], data["end"]) == ("5" * 64, 812, "2011-05-06T00:00:00Z")
    features = json.loads(text_of(registry, version.run_id, "features.json"))
    assert [feature["name"] for feature in features] == ["purchase_recency", "purchase_count_90d"]
    trials = list(csv.DictReader(text_of(registry, version.run_id, "trials.csv").splitlines()))
    assert (trials[1]["state"], trials[1]["num_leaves"], trials[1]["lambda_l2"]) == ("pruned", "", "3.0")


def test_nothing_read_from_the_environment_is_logged(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    toml = TOML + '[[unused]]\naddress = "postgresql://me:hunter2-canary@db/shop"\n'
    version = tracked_whole(registry, churn(config, trees, tmp_path), toml=toml)
    assert config.task("churn").event == (SECRET,)
    run = registry.client.get_run(version.run_id)
    assert run.data.params["task.event"] == "${JOURNEYCAST_TEST_SECRET:-none}"
    assert SECRET not in str(run.to_dictionary())
    told = [file for file in artifacts(registry, version.run_id) if "model" not in file.parts]  # which has to know it
    assert [file for file in told if SECRET.encode() in file.read_bytes()] == []


def test_several_horizons_have_figures_and_plots_of_their_own(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    answers = tuple(answer("propensity", days, Probability(trees)) for days in (7, 30))
    given = evidence(
        Bundle(config.task("buys"), FEATURES, answers), tmp_path, of_horizon(7, TRUTH), of_horizon(30, TRUTH)
    )
    version = tracked_whole(registry, given, toml=TOML)
    run = registry.client.get_run(version.run_id)
    assert {"test_auroc_7d", "test_auroc_30d_low", "baseline_auroc_7d"} <= run.data.metrics.keys()
    assert {"rung_7d", "split.test_30d", "chosen.learning_rate_7d"} <= run.data.params.keys()
    assert recorded_horizons(run.data.tags, {}) == {7: 7, 30: 30}
    assert {"plots/7d/ranking.png", "plots/30d/importance.png", "trials_7d.csv"} <= names(registry, version.run_id)


def test_a_value_training_shows_money(registry: Registry, config: Config, trees: Trees, tmp_path: Path) -> None:
    past = History("purchase_count", "purchase_recency", ("purchase_count",), ("purchase_value",), 20.0, 365)
    hurdle = Hurdle(trees, trees, past)
    bundle = Bundle(config.task("value"), FEATURES, (answer("cltv", 365, hurdle),))
    version = tracked_whole(registry, evidence(bundle, tmp_path, of_horizon(365, TRUTH * VALUES[:, 1])), toml=TOML)
    shown = {name for name in names(registry, version.run_id) if name.startswith("plots/")}
    wanted = ("gains", "deciles", "coverage", "importance-buys", "importance-more", *LOOKED_AT)
    assert shown == {f"plots/{name}.png" for name in wanted}


def test_an_action_training_shows_what_each_action_brings(registry: Registry, config: Config, tmp_path: Path) -> None:
    actions = two_actions()
    given = evidence(Bundle(config.task("offer"), FeatureSet(()), (), actions), tmp_path)
    version = tracked_whole(registry, given, toml=TOML)
    assert {"plots/actions.png", "plots/values.png"} <= names(registry, version.run_id)
    run = registry.client.get_run(version.run_id)
    assert (run.data.params["rung"], run.data.metrics["test_policy_value"]) == ("best constant", 1.6)


def test_too_little_history_is_tracked_without_a_test(registry: Registry, config: Config, tmp_path: Path) -> None:
    rule = replace(answer("churn", 90, Binned("purchase_recency", (), (0.3, 0.3))), metrics={}, baseline_metrics={})
    version = tracked_whole(registry, evidence(Bundle(config.task("churn"), FEATURES, (rule,)), tmp_path), toml=TOML)
    assert registry.client.get_run(version.run_id).data.metrics.keys() <= {f"seconds_{phase}" for phase in PHASES}
    assert below(registry, version.run_id) == {}
    assert registry.challenger("churn") == version


def test_training_again_on_the_same_data_makes_no_second_version(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    first = tracked_whole(registry, churn(config, trees, tmp_path), toml=TOML)
    assert tracked_whole(registry, churn(config, trees, tmp_path), toml=TOML) == first


def test_every_rung_and_trial_is_a_run_below_the_training(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    version = tracked_whole(registry, churn(config, trees, tmp_path), toml=TOML)
    found = below(registry, version.run_id)
    assert {name: run.info.status for name, run in found.items()} == {
        "rung: rule": "FINISHED",
        "rung: lightgbm": "FINISHED",
        "trial 0": "FINISHED",
        "trial 1": "KILLED",
        "trial 2": "FAILED",
    }
    assert found["trial 1"].data.tags["state"] == "pruned"
    assert found["trial 0"].info.end_time - found["trial 0"].info.start_time == 1500
    assert found["trial 0"].data.params == {"num_leaves": "31"}
    serves = found["rung: lightgbm"]
    assert (serves.data.tags["chosen"], found["rung: rule"].data.tags["chosen"]) == ("true", "false")
    assert serves.data.metrics == {"loss": 0.5, "saved": 0.1, "saved_error": 0.02}


def test_runs_below_say_their_horizon_where_there_are_several(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    answers = tuple(answer("propensity", days, Probability(trees)) for days in (7, 30))
    bundle = Bundle(config.task("buys"), FEATURES, answers)
    given = evidence(bundle, tmp_path, of_horizon(7, TRUTH), of_horizon(30, TRUTH))
    found = below(registry, tracked_whole(registry, given, toml=TOML).run_id)
    assert {"rung: rule, 7 days", "rung: rule, 30 days", "trial 2, 30 days"} <= found.keys()
    assert len(found) == 10


def test_a_run_says_what_it_is_who_made_it_and_what_the_gate_said(
    registry: Registry, config: Config, trees: Trees, tmp_path: Path
) -> None:
    given = churn(config, trees, tmp_path)
    version = tracked_whole(registry, given, toml=TOML)
    tags = registry.client.get_run(version.run_id).data.tags
    expected = {
        "kind": "churn",
        "as_of": "2011-01-26T00:00:00Z",
        "grade": "B",
        "rung": "lightgbm",
        "verdict": "passed",
        "bundle_digest": given.folder.name,
        "mlflow.source.name": "journeycast train churn",
    }
    assert expected.items() <= tags.items()
    assert json.loads(text_of(registry, version.run_id, "gate.json"))["reason"] == "there was no champion"
    assert tags["mlflow.note.content"] == text_of(registry, version.run_id, "model_card.md")


def test_a_training_that_fails_leaves_a_failed_run_with_what_went_wrong(registry: Registry, config: Config) -> None:
    task, address = config.task("churn"), "postgresql://me:hunter2-canary@db/shop"
    with pytest.raises(ValueError, match="no such shop"), tracked(registry, task, days(15000), toml=TOML) as run:
        raise ValueError(f"no such shop at {address}\nTraceback: long")
    failed = registry.client.get_run(run.id)
    assert failed.info.status == "FAILED"
    assert failed.data.tags["mlflow.note.content"] == "**Failed**: no such shop at postgresql://…@db/shop"
    assert "journeycast.toml" in names(registry, run.id)


def test_a_training_shows_from_its_first_moment(registry: Registry, config: Config) -> None:
    with tracked(registry, config.task("churn"), days(15000), toml=TOML) as run:
        assert registry.client.get_run(run.id).info.status == "RUNNING"
    assert registry.client.get_run(run.id).info.status == "FINISHED"


def test_an_interrupted_training_leaves_a_killed_run(registry: Registry, config: Config) -> None:
    with pytest.raises(KeyboardInterrupt), tracked(registry, config.task("churn"), days(15000), toml=TOML) as run:
        raise KeyboardInterrupt
    assert registry.client.get_run(run.id).info.status == "KILLED"


def test_of_a_long_search_what_tells_something_is_kept() -> None:
    losses = [1.0 - 0.001 * number if number % 10 == 0 else 2.0 for number in range(200)]
    trials = [
        {"trial": number, "state": "pruned" if number % 2 else "complete", "loss": loss, "began": "", "num_leaves": 3}
        for number, loss in enumerate(losses)
    ]
    trials[1]["began"] = "champion"
    kept = [int(str(one["trial"])) for one in telling(trials)]
    assert len(kept) == MOST
    assert {1, *range(0, 200, 10)} <= set(kept)  # the champion's growth, and what improved on the best so far
    assert kept == sorted(kept)
    assert telling(trials[:ALL_OF]) == trials[:ALL_OF]
    assert [one["trial"] for one in telling([one for one in trials if one["state"] == "complete"])] == [
        *range(0, 200, 10)
    ]


def test_a_long_note_is_cut_and_says_so(registry: Registry, config: Config) -> None:
    with tracked(registry, config.task("churn"), days(15000), toml=TOML) as run:
        run.log_note("a line of a card\n" * 1000)
    note = registry.client.get_run(run.id).data.tags["mlflow.note.content"]
    assert len(note) < 8000
    assert note.endswith("a line of a card\n\n… and more among the artifacts")


def test_no_commit_is_told_where_there_is_no_repository(tmp_path: Path) -> None:
    assert source_tags("churn", tmp_path) == {
        "mlflow.source.name": "journeycast train churn",
        "mlflow.source.type": "LOCAL",
    }
