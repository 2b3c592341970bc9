"""What the TOML takes out of the default features and adds to them."""

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config.load import parse
from features.config.sections import Config
from features.errors import ConfigError
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.language.functions import UserModule
from features.sets.defaults import derive
from features.sets.overrides import with_added, without
from features.sets.survey import survey
from tests.support.strategies import CUTOFFS, EVERY_FEATURE, Event, Fact, world

WORLD = world(Event(CUTOFFS[0], channel="web"), Event(CUTOFFS[0], "view", channel="shop"), Fact(0, "paid", 4.0))
SURVEY = survey([WORLD.journeys()])
NOBODY = FeatureSet(())


def shop(**features: Any) -> Config:
    return parse({"features": features, "log": {"categories": ["channel"]}}, folder=Path("/shop"))


def test_a_pattern_takes_default_features_out_and_others_take_their_places() -> None:
    before = derive(SURVEY, shop(max_columns=20)).names
    after = derive(SURVEY, shop(max_columns=20, remove=["event_count_*", "event_tenure"])).names
    assert len(before) == len(after) == 20
    assert {"event_count_30d", "event_tenure"} < set(before) - set(after)
    assert not any(name.startswith("event_count_") for name in after)


@given(st.sampled_from(EVERY_FEATURE.names))
def test_every_name_is_a_pattern_of_itself_alone(name: str) -> None:
    assert set(EVERY_FEATURE.names) - set(without(EVERY_FEATURE.names, [name])) == {name}


def test_brackets_stand_for_themselves_in_a_pattern() -> None:
    names = ["purchase[channel=web]_count_30d", "purchasec_count_30d", "purchase_count_30d"]
    assert without(names, ["purchase[channel=web]_count_30d"]) == names[1:]
    assert without(names, ["*[channel=*]*", "purchase?_count_30d"]) == names[2:]


def test_a_pattern_that_takes_nothing_out_is_told() -> None:
    with pytest.raises(
        ConfigError, match=r"remove: no default feature is 'event_recncy'; did you mean 'event_recency'"
    ):
        derive(SURVEY, shop(remove=["event_recncy"]))
    with pytest.raises(ConfigError, match=r"remove: no default feature is '🍵'; the verb `features` prints all"):
        derive(SURVEY, shop(remove=["🍵"]))


def test_added_features_come_with_where_they_were_added() -> None:
    own = FeatureSet((Feature("tenure", Stream(("view",))),), module=UserModule("0" * 64))
    config = shop(add=[{"what": "sum", "window_days": 3}, {"what": "recency", "event": "view"}], module="my.py")
    assert [(choice.feature.name, choice.reason) for choice in with_added([], config, own, SURVEY)] == [
        ("event_value_sum_3d", "[[features.add]] number 1"),
        ("view_recency", "[[features.add]] number 2"),
        ("view_tenure", "my.py"),
    ]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (
            {"what": "recency", "event": "veiw"},
            "veiw_recency has no value yet: no event 'veiw'; did you mean 'view'?",
        ),
        ({"what": "count", "where": {"channel": "wbe"}}, "no 'wbe' in 'channel'; did you mean 'web'?"),
        ({"what": "attribute", "column": "aeg"}, "no such attribute 'aeg'; did you mean 'age'?"),
        ({"what": "attribute_is", "column": "age", "level": "4"}, "no such attribute 'age'; expected one of: plan"),
    ],
)
def test_a_feature_that_nobody_can_have_is_warned_of(
    feature: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        with_added([], shop(add=[feature]), NOBODY, SURVEY)
    assert message in caplog.text
    assert "[[features.add]] number 1" in caplog.text
