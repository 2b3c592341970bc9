"""The feature language: names, texts, checks, and fingerprints that stand for numbers."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from features.errors import ConfigError
from features.panel import Rows, build
from features.timeline import DAY_US
from features.windows import WHATS, Feature, FeatureSet, Stream
from tests.worlds import (
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
    )
)
# Equal fingerprints promise equal numbers. When the first changes, bundles made before are refused: say so in the
# CHANGELOG. When the second does, the same declarations give other numbers: raise KERNEL_VERSION, then write both anew.
FINGERPRINT = "70d139588f523eeb18cc500a6e971d1573370a3b3d8d1240d87ac7d92774a3f2"
NUMBERS = "e254c5600f239e310e32856e366a80554fe98b693c8ecfe08835e4f6a1386dd8"


def test_the_fingerprint_stands() -> None:
    assert ONE_OF_EACH.fingerprint == FINGERPRINT


def test_the_numbers_behind_the_fingerprint_stand() -> None:
    journeys = a_year().journeys()
    values = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), EVERY_FEATURE).values
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
    assert {feature.what for feature in ONE_OF_EACH.features} == set(WHATS)


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
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Feature("count"), Feature("count", Stream(("event",)))),
        (Feature("count", Stream(("a", "b"))), Feature("count", Stream(("a+b",)))),
        (Feature("sum"), Feature("sum", column="value")),
        (Feature("count", Stream((), (("a", "b=c"),))), Feature("count", Stream((), (("a=b", "c"),)))),
        (Feature("count", Stream(("a",), (("b", "c"),))), Feature("count", Stream(("a[b=c]",)))),
        (Feature("count", Stream(('"event"',))), Feature("count", Stream(("event",)))),
    ],
)
def test_names_that_could_be_mistaken_are_quoted(one: Feature, other: Feature) -> None:
    assert one.name != other.name
    assert len(FeatureSet((one, other))) == 2


@pytest.mark.parametrize("features", [ONE_OF_EACH, EVERY_FEATURE, FeatureSet(())])
def test_a_set_reads_what_it_wrote(features: FeatureSet) -> None:
    again = FeatureSet.from_json(features.to_json())
    assert again == features
    assert hash(again) == hash(features)
    assert again.fingerprint == features.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        FeatureSet(ONE_OF_EACH.features[1:]),
        FeatureSet(ONE_OF_EACH.features[::-1]),
        FeatureSet((replace(ONE_OF_EACH.features[0], window_days=31), *ONE_OF_EACH.features[1:])),
        FeatureSet((replace(ONE_OF_EACH.features[0], stream=COFFEE), *ONE_OF_EACH.features[1:])),
    ],
)
def test_any_change_changes_the_fingerprint(changed: FeatureSet) -> None:
    assert changed.fingerprint != ONE_OF_EACH.fingerprint


def test_a_new_kernel_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.windows.KERNEL_VERSION", -1)
    assert FeatureSet(ONE_OF_EACH.features).fingerprint != FINGERPRINT


def test_a_union_holds_each_feature_once_in_order() -> None:
    a, b, c = Feature("count"), Feature("recency"), Feature("tenure")
    assert FeatureSet((a, b)).union(FeatureSet((b, c)), FeatureSet((a,))).features == (a, b, c)


def test_a_feature_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected every feature once, found 'event_count_ever' twice; remove one"):
        FeatureSet((Feature("count"), Feature("count")))


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Feature("cuont"), r"unknown feature kind 'cuont'; did you mean 'count'\?"),  # type: ignore[arg-type]
        (Feature("count", column="quantity"), "a feature of kind 'count' takes no column, got 'quantity'"),
        (Feature("recency", column="quantity"), "a feature of kind 'recency' takes no column, got 'quantity'"),
        (Feature("distinct"), "a feature of kind 'distinct' takes a column, got None"),
        (Feature("attribute_is", level="x"), "a feature of kind 'attribute_is' takes a column, got None"),
        (Feature("attribute_is", column="plan"), "a level belongs to 'attribute_is' and nothing else, got None"),
        (Feature("attribute", column="plan", level="x"), "a level belongs to 'attribute_is' and nothing else, got 'x'"),
        (Feature("count", window_days=-7), "'count' over -7 days cannot be; 0 reads the whole journey"),
        (Feature("recency", window_days=7), "'recency' over 7 days cannot be; 0 reads the whole journey"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(feature: Feature, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FeatureSet((feature,))
