"""The gate: every condition refuses what it is for, in a sentence with its figures, and lets the rest pass.

Challengers are real ones whose tested predictions were made better or worse on purpose.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from features.arrays import Floats
from features.config.sections import Config
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.timeline import DAY_US, instant, iso
from models.bundle import Bundle, load, save
from models.ladder.average import Average
from models.ladder.trees import Probability
from models.ledger import Entry
from models.registry.version import Version
from models.registry.versions import Registry
from tests.support import bundles
from tests.support.log_files import Row, event, opened, run, write
from tests.support.registered_shop import register_folder
from tests.support.training_shop import FIRST, config, crowd
from training.audit.audit import accepted
from training.audit.case import Finding
from training.context import TrainingContext
from training.evaluation import evaluate
from training.evaluation.segments import segments
from training.fit.baselines import needed
from training.fit.predictor import Recipes, unpack_recipes
from training.fit.recipe import Recipe
from training.gate import conditions
from training.gate.conditions import Condition, audited, count_trees, rolled_back, size
from training.gate.gate import GateSubjects, Verdict, check_conditions, verdict
from training.gate.shared_rows import match
from training.horizon import Trained, chosen_recipes
from training.metrics.metrics import auroc
from training.metrics.paired import Sums, calibration_error, relative_loss
from training.run import prepare, train_task

DATES = ("2024-08-15", "2024-10-20")  # more than a horizon apart
SOON = "2024-10-10"  # less than that before the second


@dataclass(frozen=True, eq=False)
class Made:
    """A training without tracking, and its bundle as it was loaded again."""

    context: TrainingContext
    bundle: Bundle
    trained: tuple[Trained, ...]

    def against(self, champion: Bundle, history: Sequence[Entry] = ()) -> Verdict:
        rivals = GateSubjects(self.context, self.bundle, champion, self.trained)
        return check_conditions(rivals, rolled_back(self.bundle.digest, history), timer=iter(range(100)).__next__)

    def saying(self, said: Callable[[evaluate.Evaluation], Floats]) -> "Made":
        """The same with other predictions on the test rows."""
        changed = tuple(
            replace(one, evaluation=replace(one.evaluation, model=said(one.evaluation)))
            for one in self.trained
            if one.evaluation
        )
        return replace(self, trained=changed)

    @property
    def tested(self) -> evaluate.Evaluation:
        (one,) = self.trained
        assert one.evaluation is not None
        return one.evaluation


def made(shop: Config, task: str, as_of: str, trials: int = 1) -> Made:
    context, facts = prepare(shop, opened(shop), as_of=as_of, trials=trials, progress=lambda _: None)
    bundle, trained = train_task(context, shop.task(task), facts)
    folder = save(bundle, shop.workspace_path / "bundles")
    return Made(context, load(folder, folder.name), trained)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("gate")
    write(folder / "log" / "rows.jsonl", crowd(700, 300))
    run(config(folder))
    return config(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("small")
    write(folder / "log" / "rows.jsonl", crowd(160, 200))
    run(config(folder))
    return config(folder)


@pytest.fixture(scope="module")
def champion(shop: Config) -> Bundle:
    return made(shop, "churn", DATES[0], trials=0).bundle


@pytest.fixture(scope="module")
def later(shop: Config) -> Made:
    return made(shop, "churn", DATES[1], trials=0)


@pytest.fixture(scope="module")
def sooner(shop: Config) -> Bundle:
    return made(shop, "churn", SOON, trials=0).bundle


@pytest.fixture(scope="module")
def money(small: Config) -> Made:
    return made(small, "value", "2024-07-15")


def told(found: Verdict, name: str) -> Condition:
    return next(one for one in found.conditions if one.name == name)


def failed(found: Verdict) -> set[str]:
    return {one.name for one in found.conditions if not one.passed}


def informed(tested: evaluate.Evaluation, strength: float) -> Floats:
    """The log-odds after a further observation that tells so much (0: nothing) by Bayes' rule: they stay calibrated."""
    noise = np.random.default_rng(1).normal(size=len(tested.truth))
    return np.asarray(logit(tested.model) + strength**2 * (tested.truth - 0.5) + strength * noise)


