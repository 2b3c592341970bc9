"""What must hold of every feature, whatever the log: the whole matrix of kinds, streams and windows at once."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.arrays import Floats
from features.errors import ConfigError
from features.journeys import Journeys, Profile
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from tests.support.strategies import (
    CUTOFFS,
    EVERY_FEATURE,
    Event,
    World,
    all_columns,
    events,
    facts,
    same_bits,
    world,
    worlds,
)

GRID = np.array(CUTOFFS, np.int64)


def values(of: World | Journeys, cutoffs: NDArray[np.int64] = GRID, features: FeatureSet = EVERY_FEATURE) -> Floats:
    journeys = of.journeys() if isinstance(of, World) else of
    return build(journeys, Rows.grid(len(journeys), cutoffs), features).values


def assert_same(actual: Floats, expected: Floats) -> None:
    """Equal to the bit; names the features that are not."""
    assert actual.shape == expected.shape
    different = [
        name for name, a, b in zip(EVERY_FEATURE.names, actual.T, expected.T, strict=True) if not same_bits(a, b)
    ]
    assert different == []


@given(worlds(), st.lists(events() | facts(), max_size=6), st.sampled_from(CUTOFFS))
def test_the_future_changes_nothing(of: World, more: list[Event], cutoff: int) -> None:
    now = np.array([cutoff])
    known = of.seen(cutoff)
    unseen = [row for row in more if not World().adding(row).seen(cutoff).rows]
    assert_same(values(known.adding(*unseen), now), values(known, now))
    assert_same(values(of, now), values(known, now))


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(of: World, dice: random.Random) -> None:
    shuffled = World(
        tuple(dice.sample(of.events, len(of.events))), tuple(dice.sample(of.facts, len(of.facts))), of.strangers
    )
    assert_same(values(shuffled), values(of))


@given(worlds())
def test_other_customers_change_nothing(of: World) -> None:
    together = of.journeys()
    every = values(together).reshape(len(together), len(CUTOFFS), -1)
    for index, customer in enumerate(of.customers):
        for alone in (of.only(customer), together.select(np.array([index])), together.customer_at(index)):
            assert same_bits(values(alone), every[index])


@given(worlds(), st.permutations(range(3 * len(CUTOFFS))))
def test_a_row_is_the_same_among_any_other_rows(of: World, order: list[int]) -> None:
    journeys = of.journeys()
    grid = Rows.grid(3, GRID)
    every = build(journeys, grid, EVERY_FEATURE).values
    assert_same(build(journeys, grid[np.array(order)], EVERY_FEATURE).values, every[order])
    alone = np.array(order[:1])
    assert_same(build(journeys, grid[alone], EVERY_FEATURE).values, every[alone])


@given(worlds(most=12), st.sets(st.integers(0, len(EVERY_FEATURE) - 1), min_size=1, max_size=8))
def test_a_feature_is_the_same_among_any_other_features(of: World, chosen: set[int]) -> None:
    columns = sorted(chosen, reverse=True)
    some = FeatureSet(tuple(EVERY_FEATURE.features[column] for column in columns), EVERY_FEATURE.timezone)
    assert same_bits(values(of, features=some), np.ascontiguousarray(values(of)[:, columns]))


@given(worlds(), st.sampled_from(CUTOFFS))
def test_seen_as_of_an_instant_everything_up_to_it_is_as_it_was(of: World, instant: int) -> None:
    until = np.array([cutoff for cutoff in CUTOFFS if cutoff <= instant])
    assert_same(values(of.journeys().as_of(instant), until), values(of, until))


@given(worlds())
def test_hindsight_knows_each_event_when_it_happens(of: World) -> None:
    prompt = replace(of, events=tuple(replace(row, known=None) for row in of.events))
    assert_same(values(of.journeys().hindsight()), values(prompt))


@given(worlds())
def test_rows_of_an_order_of_their_own_are_rows_without_an_order(of: World) -> None:
    plain = replace(of, events=tuple(replace(row, order=None) for row in of.events))
    ordered = sorted(plain.events, key=all_columns)  # equal times go by all columns, so the orders go as the rows did
    apart = replace(of, events=tuple(replace(row, order=f"own-{n:03}") for n, row in enumerate(ordered)))
    assert_same(values(apart), values(plain))


@given(worlds())
def test_building_writes_every_cell_and_no_input(of: World) -> None:
    journeys = of.journeys()
    for array in (journeys.time, journeys.known, journeys.value, journeys.starts, journeys.event.codes):
        array.flags.writeable = False
    assert_same(values(journeys), values(journeys))


def test_without_events_there_is_nothing_and_no_number() -> None:
    by_feature = dict(zip(EVERY_FEATURE.names, values(world(strangers=["nobody"]), GRID[:1])[0], strict=True))
    assert (
        by_feature["purchase_count_30d"]
        == by_feature["purchase_value_sum_ever"]
        == by_feature["event_product_distinct_30d"]
        == 0
    )
    for name in ("purchase_recency", "event_tenure", "event_gap_mean", "event_value_mean_30d", "profile_age"):
        assert np.isnan(by_feature[name])


def test_one_event_has_a_recency_and_no_gap() -> None:
    by_feature = dict(zip(EVERY_FEATURE.names, values(world(Event(CUTOFFS[0])), GRID[:1])[0], strict=True))
    assert by_feature["purchase_recency"] == by_feature["purchase_tenure"] == 0
    assert np.isnan(by_feature["purchase_gap_mean"])
    assert np.isnan(by_feature["purchase_gap_std"])


def test_a_refund_is_no_occurrence_and_enters_sums() -> None:
    back = world(Event(CUTOFFS[0] - 1, value=5.0), Event(CUTOFFS[0], value=-2.0))
    by_feature = dict(zip(EVERY_FEATURE.names, values(back, GRID[:1])[0], strict=True))
    assert by_feature["purchase_count_ever"] == 1
    assert by_feature["purchase_refunds_ever"] == 1
    assert by_feature["purchase_value_sum_ever"] == 3
    assert by_feature["purchase_value_mean_ever"] == 5
    assert by_feature["purchase_recency"] > 0


def test_an_order_counts_once_with_what_is_known_of_it() -> None:
    day = CUTOFFS[1] - CUTOFFS[0]
    order = world(
        Event(CUTOFFS[0], value=5.0, order="A"),
        Event(CUTOFFS[0] + 1, value=3.0, order="A"),
        Event(CUTOFFS[0] + 2, value=-8.5, order="A"),
    )
    features = FeatureSet((Feature("count"), Feature("sum"), Feature("refunds"), Feature("recency")))
    computed = values(order, GRID[0] + np.array([0, 1, day]), features)
    assert computed[0].tolist() == [1, 5.0, 0, 0]
    assert computed[1, :3].tolist() == [1, 8.0, 0]
    assert computed[2, :3].tolist() == [0, -0.5, 1]


@pytest.mark.parametrize("customers", [0, 2])
def test_no_rows_give_an_empty_panel(customers: int) -> None:
    journeys = world(strangers=["anna", "bob"][:customers]).journeys()
    assert build(journeys, Rows.grid(customers, GRID[:0]), EVERY_FEATURE).values.shape == (0, len(EVERY_FEATURE))


def test_no_features_give_a_panel_without_columns() -> None:
    assert values(world(Event(CUTOFFS[0])), GRID, FeatureSet(())).shape == (3, 0)


def test_a_profile_without_columns_says_nothing() -> None:
    journeys = replace(world(Event(CUTOFFS[0])).journeys(), profile=Profile.empty(1))
    assert np.isnan(values(journeys)[:, EVERY_FEATURE.position["profile_age"]]).all()


def test_a_sum_of_any_floats_is_off_by_its_roundings_and_no_more() -> None:
    amounts = np.random.default_rng(7).lognormal(0, 20, 2000)
    many = world(*(Event(CUTOFFS[0] - n, value=float(amount)) for n, amount in enumerate(amounts)))
    computed = values(many, GRID[:1], FeatureSet((Feature("sum"), Feature("mean"))))[0]
    bound = len(amounts) * 2.0**-53 * amounts.sum()
    assert abs(computed[0] - amounts.sum()) <= 2 * bound  # NumPy's sum is off by its own roundings
    assert abs(computed[1] - amounts.mean()) <= 2 * bound / len(amounts)


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        (Feature("sum", column="weight"), "number"),
        (Feature("distinct", column="weight"), "category"),
        (Feature("count", Stream((), (("weight", "x"),))), "category"),
    ],
)
def test_a_column_that_is_not_in_the_store_is_told(feature: Feature, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"expected the {kind} column 'weight' in the store, found none; add it to"):
        values(world(Event(CUTOFFS[0])), GRID, FeatureSet((feature,)))


def test_columns_of_a_panel_have_names() -> None:
    journeys = world(Event(CUTOFFS[1])).journeys()
    panel = build(journeys, Rows.grid(1, GRID), EVERY_FEATURE)
    assert len(panel) == 3
    assert panel.column("purchase_count_ever").tolist() == [0, 1, 1]


def test_rows_may_be_any_view_of_any_integers() -> None:
    journeys = world(Event(CUTOFFS[1])).journeys()
    plain = build(journeys, Rows(np.zeros(3, np.int64), np.array(CUTOFFS[::-1])), EVERY_FEATURE)
    view = build(journeys, Rows(np.zeros(6, np.int32)[::2], GRID[::-1]), EVERY_FEATURE)  # type: ignore[arg-type]
    assert_same(plain.values, view.values)


def test_rows_can_look_from_later() -> None:
    rows = Rows.grid(2, GRID).shifted(5)
    assert rows.customer.tolist() == [0, 0, 0, 1, 1, 1]
    assert rows.cutoff.tolist() == [*(GRID + 5), *(GRID + 5)]
