"""Money in shops that break usual assumptions: an answer with a grade for each, and a level that follows the season."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.timeline import DAY_US, instant, iso
from models.predictor.level import Level
from serving.score import score
from tests.support.log_files import Row, event, opened, run, write
from tests.support.training_shop import config
from tests.training.fit.test_level import came
from training.fit.level import levelled_money, money_level
from training.run import train

FIRST, LAST = instant("2024-01-01"), 400


def bought(customer: int, day: float, money: float, what: str = "purchase") -> Row:
    return event(f"c{customer}", iso(FIRST + round(day * DAY_US)), what, round(money, 2)) | {"kind": None}


def fifty() -> list[Row]:
    rng = np.random.default_rng(1)
    days = [(c, day) for c in range(50) for day in np.cumsum(rng.exponential(25 + c, 30)) if day < LAST]
    return [bought(c, day, 5 + rng.gamma(2.0, 20.0)) for c, day in days]


def once_each() -> list[Row]:
    rng = np.random.default_rng(2)
    return [bought(c, day, 10 + rng.gamma(2.0, 20.0)) for c, day in enumerate(np.sort(rng.uniform(0, LAST, 600)))]


def all_sent_back() -> list[Row]:
    rng = np.random.default_rng(3)
    rows = []
    for c in range(300):
        for day in np.cumsum(rng.exponential(60, 8)):
            rows += [bought(c, day, 30.0), bought(c, day + 3, -40.0)] if day < LAST - 5 else []
    return rows


def one_whale() -> list[Row]:
    return [*fifty(), *(bought(99, day, 250_000.0) for day in range(10, LAST, 10))]


def subscribers() -> list[Row]:
    """One price, one order a month, so that nobody buys twice within a horizon."""
    rng = np.random.default_rng(4)
    rows = []
    for c in range(400):
        start, stays = rng.uniform(0, 300), rng.exponential(200)
        days = np.arange(start, min(start + stays, LAST), 32.0) + rng.uniform(-1, 1)
        rows += [bought(c, max(day, 0.0), 10.0) for day in days]
    return rows


def sent_back_at_last() -> list[Row]:
    return [
        *fifty(),
        *(bought(c + 100, day, 20.0 + c % 7) for c in range(350) for day in range(c % 40, LAST - 20, 45)),
        bought(100, LAST - 12.0, -1e7),
    ]


def served(folder: Path, rows: Sequence[Row]) -> Config:
    write(folder / "log" / "events.parquet", rows)
    shop = config(folder, trials=0)
    run(shop)
    train(shop, opened(shop), ["value"], promote=True, clock=lambda: FIRST + 500 * DAY_US)
    return shop


SHOPS = (fifty, once_each, all_sent_back, one_whale, subscribers, sent_back_at_last)


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.__name__)
def test_every_shop_has_an_answer_about_money_with_a_grade(tmp_path: Path, shop: Callable[[], list[Row]]) -> None:
    told = score(served(tmp_path, shop()), ["value"])
    assert set(told["grade"]) <= set("ABCD")
    known = told[told["score"].notna()]
    assert len(known) > 40
    assert np.isfinite(known[["score", "low", "high"]].to_numpy(float)).all()
    assert (known["low"] <= known["high"]).all()
    details = known["details"].tolist()
    assert all(0 <= one["p_none"] <= 1 for one in details)
    quantiles = np.array([[each["value"] for each in one["quantiles"]] for one in details])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles[:, 3] == [one["median"] for one in details]).all()
    if shop is once_each:  # nobody came back, so hardly anybody will
        assert np.mean([one["p_none"] for one in details]) > 0.9
    if shop is all_sent_back:
        assert known["score"].mean() < 5
    if shop is one_whale:  # whose orders are 5,000 times those of the others
        assert known["score"].nlargest(2).to_numpy()[1] < 3000


@pytest.mark.parametrize("more", [{"at_least": {"value": 30}}, {"never": ["return"]}])
def test_a_margin_of_a_column_goes_with_bounds_and_orders_in_several_rows(tmp_path: Path, more: Row) -> None:
    rows = []
    for number, one in enumerate(fifty()):
        day = (instant(one["at"]) - FIRST) / DAY_US
        later = bought(int(one["who"][1:]), min(day + 8, LAST), one["money"])
        rows += [line | {"gain": 0.3 * line["money"], "order": str(number)} for line in (one, later)]
    write(tmp_path / "log" / "events.parquet", rows)
    task = {"name": "value", "kind": "cltv", "event": "purchase", "horizon_days": 30, "margin": "gain", **more}
    plain = config(tmp_path, trials=0)
    log = plain.log.model_copy(update={"order": "order"})
    shop = plain.model_copy(update={"log": log, "tasks": {"value": TaskConfig.model_validate(task)}})
    run(shop)
    train(shop, opened(shop), ["value"], promote=True, clock=lambda: FIRST + 500 * DAY_US)  # and the audit agrees
    assert score(shop, ["value"])["score"].notna().sum() > 30


def test_over_several_horizons_orders_never_fall_and_silence_never_grows(tmp_path: Path) -> None:
    write(tmp_path / "log" / "events.parquet", sent_back_at_last()[:-1])
    task = {"name": "value", "kind": "cltv", "event": "purchase", "horizons_days": [30, 60, 75]}
    shop = config(tmp_path, trials=0).model_copy(update={"tasks": {"value": TaskConfig.model_validate(task)}})
    run(shop)
    train(shop, opened(shop), ["value"], promote=True, clock=lambda: FIRST + 500 * DAY_US)
    told = score(shop, ["value"]).dropna(subset=["score"]).sort_values(["customer_id", "horizon_days"])
    orders, p_none = (
        told["details"].map(lambda one, name=name: one[name]).to_numpy(float).reshape(-1, 3)
        for name in ("orders", "p_none")
    )
    assert (np.diff(orders, axis=1) >= 0).all()
    assert (np.diff(p_none, axis=1) <= 0).all()
    assert (orders * told["details"].map(lambda one: one["order_value"]).to_numpy().reshape(-1, 3)).ravel() == (
        pytest.approx(told["score"].to_numpy(float))
    )


def test_a_margin_counts_by_rate_or_by_column_and_a_refund_takes_it_back(tmp_path: Path) -> None:
    rows = [one | {"gain": round(0.3 * one["money"], 6)} for one in (*fifty(), *all_sent_back()[:400])]
    told = {}
    for name, margin in (("all", None), ("rate", 0.3), ("column", "gain")):
        task = {"kind": "cltv", "event": ["purchase"], "horizon_days": 30, **({"margin": margin} if margin else {})}
        write(tmp_path / name / "log" / "events.parquet", rows)
        plain = config(tmp_path / name, trials=0)
        shop = plain.model_copy(update={"tasks": {"value": TaskConfig.model_validate({"name": "value", **task})}})
        run(shop)
        train(shop, opened(shop), ["value"], promote=True, clock=lambda: FIRST + 500 * DAY_US)
        told[name] = score(shop, ["value"]).set_index("customer_id")["score"].dropna()
    assert len(told["all"]) > 40
    assert told["rate"].to_numpy() == pytest.approx(0.3 * told["all"].to_numpy(), rel=0.02)
    assert told["column"].to_numpy() == pytest.approx(told["rate"].to_numpy(), rel=0.05)


@pytest.mark.parametrize("margin", [0, -0.1, float("inf"), float("nan"), [], True, 30])
def test_a_margin_that_is_none_is_refused(margin: object) -> None:
    with pytest.raises(ValueError, match="margin"):
        TaskConfig.model_validate(
            {"name": "value", "kind": "cltv", "event": "purchase", "horizon_days": 30, "margin": margin}
        )


def test_the_level_of_money_comes_back_with_the_season_and_one_order_decides_nothing() -> None:
    month, day = np.arange(24), np.arange(24) * 30.0
    season = 1 + 0.5 * np.sin(2 * np.pi * month / 12)
    rng, each = np.random.default_rng(4), 400
    outcome = np.concatenate([rng.gamma(2.0, 10.0 * factor, each) for factor in season])
    outcome[np.searchsorted(np.repeat(month, each), 20)] = 1e6
    rows = came(np.repeat(day, each), outcome)
    said = np.full(len(outcome), 20.0)
    found = money_level(rows, said, horizon_days=30, first=0, start=round(day[-1] + 30) * DAY_US, cap=200.0)
    assert isinstance(found, Level)
    ahead = [found.factor(round((day[-1] + 30 * more) * DAY_US)) for more in range(1, 12)]
    wanted = 1 + 0.5 * np.sin(2 * np.pi * np.arange(24, 35) / 12)
    assert np.corrcoef(ahead, wanted)[0, 1] > 0.9
    assert np.abs(np.log(ahead) - np.log(wanted)).mean() < 0.25


def test_a_level_is_given_to_each_cutoff_and_keeps_the_order_of_customers() -> None:
    rows = came(np.repeat([0.0, 30.0], 100), np.repeat([30.0, 5.0], 100))
    said = np.tile(np.linspace(1, 19, 100), 2)
    moved = levelled_money(rows, said, cap=1e9)
    assert (moved[:100].mean(), moved[100:].mean()) == pytest.approx((30.0, 5.0))
    assert moved[:100] / moved[100:] == pytest.approx(6.0)