def test_an_honest_later_training_is_compared_on_rows_that_neither_has_seen(champion: Bundle, later: Made) -> None:
    found = later.against(champion)
    names = ["question", "loss", "calibration", "size", "audit", "grade", "segments", "rolled_back"]
    assert [one.name for one in found.conditions] == names
    assert found.reason == told(found, "loss").message or failed(found)
    assert "on 700 rows of 2024-09-19, which neither had seen" in told(found, "loss").message
    assert told(found, "loss").figures["method"] == "fair"
    assert told(found, "size").figures["latency_us"] is not None


def test_a_better_challenger_passes_and_says_by_how_much(champion: Bundle, later: Made) -> None:
    found = later.saying(lambda tested: expit(informed(tested, 1.0))).against(champion)
    assert found.passed, found.reason
    assert found.reason.startswith("its loss is ")
    assert "% below the champion's (" in found.reason
    loss = told(found, "loss").figures
    assert loss["low"] < loss["value"] < loss["high"] < 0


def test_a_worse_challenger_is_refused_and_says_by_how_much(champion: Bundle, later: Made) -> None:
    found = later.saying(lambda tested: np.roll(tested.model, 1)).against(champion)
    assert not found.passed
    assert "loss" in failed(found)
    assert "% above the champion's (" in found.reason
    assert told(found, "loss").figures["low"] > 0


def test_one_in_a_hundred_is_allowed_and_more_is_not_even_where_it_may_be_chance(champion: Bundle, later: Made) -> None:
    both = replace_predictions(later, champion)
    noise = np.random.default_rng(3).normal(size=len(both.tested.truth))

    def shifted(by: float) -> Verdict:
        return both.saying(lambda tested: expit(logit(tested.model) + by * noise)).against(champion)

    assert both.against(champion).reason.startswith("its loss equals the champion's on 700 rows")
    found = [told(shifted(by), "loss") for by in (0.0, 0.3, 0.5, 0.7, 0.9)]
    for one in found:
        assert one.passed == (one.figures["value"] <= 0.01 and one.figures["low"] <= 1e-9)
    assert {one.passed for one in found} == {True, False}


def replace_predictions(challenger: Made, champion: Bundle) -> Made:
    """The challenger with what the champion says of its test rows."""
    found = match(challenger.context, champion, challenger.trained[0])
    assert found is not None
    return challenger.saying(lambda _: found.champion.mean)


@pytest.mark.parametrize(("strength", "spread", "losses"), [(2.5, 0.2, True), (0.8, 4.0, False)])
def test_a_miscalibrated_challenger_is_refused_though_it_ranks_better(
    champion: Bundle, later: Made, strength: float, spread: float, losses: bool
) -> None:
    strong = later.saying(lambda tested: expit(spread * informed(tested, strength)))
    found, ones = strong.against(champion), np.ones((1, 700))
    before = replace_predictions(later, champion).tested
    better, worse = (auroc(one.truth, one.model, ones)[0] for one in (strong.tested, before))
    assert better > worse
    calibration = told(found, "calibration")
    assert not calibration.passed
    assert "its calibration error (ECE) of " in calibration.message
    assert "points above the champion's (" in calibration.message
    assert told(found, "loss").passed == losses
    assert not losses or found.reason == calibration.message


def test_a_calibration_error_that_chance_explains_is_not_held_against_anybody(champion: Bundle, later: Made) -> None:
    found = told(later.saying(lambda tested: expit(informed(tested, 1.0))).against(champion), "calibration")
    assert found.passed
    assert found.figures["own"] < 1.5 * found.figures["by_chance"]


