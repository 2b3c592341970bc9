"""One truth table for each kind of task: what a customer did, whether the task asks about them, and the label.

A label of None: nobody asks. The cutoff is C, the horizon of 30 days ends at E, what one did counts as activity after
A, 50 days before C, and the training looks back from NOW.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config.load import parse
from features.config.tasks import TaskConfig
from features.panel.build import Rows
from features.timeline import DAY_US
from models.tasks import population
from tests.support.strategies import START, Event, world
from training.dataset.labels import compute_labels, decisions, has_whole_window

C = START + 100 * DAY_US
E = C + 30 * DAY_US
A = C - 50 * DAY_US
NOW = E + 10 * DAY_US
Truth = tuple[str, list[Event], bool, float | None]


def buy(time: int, value: float = 5.0, **more: Any) -> Event:
    return Event(time, "purchase", value, **more)


def view(time: int, **more: Any) -> Event:
    return Event(time, "view", **more)


def did(time: int, event: str, **more: Any) -> Event:
    return Event(time, event, **more)


def task(**keys: Any) -> TaskConfig:
    tasks = {"asked": {"horizon_days": 30, "active_days": 50, **keys}}
    return parse({"log": {"value": "value"}, "tasks": tasks}, folder=Path()).task("asked")


def judged(of: TaskConfig, events: Sequence[Event]) -> tuple[bool, float | None]:
    """Whether a training at NOW takes the customer at the cutoff, and with which label."""
    journeys = world(*events, strangers=["anna"]).journeys().as_of(NOW)
    rows = Rows.grid(1, np.array([C]))
    member = bool(population(of, journeys, rows)[0])
    return member, float(compute_labels(of, journeys, rows, 30).outcome[0]) if member else None


CHURN = task(kind="churn", event="purchase")
SILENCE: list[Truth] = [
    ("did nothing", [], False, None),
    ("bought on the cutoff, then nothing", [buy(C)], True, 1),
    ("bought a µs after the cutoff only", [buy(C + 1)], False, None),
    ("bought on the cutoff and a µs later", [buy(C), buy(C + 1)], True, 0),
    ("bought a µs before the end", [buy(C), buy(E - 1)], True, 0),
    ("bought on the end", [buy(C), buy(E)], True, 0),
    ("bought a µs after the end", [buy(C), buy(E + 1)], True, 1),
    ("last bought when activity no longer counts", [buy(A)], False, None),
    ("last bought a µs later", [buy(A + 1)], True, 1),
    ("bought too long ago and again in the horizon", [buy(A), buy(C + 1)], False, None),
    ("only looked since", [buy(C), view(C + 1)], True, 1),
    ("only looked", [view(C), buy(C + 1)], False, None),
    ("sent something back since", [buy(C), buy(C + 1, -3.0)], True, 1),
    ("only sent something back before", [buy(C, -3.0)], False, None),
    ("bought for nothing", [buy(C, 0.0), buy(E, 0.0)], True, 0),
    ("an order that straddles the cutoff", [buy(C, order="7"), buy(C + 1, order="7")], True, 1),
    ("an order that straddles the end", [buy(C), buy(E, order="7"), buy(E + 1, order="7")], True, 0),
    ("an order sent back whole on the cutoff", [buy(C - 1, order="7"), buy(C, -6.0, order="7")], False, None),
    ("an order sent back a µs after it", [buy(C, order="7"), buy(C + 1, -6.0, order="7")], True, 1),
    ("a new order sent back in time", [buy(C), buy(E - 1, order="7"), buy(E, -6.0, order="7")], True, 1),
    ("a new order sent back too late", [buy(C), buy(E, order="7"), buy(E + 1, -6.0, order="7")], True, 0),
    ("bought before, known on the cutoff", [buy(C - 9, known=C)], True, 1),
    ("bought before, known a µs after the cutoff", [buy(C - 9, known=C + 1)], False, None),
    ("bought again, known when the training looks", [buy(C), buy(C + 1, known=NOW)], True, 0),
    ("bought again, known a µs too late", [buy(C), buy(C + 1, known=NOW + 1)], True, 1),
]

CONTRACT = task(kind="churn", churn_event="cancel", active_event=["subscribe", "renew"])
SUBSCRIBED = did(C - 9, "subscribe")
CONTRACTS: list[Truth] = [
    ("never had one", [view(C)], False, None),
    ("subscribed on the cutoff", [did(C, "subscribe")], True, 0),
    ("subscribed a µs later", [did(C + 1, "subscribe")], False, None),
    ("cancels a µs after the cutoff", [SUBSCRIBED, did(C + 1, "cancel")], True, 1),
    ("cancels on the end", [SUBSCRIBED, did(E, "cancel")], True, 1),
    ("cancels a µs after the end", [SUBSCRIBED, did(E + 1, "cancel")], True, 0),
    ("cancelled on the cutoff", [SUBSCRIBED, did(C, "cancel")], False, None),
    ("cancelled and subscribed at one instant", [did(C, "subscribe"), did(C, "cancel")], False, None),
    ("came back before the cutoff", [SUBSCRIBED, did(C - 1, "cancel"), did(C, "renew")], True, 0),
    ("came back and cancels again", [did(C - 1, "cancel"), did(C, "renew"), did(E, "cancel")], True, 1),
    ("comes back after the cutoff", [SUBSCRIBED, did(C - 1, "cancel"), did(C + 1, "subscribe")], False, None),
    ("cancels and comes back", [SUBSCRIBED, did(C + 1, "cancel"), did(C + 2, "subscribe")], True, 1),
    ("cancels again what was ended", [did(C - 2, "cancel"), did(C + 1, "cancel")], False, None),
    ("the contract is too old", [did(A, "subscribe")], False, None),
    ("the contract is a µs younger", [did(A + 1, "subscribe")], True, 0),
    ("an old contract, renewed", [did(A, "subscribe"), did(C, "renew")], True, 0),
    ("renews and stays", [SUBSCRIBED, did(C + 1, "renew")], True, 0),
    ("cancelled, known a µs after the cutoff", [SUBSCRIBED, did(C - 1, "cancel", known=C + 1)], True, 0),
    ("cancelled, known on the cutoff", [SUBSCRIBED, did(C - 1, "cancel", known=C)], False, None),
    ("cancels, known when the training looks", [SUBSCRIBED, did(C + 1, "cancel", known=NOW)], True, 1),
    ("cancels, known a µs too late", [SUBSCRIBED, did(C + 1, "cancel", known=NOW + 1)], True, 0),
]

COFFEE = task(kind="propensity", event="purchase", where={"product": "coffee"})
PROPENSITY: list[Truth] = [
    ("did nothing", [], False, None),
    ("looked on the cutoff, buys a µs later", [view(C), buy(C + 1, product="coffee")], True, 1),
    ("bought on the cutoff only", [buy(C, product="coffee")], True, 0),
    ("buys on the end", [view(C), buy(E, product="coffee")], True, 1),
    ("buys a µs after the end", [view(C), buy(E + 1, product="coffee")], True, 0),
    ("buys something else", [view(C), buy(C + 1, product="bread")], True, 0),
    ("buys something without a name", [view(C), buy(C + 1)], True, 0),
    ("looks at coffee", [view(C), view(C + 1, product="coffee")], True, 0),
    ("was active with something else", [buy(C, product="bread"), buy(E, product="coffee")], True, 1),
    ("looked too long ago", [view(A), buy(C + 1, product="coffee")], False, None),
    ("looked a µs later than that", [view(A + 1), buy(C + 1, product="coffee")], True, 1),
    ("sends coffee back", [view(C), buy(C + 1, -5.0, product="coffee")], True, 0),
    (
        "coffee in an order begun with bread",
        [view(C), buy(C, order="7", product="bread"), buy(C + 1, order="7", product="coffee")],
        True,
        1,  # the rows of the filter are the occurrence, and the first of them lies in the horizon
    ),
    ("an order of coffee that straddles the cutoff", [buy(C, order="7", product="coffee")] * 2, True, 0),
    ("buys, known a µs too late", [view(C), buy(C + 1, product="coffee", known=NOW + 1)], True, 0),
]

LARGE = task(kind="propensity", event="purchase", at_least={"value": 50}, at_most={"quantity": 2})
AMOUNTS: list[Truth] = [
    ("buys for less", [view(C), buy(C + 1, 49.75, quantity=1)], True, 0),
    ("buys for as much", [view(C), buy(C + 1, 50.0, quantity=1)], True, 1),
    ("buys for more, as many as may be", [view(C), buy(E, 80.0, quantity=2)], True, 1),
    ("buys too many", [view(C), buy(C + 1, 80.0, quantity=2.25)], True, 0),
    ("buys for much before and little after", [buy(C, 80.0, quantity=1), buy(C + 1, 5.0, quantity=1)], True, 0),
    ("buys without a price", [view(C), buy(C + 1, float("nan"), quantity=1)], True, 0),
    ("buys, and nobody knows how many", [view(C), buy(C + 1, 80.0)], True, 0),
    ("buys twice for less", [view(C), buy(C + 1, 30.0, quantity=1), buy(C + 2, 30.0, quantity=1)], True, 0),
    (
        "two lines of an order, neither as large",
        [view(C), *[buy(C + 1, 30.0, order="7", quantity=n) for n in (1, 2)]],
        True,
        0,
    ),
    ("sends much back", [view(C), buy(C + 1, -80.0, quantity=1)], True, 0),
    ("looks at something dear", [view(C), view(C + 1, value=80.0, quantity=1)], True, 0),
    ("was active with little", [buy(C, 1.0), buy(E, 50.0, quantity=0)], True, 1),
]

LEADS = task(kind="propensity", event="purchase", never="purchase")
LEAD_SCORING: list[Truth] = [
    ("did nothing", [], False, None),
    ("looked, never buys", [view(C)], True, 0),
    ("looked, buys for the first time", [view(C), buy(C + 1)], True, 1),
    ("looked, buys on the end", [view(C), buy(E)], True, 1),
    ("looked, buys a µs after the end", [view(C), buy(E + 1)], True, 0),
    ("bought on the cutoff", [view(C), buy(C), buy(C + 1)], False, None),
    ("bought long ago", [view(C), buy(START), buy(C + 1)], False, None),
    ("bought and sent it all back", [view(C), buy(A, order="7"), buy(C, -6.0, order="7"), buy(C + 1)], True, 1),
    ("sends it all back a µs later", [view(C), buy(A, order="7"), buy(C + 1, -6.0, order="7")], False, None),
    ("bought before, known a µs after the cutoff", [view(C), buy(C - 1, known=C + 1)], True, 0),
    ("bought before, known on the cutoff", [view(C), buy(C - 1, known=C)], False, None),
    ("looked too long ago", [view(A), buy(C + 1)], False, None),
]

VALUE = task(kind="cltv", event=["purchase", "return"], active_event="purchase")
MONEY: list[Truth] = [
    ("did nothing", [], False, None),
    ("bought on the cutoff, brings nothing more", [buy(C)], True, 0.0),
    ("brings money a µs later", [buy(C), buy(C + 1, 7.0)], True, 7.0),
    ("on the end", [buy(C), buy(E, 7.0)], True, 7.0),
    ("a µs after the end", [buy(C), buy(E + 1, 7.0)], True, 0.0),
    ("takes something back", [buy(C), buy(C + 1, 7.0), did(C + 2, "return", value=-3.0)], True, 4.0),
    ("takes back what was bought before", [buy(C), did(E, "return", value=-5.0)], True, -5.0),
    ("takes it back a µs after the end", [buy(C), buy(E, 7.0), did(E + 1, "return", value=-7.0)], True, 7.0),
    ("buys without a price", [buy(C), buy(C + 1, float("nan"))], True, 0.0),
    ("an order that straddles the cutoff", [buy(C, order="7"), buy(C + 1, 9.0, order="7")], True, 0.0),
    ("an order of two rows", [buy(C), buy(C + 1, 4.0, order="7"), buy(E, 6.0, order="7")], True, 10.0),
    ("an order that straddles the end", [buy(C), buy(E, 4.0, order="7"), buy(E + 1, 6.0, order="7")], True, 4.0),
    ("only ever took something back", [did(C, "return", value=-5.0), buy(C + 1, 7.0)], False, None),
    ("bought too long ago", [buy(A), buy(C + 1, 7.0)], False, None),
    ("brings money, known when the training looks", [buy(C), buy(C + 1, 7.0, known=NOW)], True, 7.0),
    ("brings money, known a µs too late", [buy(C), buy(C + 1, 7.0, known=NOW + 1)], True, 0.0),
    ("looks", [buy(C), view(C + 1, value=7.0)], True, 0.0),
]

TABLES = {
    "churn": (CHURN, SILENCE),
    "contract": (CONTRACT, CONTRACTS),
    "propensity": (COFFEE, PROPENSITY),
    "amount": (LARGE, AMOUNTS),
    "leads": (LEADS, LEAD_SCORING),
    "cltv": (VALUE, MONEY),
}


@pytest.mark.parametrize(
    ("of", "events", "member", "label"),
    [
        pytest.param(of, events, member, label, id=f"{name}: {story}")
        for name, (of, table) in TABLES.items()
        for story, events, member, label in table
    ],
)
def test_who_is_asked_about_and_what_came(
    of: TaskConfig, events: list[Event], member: bool, label: float | None
) -> None:
    assert judged(of, events) == (member, label)


OFFER = task(kind="next_action", event="mail", action="channel", nothing="shop", reward="purchase")
M = C + 1  # when the mail goes out; its reward window is (C, E]
MAIL = did(M, "mail", channel="web")


@pytest.mark.parametrize(
    ("events", "rewards"),
    [
        pytest.param([], [], id="no mail"),
        pytest.param([MAIL], [("web", 0.0)], id="a mail and nothing"),
        pytest.param([MAIL, buy(M)], [("web", 5.0)], id="bought at the very instant"),
        pytest.param([MAIL, buy(M - 1)], [("web", 0.0)], id="bought a µs before"),
        pytest.param([MAIL, buy(E)], [("web", 5.0)], id="bought on the end"),
        pytest.param([MAIL, buy(E + 1)], [("web", 0.0)], id="bought a µs after the end"),
        pytest.param([MAIL, buy(E), buy(E, -2.0)], [("web", 3.0)], id="bought, and sent some of it back"),
        pytest.param([MAIL, buy(C, order="7"), buy(M, order="7")], [("web", 0.0)], id="an order begun before"),
        pytest.param([MAIL, buy(M, known=NOW + 1)], [("web", 0.0)], id="a purchase known too late"),
        pytest.param([did(M, "mail", channel="web", known=NOW + 1), buy(M)], [], id="a mail known too late"),
        pytest.param([did(M, "mail"), buy(M)], [(None, 5.0)], id="a mail that names no action"),
        pytest.param(
            [MAIL, did(M + 1, "mail", channel="shop"), buy(E + 1)],
            [("web", 0.0), ("shop", 5.0)],
            id="two mails, each with a window of its own",
        ),
        pytest.param([did(NOW - 30 * DAY_US + 1, "mail", channel="web")], [("web", 0.0)], id="the last whole window"),
        pytest.param([did(NOW - 30 * DAY_US + 2, "mail", channel="web")], [], id="a window that is censored"),
    ],
)
def test_what_a_decision_was_rewarded_with(events: list[Event], rewards: list[tuple[str | None, float]]) -> None:
    journeys = world(*events, strangers=["anna"]).journeys().as_of(NOW)
    taken = decisions(OFFER, journeys)
    seen = has_whole_window(taken.rows, 30, NOW)
    came = compute_labels(OFFER, journeys, taken.rows[seen], 30).outcome.tolist()
    assert list(zip(taken.action[seen].tolist(), came, strict=True)) == rewards
