"""Shops without a calendar are what they say; verdicts on money are known for made-up answers; a shop end to end."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.known_truth.money import Worth, judged_money
from benchmarks.known_truth.stationary_shops import (
    ACTIVE_DAYS,
    END,
    KINDS,
    SIZES,
    START,
    Happened,
    Steady,
    happened,
    kept,
    knowing,
    rival,
    shops,
    statistics,
)
from benchmarks.known_truth.verdict import judged
from features.arrays import Floats

DAY = pd.Timedelta(days=1)
PEOPLE = 2000


def split(world: Happened) -> tuple[pd.DataFrame, pd.DataFrame]:
    later = world.events["timestamp"] > END
    return world.events[~later], world.events[later]


@pytest.mark.parametrize(("joined", "lapse"), KINDS)
def test_as_many_fall_silent_as_the_chances_say(joined: str, lapse: float) -> None:
    world = happened(Steady(4000, joined, lapse, 5))
    past, ahead = split(world)
    active = past.loc[past["timestamp"] > END - ACTIVE_DAYS * DAY, "customer_id"].unique()
    chance = world.silent.loc[active].to_numpy(np.float64)
    came = ~np.isin(active.astype(str), ahead["customer_id"].unique().astype(str))
    error = np.sqrt((chance * (1 - chance)).sum()) / len(chance)
    assert abs(came.mean() - chance.mean()) < 4 * error


def test_who_has_lapsed_never_comes_again() -> None:
    world = happened(Steady(2000, "uniform", 0.3, 6))
    gone = world.silent.index[world.silent == 1.0]
    assert len(gone) > 500
    assert not split(world)[1]["customer_id"].isin(gone).any()


def test_an_old_shop_is_in_full_swing_when_its_log_begins() -> None:
    old, young = (happened(Steady(4000, joined, 0.1, 7)).events for joined in ("old", "uniform"))
    first_month = [(events["timestamp"] < START + 30 * DAY).sum() for events in (old, young)]
    assert old["timestamp"].min() >= START
    assert first_month[0] > 3 * first_month[1]


def test_statistics_are_those_of_a_walk_through_the_log() -> None:
    past, _ = split(happened(Steady(60, "uniform", 0.1, 8)))
    days: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for _, event in past.iterrows():
        days[event["customer_id"]][(event["timestamp"] - START) // DAY] += event["value"]
    end = (END - START) // DAY
    for customer, found in statistics(past).iterrows():
        own = days[str(customer)]
        expected = [len(own) - 1, max(own) - min(own), end - min(own), np.mean(list(own.values()))]
        assert found.tolist() == pytest.approx(expected)


def test_the_rival_expects_about_what_comes() -> None:
    past, ahead = split(happened(Steady(4000, "uniform", 0.1, 9)))
    assert rival(past).sum() == pytest.approx(ahead["value"].sum(), rel=0.1)


def test_who_knows_the_process_is_calibrated_and_not_ahead_of_the_truth() -> None:
    verdict = judged(knowing(Steady(4000, "uniform", 0.1, 9)))
    assert verdict.ece_holds
    assert verdict.slope == pytest.approx(1.0, abs=0.22)  # four standard errors
    assert verdict.skill > 0.05
    assert not verdict.ahead_of_truth


def made_up(rival_factor: float = 1.0, stretch: float = 1.0) -> Worth:
    """Money that is exponential around what ours says; the interval is right unless stretched."""
    rng = np.random.default_rng(1)
    mean = rng.uniform(5.0, 50.0, PEOPLE)
    theirs: Floats = mean * np.exp(np.log(rival_factor) * rng.standard_normal(PEOPLE))
    high = mean * -np.log(0.1) * stretch
    return Worth(rng.exponential(mean), mean, np.zeros(PEOPLE), high, theirs, "average", "B")


def test_equal_values_are_neither_ahead_nor_worse() -> None:
    verdict = judged_money(made_up())
    assert (verdict.rmse.by, verdict.gini.by, verdict.rmse_share) == (0.0, 0.0, 0.0)
    assert verdict.answered
    assert verdict.covers
    assert verdict.worst_tenth > 0.85


def test_a_rival_that_scatters_is_left_behind() -> None:
    verdict = judged_money(made_up(rival_factor=2.0))
    assert verdict.rmse.low > 0
    assert verdict.gini.low > 0


@pytest.mark.parametrize("stretch", [0.5, 2.0])
def test_an_interval_too_narrow_or_too_wide_does_not_cover(stretch: float) -> None:
    assert not judged_money(made_up(stretch=stretch)).covers


def test_where_nearly_all_buy_nothing_covering_them_all_is_no_fault() -> None:
    right, quiet = made_up(), np.zeros(PEOPLE)
    few = np.linspace(0.1, 0.2, PEOPLE)
    came, said = np.concatenate([right.came, quiet]), np.concatenate([right.said, few])
    low, high = np.concatenate([right.low, quiet]), np.concatenate([right.high, quiet])
    verdict = judged_money(Worth(came, said, low, high, said, "rule", "C"))
    assert verdict.covered > 0.915
    assert verdict.covers


def test_shops_are_spread_over_sizes_and_kinds() -> None:
    every = shops(24)
    cells = [(one.customers, one.joined, one.lapse) for one in every]
    assert {cells.count(cell) for cell in cells} == {3}
    assert {one.customers for one in every} == set(SIZES)
    assert len({one.seed for one in every}) == 24


def test_a_small_shop_is_answered_for_churn_and_money(tmp_path: Path) -> None:
    shop = Steady(150, "uniform", 0.1, 3)
    churn, value = kept(shop, tmp_path / "told.npz", trials=0)
    assert judged(churn).answered
    assert not judged(churn).behind_baseline
    assert judged_money(value).answered
    assert kept(shop, tmp_path / "told.npz", trials=0)[1].said.tolist() == value.said.tolist()
