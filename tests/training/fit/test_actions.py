"""What actions gain, on decisions whose truth is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.timeline import DAY_US
from models.predictor.actions import Actions, unpack_actions
from tests.support.strategies import START, Event, world
from training.fit.actions import learn

END = START + 400 * DAY_US


def offer(**keys: object) -> TaskConfig:
    given = {"name": "offer", "kind": "next_action", "event": "mail", "action": "channel", "nothing": "shop"}
    return TaskConfig.model_validate(
        {**given, "probability": "quantity", "reward": "purchase", "horizon_days": 14, **keys}
    )


def learnt(question: TaskConfig, *parts: Journeys, end: int = END) -> Actions:
    return learn(question, lambda: parts, end)


def mails(count: int, *, lift: float = 1.0, over_days: int = 0, confounded: bool = False) -> list[Event]:
    """Mails of action `web` or none (`shop`); who got one buys for `lift` more, loyal customers buy for 4 anyway."""
    rng = np.random.default_rng(3)
    events = []
    for index in range(count):
        loyal = index % 2 == 0
        share = (0.8 if loyal else 0.2) if confounded else 0.5
        got = rng.random() < share
        time = START + 50 * DAY_US + (index % max(over_days, 1)) * DAY_US
        probability = share if got else 1 - share
        who = f"c{index}"
        channel = "web" if got else "shop"
        events.append(Event(time, "mail", customer=who, channel=channel, quantity=probability))
        money = 10.0 + 4.0 * loyal + lift * got + rng.normal()
        events.append(Event(time + DAY_US, "purchase", money, customer=who))
    return events


def gain_of(actions: Actions, name: str) -> tuple[float, float, float]:
    index = actions.actions.index(name)
    return actions.gain[index], actions.low[index], actions.high[index]


def test_a_randomised_gain_is_found_inside_its_interval() -> None:
    actions = learnt(offer(), world(*mails(3000)).journeys())
    gain, low, high = gain_of(actions, "web")
    assert low < 1.0 < high
    assert gain == pytest.approx(1.0, abs=0.3)
    assert actions.best == "web"
    assert gain_of(actions, "shop") == (0, 0, 0)
    assert "cross-fitting" in actions.notes[0]
    assert actions.metrics["difference_to_best_constant"] == [0, 0, 0]


def test_logged_probabilities_undo_confounding_and_plain_means_do_not() -> None:
    shop = world(*mails(3000, confounded=True)).journeys()
    weighted, plain = learnt(offer(), shop), learnt(offer(probability=None), shop)
    assert gain_of(weighted, "web")[1] < 1.0 < gain_of(weighted, "web")[2]
    assert gain_of(plain, "web")[1] > 2
    assert any("at random" in note for note in plain.notes)


def test_costs_are_taken_off_and_may_make_nothing_the_best() -> None:
    actions = learnt(offer(costs={"web": 5.0}), world(*mails(3000)).journeys())
    assert gain_of(actions, "web")[0] == pytest.approx(-4.0, abs=0.3)
    assert actions.best == "shop"
    assert actions.grade == "A"  # that a mail loses money is sure


def test_decisions_spread_over_time_are_judged_later_than_chosen() -> None:
    actions = learnt(offer(), world(*mails(3000, over_days=100)).journeys())
    assert "earlier decisions" in actions.notes[0]
    low, high = actions.metrics["gain"][1:]
    assert low < 1.0 < high


def test_a_decision_whose_window_is_not_over_teaches_nothing() -> None:
    actions = learnt(offer(), world(*mails(300)).journeys(), end=START + 55 * DAY_US)
    assert actions.actions == ("shop",)
    assert actions.grade == "D"
    assert "no decision has a whole reward window" in actions.notes[0]


@pytest.mark.parametrize(
    ("events", "best"),
    [
        ([Event(START, "mail", channel="web", quantity=1.0)], "web"),
        ([Event(START, "mail", quantity=0.5)], "shop"),  # no action named
        ([Event(START, "mail", channel="web", quantity=0.0)], "shop"),  # an impossible probability
        ([Event(START, "view")], "shop"),
    ],
)
def test_too_few_decisions_give_a_wide_interval_a_low_grade_and_no_crash(events: Sequence[Event], best: str) -> None:
    actions = learnt(offer(), world(*events).journeys())
    assert actions.grade == "D"
    assert actions.best in (best, "shop")


def test_buckets_change_nothing() -> None:
    events = mails(600)
    one = learnt(offer(), world(*events).journeys())
    halves = [world(*(e for e in events if int(e.customer[1:]) % 2 == half)).journeys() for half in (1, 0)]
    assert learnt(offer(), *halves).pack() == one.pack()


def test_everybody_is_told_the_same_best_action() -> None:
    actions = learnt(offer(), world(*mails(600)).journeys())
    said = actions.predict(3)
    assert said.order.tolist() == [[1, 0]] * 3
    assert said.score.tolist() == [max(actions.gain)] * 3
    assert said.probability.tolist() == [1.0] * 3
    assert unpack_actions(*actions.pack()).pack() == actions.pack()
