"""The simulated shop: reproducible, well formed, and its truth is true."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from features.config.load import load
from features.errors import ConfigError
from features.simulate.customers import ACTIONS, NOTHING, draw_people
from features.simulate.process import simulate_lives
from features.simulate.truth import LatentState, expected_orders, latent_state, no_purchase
from features.simulate.write import BLOCK, Shop, Simulation, draw_block, simulate
from features.timeline import moment

SMALL = Shop(customers=60, history_days=120, future_days=30)
# Browsing tells nothing about truth: without it twenty thousand customers take a few seconds.
BIG = Shop(customers=20_000, seed=11, browse_rate=0.0, browse_per_purchase=0.0, views_per_session=1.0)
FILES = ("events.parquet", "customers.parquet", "truth/truth.parquet", "truth/future.parquet", "journeycast.toml")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


class World:
    """A simulated shop, read back."""

    def __init__(self, shop: Shop, written: Simulation) -> None:
        self.shop = shop
        self.end = pd.Timestamp(moment(shop.end_us))
        self.events, self.future = pd.read_parquet(written.events), pd.read_parquet(written.future)
        self.truth = pd.read_parquet(written.truth).set_index("customer_id")

    def days_to_next_purchase(self) -> pd.Series:
        bought = self.future[self.future.event_type == "purchase"].groupby("customer_id").timestamp.min()
        return ((bought - self.end) / pd.Timedelta(days=1)).reindex(self.truth.index).fillna(np.inf)

    def net_value(self, days: int) -> pd.Series:
        money = self.future[self.future.timestamp <= self.end + pd.Timedelta(days=days)]
        return money.groupby("customer_id").value.sum().reindex(self.truth.index).fillna(0.0)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(BIG, simulate(BIG, tmp_path_factory.mktemp("big")))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(Shop(), simulate(Shop(), tmp_path_factory.mktemp("demo")))


def off_by(actual: Any, expected: Any) -> float:
    """How many standard errors lie between the sums of `actual` and `expected`, by the spread of their differences."""
    difference = np.asarray(actual) - np.asarray(expected)
    return float(abs(difference.sum()) / np.sqrt((difference**2).sum()))


# --- the same and the same again ------------------------------------------------------------------------------------


def test_equal_shops_are_equal_bytes_and_another_seed_is_another_shop(tmp_path: Path) -> None:
    for name, shop in (("one", SMALL), ("two", SMALL), ("other", replace(SMALL, seed=8))):
        simulate(shop, tmp_path / name)
    first, second, other_seed = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert first == second
    assert all(first[name] != other_seed[name] for name in FILES)


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    shop = Shop(customers=2 * BLOCK + 1, history_days=60, future_days=10)
    for threads in (1, 3):
        simulate(shop, tmp_path / str(threads), threads=threads)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    assert pd.read_parquet(tmp_path / "1" / "customers.parquet").customer_id.nunique() == shop.customers


def test_a_full_block_comes_out_the_same_in_a_larger_shop() -> None:
    shop = Shop(customers=BLOCK, history_days=30, future_days=0)
    alone, among_others = draw_block(shop, 0), draw_block(replace(shop, customers=3 * BLOCK), 0)
    assert alone.events.equals(among_others.events)
    assert alone.truth.equals(among_others.truth)


# --- edges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"customers": 0}, "needs customers of at least 1, got 0"),
        ({"history_days": 0}, "needs history_days of at least 1, got 0"),
        ({"future_days": -1}, "needs future_days of at least 0, got -1"),
        ({"seed": -1}, "needs seed of at least 0, got -1"),
        ({"seed": 2**31}, r"below 2\*\*31, got 2147483648"),
        ({"start": datetime(2024, 1, 1)}, "midnight in UTC, got start = 2024-01-01T00:00:00"),  # noqa: DTZ001
        ({"offer_every_days": 20}, "offers would overlap: expected offer_every_days of at least .* = 24, got 20"),
    ],
)
def test_what_cannot_be_simulated_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Shop(**wrong)


@pytest.mark.parametrize("days", [1, 14, 540])
def test_one_customer_is_a_shop(tmp_path: Path, days: int) -> None:
    written = simulate(Shop(customers=1, history_days=days, future_days=0), tmp_path)
    events = pd.read_parquet(written.events)
    assert written.customer_count == 1
    assert (written.event_count, written.future_count) == (len(events), 0)
    assert "purchase" in set(events.event_type)


def test_someone_elses_configuration_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "journeycast.toml").write_text("# mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="choose another folder, or remove it first"):
        simulate(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["journeycast.toml"]


def test_the_configuration_fits_the_log(tmp_path: Path) -> None:
    config = load(simulate(SMALL, tmp_path).config)
    columns = set(pd.read_parquet(tmp_path / config.log.source[0]).columns)
    named = {config.log.customer, config.log.time, config.log.event, config.log.value, config.log.order, config.log.id}
    assert {*named, config.log.known, *config.stored_categories, *config.stored_numbers} <= columns
    assert config.log.complete_until_us == SMALL.end_us
    assert {task.kind for task in config.tasks.values()} == {"churn", "propensity", "cltv", "next_action"}
    assert set(config.task("offer").costs) == set(ACTIONS)


# --- the log --------------------------------------------------------------------------------------------------------


def test_the_log_ends_where_the_future_begins_and_ids_are_unique(demo: World) -> None:
    assert demo.events.timestamp.min() > demo.end - timedelta(days=demo.shop.history_days)
    assert demo.events.timestamp.max() <= demo.end < demo.future.timestamp.min()
    assert demo.future.timestamp.max() <= demo.end + timedelta(days=demo.shop.future_days)
    assert pd.concat([demo.events, demo.future]).event_id.is_unique


def test_a_few_events_are_known_late_and_all_by_the_end_of_the_log(demo: World) -> None:
    self_made = demo.events[demo.events.event_type == "view"]
    late = self_made.ingested_at > self_made.timestamp
    share = demo.shop.late_share
    assert abs(late.sum() - share * len(late)) < 4 * np.sqrt(share * (1 - share) * len(late))
    assert (demo.events.ingested_at >= demo.events.timestamp).all()
    assert demo.events.ingested_at.max() <= demo.end


def test_orders_have_the_value_that_the_truth_says(big: World) -> None:
    bought = big.events[big.events.event_type == "purchase"]
    orders = bought.groupby(["customer_id", "order_id"]).value.sum().reset_index()
    assert bought.value.min() > 0
    assert (bought.value.round(2) == bought.value).all()
    assert off_by(orders.value, big.truth.mean_order_value.loc[orders.customer_id]) < 4


def test_returns_take_back_a_whole_order_a_week_later(big: World) -> None:
    bought = big.events[big.events.event_type == "purchase"].groupby("order_id")
    orders = bought.agg(value=("value", "sum"), timestamp=("timestamp", "first"))
    back = big.events[big.events.event_type == "return"].set_index("order_id")
    np.testing.assert_allclose(-back.value, orders.value.loc[back.index], atol=0.001)
    delay = back.timestamp - orders.timestamp.loc[back.index]
    assert np.abs(delay.dt.total_seconds() - 86_400 * big.shop.return_days).max() < 2e-6  # a rounding to µs
    old = (orders.timestamp < big.end - timedelta(days=big.shop.return_days + 1)).sum()
    assert abs(len(back) / old - big.shop.return_share) < 4 * np.sqrt(big.shop.return_share / old) + 1 / 300


def test_the_logged_probability_is_that_of_the_action_taken(big: World) -> None:
    sent = big.events[big.events.event_type == "email"]
    for action in ACTIONS:
        weight = (sent.campaign == action) / sent.send_probability  # mean 1 over decisions, whatever the policy
        assert off_by(weight, 1.0) < 4
    assert sent.groupby("campaign").send_probability.nunique().loc["discount"] == 2


def test_the_demo_shop_can_be_learned_but_not_for_nothing(demo: World) -> None:
    last = demo.events[demo.events.event_type == "purchase"].groupby("customer_id").timestamp.max()
    active = last.index[last > demo.end - timedelta(days=365)]
    churned = (demo.days_to_next_purchase() > 90).loc[active]
    assert 100_000 < len(demo.events) < 250_000
    assert 0.2 < churned.mean() < 0.6
    assert 0.8 < roc_auc_score(churned, demo.truth.p_no_purchase_90d.loc[active]) < 0.95  # the truth knows who lapsed
    assert 0.7 < roc_auc_score(churned, (demo.end - last.loc[active]).dt.total_seconds()) < 0.85  # recency does not


# --- the truth, against what happened -------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [30, 90])
def test_probabilities_are_calibrated_on_the_future(big: World, days: int) -> None:
    probability = big.truth[f"p_no_purchase_{days}d"]
    quiet = big.days_to_next_purchase() > days
    alive = big.truth.alive
    assert quiet[~alive].all()
    assert (probability[~alive] == 1).all()
    for tenth in np.array_split(np.argsort(probability[alive].to_numpy()), 10):
        p, y = probability[alive].iloc[tenth], quiet[alive].iloc[tenth]
        assert abs(y.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.parametrize("days", [90, 365])
def test_expected_value_is_what_the_future_brings(big: World, days: int) -> None:
    expected, actual = big.truth[f"expected_value_{days}d"], big.net_value(days)
    for fifth in np.array_split(np.argsort(expected.to_numpy()), 5):
        assert off_by(actual.iloc[fifth], expected.iloc[fifth]) < 4
    assert expected.sum() > 0


def test_trouble_raises_the_lapse_by_the_known_factor(big: World) -> None:
    alive = big.truth[big.truth.alive]
    lapsed = alive.lapsed_at <= big.end + timedelta(days=90)
    troubled = alive.troubled
    expected = -np.expm1(-alive.lapse_hazard[troubled] * 90)
    assert off_by(lapsed[troubled], expected) < 4
    p, q = lapsed[troubled].mean(), lapsed[~troubled].mean()
    error = np.sqrt(p * (1 - p) / troubled.sum() + q * (1 - q) / (~troubled).sum())
    assert p > q + 4 * error  # although those whom trouble took first are gone


def test_those_with_tickets_in_the_log_are_the_troubled(big: World) -> None:
    complained = big.events[big.events.event_type == "support"].customer_id.unique()
    assert set(complained) == set(big.truth.index[big.truth.troubled])


# --- the truth, against brute force ---------------------------------------------------------------------------------

CUSTOMERS = {
    "calm": LatentState(
        np.array([True]), np.array([False]), np.array([0.05]), np.array([0.004]), np.array([0.01]), 5.0
    ),
    "troubled": LatentState(
        np.array([True]), np.array([True]), np.array([0.02]), np.array([0.004]), np.array([0.01]), 5.0
    ),
    # trouble_rate = (trouble_factor - 1) * lapse_hazard: the two hazards are equal, and the formula has a limit
    "equal": LatentState(
        np.array([True]), np.array([False]), np.array([0.03]), np.array([0.01]), np.array([0.02]), 3.0
    ),
    "lapsed": LatentState(
        np.array([False]), np.array([False]), np.array([0.05]), np.array([0.004]), np.array([0.01]), 5.0
    ),
}
SEASON = Shop().season(0, 90)


def walk(
    now: LatentState, rng: random.Random, *, days: int = 90, factor: Callable[[float], float] = lambda _: 1.0
) -> list[float]:
    """One future, from event to event: days of the purchases."""
    lapse, ticket = float(now.lapse_hazard[0]), float(now.trouble_rate[0])
    top = 2.5 * SEASON.max()  # no factor is higher
    purchase = float(now.purchase_rate[0]) * top
    day, troubled, bought = 0.0, bool(now.troubled[0]), []
    while now.alive[0]:
        hazard = lapse * (now.trouble_factor if troubled else 1.0)
        total = hazard + ticket + purchase
        day += rng.expovariate(total)
        which = rng.random() * total
        if day >= days or which < hazard:
            break
        if which < hazard + ticket:
            troubled = True
        elif rng.random() * top < SEASON[int(day)] * factor(day):
            bought.append(day)
    return bought


@pytest.mark.parametrize("name", CUSTOMERS)
def test_closed_forms_match_futures_walked_event_by_event(name: str) -> None:
    now, rng = CUSTOMERS[name], random.Random(5)
    walks = [walk(now, rng) for _ in range(6_000)]
    for days in (1, 30, 90):
        none = np.array([all(day > days for day in bought) for bought in walks])
        count = np.array([sum(day <= days for day in bought) for bought in walks])
        p, orders = no_purchase(now, SEASON)[0, days], expected_orders(now, SEASON)[0, days]
        assert abs(none.mean() - p) <= 4 * np.sqrt(p * (1 - p) / len(walks))
        assert abs(count.mean() - orders) <= 4 * count.std() / np.sqrt(len(walks))


def test_probabilities_start_at_one_and_fall_every_day() -> None:
    for now in CUSTOMERS.values():
        curve = no_purchase(now, SEASON)[0]
        assert curve[0] == 1
        assert (np.diff(curve) <= 0).all()
        assert (np.diff(expected_orders(now, SEASON)[0]) >= 0).all()


@pytest.mark.parametrize("factor", [2.5, 0.8])
def test_uplift_is_the_difference_between_futures_with_and_without_the_offer(factor: float) -> None:
    now, rng = CUSTOMERS["calm"], random.Random(6)
    fortnight = Shop().effect_days
    offered = [len(walk(now, rng, days=fortnight, factor=lambda _: factor)) for _ in range(8_000)]
    left_alone = [len(walk(now, rng, days=fortnight)) for _ in range(8_000)]
    with_it, without = np.array(offered), np.array(left_alone)
    error = np.sqrt(with_it.var() / len(with_it) + without.var() / len(without))
    uplift = (factor - 1) * expected_orders(now, SEASON)[0, fortnight]  # in orders; the truth has it times their value
    assert abs(with_it.mean() - without.mean() - uplift) < 4 * error
    assert abs(uplift) > 2 * error


def test_the_truth_holds_the_gain_of_every_action(big: World) -> None:
    alive = big.truth.alive
    for action in ("discount", "newsletter"):
        gain, factor = big.truth[f"uplift_{action}"], big.truth[f"factor_{action}"]
        assert (np.sign(gain[alive]) == np.sign(factor[alive] - 1)).all()
        assert (gain[~alive] == 0).all()
    assert 0.2 < (big.truth.factor_discount > 1.5).mean() < 0.6
    assert (big.truth.factor_discount < 1).mean() > 0.1


@pytest.mark.parametrize("action", range(len(ACTIONS)))
def test_offers_in_the_log_do_what_the_truth_says(action: int) -> None:
    """One wave on day 10 to everyone; orders of the fortnight after it against the closed form."""
    chosen = tuple(float(number == action) for number in range(len(ACTIONS)))
    shop = Shop(history_days=24, offer_jitter_days=0, policy=chosen, policy_when_quiet=chosen, purchase_rate=0.1)  # type: ignore[arg-type]
    rng = np.random.default_rng(action)
    people = draw_people(shop, 6_000, rng)
    people = replace(people, joined=np.full_like(people.joined, 0.5))
    lives = simulate_lives(shop, people, rng)
    after = lives.purchases.owner[(lives.purchases.day > 10) & (lives.purchases.day <= 24)]
    orders = np.bincount(after, minlength=6_000)
    now = latent_state(replace(shop, history_days=10), people, lives)
    expected = people.factors[:, action] * expected_orders(now, shop.season(10, 14))[:, -1]
    assert off_by(orders, expected) < 4
    assert off_by(orders, expected / people.factors[:, action]) > 4 or action != ACTIONS.index("discount")
    assert len(lives.offers.action) == 6_000


def test_trouble_without_a_factor_changes_nothing_and_with_one_shortens_lives() -> None:
    def lifetimes(factor: float) -> NDArray[np.float64]:
        shop = Shop(trouble_factor=factor, trouble_rate=1 / 50)
        rng = np.random.default_rng(3)
        people = draw_people(shop, 4_000, rng)
        lives = simulate_lives(shop, people, rng)
        return np.asarray((lives.lapsed - people.joined) * people.lapse_hazard)[~people.one_time]

    assert off_by(lifetimes(1.0), 1.0) < 4  # hazard × lifetime is a unit exponential
    assert lifetimes(8.0).mean() < 0.5


def test_nothing_is_the_last_action() -> None:
    assert ACTIONS[NOTHING] == ACTIONS[-1] == "none"
