"""Labels by truth tables: who did what in (cutoff, cutoff + horizon], to the microsecond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config.tasks import TaskConfig
from features.panel.build import Rows
from features.timeline import DAY_US
from tests.support.strategies import START, Event, World, world
from training.dataset.labels import Labels, compute_labels, decisions, has_whole_window

CUTOFF = START + 100 * DAY_US
HORIZON = 30
END = CUTOFF + HORIZON * DAY_US


def task(kind: str, **keys: object) -> TaskConfig:
    return TaskConfig.model_validate({"name": "t", "kind": kind, "event": "purchase", "horizon_days": HORIZON, **keys})


def came(question: TaskConfig, shop: World, as_of: int = END) -> Labels:
    """The labels of all customers at the cutoff, as training at `as_of` sees them."""
    journeys = shop.journeys().as_of(as_of)
    return compute_labels(question, journeys, Rows.grid(len(journeys), np.array([CUTOFF])), HORIZON)


def outcome(question: TaskConfig, *events: Event, as_of: int = END) -> float:
    return float(came(question, world(Event(START), *events), as_of).outcome[0])


@pytest.mark.parametrize(
    ("time", "buys"),
    [
        (CUTOFF - 1, 0),
        (CUTOFF, 0),  # on the cutoff: known, so no outcome
        (CUTOFF + 1, 1),
        (END - 1, 1),
        (END, 1),  # on the horizon's end: inside
        (END + 1, 0),
    ],
)
def test_the_horizon_opens_after_the_cutoff_and_holds_its_end(time: int, buys: float) -> None:
    later = END + DAY_US
    assert outcome(task("propensity"), Event(time), as_of=later) == buys
    assert outcome(task("churn"), Event(time), as_of=later) == 1 - buys
    assert outcome(task("cltv"), Event(time, value=5.0), as_of=later) == 5 * buys


def test_a_refund_is_no_occurrence_and_enters_sums() -> None:
    refund, purchase = Event(CUTOFF + 5, value=-2.0), Event(CUTOFF + 6, value=10.0)
    assert outcome(task("propensity"), refund) == 0
    assert outcome(task("churn"), refund) == 1
    assert outcome(task("cltv"), refund) == -2
    assert outcome(task("cltv"), refund, purchase) == 8


def test_nothing_bought_is_worth_nothing() -> None:
    assert outcome(task("cltv")) == 0


def test_an_order_that_straddles_the_cutoff_belongs_to_its_first_row() -> None:
    rows = Event(CUTOFF, value=4.0, order="7"), Event(CUTOFF + 9, value=6.0, order="7")
    assert outcome(task("propensity"), *rows) == 0
    assert outcome(task("cltv"), *rows) == 0


def test_an_order_begun_in_the_horizon_counts_once_with_all_its_money() -> None:
    rows = Event(CUTOFF + 1, value=4.0, order="7"), Event(CUTOFF + 9, value=6.0, order="7")
    seen = came(task("cltv"), world(Event(START), *rows))
    assert (seen.outcome[0], seen.count[0]) == (10, 1)


def test_a_label_sees_what_became_known_late_but_not_after_the_training() -> None:
    late = Event(CUTOFF + 1, known=END + DAY_US)
    assert outcome(task("propensity"), late, as_of=END + DAY_US) == 1
    assert outcome(task("propensity"), late, as_of=END + DAY_US - 1) == 0


def test_a_contract_is_lost_by_the_event_itself() -> None:
    contract = task("churn", event=(), churn_event="cancel", active_event="purchase")
    assert outcome(contract) == 0
    assert outcome(contract, Event(CUTOFF + 1, "cancel")) == 1


def test_where_narrows_what_counts() -> None:
    web = task("propensity", where={"channel": "web"})
    assert outcome(web, Event(CUTOFF + 1, channel="shop")) == 0
    assert outcome(web, Event(CUTOFF + 1, channel="web")) == 1


def test_several_events_add_up() -> None:
    both = task("cltv", event=("purchase", "view"))
    assert outcome(both, Event(CUTOFF + 1, value=3.0), Event(CUTOFF + 2, "view", value=-1.0)) == 2


def test_a_window_that_runs_past_the_end_is_censored() -> None:
    rows = Rows(np.zeros(3, np.int64), np.array([CUTOFF - 1, CUTOFF, CUTOFF + 1]))
    assert has_whole_window(rows, HORIZON, END).tolist() == [True, True, False]


ACTION = {"event": "mail", "action": "channel", "nothing": "shop", "reward": "purchase", "probability": "quantity"}


def test_a_decision_looks_from_one_microsecond_before_and_its_reward_window_opens_there() -> None:
    offer = task("next_action", **ACTION)
    mail = Event(CUTOFF, "mail", channel="web", quantity=0.25)
    shop = world(
        mail, Event(CUTOFF - 1, value=1.0), Event(CUTOFF, value=2.0), Event(END - 1, value=4.0), Event(END, value=8.0)
    )
    journeys = shop.journeys()
    taken = decisions(offer, journeys)
    assert taken.rows.cutoff.tolist() == [CUTOFF - 1]
    assert taken.action.tolist() == ["web"]
    assert taken.probability.tolist() == [0.25]
    assert compute_labels(offer, journeys, taken.rows, HORIZON).outcome.tolist() == [6]


def test_a_decision_may_name_no_action() -> None:
    taken = decisions(task("next_action", **ACTION), world(Event(CUTOFF, "mail")).journeys())
    assert taken.action.tolist() == [None]


def test_a_reward_may_be_counted() -> None:
    offer = task("next_action", **ACTION, reward_unit="count")
    journeys = world(Event(CUTOFF, "mail", channel="web"), Event(CUTOFF + 5, value=9.0)).journeys()
    assert compute_labels(offer, journeys, decisions(offer, journeys).rows, HORIZON).outcome.tolist() == [1]


@given(st.lists(st.integers(START, CUTOFF), max_size=6), st.sampled_from(["churn", "propensity", "cltv"]))
def test_labels_ignore_the_past(past: list[int], kind: str) -> None:
    future = Event(CUTOFF + DAY_US, value=3.0)
    assert outcome(task(kind), future, *(Event(time, value=1.0) for time in past)) == outcome(task(kind), future)


@given(st.lists(st.integers(END + 1, END + 50 * DAY_US), max_size=6), st.sampled_from(["churn", "propensity", "cltv"]))
def test_labels_ignore_what_comes_after_the_horizon(later: list[int], kind: str) -> None:
    events = [Event(time, value=1.0) for time in later]
    assert outcome(task(kind), *events, as_of=END + 99 * DAY_US) == outcome(task(kind))
