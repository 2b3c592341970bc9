"""Comparisons with everybody: what they say, and that only days which were over at the cutoff are told."""

import random
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features import global_counts as crowds
from features.arrays import Floats
from features.errors import ConfigError, StoreError
from features.global_counts import GROUPS, GlobalCounts, GroupCounts, summed, together
from features.journeys import Journeys
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.log.schema import HASHES, hash_of
from features.panel.build import Rows, build
from features.panel.comparisons import count_keys
from features.store.global_counts import FOLDER, counted
from features.store.reader import Store
from features.timeline import DAY_US
from tests.support.comparison_oracle import comparison
from tests.support.log_files import run
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import COMPARISONS, CUTOFFS, Event, World, events, same_bits, world, worlds

GRID = np.array([*CUTOFFS, CUTOFFS[1] + DAY_US // 2])
COUNT_KEYS = count_keys(COMPARISONS)
FEW = FeatureSet(
    (
        Feature("popularity", Stream(), "product"),
        Feature("event_share", Stream(), "product", 0, "purchase"),
        Feature("cohort_count"),
    )
)


def attended(of: World) -> Journeys:
    """The journeys of a world, which know what everybody did."""
    journeys = of.journeys()
    return replace(journeys, global_counts=together([counted(journeys, COUNT_KEYS)], COUNT_KEYS))


def values(of: World | Journeys, cutoffs: NDArray[np.int64] = GRID, features: FeatureSet = COMPARISONS) -> Floats:
    journeys = attended(of) if isinstance(of, World) else of
    return build(journeys, Rows.grid(len(journeys), cutoffs), features).values


@given(worlds())
def test_every_comparison_says_what_its_definition_says(of: World) -> None:
    computed = values(of).reshape(len(of.customers), len(GRID), -1)
    for index, customer in enumerate(of.customers):
        for place, cutoff in enumerate(GRID.tolist()):
            expected = comparison(of, customer, cutoff)
            wanted = np.array([expected(feature) for feature in COMPARISONS.declared])
            wrong = ~((computed[index, place] == wanted) | (np.isnan(computed[index, place]) & np.isnan(wanted)))
            assert [COMPARISONS.names[column] for column in np.flatnonzero(wrong)] == []


@given(worlds(), st.lists(events(("anna", "bob", "new", "zoë")), max_size=6), st.sampled_from(GRID.tolist()))
def test_the_future_of_everybody_changes_nothing(of: World, more: list[Event], cutoff: int) -> None:
    now = np.array([cutoff])
    known = replace(of.seen(cutoff), strangers=("anna", "bob", "new", "nobody", "zoë"))
    unseen = [row for row in more if not World().adding(row).seen(cutoff).rows]
    assert same_bits(values(known.adding(*unseen), now), values(known, now))
    assert same_bits(values(replace(of, strangers=known.strangers), now), values(known, now))


@given(worlds(), st.lists(events(("bob", "new")), max_size=6))
def test_what_others_did_on_a_day_that_is_not_over_changes_nothing(of: World, more: list[Event]) -> None:
    noon = CUTOFFS[0] + DAY_US // 2
    today = [row for row in more if not World().adding(row).seen(CUTOFFS[0]).rows]
    before, after = (attended(now).customer_at(now.customers.index("anna")) for now in (of, of.adding(*today)))
    assert same_bits(values(before, np.array([noon])), values(after, np.array([noon])))


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(of: World, dice: random.Random) -> None:
    shuffled = replace(of, events=tuple(dice.sample(of.events, len(of.events))))
    assert same_bits(values(shuffled), values(of))


@given(worlds())
def test_a_customer_alone_is_compared_with_the_same_crowd(of: World) -> None:
    journeys = attended(of)
    every = values(journeys).reshape(len(journeys), len(GRID), -1)
    for index in range(len(journeys)):
        for alone in (journeys.customer_at(index), journeys.select(np.array([index]))):
            assert same_bits(values(alone), every[index])


@given(worlds(), st.permutations(range(4 * len(GRID))), st.sets(st.integers(0, len(COMPARISONS) - 1), min_size=1))
def test_a_number_is_the_same_among_any_others(of: World, order: list[int], chosen: set[int]) -> None:
    journeys = attended(of)
    columns = sorted(chosen, reverse=True)
    some = FeatureSet(tuple(COMPARISONS.features[column] for column in columns), COMPARISONS.timezone)
    rows = Rows.grid(4, GRID)[np.array(order[: len(order) // 2])]
    computed = build(journeys, rows, some).values
    assert same_bits(computed, np.ascontiguousarray(values(journeys)[order[: len(order) // 2]][:, columns]))


@given(worlds(), st.sampled_from(CUTOFFS))
def test_as_of_an_instant_everything_is_as_it_was_then_and_nothing_later_is_told(of: World, instant: int) -> None:
    then = attended(of).as_of(instant)
    assert same_bits(values(then), values(attended(of.seen(instant)).as_of(instant)))
    until = GRID[instant >= GRID]
    assert same_bits(values(then, until), values(of, until))


@given(worlds(), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_a_crowd_is_the_sum_of_its_parts(of: World, part_of: list[int]) -> None:
    journeys = of.journeys()
    chosen = [np.flatnonzero(np.array(part_of) == part) for part in range(3)]
    parts = [counted(journeys.select(some), COUNT_KEYS) for some in chosen]
    whole = together([counted(journeys, COUNT_KEYS)], COUNT_KEYS)
    assert_same(together(parts, COUNT_KEYS), whole)


def assert_same(actual: GlobalCounts, expected: GlobalCounts) -> None:
    assert actual.count_keys == expected.count_keys
    for name in ("starts", "days", "totals"):
        assert np.array_equal(getattr(actual, name), getattr(expected, name))


def test_values_that_share_a_hash_are_counted_together() -> None:
    seen: dict[int, str] = {}
    for number in count():
        name = f"product {number}"
        other = seen.setdefault(hash_of(name), name)
        if other != name:
            break
    day = CUTOFFS[0] - DAY_US
    both = world(Event(day, product=name), Event(day, product=other, customer="bob"), Event(day, product="tea"))
    computed = values(both, GRID[:1], FeatureSet((Feature("popularity", Stream(), "product"),)))
    assert computed[1, 0] == 2 / 3


def test_a_customer_who_came_earlier_than_was_thought_changes_cohorts_with_all_they_did() -> None:
    day, month = CUTOFFS[0] - 100 * DAY_US, 30 * DAY_US
    early = (Event(day, customer="early"), Event(day + month, customer="late"))
    learnt = Event(day - month, customer="early", known=CUTOFFS[0] + 1)
    of = world(*early, Event(day, customer="mate"), learnt, Event(day - month, customer="old"))
    names, counts = of.customers, FeatureSet((Feature("cohort_count"),))
    before, after = values(of, np.array(CUTOFFS[:2]), counts).reshape(4, 2).T
    assert dict(zip(names, before.tolist(), strict=True)) == {"early": 1, "late": 1, "mate": 1, "old": 1}
    assert dict(zip(names, after.tolist(), strict=True)) == {"early": 1.5, "late": 1, "mate": 1, "old": 1.5}


def test_more_of_one_value_than_can_be_counted_is_refused() -> None:
    many = GroupCounts(np.array([0, 1]), np.array([crowds.MOST_COUNTED, 1]))
    with pytest.raises(StoreError, match=r"expected at most 2,147,483,647 of one value, found 2,147,483,648; compare"):
        together([many], COUNT_KEYS[:1])


def test_there_are_as_many_groups_as_hashes() -> None:
    assert GROUPS == HASHES


def test_what_cancels_out_is_gone() -> None:
    left = summed(np.array([3, 1, 3, 2]), np.array([1, 5, -1, 2]))
    assert (left.keys.tolist(), left.counts.tolist()) == ([1, 2], [5, 2])


def test_journeys_that_do_not_know_everybody_are_told() -> None:
    journeys = world(Event(CUTOFFS[0], product="tea")).journeys()
    other = replace(journeys, global_counts=together([counted(journeys, COUNT_KEYS[:1])], COUNT_KEYS[:1]))
    for incomplete in (journeys, other, attended(world(Event(CUTOFFS[0]))).hindsight()):
        with pytest.raises(
            StoreError, match=r"with global counts, which the feature 'event_product_popularity_ever' reads"
        ):
            values(incomplete, features=FEW)


def test_a_column_that_is_not_in_the_store_is_told() -> None:
    with pytest.raises(ConfigError, match="expected the category column 'weight' in the store, found none; add it to"):
        counted(world().journeys(), count_keys(FeatureSet((Feature("popularity", Stream(), "weight"),))))


def test_a_cohort_takes_no_filter() -> None:
    with pytest.raises(ConfigError, match=r"'cohort_count' takes events and no filter, got event\[channel=web\]"):
        FeatureSet((Feature("cohort_count", Stream((), (("channel", "web"),))),))


def test_features_that_compare_nothing_need_no_crowd(tmp_path: Path) -> None:
    store = shop_of(tmp_path, 3)
    assert count_keys(FeatureSet((Feature("count"),))) == ()
    assert store.with_global_counts(()) is store
    assert not (tmp_path / "workspace" / FOLDER).exists()


def shop_of(folder: Path, customers: int) -> Store:
    shop = crowd(folder, customers)
    run(shop, now=NOW)
    return Store.open(shop.workspace_path, shop)
