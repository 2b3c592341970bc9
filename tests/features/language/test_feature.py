"""The feature language: names, texts, checks, and fingerprints that stand for numbers."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from features.errors import ConfigError
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.language.kinds import KINDS
from features.panel.build import Rows, build
from features.timeline import DAY_US
from tests.support.strategies import (
    CHANNELS,
    CUTOFFS,
    EVENTS,
    EVERY_FEATURE,
    NAN,
    PLANS,
    PRODUCTS,
    START,
    Event,
    Fact,
    World,
    world,
)

COFFEE = Stream(("purchase",), (("channel", "web"), ("product", "coffee")))
ONE_OF_EACH = FeatureSet(
    (
        Feature("count", Stream(("purchase",)), None, 30),
        Feature("refunds"),
        Feature("sum", Stream(("purchase", "return")), None, 7),
        Feature("mean", column="quantity"),
        Feature("max", COFFEE, None, 365),
        Feature("distinct", column="product", window_days=90),
        Feature("recency", Stream(("add_to_cart",))),
        Feature("tenure"),
        Feature("gap_mean", COFFEE),
        Feature("gap_std"),
        Feature("attribute", column="age"),
        Feature("attribute_is", column="country", level="NO"),
        Feature("gross", window_days=30),
        Feature("refunded"),
        Feature("min", column="quantity", window_days=7),
        Feature("std"),
        Feature("last", Stream(("purchase",))),
        Feature("first", column="quantity"),
        Feature("count_ratio", window_days=30),
        Feature("sum_ratio", window_days=30),
        Feature("count_slope", COFFEE, window_days=90),
        Feature("sum_slope", column="quantity", window_days=90),
        Feature("count_acceleration", window_days=30),
        Feature("sum_acceleration", window_days=30),
        Feature("gap_max"),
        Feature("gap_cv"),
        Feature("silence", Stream(("purchase",))),
        Feature("active_days", window_days=30),
        Feature("active_share"),
        Feature("hour_share", Stream(("purchase",)), level="6-12"),
        Feature("weekday_share", window_days=90, level="friday"),
        Feature("streak_longest"),
        Feature("streak_last"),
        Feature("repeat_days", Stream(("purchase",))),
        Feature("repeat_span"),
        Feature("repeat_age"),
        Feature("repeat_value"),
        Feature("top_share", column="product"),
        Feature("entropy", column="product", window_days=90),
        Feature("repeat_share", column="product"),
        Feature("last_1_is", level="add_to_cart"),
        Feature("last_2_is", level="view"),
        Feature("last_3_is", level="view"),
        Feature("transitions", level="view>purchase", window_days=30),
        Feature("funnel", level="view>add_to_cart>purchase"),
        Feature("sessions", window_days=7),
        Feature("session_length"),
        Feature("session_depth"),
        Feature("bounce_share"),
        Feature("season_sin"),
        Feature("season_cos"),
        Feature("weekday"),
        Feature("popularity", column="product", window_days=30),
        Feature("event_share", column="product", level="purchase"),
        Feature("cohort_count", Stream(("purchase",))),
    )
)
# Equal fingerprints promise equal numbers. When the first changes, bundles made before are refused: say so in the
# CHANGELOG. When the second does, the same declarations give other numbers: raise KERNEL_VERSION, then write both anew.
FINGERPRINT = "645181cccfcf1fcf9fc8dd73946db951a104edf0cafe0f036f14754e1e9d1c5a"
NUMBERS = "1b157c06969d4662dd2bcda1d6aae4c456d177bbbc3f77a2ef97701815fd9c0c"


def test_the_fingerprint_stands() -> None:
    assert ONE_OF_EACH.fingerprint == FINGERPRINT


def test_the_numbers_behind_the_fingerprint_stand() -> None:
    journeys = a_year().journeys()
    exact = [f for f in EVERY_FEATURE.declared if f.kind not in ("entropy", "season_sin", "season_cos")]  # of libm
    features = FeatureSet(tuple(exact), EVERY_FEATURE.timezone)
    values = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), features).values
    assert hashlib.sha256(np.where(np.isnan(values), np.nan, values).tobytes()).hexdigest() == NUMBERS


def a_year() -> World:
    """Three customers whose events are spread by arithmetic, so that no library's generator can change them."""
    rows = []
    for n in range(90):
        time = START + (n * 7_919 % 440) * DAY_US + n * 1_000_003
        known = time + 40 * DAY_US if n % 11 == 0 else None
        order = "ABC"[n % 3] if n % 5 < 2 else None
        event, channel, product = EVENTS[n * n % 3], CHANNELS[n % 3], PRODUCTS[n * 5 % 4]
        value = (n * 37 % 101 - 20) / 7 if n % 4 else NAN
        rows.append(Event(time, event, value, "abc"[n % 3], known, order, channel, product, n % 13 / 3))
    return world(*rows, *(Fact(START + n * 100 * DAY_US, PLANS[n % 2], n / 3, "abc"[n % 3]) for n in range(5)))


