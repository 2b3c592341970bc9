"""The choice of a rung among candidates, and a bundle whose probabilities move with the date."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from features.arrays import Floats
from features.timeline import DAY_US
from models.bundle import Bundle
from models.predictor.adjusted import Adjusted
from models.predictor.calibrators import Beta
from models.predictor.level import Level
from tests.support.log_files import opened
from tests.support.training_shop import bundles, config, crowd
from training.dataset.examples import base_values
from training.fit.calibration import LaterPredictions
from training.fit.recipe import Recipe
from training.run import prepare
from training.selection.choose import TIE_ERRORS, _first_of_the_best, _Validation

RECIPES = [Recipe("rule"), Recipe("btyd"), Recipe("logistic")]


@dataclass(frozen=True)
class Served:
    """Bundles of a small shop, and the feature values of those whom each is about."""

    bundles: dict[str, Bundle]
    values: dict[str, Floats]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder, tasks = tmp_path_factory.mktemp("crowd"), ("churn", "value")
    made, shop = bundles(folder, crowd(150, 240), tasks), config(folder)
    context, _ = prepare(shop, opened(shop), as_of=None, trials=0, progress=lambda _: None)
    about = {one: base_values(context.parts, shop.task(one), made[one].features, context.as_of, 999) for one in tasks}
    return Served(made, about)


def judged(behind: list[float], noise: list[float]) -> _Validation:
    """Recipes whose losses lie so far behind the last, give or take noise that sums to nothing."""
    rng = np.random.default_rng(1)
    same, own = rng.random(400) + 1, np.resize([-1.0, 1.0], 400)
    losses = np.stack([same + by + own * wide for by, wide in zip(behind, noise, strict=True)])
    return _Validation(
        RECIPES, losses, losses, LaterPredictions(same, same, np.zeros(400, object), np.zeros(400, np.int64))
    )


@pytest.mark.parametrize(
    ("behind", "noise", "place"),
    [
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0),
        ([0.1, 0.1, 0.0], [0.0, 0.0, 0.0], 2),
        ([0.1, 0.0, 0.0], [0.0, 0.0, 0.0], 1),
        ([0.1, 0.01, 0.0], [0.0, 1.0, 0.0], 1),  # 0.01 behind, ± 0.05
        ([0.9 * TIE_ERRORS / 20, 0.0, 0.0], [1.0, 0.0, 0.0], 0),
        ([1.1 * TIE_ERRORS / 20, 0.0, 0.0], [1.0, 0.0, 0.0], 1),
    ],
)
def test_the_simplest_serves_that_is_not_behind_the_best(behind: list[float], noise: list[float], place: int) -> None:
    assert _first_of_the_best(judged(behind, noise), rule_last=False) == place


@pytest.mark.parametrize(("behind", "place"), [([0.0, 0.0, 0.0], 1), ([0.0, 0.1, 0.0], 2), ([0.0, 0.1, 0.1], 0)])
def test_the_rule_for_money_serves_where_all_else_is_worse(behind: list[float], place: int) -> None:
    assert _first_of_the_best(judged(behind, [0.0, 0.0, 0.0]), rule_last=True) == place


def test_what_is_trained_has_levels_of_its_own_date(trained: Served) -> None:
    (churn,), (value,) = trained.bundles["churn"].predictors, trained.bundles["value"].predictors
    assert value.no_purchase is not None
    for adjusted in (churn.adjusted, value.adjusted, value.no_purchase.adjusted):
        assert adjusted.level is not None
        assert adjusted.level.start_us == trained.bundles["churn"].facts["trained_as_of_us"]


def test_nobody_is_said_to_buy_by_one_task_and_not_by_the_other(trained: Served) -> None:
    (churn,), (value,) = trained.bundles["churn"].predictors, trained.bundles["value"].predictors
    position = {name: trained.bundles[name].features.position for name in ("churn", "value")}
    said = churn.predict(trained.values["churn"], position["churn"]).score
    p_none = value.predict(trained.values["value"], position["value"]).parts["p_none"]
    assert np.abs(said - p_none).mean() < 0.04
    assert said.mean() == pytest.approx(p_none.mean(), abs=0.02)


@pytest.mark.parametrize("days", [0, 17, 9999])
def test_a_row_alone_is_answered_as_among_many_at_every_date(trained: Served, days: int) -> None:
    bundle = trained.bundles["churn"]
    (held,) = bundle.predictors
    assert held.adjusted.level is not None
    answer = replace(held, adjusted=Adjusted(Beta(0.8, 0.9, 0.1), held.adjusted.level))
    at = held.adjusted.level.start_us + days * DAY_US
    rows = trained.values["churn"]
    together = answer.predict(rows, bundle.features.position, at)
    assert len(rows) > 60
    for row in range(0, len(rows), 11):
        alone = answer.predict(rows[row : row + 1], bundle.features.position, at)
        for name in ("score", "low", "high", "percentile", "baseline"):
            assert getattr(alone, name).tobytes() == getattr(together, name)[row : row + 1].tobytes()


def test_a_later_date_moves_scores_and_leaves_the_baseline(trained: Served) -> None:
    bundle = trained.bundles["churn"]
    answer = replace(bundle.predictors[0], adjusted=Adjusted(None, Level(0, 7.0, (0.0, 1.0), (0.0, 0.3))))
    rows = trained.values["churn"]
    now, later = (answer.predict(rows, bundle.features.position, day * DAY_US) for day in (0, 7))
    assert (later.score > now.score).all()
    assert later.baseline.tobytes() == now.baseline.tobytes()
    assert ((later.low <= later.score) & (later.score <= later.high)).all()


def test_doubt_about_the_level_widens_the_interval_on_both_sides(trained: Served) -> None:
    spread, said = trained.bundles["churn"].predictors[0].interval, np.linspace(0.05, 0.95, 50)
    low, high = spread.interval(said)
    wider = spread.widened(said, 0.3)
    assert ((wider[0] < low) | (low == 0)).all()
    assert ((wider[1] > high) | (high == 1)).all()


def test_money_is_the_same_at_every_date(trained: Served) -> None:
    bundle = trained.bundles["value"]
    rows = trained.values["value"]
    now, later = (bundle.predictors[0].predict(rows, bundle.features.position, day * DAY_US) for day in (0, 200))
    assert now.score.tobytes() == later.score.tobytes()
    assert now.low.tobytes() == later.low.tobytes()


def test_a_log_of_one_cutoff_is_answered_without_a_level(tmp_path: Path) -> None:
    (answer,) = bundles(tmp_path, crowd(20, 12), ("churn",))["churn"].predictors
    assert answer.adjusted.level is None or np.isfinite(answer.adjusted.level.shift).all()