def test_harm_in_one_segment_is_refused_though_all_others_gain(champion: Bundle, later: Made) -> None:
    met = match(later.context, champion, later.trained[0])
    assert met is not None
    parts = dict(segments(later.context, later.bundle.task, met.rows))
    name, mask = max(parts.items(), key=lambda one: _told_by(met.champion.mean, met.rows.outcome, one[1]))

    def harmful(tested: evaluate.Evaluation) -> Floats:
        strong = informed(tested, 2.5)
        rate = tested.truth[mask].mean()
        return np.where(mask, rate, expit(strong))

    found = later.saying(harmful).against(champion)
    assert told(found, "loss").passed
    assert failed(found) == {"segments"}
    assert found.reason.startswith(f"it harms the segment '{name}': there its loss is ")
    assert set(told(found, "segments").figures["segments"]) <= set(parts)


def _told_by(said: Floats, truth: Floats, mask: np.ndarray[Any, Any]) -> float:
    """How much a model knows in a segment of fair size, against its rate: the loss that a constant would add."""
    rare = min(truth[mask].sum(), (1 - truth[mask]).sum())
    if mask.sum() < 150 or rare < 10 or mask.sum() > 350:
        return -1.0
    rate, one, ones = truth[mask].mean(), truth[mask], -1.0
    loss = -np.where(one > 0, np.log(said[mask]), np.log1p(-said[mask])).mean()
    usual = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    return float(usual / loss + ones)


def test_small_segments_are_not_judged(champion: Bundle, later: Made) -> None:
    figures = told(later.against(champion), "segments").figures["segments"]
    assert figures
    assert all(one["rows"] >= 100 for one in figures.values())


def grown(trees: int, columns: int = 10) -> Bundle:
    """A churn bundle of so many trees and columns."""
    bundle = bundles.churn()
    (answer,) = bundle.predictors
    rung = Average(tuple(Probability(bundles.trees(1, rounds=one)) for one in (trees - 40, 40)), odds=True)
    counts = tuple(Feature("count", Stream(("purchase",)), None, days) for days in range(1, columns + 1))
    return replace(bundle, predictors=(replace(answer, rung=rung),), features=FeatureSet(counts))


def test_a_challenger_may_grow_to_twice_the_champion_but_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "MOST_TREES", 100)
    small = grown(60)
    assert count_trees(small.predictors[0]) == 60
    assert size(grown(120), small, {}).passed
    refused = size(grown(121), small, {"latency_us": 5.0})
    assert not refused.passed
    assert refused.message == "it grew too large: 121 trees and 10 columns, the champion 60 and 10; 120 trees at most"
    assert refused.figures["latency_us"] == 5.0
    assert size(grown(100), grown(45), {}).passed  # what is small may grow freely
    assert size(grown(60, 400), small, {}).passed
    assert "400 columns at most" in size(grown(60, 401), small, {}).message
    assert not size(grown(60, 401), small, {}).passed


def with_facts(bundle: Bundle, **facts: Any) -> Bundle:
    return replace(bundle, facts={**bundle.facts, **facts})


def test_an_audit_that_failed_needs_a_hand_unless_the_champion_failed_it_too(champion: Bundle, later: Made) -> None:
    failing = replace(later, bundle=with_facts(later.bundle, accepted={"30": ["too_good"]}))
    found = told(failing.against(champion), "audit")
    assert not found.passed
    assert found.message == "the audit failed too_good, which [train] accept lets train; promote by hand if you mean it"
    assert told(failing.against(with_facts(champion, accepted={"30": ["too_good"]})), "audit").passed
    assert not told(failing.against(with_facts(champion, accepted={"30": ["survivors"]})), "audit").passed
    assert audited(failing.bundle, None).passed
    assert told(later.against(champion), "audit").message == "the audit found nothing that refuses"


def test_only_checks_that_failed_and_were_accepted_are_written_down() -> None:
    found = [Finding("too_good", "One."), Finding("unlike_base", "Two.", refuses=False)]
    assert accepted(found, ["unlike_base", "too_good", "survivors"]) == ("too_good",)