def test_one_of_each_is_one_of_each() -> None:
    assert {feature.kind for feature in ONE_OF_EACH.declared} == set(KINDS)


def test_names() -> None:
    assert ONE_OF_EACH.names == (
        "purchase_count_30d",
        "event_refunds_ever",
        "purchase+return_value_sum_7d",
        "event_quantity_mean_ever",
        "purchase[channel=web][product=coffee]_value_max_365d",
        "event_product_distinct_90d",
        "add_to_cart_recency",
        "event_tenure",
        "purchase[channel=web][product=coffee]_gap_mean",
        "event_gap_std",
        "profile_age",
        "profile_country=NO",
        "event_value_gross_30d",
        "event_value_refunded_ever",
        "event_quantity_min_7d",
        "event_value_std_ever",
        "purchase_value_last_ever",
        "event_quantity_first_ever",
        "event_count_ratio_30d",
        "event_value_sum_ratio_30d",
        "purchase[channel=web][product=coffee]_count_slope_90d",
        "event_quantity_sum_slope_90d",
        "event_count_acceleration_30d",
        "event_value_sum_acceleration_30d",
        "event_gap_max",
        "event_gap_cv",
        "purchase_silence",
        "event_active_days_30d",
        "event_active_share_ever",
        "purchase_hour_share=6-12_ever",
        "event_weekday_share=friday_90d",
        "event_streak_longest",
        "event_streak_last",
        "purchase_repeat_days",
        "event_repeat_span",
        "event_repeat_age",
        "event_repeat_value",
        "event_product_top_share_ever",
        "event_product_entropy_90d",
        "event_product_repeat_share_ever",
        "event_last_1_is=add_to_cart",
        "event_last_2_is=view",
        "event_last_3_is=view",
        "event_transitions=view>purchase_30d",
        "event_funnel=view>add_to_cart>purchase_ever",
        "event_sessions_7d",
        "event_session_length_ever",
        "event_session_depth_ever",
        "event_bounce_share_ever",
        "season_sin",
        "season_cos",
        "weekday",
        "event_product_popularity_30d",
        "event_product_event_share=purchase_ever",
        "purchase_cohort_count",
    )
    assert ONE_OF_EACH.position["event_tenure"] == 7


def test_texts() -> None:
    assert [feature.text for feature in ONE_OF_EACH.features] == [
        "number of purchases in the last 30 days",
        "number of refunds among events ever",
        "total value of purchases or returns in the last 7 days",
        "average quantity of events ever",
        "largest value of purchases with channel web and product coffee in the last 365 days",
        "number of different values of product in events in the last 90 days",
        "days since the last add to cart",
        "days since the first event",
        "average days between purchases with channel web and product coffee",
        "spread of the days between events",
        "age of the profile",
        "country of the profile is NO",
        "total value of events in the last 30 days, refunds left out",
        "total value refunded of events ever",
        "smallest quantity of events in the last 7 days",
        "spread of the value of events ever",
        "value of the last of the purchases ever",
        "quantity of the first of the events ever",
        "share of the events of twice as long that fell in the last 30 days",
        "share of the value of events of twice as long that fell in the last 30 days",
        "trend of the number of purchases with channel web and product coffee in the last 90 days",
        "trend of the quantity of events in the last 90 days",
        "how the trend of events turned in the last 30 days",
        "how the trend of the value of events turned in the last 30 days",
        "most days between two events",
        "irregularity of the days between events",
        "days since the last purchase over the usual days between purchases",
        "days with events in the last 30 days",
        "share of days with events ever",
        "share of purchases at 6-12 o'clock ever",
        "share of events on a friday in the last 90 days",
        "most days in a row with events",
        "days in a row with events when last active",
        "days with purchases after the first",
        "days from the first to the last day with events",
        "days since the first day with events",
        "average value of a day with events after the first",
        "share of the commonest product in events ever",
        "how evenly product is spread in events in the last 90 days",
        "share of events ever with a product seen before",
        "the last of the events is add_to_cart",
        "the last but one of the events is view",
        "the last but two of the events is view",
        "how often purchase right after view among events in the last 30 days",
        "furthest stage of view>add_to_cart>purchase in events ever",
        "number of sessions with events in the last 7 days",
        "average minutes of a session with events ever",
        "average number of events in a session ever",
        "share of sessions with only one of the events ever",
        "time of the year (spring against autumn)",
        "time of the year (winter against summer)",
        "day of the week",
        "how common with everybody each product of events in the last 30 days is",
        "share of purchase in what everybody did with each product of events ever",
        "average number of purchases of customers who came in the same week",
    ]


