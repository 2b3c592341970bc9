"""Journeys in memory: choosing customers and instants, and which rows are one occurrence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.journeys import NO_ORDER, Journeys, number_occurrences
from tests.support.strategies import CUTOFFS, Event, Fact, World, category, world, worlds


def rows_of(journeys: Journeys) -> list[tuple[object, ...]]:
    """Every row as plain values, customer by customer: what a reader sees, whatever the codes."""
    columns = [journeys.event, *journeys.categories.values()]
    texts = [[None if code < 0 else column.names[code] for code in column.codes] for column in columns]
    numbers = [journeys.value, *journeys.numbers.values()]
    plain = [journeys.customers[journeys.owner], journeys.time, journeys.known, *map(np.nan_to_num, numbers)]
    return list(zip(*(column.tolist() for column in plain), *texts, strict=True))


def facts_of(journeys: Journeys) -> list[tuple[object, ...]]:
    profile = journeys.profile
    owner = np.repeat(journeys.customers, np.diff(profile.starts))
    return list(zip(owner, profile.known.tolist(), np.nan_to_num(profile.numbers["age"]).tolist(), strict=True))


def seen(of: World) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    return rows_of(of.journeys()), facts_of(of.journeys())


@given(worlds(), st.sampled_from(CUTOFFS))
def test_as_of_an_instant_only_what_was_seen_is_there(of: World, instant: int) -> None:
    then = of.journeys().as_of(instant)
    assert (rows_of(then), facts_of(then)) == seen(of.seen(instant))
    assert then.customers.tolist() == of.customers


@given(worlds(), st.sampled_from(CUTOFFS))
def test_as_of_twice_is_as_of_the_earlier(of: World, instant: int) -> None:
    twice = of.journeys().as_of(CUTOFFS[1]).as_of(instant)
    assert rows_of(twice) == rows_of(of.journeys().as_of(min(instant, CUTOFFS[1])))


@given(worlds(), st.lists(st.integers(0, 3), max_size=4, unique=True))
def test_selected_customers_bring_their_rows(of: World, chosen: list[int]) -> None:
    some = of.journeys().select(np.array(chosen, np.int64))
    names = [of.customers[index] for index in chosen]
    assert some.customers.tolist() == names
    assert rows_of(some) == [row for name in names for row in rows_of(of.only(name).journeys())]
    assert facts_of(some) == [fact for name in names for fact in facts_of(of.only(name).journeys())]


@given(worlds())
def test_selecting_everybody_changes_nothing(of: World) -> None:
    journeys = of.journeys()
    again = journeys.select(np.arange(len(journeys)))
    assert (rows_of(again), facts_of(again)) == seen(of)
    assert again.starts.tolist() == journeys.starts.tolist()


@given(worlds())
def test_one_customer_is_a_selection_of_one(of: World) -> None:
    journeys = of.journeys()
    for index in range(len(journeys)):
        alone = journeys.customer_at(index)
        assert rows_of(alone) == rows_of(journeys.select(np.array([index])))
        assert np.shares_memory(alone.time, journeys.time) or not alone.rows


@given(worlds())
def test_in_hindsight_each_event_was_known_when_it_happened(of: World) -> None:
    prompt = replace(of, events=tuple(replace(row, known=None) for row in of.events))
    hindsight = of.journeys().hindsight()
    assert (hindsight.known == hindsight.time).all()
    assert sorted(rows_of(hindsight), key=repr) == sorted(rows_of(prompt.journeys()), key=repr)


def test_customers_are_found_by_name() -> None:
    journeys = world(strangers=["zoë", "anna", "🍵", "Ünal"]).journeys()
    assert [journeys.index_of(name) for name in journeys.customers] == [0, 1, 2, 3]
    assert journeys.index_of("bob") is journeys.index_of("") is journeys.index_of("\U0010ffff") is None


def test_names_have_codes_and_unknown_names_equal_no_row() -> None:
    column = category(["web", None, "shop", "web"])
    assert column.codes.tolist() == [1, -1, 0, 1]
    assert [column.code(name) for name in ("shop", "web", "app", "zoo", "")] == [0, 1, -2, -2, -2]
    assert column[np.array([1, 2])].codes.tolist() == [-1, 0]


def test_empty_journeys_stay_empty() -> None:
    nobody = World().journeys()
    assert len(nobody) == nobody.rows == len(nobody.as_of(0)) == len(nobody.select(np.array([], np.int64))) == 0


def test_a_profile_is_as_of_too() -> None:
    journeys = world(Fact(CUTOFFS[0]), Fact(CUTOFFS[0] + 1), Event(CUTOFFS[0])).journeys().as_of(CUTOFFS[0])
    assert journeys.profile.known.tolist() == [CUTOFFS[0]]
    assert journeys.profile.starts.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("owner", "event", "order", "numbers"),
    [
        ([], [], [], []),
        ([0, 0, 0], [0, 0, 0], [NO_ORDER] * 3, [0, 1, 2]),
        ([0, 0, 0], [0, 0, 0], [5, NO_ORDER, 5], [0, 1, 0]),
        ([0, 0, 0], [0, 1, 0], [5, 5, 5], [0, 1, 0]),
        ([0, 0, 1, 1], [0, 0, 0, 0], [5, 5, 5, 6], [0, 0, 0, 1]),
        ([2, 2, 7, 7], [1, 0, 1, 0], [9, 8, 9, 9], [0, 1, 0, 1]),
    ],
)
def test_rows_of_one_customer_event_and_order_are_one_occurrence(
    owner: list[int], event: list[int], order: list[int], numbers: list[int]
) -> None:
    occurrences = number_occurrences(np.array(owner, np.int64), np.array(event, np.int32), np.array(order, np.int64))
    assert occurrences.tolist() == numbers
    assert occurrences.dtype == np.int32


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.sampled_from((NO_ORDER, 1, 2))), max_size=30))
def test_occurrences_are_numbered_as_they_appear(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    columns = [
        np.array([row[place] for row in rows], kind) for place, kind in enumerate((np.int64, np.int32, np.int64))
    ]
    met: dict[int, list[object]] = {}
    expected = []
    for place, row in enumerate(rows):
        key = place if row[2] == NO_ORDER else row
        known = met.setdefault(row[0], [])
        known.extend([] if key in known else [key])
        expected.append(known.index(key))
    assert number_occurrences(*columns).tolist() == expected
