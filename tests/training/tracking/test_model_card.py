"""The model card of trainings of each kind, as a person reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.config.load import parse
from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.timeline import days
from models.bundle import Bundle
from models.ladder.rules import Binned
from models.predictor.intervals import PredictionInterval
from models.predictor.predictor import Predictor
from tests.support.bundles import OFFER, two_actions
from tests.support.horizon_evidence import horizon_evidence
from training.evaluation.diagnostics import Attributions, Diagnostics, SliceFigures
from training.gate.conditions import Condition
from training.gate.gate import Verdict
from training.metrics.bootstrap import Figures
from training.selection.choose import Candidate
from training.tracking.evidence import Evidence, HorizonEvidence
from training.tracking.model_card import card
from training.tracking.model_card_task import as_written, label, misuse, population, purpose

TASKS = {
    "churn": {"kind": "churn", "event": "purchase", "horizon_days": 90},
    "cancels": {"kind": "churn", "churn_event": "cancel", "active_event": ["subscribe", "renew"], "horizon_days": 28},
    "buys": {"kind": "propensity", "event": "purchase", "horizons_days": [7, 30], "never": "refund"},
    "value": {"kind": "cltv", "event": ["purchase", "return"], "horizon_days": 365},
    "offer": OFFER,
}
FEATURES = FeatureSet((Feature("recency", Stream(("purchase",))), Feature("count", Stream(("purchase",)), None, 90)))
FACTS = {
    "trained_as_of_us": days(15000),
    "end_us": days(15000),
    "log_position": 3,
    "seed": 7,
    "code_version": "0.1.0",
    "survey": {"customers": 2500, "rows": 9000, "events": {"purchase": 9000}},
}
FIGURES: Figures = {"auroc": [0.8, 0.75, 0.85], "log_loss": [0.5, 0.45, 0.55]}
WORSE: Figures = {"auroc": [0.7, 0.65, 0.75], "log_loss": [0.6, 0.55, 0.65]}


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, TaskConfig]:
    return dict(parse({"log": {"value": "value"}, "tasks": TASKS}, folder=tmp_path).tasks)


def answer(horizon_days: int = 90) -> Predictor:
    rule = Binned("purchase_recency", (30.0,), (0.2, 0.8, 0.5), name="lightgbm")
    return Predictor(
        horizon_days=horizon_days,
        fitted_days=horizon_days,
        kind="churn",
        outcome="silence",
        rung=rule,
        baseline=rule,
        interval=PredictionInterval((), (0.0,), (0.1,)),
        base=(0.0, 1.0),
        grade="B",
        metrics={**FIGURES, "ece": [0.02, 0.01, 0.03]},
        baseline_metrics={**WORSE, "ece": [0.04, 0.03, 0.05]},
        notes=("trees beat the rule by 0.1",),
    )


def of_horizon() -> HorizonEvidence:
    return horizon_evidence(
        90,
        test="2010-10-28",
        rows={"choosing": 4000, "test": 1234},
        candidates=(
            Candidate("rule", {}, chosen=False, loss=0.6, saved=0.0, error=0.0),
            Candidate("trees", {}, chosen=True, loss=0.5, saved=0.1, error=0.02),
        ),
        diagnostics=Diagnostics(
            periods=(
                SliceFigures("2010-07-30", 900, 0.4, FIGURES, WORSE),
                SliceFigures("2010-10-28", 1234, 0.5, FIGURES, WORSE),
            ),
            segments=(SliceFigures("active once", 600, 0.7, FIGURES, WORSE),),
            attributions=Attributions(np.array([1, 0]), np.zeros((3, 2)), np.ones((3, 2))),
        ),
    )


def churn(asked: dict[str, TaskConfig], *horizons: HorizonEvidence) -> Evidence:
    return Evidence(Bundle(asked["churn"], FEATURES, (answer(),), None, FACTS), Path("b" * 64), "5" * 64, horizons)


def test_a_card_holds_every_figure_beside_the_baselines(asked: dict[str, TaskConfig]) -> None:
    told = card("shop", churn(asked, of_horizon()), Verdict("there was no champion"), toml="")
    for line in (
        "# shop.churn",
        "| AUROC | 0.8 (0.75 to 0.85) | 0.7 (0.65 to 0.75) |",
        "| expected calibration error | 0.02 (0.01 to 0.03) | 0.04 (0.03 to 0.05) |",
        "| 2010-07-30 | 900 | 0.4 | 0.8 (0.75 to 0.85) | 0.7 | 0.5 (0.45 to 0.55) | 0.6 |",
        "| active once | 600 | 0.7 | 0.8 (0.75 to 0.85) | 0.7 | 0.5 (0.45 to 0.55) | 0.6 |",
        "| trees | 0.5 | 0.1 ± 0.02 | **serves** |",
        "- 2,500 customers, 9,000 rows of the log: 9,000 purchase",
    ):
        assert line in told.splitlines()
    assert "What moves its scores most: number of purchases in the last 90 days; days since the last purchase." in told
    assert f"the digest `{'b' * 64}`" in told


def test_a_card_fits_on_two_pages(asked: dict[str, TaskConfig]) -> None:
    assert len(card("shop", churn(asked, of_horizon()), Verdict("it is better"), toml="").splitlines()) < 120


def test_a_card_tells_what_the_gate_looked_at(asked: dict[str, TaskConfig]) -> None:
    refused = Verdict(
        "its loss is higher", (Condition("loss", passed=False, message="its loss is 2 % higher", figures={}),)
    )
    told = card("shop", churn(asked, of_horizon()), refused, toml="")
    assert "- The gate refused it: its loss is higher" in told
    assert "- **refused**, loss: its loss is 2 % higher" in told


def test_a_card_without_a_test_says_so(asked: dict[str, TaskConfig]) -> None:
    told = card("shop", churn(asked), Verdict("there was no champion"), toml="")
    assert "There were no later rows to measure it on." in told


def test_a_weak_or_carried_over_answer_is_named_among_the_limits(asked: dict[str, TaskConfig]) -> None:
    weak = replace(answer(), grade="D", flags=("extrapolated",))
    given = Evidence(Bundle(asked["churn"], FEATURES, (weak,), None, FACTS), Path("b"), "5", ())
    told = card("shop", given, Verdict("there was no champion"), toml="")
    assert "Grade D at 90 days: it is not sure to beat the baseline." in told
    assert "90 days are carried over from a shorter horizon" in told


def test_the_card_of_actions_has_words_of_its_own(asked: dict[str, TaskConfig]) -> None:
    actions = two_actions()
    given = Evidence(Bundle(asked["offer"], FeatureSet(()), (), actions, FACTS), Path("b"), "5", ())
    told = card("shop", given, Verdict("there was no champion"), toml="")
    assert "| mens | 100 | 1.6 | 0.6 (0.3 to 0.9) |" in told
    assert "| policy value | 1.6 (1.3 to 1.9) |" in told
    assert "None is read: the same action for everybody." in told
    assert "nothing is known of them" in told


@pytest.mark.parametrize(
    ("name", "whom", "what"),
    [
        (
            "churn",
            "at least one `purchase` in the 365 days",
            "1 if no `purchase` comes within `(cutoff, cutoff + 90 days]`",
        ),
        (
            "cancels",
            "`subscribe` or `renew` in the 365 days",
            "1 if `cancel` comes within `(cutoff, cutoff + 28 days]`",
        ),
        ("buys", "any event in the 365 days", "1 if `purchase` comes within `(cutoff, cutoff + 7, 30 days]`"),
        ("value", "`purchase` or `return` in the 365 days", "The sum of `value` of `purchase` or `return`"),
        ("offer", "Every decision that was logged", "The value of `purchase` that comes within"),
    ],
)
def test_every_kind_says_whom_it_is_about_and_what_it_asks(
    asked: dict[str, TaskConfig], name: str, whom: str, what: str
) -> None:
    task = asked[name]
    assert whom in population(task)
    assert label(task).startswith(what)
    assert purpose(task).startswith("It says ")
    assert len(misuse(task)) == 3


def test_who_left_and_who_never_may_be_in_is_told(asked: dict[str, TaskConfig]) -> None:
    assert population(asked["cancels"]).endswith(", and no `cancel` since.")
    assert population(asked["buys"]).endswith(", who never did `refund`.")


def test_a_card_speaks_as_the_configuration_does_not_as_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOURNEYCAST_TEST_EVENT", "canary-event")
    given = {"kind": "churn", "event": "${JOURNEYCAST_TEST_EVENT}", "horizon_days": 90}
    task = parse({"tasks": {"churn": given}}, folder=tmp_path).task("churn")
    assert task.active_event == ("canary-event",)
    written = as_written(task, '[tasks.churn]\nevent = "${JOURNEYCAST_TEST_EVENT}"\n')
    assert "canary" not in population(written) + label(written)
