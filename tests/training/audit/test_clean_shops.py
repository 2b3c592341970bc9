"""Honest shops raise nothing: of twenty sizes and paces, and with what makes honest logs look odd."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.simulate.write import Shop
from tests.support.seeded_faults import DAY, END, TASK, Town, case, rows_of, town
from training.audit.audit import audit

CHURN = {"kind": "churn", "event": "purchase", "horizon_days": 60}
BUYS = {"kind": "propensity", "event": "purchase", "horizon_days": 14, "active_event": "purchase"}
VALUE = {"kind": "cltv", "event": ["purchase", "return"], "active_event": "purchase", "horizon_days": 45}
SIZES = (50, 50, 60, 70, 80, 90, 100, 120, 150, 180, 200, 220, 250, 280, 300, 350, 400, 500, 800, 1500)
LAPSES = (1 / 5000, 1 / 900, 1 / 250)  # a day: about 2, 10 and 30 percent in 90 days
PACES = (1 / 48, 1 / 15, 1 / 100, 1 / 30)


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_a_clean_shop_raises_nothing(number: int, tmp_path: Path) -> None:
    shop = Shop(
        customers=SIZES[number],
        seed=100 + number,
        history_days=240 if number % 2 else 480,
        future_days=0,
        lapse_hazard=LAPSES[number % 3],
        purchase_rate=PACES[number % 4],
    )
    assert audit(case(town(shop).asking(**(CHURN, BUYS, VALUE)[number % 3]).config(tmp_path))) == ()


def every_week(clean: Town) -> Town:
    """Members come every week until they leave for good: silence tells nearly all, and honestly so."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(250):
        at = END - rng.uniform(100, 480) * DAY
        left = at + rng.exponential(400) * DAY
        while at < min(left, END):
            rows.append((f"c{number:08}", at, "purchase"))
            at += rng.normal(7, 0.5) * DAY
    return clean.only(rows_of(rows))


def every_season(clean: Town) -> Town:
    """A box comes every ninety days: who got one lately gets none in the next forty."""
    rng = np.random.default_rng(2)
    rows = []
    for number in range(250):
        at = END - rng.uniform(200, 480) * DAY
        while at < END and rng.random() < 0.9:
            rows.append((f"c{number:08}", at, "purchase"))
            at += rng.normal(90, 3) * DAY
    return clean.only(rows_of(rows))


def nobody_leaves(clean: Town) -> Town:
    """Everybody comes about once a month, for ever."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(300):
        at = END - rng.uniform(30, 480) * DAY
        while at < END:
            rows.append((f"c{number:08}", at, "purchase"))
            at += rng.gamma(4, 7.5) * DAY
    return clean.only(rows_of(rows))


def closed_for_christmas(clean: Town) -> Town:
    """Two weeks without anything, twice."""
    at = clean.events["timestamp"]
    closed = ((at > END - 170 * DAY) & (at < END - 158 * DAY)) | ((at > END - 60 * DAY) & (at < END - 48 * DAY))
    return clean.only(clean.events[~closed])


def asks_for_reviews(clean: Town) -> Town:
    """A mail two weeks after every purchase, and a newsletter to all."""
    bought = clean.events.query("event_type == 'purchase'")
    reviews = [
        (customer, at + 14 * DAY, "review_mail")
        for customer, at in zip(bought["customer_id"], bought["timestamp"], strict=True)
    ]
    news = [
        (customer, END - day * DAY, "newsletter")
        for customer in clean.people["customer_id"]
        for day in range(3, 480, 28)
    ]
    mails = rows_of([*reviews, *news])
    return clean.adding(mails[mails["timestamp"] < END])


def contract_by_the_month(clean: Town) -> Town:
    """Renewals every month; who does not renew has ended a month after the last time."""
    rng = np.random.default_rng(4)
    rows = []
    for number in range(300):
        at = END - rng.uniform(30, 480) * DAY
        while at < END:
            rows.append((f"c{number:08}", at, "renew"))
            at += 30 * DAY
            if rng.random() < 0.08:
                rows.append((f"c{number:08}", at, "subscription_expired"))
                break
    events = rows_of(rows)
    keys = {"churn_event": "subscription_expired", "active_event": "renew"}
    return clean.only(events[events["timestamp"] < END]).asking(kind="churn", horizon_days=40, **keys)


def a_few_invoices(clean: Town) -> Town:
    """All that there is was booked on three days, the last of them weeks ago."""
    days_ago = (75, 45, 25)
    return clean.only(
        rows_of([(f"c{number:08}", END - day * DAY, "purchase") for number in range(60) for day in days_ago])
    )


HONEST = (
    a_few_invoices,
    every_week,
    every_season,
    nobody_leaves,
    closed_for_christmas,
    asks_for_reviews,
    contract_by_the_month,
)


@pytest.mark.parametrize("shop", HONEST, ids=lambda shop: shop.__name__)
def test_what_only_looks_odd_is_not_refused(shop: Callable[[Town], Town], tmp_path: Path) -> None:
    asked = shop(town().asking(**TASK))
    assert [one for one in audit(case(asked.config(tmp_path))) if one.refuses] == []


def test_a_contract_keeps_its_rhythm_and_is_no_rule_booked_after_a_silence(tmp_path: Path) -> None:
    assert audit(case(contract_by_the_month(town()).config(tmp_path))) == ()