@pytest.mark.parametrize(
    ("feature", "other"),
    [
        (Feature("count"), Feature("count", Stream(("event",)))),
        (Feature("count", Stream(("a", "b"))), Feature("count", Stream(("a+b",)))),
        (Feature("sum"), Feature("sum", column="value")),
        (Feature("count", Stream((), (("a", "b=c"),))), Feature("count", Stream((), (("a=b", "c"),)))),
        (Feature("count", Stream(("a",), (("b", "c"),))), Feature("count", Stream(("a[b=c]",)))),
        (Feature("count", Stream(('"event"',))), Feature("count", Stream(("event",)))),
    ],
)
def test_names_that_could_be_mistaken_are_quoted(feature: Feature, other: Feature) -> None:
    assert feature.name != other.name
    assert len(FeatureSet((feature, other))) == 2


@pytest.mark.parametrize("features", [ONE_OF_EACH, EVERY_FEATURE, FeatureSet(())])
def test_a_set_reads_what_it_wrote(features: FeatureSet) -> None:
    restored = FeatureSet.from_json(features.to_json())
    assert restored == features
    assert hash(restored) == hash(features)
    assert restored.fingerprint == features.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        FeatureSet(ONE_OF_EACH.features[1:]),
        FeatureSet(ONE_OF_EACH.features[::-1]),
        FeatureSet((replace(ONE_OF_EACH.declared[0], window_days=31), *ONE_OF_EACH.features[1:])),
        FeatureSet((replace(ONE_OF_EACH.declared[0], stream=COFFEE), *ONE_OF_EACH.features[1:])),
        FeatureSet(ONE_OF_EACH.features, "Asia/Tokyo"),
    ],
)
def test_any_change_changes_the_fingerprint(changed: FeatureSet) -> None:
    assert changed.fingerprint != ONE_OF_EACH.fingerprint


def test_a_new_kernel_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.language.feature_set.KERNEL_VERSION", -1)
    assert FeatureSet(ONE_OF_EACH.features).fingerprint != FINGERPRINT


def test_a_union_holds_each_feature_once_in_order() -> None:
    a, b, c = Feature("count"), Feature("recency"), Feature("tenure")
    assert FeatureSet((a, b)).union(FeatureSet((b, c)), FeatureSet((a,))).features == (a, b, c)


def test_a_union_keeps_the_time_zone_that_matters() -> None:
    there = FeatureSet((Feature("active_days"),), "Asia/Tokyo")
    assert FeatureSet((Feature("count"),)).union(there).timezone == "Asia/Tokyo"
    with pytest.raises(ConfigError, match="expected features of one time zone, found Asia/Tokyo, UTC; train all anew"):
        there.union(FeatureSet((Feature("weekday"),)))


def test_a_feature_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected every feature once, found 'event_count_ever' twice; remove one"):
        FeatureSet((Feature("count"), Feature("count")))


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Feature("cuont"), r"unknown feature kind 'cuont'; did you mean 'count'\?"),
        (Feature("count", column="quantity"), "a feature of kind 'count' takes no column, got 'quantity'"),
        (Feature("recency", column="quantity"), "a feature of kind 'recency' takes no column, got 'quantity'"),
        (Feature("distinct"), "a feature of kind 'distinct' takes a column, got None"),
        (Feature("attribute_is", level="x"), "a feature of kind 'attribute_is' takes a column, got None"),
        (Feature("attribute_is", column="plan"), "a feature of kind 'attribute_is' takes a level, got None"),
        (Feature("attribute", column="plan", level="x"), "a feature of kind 'attribute' takes no level, got 'x'"),
        (Feature("season_sin", Stream(("a",))), "a feature of kind 'season_sin' reads no events, got a"),
        (Feature("hour_share", level="8-9"), "is for one of 0-6, 6-12, 12-18, 18-24, got '8-9'"),
        (Feature("weekday_share", level="Friday"), "is for one of monday, .*, got 'Friday'"),
        (Feature("transitions", level="view"), "needs steps such as 'view>purchase', got 'view'"),
        (Feature("transitions", level="a>b>c"), "needs steps such as 'view>purchase', got 'a>b>c'"),
        (Feature("funnel", level="a>>b"), "needs steps such as 'view>cart>purchase', got 'a>>b'"),
        (Feature("funnel", level="a>b>a"), "needs steps such as 'view>cart>purchase', got 'a>b>a'"),
        (Feature("count_ratio"), "a feature of kind 'count_ratio' compares spans and needs a number of days, got 0"),
        (Feature("count", window_days=-7), "'count' over -7 days cannot be; 0 reads the whole journey"),
        (Feature("recency", window_days=7), "'recency' over 7 days cannot be; 0 reads the whole journey"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(feature: Feature, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FeatureSet((feature,))
