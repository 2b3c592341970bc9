"""The default features follow from the log and the questions, with no hand work."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from features.config.load import parse
from features.config.sections import Config
from features.errors import ConfigError
from features.global_counts import together
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.panel.comparisons import count_keys
from features.sets.defaults import chosen, derive
from features.sets.families import FAMILIES
from features.sets.survey import LogSummary, survey
from features.store.global_counts import counted
from tests.support.strategies import CUTOFFS, Event, Fact, World, world, worlds

NOW = CUTOFFS[0]
LOG = {"value": "value", "categories": ["channel", "product"], "numbers": ["quantity"]}
CHURN = {"kind": "churn", "event": "purchase", "horizon_days": 45}


def config(log: dict[str, Any] | None = None, tasks: dict[str, Any] | None = None, **features: Any) -> Config:
    given = {"log": {**LOG, **(log or {})}, "tasks": tasks or {}, "features": features}
    return parse(given, folder=Path())


def derived(*rows: Event | Fact, of: Config | None = None, horizons: tuple[int, ...] = ()) -> FeatureSet:
    return derive(survey([world(*rows).journeys()]), of or config(), horizons)


def test_a_log_of_one_event_has_its_stream_and_no_second_of_all() -> None:
    names = derived(Event(NOW)).names
    assert [name for name in names if "count" in name] == [
        f"purchase_count_{w}" for w in ("7d", "30d", "90d", "365d", "ever")
    ]
    assert {"purchase_recency", "purchase_tenure", "purchase_gap_mean", "purchase_gap_std"} < set(names)
    assert not [name for name in names if name.startswith("event")]


def test_two_events_have_a_stream_each_and_one_together() -> None:
    names = set(derived(Event(NOW), Event(NOW, "view")).names)
    assert {"purchase_recency", "view_recency", "event_recency"} < names


def test_money_numbers_categories_and_refunds_come_when_the_log_holds_them() -> None:
    poor = derived(Event(NOW), Event(NOW, "view")).names
    assert not [name for name in poor if any(word in name for word in ("value", "quantity", "refunds", "distinct"))]
    rich = set(
        derived(
            Event(NOW, value=2.0, quantity=1.0, channel="web"),
            Event(NOW, value=-1.0, channel="shop"),
            Event(NOW, "view", product="bread"),
        ).names
    )
    assert {"purchase_value_sum_90d", "purchase_refunds_30d", "event_quantity_max_ever"} < rich
    assert {"event_channel_distinct_7d", "event[channel=web]_count_30d"} < rich
    assert "view_value_sum_90d" not in rich
    assert not [name for name in rich if "product" in name], "one product tells nobody apart"


def test_a_profile_gives_its_attributes() -> None:
    names = derived(Event(NOW), Fact(NOW, plan="free", age=30.0), Fact(NOW, plan="paid", customer="bob")).names
    assert [name for name in names if name.startswith("profile")] == [
        "profile_age",
        "profile_plan=free",
        "profile_plan=paid",
    ]


def test_what_tasks_ask_about_comes_first_with_windows_as_long_as_the_horizon() -> None:
    names = derived(Event(NOW, "view"), Event(NOW), of=config(tasks={"churn": CHURN}), horizons=(45,)).names
    assert names[:6] == (*(f"purchase_count_{w}" for w in ("7d", "30d", "45d", "90d", "365d", "ever")),)
    assert "view_count_45d" not in names


def test_what_a_task_filters_by_is_a_stream() -> None:
    configuration = config(tasks={"a": {**CHURN, "where": {"product": "coffee"}}})
    assert "purchase[product=coffee]_recency" in derived(Event(NOW), of=configuration).names


def test_rewards_are_a_stream() -> None:
    offer = {"kind": "next_action", "event": "email", "action": "channel", "nothing": "none", "reward": "purchase"}
    configuration = config(tasks={"offer": {**offer, "horizon_days": 14}})
    assert derived(Event(NOW, "view"), Event(NOW), of=configuration).names[0] == "purchase_count_7d"


def test_logged_probabilities_are_no_features() -> None:
    offer = {"kind": "next_action", "event": "email", "action": "channel", "nothing": "none", "reward": "purchase"}
    configuration = config(tasks={"offer": {**offer, "probability": "quantity", "horizon_days": 14}})
    assert not [name for name in derived(Event(NOW, quantity=0.5), of=configuration).names if "quantity" in name]


def test_there_are_at_most_as_many_columns_as_allowed() -> None:
    rows = [Event(NOW, f"event {n}", value=1.0) for n in range(40)]
    assert len(derived(*rows)) == 300
    assert len(derived(*rows, of=config(max_columns=5))) == 5


def test_the_commonest_events_come_and_ties_are_alphabetical() -> None:
    rows = [Event(NOW, name) for name in (*"abcdefghijklmno", "o")]
    streams = [name.removesuffix("_recency") for name in derived(*rows).names if name.endswith("_recency")]
    assert streams == ["event", "o", *"abcdefghijk"]


@pytest.mark.parametrize(
    ("rows", "log"),
    [
        ([Event(NOW, "event"), Event(NOW, "view")], {}),
        ([Event(NOW, value=1.0, quantity=1.0)], {"numbers": ["value", "quantity"]}),
        ([Event(NOW, 'a"b+[c]=d', value=1.0), Event(NOW, "")], {}),
    ],
)
def test_names_that_clash_are_no_mistake(rows: list[Event], log: dict[str, Any]) -> None:
    facts = survey([world(*rows).journeys()])
    facts.numbers.update({"value": 1})
    assert len(derive(facts, config(log=log))) > 5


def test_an_empty_log_has_no_features() -> None:
    assert len(derive(LogSummary(), config(tasks={"churn": CHURN}))) == 0


@given(worlds())
def test_how_customers_are_spread_over_buckets_changes_nothing(of: World) -> None:
    apart = survey(of.only(customer).journeys() for customer in reversed(of.customers))
    together = survey([of.journeys()])
    assert apart == together
    assert derive(apart, config()) == derive(together, config())


@given(worlds())
def test_every_default_feature_can_be_built(of: World) -> None:
    journeys = of.journeys()
    features = derive(survey([journeys]), config(tasks={"churn": CHURN}), [45])
    panel = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), features)
    counts = [place for place, feature in enumerate(features.declared) if feature.kind == "count"]
    assert not np.isnan(panel.values[:, counts]).any()


@given(worlds())
def test_every_feature_of_every_family_can_be_built(of: World) -> None:
    journeys = of.journeys()
    offering = config(tasks={"churn": CHURN}, families=FAMILIES, max_columns=5000)
    features = derive(survey([journeys]), offering, [45])
    keys = count_keys(features)
    with_counts = replace(journeys, global_counts=together([counted(journeys, keys)], keys)) if keys else journeys
    assert build(with_counts, Rows.grid(len(journeys), np.array(CUTOFFS)), features).values.shape[1] == len(features)


def test_families_are_chosen_by_name() -> None:
    rows = Event(NOW, value=1.0, channel="web"), Event(NOW, "view", channel="shop")
    few = derived(*rows, of=config(tasks={"churn": CHURN}, families=["season", "regularity"])).names
    assert few[:6] == ("season_sin", "season_cos", "weekday", "purchase_silence", "purchase_gap_cv", "purchase_gap_max")
    more = set(derived(*rows, of=config(families=FAMILIES, max_columns=5000)).names)
    assert {"event_transitions=view>purchase_365d", "event_channel_entropy_30d", "event_cohort_count"} < more


def test_a_family_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[features\] families: no family 'mony'; did you mean 'money'\?"):
        derived(Event(NOW), of=config(families=["mony"]))


def test_every_feature_has_a_reason() -> None:
    rows = Event(NOW, value=1.0, channel="web"), Event(NOW, "view", channel="shop"), Fact(NOW, plan="free")
    given = chosen(survey([world(*rows).journeys()]), config(tasks={"churn": CHURN}))
    reasons = {choice.feature.name: choice.reason for choice in given}
    assert reasons["purchase_count_30d"] == "task churn asks about purchases"
    assert reasons["view_recency"] == "50% of the rows are view"
    assert reasons["event_channel_distinct_7d"] == "channel has 2 values"
    assert reasons["event_active_days_7d"] == "all events together"
    assert reasons["profile_plan=free"] == "the profile holds it"


def test_a_survey_counts() -> None:
    facts = survey(
        [
            world(Event(NOW, value=-1.0, channel="web"), Event(NOW + 5, "view", quantity=2.0)).journeys(),
            world(Fact(NOW, plan="free", age=1.0, customer="bob"), strangers=["bob", "zoë"]).journeys(),
        ]
    )
    assert (facts.customers, facts.rows, facts.first_us, facts.last_us) == (3, 2, NOW, NOW + 5)
    assert facts.events == {"purchase": 1, "view": 1}
    assert (facts.valued, facts.refunds) == ({"purchase": 1}, {"purchase": 1})
    assert facts.categories["channel"] == {"web": 1}
    assert (facts.numbers, facts.profile_numbers) == ({"quantity": 1}, {"age": 1})
    assert facts.profile_categories["plan"] == {"free": 1}