def test_a_lower_grade_on_the_same_rows_is_refused(champion: Bundle, later: Made) -> None:
    (one,) = later.saying(lambda tested: expit(informed(tested, 1.0))).trained
    assert one.evaluation is not None
    beaten = replace(one.evaluation, baseline=np.full(700, 0.5))
    rule = replace(later, trained=(replace(one, evaluation=beaten, choice=replace(one.choice, recipe=Recipe("rule"))),))
    found = rule.against(champion)
    assert failed(found) == {"grade"}
    assert found.reason.startswith("it would be graded C, the champion A, on 700 rows of 2024-09-19")
    (answer,) = champion.predictors
    assert rule.against(replace(champion, predictors=(replace(answer, flags=("extrapolated",)),))).passed


def entry(what: str, version: int, before: int | None, **more: Any) -> Entry:
    said = {"why": "because", "evidence": {}, "previous": "", "hash": ""} | more
    return Entry(1, "churn", what, version, f"digest {version}", before, "anna@home", 1, **said)


JUDGED: dict[str, Any] = {"evidence": {"conditions": []}}


@pytest.mark.parametrize(
    ("history", "passed"),
    [
        ([entry("registered", 2, None), entry("promoted", 2, 1, **JUDGED)], True),
        ([entry("promoted", 2, 1, **JUDGED), entry("rolled back", 1, 2)], False),
        ([entry("promoted", 2, 1, **JUDGED), entry("promoted", 3, 2, **JUDGED)], True),  # training's own successor
        ([entry("promoted", 2, 1, **JUDGED), entry("promoted", 3, 2)], False),
        ([entry("promoted", 2, 1), entry("rolled back", 1, 2), entry("promoted", 2, 1)], True),
        ([entry("promoted", 2, 1), entry("rolled back", 1, 2), entry("registered", 2, None)], False),
        ([entry("promoted", 1, None), entry("promoted", 2, 1), entry("rolled back", 1, 2)], False),
        ([entry("promoted", 3, 2), entry("rolled back", 2, 3)], True),  # back to this one
    ],
)
def test_what_somebody_took_out_of_service_only_a_hand_puts_back(history: list[Entry], passed: bool) -> None:
    found = rolled_back("digest 2", history)
    assert found.passed == passed
    assert passed or "anna@home" in found.message


def test_a_rollback_outweighs_everything_else(champion: Bundle, later: Made) -> None:
    history = [replace(entry("promoted", 2, 1), digest=later.bundle.digest), entry("rolled back", 1, 2)]
    better = later.saying(lambda tested: expit(informed(tested, 1.0)))
    assert better.against(champion).passed
    found = better.against(champion, history)
    assert failed(found) == {"rolled_back"}
    assert found.reason.startswith("this very bundle served before, and anna@home rolled it back")


def test_another_question_replaces_the_champion(champion: Bundle, later: Made) -> None:
    task = champion.task.model_copy(update={"active_days": 77})
    found = later.against(replace(champion, task=task))
    assert found.passed
    assert found.reason == "the question has changed since the champion was trained"
    assert found.record()["method"] is None


def test_sooner_than_a_horizon_the_very_same_recipe_ties(later: Made, sooner: Bundle) -> None:
    found = later.against(with_facts(sooner, recipes=later.bundle.facts["recipes"]))
    assert told(found, "loss").figures["method"] == "refitted"
    assert found.passed, found.reason
    assert found.reason.startswith("its loss equals the champion's on 700 rows of 2024-09-19, both recipes refitted on")
    assert told(found, "calibration").figures["value"] == 0


def test_money_is_judged_by_bias_and_coverage_and_its_own_recipe_ties(money: Made) -> None:
    same = with_facts(money.bundle, trained_as_of_us=money.bundle.trained_as_of_us - DAY_US)
    found = money.against(same)
    assert found.passed, found.reason
    assert "equals the champion's" in found.reason
    assert set(told(found, "calibration").figures["parts"]) == {"bias", "distance of coverage from 90 %"}
    off = money.saying(lambda tested: 2.5 * tested.model).against(same)
    assert {"loss", "calibration"} <= failed(off)
    assert "its bias of " in told(off, "calibration").message
    (one,) = money.trained
    assert one.evaluation is not None
    sure = replace(one.evaluation, low=one.evaluation.model, high=one.evaluation.model)
    assert (
        "coverage"
        in told(replace(money, trained=(replace(one, evaluation=sure),)).against(same), "calibration").message
    )


