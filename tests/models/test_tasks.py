"""Who a task asks about, as truth tables, and what decides its label."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from features.config.load import parse
from features.config.tasks import TaskConfig
from features.errors import ConfigError
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.timeline import DAY_US
from models.tasks import is_member, membership, outcome_stream, population
from tests.support.strategies import CUTOFFS, Event, Fact, World, world, worlds

NOW = CUTOFFS[0]
WEEK = 7 * DAY_US


def task(**keys: Any) -> TaskConfig:
    given = {"log": {"value": "value"}, "tasks": {"asked": {"horizon_days": 30, **keys}}}
    return parse(given, folder=Path()).task("asked")


CHURN = task(kind="churn", event="purchase", active_days=7)
CANCELS = task(kind="churn", churn_event="cancel", active_event=["subscribe", "renew"], active_days=7)
BUYS = task(kind="propensity", event="purchase", active_days=7)
LEADS = task(kind="propensity", event="purchase", active_days=7, never="purchase")
COFFEE = task(kind="propensity", event="purchase", where={"product": "coffee"}, active_event="purchase", active_days=7)
VALUE = task(kind="cltv", event=["purchase", "return"], active_event="purchase", active_days=7)
ACTION = {"kind": "next_action", "event": "email", "action": "channel", "nothing": "none", "reward": "purchase"}


def asked(of: TaskConfig, *rows: Event | Fact) -> bool:
    journeys = world(*rows, strangers=["anna"]).journeys()
    return bool(population(of, journeys, Rows.grid(1, np.array([NOW])))[0])


@pytest.mark.parametrize(
    ("of", "rows", "member"),
    [
        # active within (cutoff - active_days, cutoff]
        (CHURN, [], False),
        (CHURN, [Event(NOW)], True),
        (CHURN, [Event(NOW + 1)], False),
        (CHURN, [Event(NOW - WEEK)], False),
        (CHURN, [Event(NOW - WEEK + 1)], True),
        (CHURN, [Event(NOW - 1, known=NOW + 1)], False),
        (CHURN, [Event(NOW - 1, known=NOW)], True),
        (CHURN, [Event(NOW, "view")], False),
        (BUYS, [Event(NOW, "view")], True),
        (VALUE, [Event(NOW, "return", value=-5.0)], False),
        (VALUE, [Event(NOW, value=0.0)], True),
        # a refund is no activity, nor is an order that is sent back whole
        (CHURN, [Event(NOW, value=-1.0)], False),
        (CHURN, [Event(NOW - 1, value=5.0, order="A"), Event(NOW, value=-6.0, order="A")], False),
        (CHURN, [Event(NOW - 1, value=5.0, order="A"), Event(NOW, value=-4.0, order="A")], True),
        # where narrows the event, never the activity
        (COFFEE, [Event(NOW, product="bread")], True),
        (COFFEE, [Event(NOW, "view", product="coffee")], False),
        # ended, and active again
        (CANCELS, [Event(NOW - 2, "subscribe")], True),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW - 1, "cancel")], False),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW - 1, "cancel"), Event(NOW, "renew")], True),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW - 1, "cancel"), Event(NOW - 1, "renew")], False),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW + 1, "cancel")], True),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW - 1, "cancel", known=NOW + 1)], True),
        (CANCELS, [Event(NOW - 2, "subscribe"), Event(NOW, "cancel", known=NOW)], False),
        (CANCELS, [Event(NOW - WEEK, "subscribe")], False),
        (CANCELS, [Event(NOW - WEEK - 2, "cancel"), Event(NOW, "subscribe")], True),
        (CANCELS, [Event(NOW, "cancel")], False),
        # never
        (LEADS, [Event(NOW, "view")], True),
        (LEADS, [Event(NOW, "view"), Event(NOW - 300 * DAY_US)], False),
        (LEADS, [Event(NOW, "view"), Event(NOW + 1)], True),
        (LEADS, [], False),
    ],
)
def test_the_population(of: TaskConfig, rows: list[Event], member: bool) -> None:
    assert asked(of, *rows) is member


def test_next_action_asks_about_everybody() -> None:
    assert asked(task(**ACTION))
    assert asked(task(**ACTION), Fact(NOW + 1))


@pytest.mark.parametrize("keys", [{"active_days": 7}, {"active_event": "purchase"}, {"never": "cancel"}])
def test_next_action_asks_about_whom_it_is_told_to(keys: dict[str, Any]) -> None:
    offer = task(**ACTION, **keys)
    assert asked(offer, Event(NOW))
    assert asked(offer) is ("never" in keys)
    assert not asked(offer, Event(NOW - 400 * DAY_US, "cancel"))


def test_next_action_leaves_out_who_ended() -> None:
    offer = task(**ACTION, ended_by="cancel")
    assert asked(offer)
    assert not asked(offer, Event(NOW - 1), Event(NOW, "cancel"))
    assert asked(offer, Event(NOW - 1, "cancel"), Event(NOW))


@given(worlds())
def test_membership_reads_the_same_from_a_wider_panel(of: World) -> None:
    journeys = of.journeys()
    rows = Rows.grid(len(journeys), np.array(CUTOFFS))
    for some_task in (CHURN, CANCELS, LEADS, VALUE):
        wider = membership(BUYS).union(membership(some_task), membership(CANCELS))
        assert (is_member(some_task, build(journeys, rows, wider)) == population(some_task, journeys, rows)).all()


@pytest.mark.parametrize(
    ("of", "stream"),
    [
        (CHURN, Stream(("purchase",))),
        (CANCELS, Stream(("cancel",))),
        (COFFEE, Stream(("purchase",), (("product", "coffee"),))),
        (VALUE, Stream(("purchase", "return"))),
        (task(**ACTION), Stream(("purchase",))),
        (task(kind="propensity", event=["view", "cart", "view"]), Stream(("cart", "view"))),
    ],
)
def test_what_decides_the_label(of: TaskConfig, stream: Stream) -> None:
    assert outcome_stream(of) == stream


def test_bounds_are_of_money_or_of_a_number_of_the_log() -> None:
    dear = task(kind="propensity", event="purchase", at_least={"value": 50, "quantity": 1}, at_most={"quantity": 2.5})
    stream = outcome_stream(dear)
    assert stream.bounds == (("quantity", "<=", 2.5), ("quantity", ">=", 1.0), (None, ">=", 50.0))
    assert stream.name == "purchase[quantity<=2.5][quantity>=1][value>=50]"
    assert stream.text("s") == "purchases with quantity at most 2.5 and quantity at least 1 and value at least 50"
    features = FeatureSet((Feature("count", stream), Feature("count", Stream(("purchase",)))))
    assert FeatureSet.from_json(json.loads(json.dumps(features.to_json()))) == features


def test_the_numbers_that_bounds_read_are_stored() -> None:
    tasks = {"dear": {"kind": "propensity", "event": "purchase", "horizon_days": 30, "at_least": {"quantity": 2}}}
    log = {"value": "value", "text": "comment"}
    assert parse({"log": log, "tasks": tasks}, folder=Path()).stored_numbers == ("quantity",)
    tasks["dear"]["at_least"] = {"comment_length": 2, "value": 3}
    assert parse({"log": log, "tasks": tasks}, folder=Path()).stored_numbers == ()


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ({"at_least": {"value": "much"}}, r"tasks\.asked\.at_least\.value: .*valid number.*got 'much'"),
        ({"at_least": {"value": float("inf")}}, r"tasks\.asked\.at_least\.value: .*finite"),
        ({"atleast": {"value": 5}}, r"unknown key 'atleast' for kind propensity; did you mean 'at_least'\?"),
    ],
)
def test_a_wrong_bound_is_told(keys: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigError, match=mistake):
        task(kind="propensity", event="purchase", **keys)


def test_a_bound_of_money_wants_money_and_a_contract_takes_none() -> None:
    dear = {"kind": "propensity", "event": "purchase", "horizon_days": 30, "at_least": {"value": 2}}
    with pytest.raises(ConfigError, match=r"task 'dear' bounds `value`, and \[log\] names no `value` column; add it"):
        parse({"tasks": {"dear": dear}}, folder=Path())
    with pytest.raises(ConfigError, match="`at_most` narrows `event`, and this task has `churn_event` instead"):
        task(kind="churn", churn_event="cancel", active_event="purchase", at_most={"value": 5})
