"""What a log holds, what the next steps need and when it is there: by hand, and by going forward to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import journeycast
from features.config.load import parse
from features.config.sections import Config
from features.errors import ConfigError, StoreError
from features.store.reader import Store
from features.timeline import DAY_US, instant, iso
from tests.support.log_files import Row, event, opened, run, write
from training.readiness.readiness import TaskReadiness, page, readiness
from training.readiness.requirements import BEST, FULL, GRADED, LEARNT, NEVER, OWN, READY, TEST, TREES
from training.run import prepare, train_task

FIRST = instant("2024-01-01")
LENGTH = 420  # days of the steady shop
TASKS: dict[str, dict[str, Any]] = {
    "churn": {"kind": "churn", "event": "purchase", "horizon_days": 90, "active_days": 1000},
    "buys": {"kind": "propensity", "event": "purchase", "horizons_days": [7, 30], "active_days": 1000},
    "value": {"kind": "cltv", "event": "purchase", "horizon_days": 30, "active_days": 1000},
    "offer": {
        "kind": "next_action",
        "event": "mail",
        "action": "kind",
        "nothing": "none",
        "reward": "purchase",
        "horizon_days": 10,
    },
}


@dataclass(frozen=True)
class Shop:
    """An ingested log and its configuration."""

    config: Config
    store: Store

    @staticmethod
    def of(folder: Path, rows: Sequence[Row], tasks: dict[str, Any] = TASKS) -> "Shop":
        write(folder / "log" / "rows.jsonl", [{"kind": None, **row} for row in rows])
        log = {"source": ["log/*"], "customer": "who", "time": "at", "event": "what", "value": "money"}
        config = parse({"log": log, "tasks": tasks, "train": {"threads": 1}}, folder=folder)
        run(config)
        return Shop(config, opened(config))

    def ready(self, task: str, day: int | None = None, horizon: int | None = None) -> TaskReadiness:
        as_of = None if day is None else FIRST + day * DAY_US
        found = readiness(self.config, self.store, [task], as_of=as_of)
        return next(one for one in found if horizon in (None, one.horizon_days))

    def step(self, name: str, task: str, day: int | None = None, horizon: int | None = None) -> tuple[str, str, str]:
        (step,) = (one for one in self.ready(task, day, horizon).steps if one.name == name)
        return step.there, step.needed, step.when


def at(day: float) -> str:
    return iso(FIRST + round(day * DAY_US))


def date(day: float) -> str:
    return at(day)[:10]


def day_of(when: str) -> int:
    return (instant(when) - FIRST) // DAY_US


def steady() -> list[Row]:
    """Every day one customer comes; every second one buys on every tenth day, the others never again. Mails go to the
    new customers: on the day they come, and of every fourth ten days later.
    """
    rows = []
    for day in range(LENGTH):
        again = range(day, LENGTH, 10) if day % 2 == 0 else [day]
        rows += [event(f"c{day}", at(one), "purchase", 10.0) for one in again]
        for mail in [day, *([day + 10] if day % 4 == 0 else [])]:
            rows.append(event(f"c{day}", at(mail + 0.5), "mail", None) | {"kind": "web" if mail % 3 else "none"})
    return rows


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.of(tmp_path_factory.mktemp("steady"), steady())


def test_the_full_horizon_is_there_after_three_and_a_third(shop: Shop) -> None:
    there, needed, when = shop.step(FULL, "churn", 120)
    assert (there, needed) == ("120 days", "300 days")
    assert when in (date(300), date(301))  # on the edge itself rounding decides
    assert shop.step(FULL, "churn", 302)[1:] == ("300 days", READY)
    assert shop.step(FULL, "buys", 20, 7) == ("20 days", "24 days", date(24))  # 23 1/3
    assert shop.step(FULL, "buys", 24, 7) == ("24 days", "24 days", READY)


def test_what_is_there_is_counted_to_the_customer(shop: Shop) -> None:
    there = shop.ready("buys", 150, 30).there
    # customers 0..150 have come; at day 120 there were 0..120, of whom the even ones buy on every tenth day
    assert there == (
        "150 days of history (2024-01-01 to 2024-05-30), 151 customers asked about now, 30 more than 30 days ago.",
        "Of 121 customers with a known outcome 61 did purchase in the 30 days after 2024-04-30, 60 did not.",
    )
    assert shop.ready("value", 150).there[1].endswith("60 did not; 183 orders brought 1,830.")
    assert shop.step(TEST, "buys", 150, 30) == ("121 rows", "1 row", READY)
    assert shop.step(GRADED, "buys", 150, 30) == (
        "121 rows, 60 of the rarer outcome",
        "100 rows, 10 of the rarer outcome",
        READY,
    )
    # once bought the 75 odd ones, and the even ones that came after day 140
    assert "The flag `thin_data` on 80 of 151 customers." in shop.ready("value", 150).meanwhile


@pytest.mark.parametrize(
    ("step", "day", "horizon", "there"),
    [
        (GRADED, 101, 30, 129),  # 100 customers have come by day 99, and their 30 days are over by day 129
        (TREES, 140, 30, 259),  # 200 by day 199, judged a horizon before the test
        (BEST, 101, 30, 129),
        (GRADED, 60, 7, 106),
        (TREES, 60, 7, 213),
    ],
)
def test_when_it_will_be_there_is_as_by_hand(shop: Shop, step: str, day: int, horizon: int, there: int) -> None:
    told = day_of(shop.step(step, "buys", day, horizon)[2])
    assert abs(told - there) <= 1  # members are counted at 24 instants, and come once a day


@pytest.mark.parametrize(
    ("task", "step", "day", "tolerance"),
    [
        ("churn", FULL, 100, 1),
        ("churn", GRADED, 60, 4),
        ("churn", TREES, 150, 4),
        ("churn", BEST, 200, 4),
        ("buys", TREES, 110, 1),
        ("value", GRADED, 50, 4),
        ("offer", GRADED, 50, 2),
        ("offer", OWN, 100, 15),
    ],
)
def test_what_was_promised_is_there_when_the_day_comes_and_not_before(
    shop: Shop, task: str, step: str, day: int, tolerance: int
) -> None:
    promised = day_of(shop.step(step, task, day)[2])
    assert day < promised < LENGTH
    assert shop.step(step, task, promised + tolerance)[2] == READY
    assert shop.step(step, task, promised - tolerance - 1)[2] != READY


def test_a_shop_to_which_nobody_comes_any_more_waits_in_vain(tmp_path: Path) -> None:
    rows = [event(f"c{who}", at(who / 2 + 7 * week), money=5.0) for who in range(40) for week in range(20)]
    still = Shop.of(tmp_path, rows)
    assert still.step(GRADED, "buys", horizon=30) == (
        "40 rows, 0 of the rarer outcome",
        "100 rows, 10 of the rarer outcome",
        NEVER,
    )
    assert still.step(TREES, "buys", horizon=30)[2] == still.step(BEST, "buys", horizon=30)[2] == NEVER
    assert still.step(FULL, "buys", horizon=30)[2] == READY
    assert still.step(FULL, "churn")[2] == date(300)  # the days go on


@pytest.mark.parametrize("day", [40, 150, 400])
def test_a_training_finds_what_was_told(shop: Shop, day: int) -> None:
    context, facts = prepare(shop.config, shop.store, as_of=FIRST + day * DAY_US, trials=0, progress=lambda _: None)
    for task in ("buys", "value"):
        for answer in train_task(context, shop.config.task(task), facts)[0].predictors:
            told = {step.name: step.is_ready for step in shop.ready(task, day, answer.horizon_days).steps}
            assert told[FULL] == ("extrapolated" not in answer.flags)
            assert told[LEARNT] or answer.rung.name == "rule"
            assert told[GRADED] or answer.grade == "D"
            assert told[BEST] or answer.grade in ("C", "D")
            assert told[TEST] == bool(answer.metrics)


@pytest.mark.parametrize(
    ("rows", "asked_about"),
    [
        pytest.param([event("anna", at(0))], 1, id="one event"),
        pytest.param([event("anna", at(day)) for day in range(28)], 1, id="one customer"),
        pytest.param([event(f"c{who}", at(0)) for who in range(50)], 50, id="one instant"),
        pytest.param([event(f"c{who}", at(who), money=None) for who in range(50)], 50, id="no money"),
        pytest.param([event(f"c{who}", at(who), "view") for who in range(50)], 0, id="nobody asked about"),
    ],
)
def test_a_tiny_shop_is_told_what_it_has_and_what_it_gets(tmp_path: Path, rows: list[Row], asked_about: int) -> None:
    tiny = Shop.of(tmp_path, rows)
    churn, _, _, value, offer = readiness(tiny.config, tiny.store)
    assert f" {asked_about} customers asked about now" in churn.there[0]
    assert any(sentence.startswith("The rule serves: the rate among") for sentence in churn.meanwhile)
    assert any(sentence.startswith("The grade is D") for sentence in churn.meanwhile)
    assert ("Nobody is asked about now" in churn.meanwhile[0]) is (asked_about == 0)
    assert {step.when for step in offer.steps} == {NEVER}
    assert offer.meanwhile == ("'none' is what serves, with grade D: nothing is known to be better.",)
    assert not all(step.is_ready for step in value.steps)


def test_money_that_never_came_cannot_be_learnt(tmp_path: Path) -> None:
    poor = Shop.of(tmp_path, [event(f"c{who}", at(who % 90 + lap), money=0.0) for who in range(300) for lap in (0, 40)])
    assert poor.step(LEARNT, "value") == ("no money", "30 rows, 5 of the rarer outcome", NEVER)
    assert poor.step(LEARNT, "buys", horizon=30)[2] != NEVER


def test_decisions_are_told_by_action(shop: Shop) -> None:
    offer = shop.ready("offer", 30)
    # those of days 0..20 are seen to their end: one a day, and one more of customers 0, 4 and 8 on days 10, 14 and 18
    assert offer.there[1] == "23 decisions with their whole 10 days seen (none 8, web 15), 13 rewarded."
    assert [(step.there, step.needed) for step in offer.steps] == [
        ("23 decisions", "1 decision"),
        ("8 of it", "1 of it"),
        ("8 of 'none'", "100 of each"),
        ("20 customers, 13 rewarded", "100 customers, 10 rewarded"),
    ]


def test_without_a_decision_for_nothing_there_is_no_grade(tmp_path: Path) -> None:
    rows = [event(f"c{who}", at(who / 10 + lap)) for who in range(300) for lap in (0, 1)]
    rows += [event(f"c{who}", at(who / 10 + 0.01), "mail", None) | {"kind": "web"} for who in range(300)]
    offer = Shop.of(tmp_path, rows).ready("offer")
    assert [step.when for step in offer.steps] == [READY, NEVER, READY, NEVER]
    assert offer.meanwhile[1] == "Gains are against the average of what was done, and the grade is D."


def test_a_contract_is_counted_while_it_is_live(tmp_path: Path) -> None:
    contract = {"churn_event": "cancel", "active_event": "subscribe", "horizon_days": 30, "active_days": 365}
    rows = [event(f"c{who}", at(0), "subscribe") for who in range(20)]
    rows += [event(f"c{who}", at(100 + who), "cancel") for who in range(5)]
    rows += [event("visitor", at(130), "view")]
    found = Shop.of(tmp_path, rows, {"leaves": {"kind": "churn", **contract}}).ready("leaves")
    assert "15 customers asked about now, 4 fewer than 30 days ago" in found.there[0]
    assert found.there[1].startswith("Of 19 customers with a known outcome 4 did cancel in the 30 days after")


def test_a_filter_is_told_and_counted(tmp_path: Path) -> None:
    dear = {"kind": "propensity", "event": "purchase", "horizon_days": 10, "at_least": {"value": 50}}
    rows = [event(f"c{who}", at(day), money=40.0 + who) for who in range(20) for day in (0, 50)]
    found = Shop.of(tmp_path, rows, {"dear": dear}).ready("dear")
    assert found.there[1].startswith("Of 20 customers with a known outcome 10 did purchase with value at least 50 in")


def test_an_unknown_task_an_empty_table_and_a_missing_store_are_told(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no task 'chrun' in the configuration; did you mean 'churn'\?"):
        readiness(shop.config, shop.store, ["chrun"])
    with pytest.raises(ConfigError, match=r"expected at least one table \[tasks\.NAME\]"):
        readiness(shop.config.model_copy(update={"tasks": {}}), shop.store)
    with pytest.raises(StoreError, match=r"found none; run `ingest` first"):
        opened(parse({}, folder=tmp_path))


def test_before_the_first_event_there_is_nothing_and_no_crash(shop: Shop) -> None:
    found = readiness(shop.config, shop.store, as_of="2023-01-01")
    assert len(found) == 5
    assert found[0].there[0].startswith("0 days of history")
    assert found[0].there[1] == "Of no customer the outcome is known yet."


def test_a_person_can_read_it_at_eighty_columns(shop: Shop) -> None:
    printed = StringIO()
    console = Console(width=80, file=printed)
    console.print(page(readiness(shop.config, shop.store, as_of=FIRST + 100 * DAY_US)))
    lines = printed.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for part in ("churn, 90 days", "there now", "needed", "when", "a grade above D", "300 days 2024-10-2"):
        assert part in text
    assert "It is fitted on 30 of 90 days and carried over: the flag `extrapolated`." in text


TOML = """
[log]
source = ["log/*"]
customer = "who"
time = "at"
event = "what"
value = "money"
[tasks.churn]
kind = "churn"
event = "purchase"
horizon_days = 90
[tasks.offer]
kind = "next_action"
event = "mail"
action = "kind"
nothing = "none"
reward = "purchase"
horizon_days = 10
"""


def test_the_verb_prints_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = shop.config.folder / "journeycast.toml"
    toml.write_text(TOML)
    printed = StringIO()
    monkeypatch.setattr(journeycast, "console", Console(width=80, file=printed))
    monkeypatch.setattr("sys.argv", ["journeycast", "-c", str(toml), "readiness", "churn", "--as-of", "2024-06-01"])
    with pytest.raises(SystemExit, match="0"):
        journeycast.main()
    assert "the full horizon" in printed.getvalue()
    assert "offer" not in printed.getvalue()


def test_counts_are_the_same_however_the_customers_are_spread(shop: Shop, tmp_path: Path) -> None:
    turned = Shop.of(tmp_path, steady()[::-1])
    day = FIRST + 200 * DAY_US
    assert readiness(turned.config, turned.store, as_of=day) == readiness(shop.config, shop.store, as_of=day)
    assert np.unique([one.horizon_days for one in readiness(shop.config, shop.store)]).tolist() == [7, 10, 30, 90]