def test_a_champion_of_other_features_is_refitted_on_its_own(later: Made, sooner: Bundle) -> None:
    same = with_facts(sooner, recipes={"30": Recipes(Recipe("logistic")).pack()})
    few = needed(sooner.task, 30).union(FeatureSet(sooner.features.features[::9]))
    found = [told(later.against(one), "loss") for one in (same, replace(same, features=few))]
    assert [one.figures["method"] for one in found] == ["refitted", "refitted"]
    assert found[0].figures["champion"] != found[1].figures["champion"]


def test_without_a_recorded_recipe_what_each_recorded_is_compared(later: Made, sooner: Bundle) -> None:
    (answer,) = sooner.predictors
    skill = {**answer.metrics, "skill": [0.9, 0.8, 0.95]}
    strong = replace(with_facts(sooner, recipes={}), predictors=(replace(answer, metrics=skill, grade="A"),))
    found = later.against(strong)
    assert told(found, "loss").figures["method"] == "record"
    assert "lies below the champion's interval (0.8 on)" in found.reason
    assert "no rows to measure both on" in told(found, "segments").message
    assert found.record()["method"] == "record"


def test_a_recipe_comes_back_from_json_as_it_was(later: Made, money: Made) -> None:
    for one in (*later.trained, *money.trained):
        plain = json.loads(json.dumps(chosen_recipes(one.choice, one.no_purchase).pack()))
        assert unpack_recipes(plain) == chosen_recipes(one.choice, one.no_purchase)
    assert money.bundle.facts["recipes"]["30"] == plain


def test_of_several_horizons_the_worst_decides(small: Config) -> None:
    old, new = (made(small, "buys", date, trials=0) for date in ("2024-06-30", "2024-07-15"))
    first, second = new.trained
    assert first.evaluation is not None
    bad = replace(first, evaluation=replace(first.evaluation, model=np.roll(first.evaluation.model, 1)))
    found = replace(new, trained=(bad, second)).against(old.bundle)
    assert found.reason.startswith("at 7 days its loss is ")
    every = told(found, "loss").figures["horizons"]
    assert {days: one["method"] for days, one in every.items()} == {"7": "fair", "30": "refitted"}
    assert (every["7"]["passed"], found.record()["method"]) == (False, "refitted")


def test_both_are_drawn_together_and_customers_as_a_whole() -> None:
    rng = np.random.default_rng(4)
    customers = np.array([f"c{one}" for one in rng.integers(0, 40, 300)], object)
    loss = rng.gamma(1.0, 1.0, 300)
    tied = relative_loss(customers, loss * 1.02, loss, seed=7)
    assert [tied.value, tied.low, tied.high] == pytest.approx([0.02] * 3)  # what both share is no doubt
    apart = relative_loss(customers, rng.gamma(1.0, 1.0, 300), loss, seed=7)
    assert apart.low < apart.value < apart.high
    one = Sums.of(np.array(["a", "a", "b"], object), [np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])], seed=7)
    assert set(map(tuple, one.drawn.tolist())) == {(4.0, 0.0), (2.0, 1.0), (0.0, 2.0)}
    assert one.total.tolist() == [2.0, 1.0]


def test_chance_is_what_a_perfect_model_would_show() -> None:
    rng = np.random.default_rng(5)
    customers = np.arange(1000).astype(str).astype(object)
    alike = np.full(1000, 0.3)
    error = calibration_error(customers, (rng.random(1000) < 0.3).astype(float), alike, alike, seed=7)
    assert error.by_chance == pytest.approx(1.96 * np.sqrt(0.3 * 0.7 / 1000), rel=0.06)
    assert (error.more.value, error.more.low, error.more.high) == (0, 0, 0)


def mails(folder: Path) -> Config:
    """A shop in which a mail by web brings a purchase to most, and no mail to few."""
    rng, rows = np.random.default_rng(2), list[Row]()
    for number in range(150):
        for day in range(20, 200, 20):
            kind = "web" if rng.random() < 0.5 else "none"
            rows.append(event(f"c{number}", iso(FIRST + day * DAY_US), "mail", None) | {"kind": kind})
            if rng.random() < (0.7 if kind == "web" else 0.1):
                rows.append(event(f"c{number}", iso(FIRST + (day + 3) * DAY_US), "purchase", 10.0) | {"kind": None})
    write(folder / "log" / "rows.jsonl", rows)
    run(config(folder))
    return config(folder)


def test_best_actions_meet_on_decisions_since_the_champion(tmp_path: Path) -> None:
    shop = mails(tmp_path)
    old, new = made(shop, "offer", "2024-04-01"), made(shop, "offer", "2024-07-10")
    same = new.against(old.bundle)
    assert same.passed
    assert same.reason == "its best action is the champion's, 'web'"
    actions = new.bundle.actions
    assert actions is not None
    silent = replace(new, bundle=replace(new.bundle, actions=replace(actions, gain=(0.0, -1.0))))
    refused = silent.against(old.bundle)
    assert "'none' is worth -" in refused.reason
    assert "decisions since the champion was trained" in refused.reason
    assert failed(refused) == {"loss"}
    assert new.against(replace(silent.bundle, facts=old.bundle.facts)).passed
    soon = silent.against(with_facts(new.bundle, trained_as_of_us=instant("2024-07-09")))
    assert "recorded skill" in soon.reason


def test_what_is_recorded_is_plain_json_with_every_figure(champion: Bundle, later: Made) -> None:
    found = later.against(champion)
    bad = replace(found, conditions=(*found.conditions, Condition("odd", True, "Odd.", {"value": float("nan")})))
    plain = json.loads(json.dumps(bad.record(), allow_nan=False))
    assert plain == bad.record()
    assert plain["conditions"][-1]["figures"] == {"value": None}
    assert (plain["passed"], plain["reason"], plain["method"]) == (found.passed, found.reason, "fair")
    assert plain["test_cutoff"].startswith("2024-09-19")
    assert {"value", "low", "high", "rows", "own", "champion"} <= set(plain["conditions"][1]["figures"])


def serve(registry: Registry, shop: Config, bundle: Bundle) -> Version:
    with registry.run("churn", "a run") as run:
        version = register_folder(registry, "churn", run, shop.workspace_path / "bundles" / bundle.digest)
    registry.set_champion("churn", version)
    return version


def test_the_gate_finds_the_champion_in_the_registry(
    shop: Config, champion: Bundle, later: Made, tracking_database: Path
) -> None:
    shutil.copy(tracking_database, shop.workspace_path / "mlflow.db")
    registry = Registry.open(shop)
    asked = later.context, later.bundle, later.trained
    first = verdict(registry, *asked)
    assert (first.passed, first.reason) == (True, "there was no champion")
    back = [replace(entry("promoted", 2, 1), digest=later.bundle.digest), entry("rolled back", 1, 2)]
    assert not verdict(registry, *asked, history=back).passed
    version = serve(registry, shop, champion)
    found = verdict(registry, *asked)
    assert found.record()["champion"] == {"version": 1, "digest": champion.digest, "run_id": version.run_id}
    assert told(found, "loss").figures["method"] == "fair"
    (shop.workspace_path / "bundles" / champion.digest / "bundle.json").write_text("{}")
    assert "the champion cannot be read any more" in verdict(registry, *asked).reason
    serve(registry, shop, later.bundle)
    again = verdict(registry, *asked)
    assert (again.passed, again.serves_already, again.reason) == (True, True, "it is the champion, bit by bit")
