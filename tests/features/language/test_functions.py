"""Features of one's own: what their functions see, what must hold of them whatever the log, and what is refused."""

import hashlib
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.arrays import Floats
from features.errors import ConfigError, FeatureError
from features.journeys import Journeys
from features.language.feature import AnyFeature, Feature
from features.language.feature_set import FeatureSet
from features.language.functions import Compute, Function, UserModule, VisibleRows, feature
from features.panel.build import Rows, build
from features.timeline import DAY_US
from tests.support.strategies import CUTOFFS, NAN, TIMEZONE, Event, Fact, World, events, facts, same_bits, world, worlds

GRID = np.array(CUTOFFS, np.int64)


@feature(unit="days", text="longest silence between purchases")
def longest_silence(seen: VisibleRows) -> float:
    gaps = -np.diff(seen.days_ago[seen.event == "purchase"])
    return float(gaps.max()) if len(gaps) else NAN


@feature(unit="orders", text="number of orders on the web")
def web_orders(seen: VisibleRows) -> float:
    return len(set(seen.occurrence[seen.categories["channel"] == "web"].tolist()))


@feature(unit="of everything", text="a number that changes with any bit of what is seen")
def everything(seen: VisibleRows) -> float:
    texts = [seen.event, *(seen.categories[name] for name in sorted(seen.categories))]
    numbers = [seen.time, seen.value, seen.days_ago, seen.occurrence, *seen.numbers.values()]
    whole = [seen.cutoff, len(seen), *(column.tolist() for column in texts), *(column.tobytes() for column in numbers)]
    return int(hashlib.sha256(repr(whole).encode()).hexdigest()[:12], 16)


def of(*functions: Function, digest: str = "0" * 64) -> FeatureSet:
    """The functions among declared features, in a module of that digest."""
    computes = {function.custom.function: function.compute for function in functions}
    features: tuple[AnyFeature, ...] = (
        Feature("count"),
        *(function.custom for function in functions),
        Feature("recency"),
    )
    return FeatureSet(features, TIMEZONE, UserModule(digest, "my.py", b"", computes))


OWN = of(longest_silence, web_orders, everything)


def values(sample: World | Journeys, cutoffs: NDArray[np.int64] = GRID, features: FeatureSet = OWN) -> Floats:
    journeys = sample.journeys() if isinstance(sample, World) else sample
    return build(journeys, Rows.grid(len(journeys), cutoffs), features).values


def value(sample: World, compute: Compute, cutoff: int = CUTOFFS[0]) -> float:
    named = feature(unit="x", text="x")(compute)
    return float(values(sample, np.array([cutoff]), of(named))[0, 1])


@given(worlds(), st.lists(events() | facts(), max_size=6), st.sampled_from(CUTOFFS))
def test_the_future_changes_nothing(sample: World, more: list[Event | Fact], cutoff: int) -> None:
    cutoffs = np.array([cutoff])
    known = sample.seen(cutoff)
    unseen = [row for row in more if not World().adding(row).seen(cutoff).rows]
    assert same_bits(values(known.adding(*unseen), cutoffs), values(known, cutoffs))
    assert same_bits(values(sample, cutoffs), values(known, cutoffs))


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(sample: World, dice: random.Random) -> None:
    shuffled = World(tuple(dice.sample(sample.events, len(sample.events))), sample.facts, sample.strangers)
    assert same_bits(values(shuffled), values(sample))


@given(worlds())
def test_other_customers_change_nothing(sample: World) -> None:
    together = sample.journeys()
    every = values(together).reshape(len(together), len(CUTOFFS), -1)
    for index, customer in enumerate(sample.customers):
        for alone in (sample.only(customer), together.select(np.array([index])), together.customer_at(index)):
            assert same_bits(values(alone), every[index])


@given(worlds(), st.permutations(range(3 * len(CUTOFFS))))
def test_a_row_is_the_same_among_any_other_rows(sample: World, order: list[int]) -> None:
    journeys = sample.journeys()
    grid = Rows.grid(3, GRID)
    every = build(journeys, grid, OWN).values
    assert same_bits(build(journeys, grid[np.array(order)], OWN).values, every[order])


@given(worlds())
def test_a_feature_is_the_same_among_any_other_features(sample: World) -> None:
    alone = values(sample, features=of(web_orders))
    for name in alone_names():  # places differ
        assert same_bits(alone[:, of(web_orders).position[name]].copy(), values(sample)[:, OWN.position[name]].copy())


def alone_names() -> tuple[str, ...]:
    return ("event_count_ever", "custom_web_orders", "event_recency")


@given(worlds(), st.sampled_from(CUTOFFS))
def test_seen_as_of_an_instant_everything_up_to_it_is_as_it_was(sample: World, instant: int) -> None:
    until = np.array([cutoff for cutoff in CUTOFFS if cutoff <= instant])
    assert same_bits(values(sample.journeys().as_of(instant), until), values(sample, until))


@given(worlds())
def test_functions_see_what_the_world_shows(sample: World) -> None:
    computed = values(sample).reshape(len(sample.customers), len(CUTOFFS), -1)
    for index, customer in enumerate(sample.customers):
        for place, cutoff in enumerate(CUTOFFS):
            rows = sorted(sample.only(customer).seen(cutoff).events, key=lambda row: row.time)
            bought = [row.time for row in rows if row.event == "purchase"]
            gaps = [(later - earlier) / DAY_US for earlier, later in pairwise(bought)]
            orders = {(row.event, row.order) if row.order else n for n, row in enumerate(rows) if row.channel == "web"}
            assert computed[index, place, 1] == pytest.approx(max(gaps, default=NAN), nan_ok=True)
            assert computed[index, place, 2] == len(orders)


def test_an_event_on_the_cutoff_is_seen_and_one_after_it_is_not() -> None:
    assert [value(world(Event(CUTOFFS[0] + beside)), len) for beside in (-1, 0, 1)] == [1, 1, 0]
    assert [value(world(Event(CUTOFFS[0] - 9, known=CUTOFFS[0] + beside)), len) for beside in (0, 1)] == [1, 0]


def test_what_is_seen_of_a_row() -> None:
    seen_rows: list[VisibleRows] = []
    start = CUTOFFS[0] - 2 * DAY_US
    rows = (
        Event(start, "view"),
        Event(start + 1, value=2.5, channel="web", quantity=3.0, order="A"),
        Event(start + 2, value=-1.0, order="A"),
    )
    value(world(*rows), lambda_of(seen_rows))
    (seen,) = seen_rows
    assert (seen.cutoff, len(seen), seen.time.tolist()) == (CUTOFFS[0], 3, [row.time for row in rows])
    assert seen.event.tolist() == ["view", "purchase", "purchase"]
    assert seen.categories["channel"].tolist() == [None, "web", None]
    assert seen.categories["product"].tolist() == [None] * 3
    np.testing.assert_array_equal(seen.value, [NAN, 2.5, -1.0])
    np.testing.assert_array_equal(seen.numbers["quantity"], [NAN, 3.0, NAN])
    assert seen.days_ago[0] == 2
    assert seen.occurrence.tolist() == [0, 1, 1]


def test_nobody_has_rows_and_a_function_is_asked_all_the_same() -> None:
    assert value(world(strangers=["nobody"]), len) == 0


@pytest.mark.parametrize("late", [None, CUTOFFS[0]])  # a slice of the journey, and a copy
def test_what_is_seen_is_read_only(late: int | None) -> None:
    seen_rows: list[VisibleRows] = []
    first = Event(CUTOFFS[0] - 9, known=late, channel="web", order="A")
    value(world(first, Event(CUTOFFS[0] - 8, order="A")), lambda_of(seen_rows), CUTOFFS[0] - 1)
    (seen,) = seen_rows
    arrays = [seen.time, seen.event, seen.value, seen.days_ago, seen.occurrence, seen.numbers["quantity"]]
    for array in (*arrays, seen.categories["channel"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        seen.numbers["quantity"] = seen.value  # type: ignore[index]


def lambda_of(seen_rows: list[VisibleRows]) -> Compute:
    def remember(seen: VisibleRows) -> float:
        seen_rows.append(seen)
        return 1.0

    return remember


def test_a_whole_number_and_a_truth_are_numbers() -> None:
    sample = world(Event(CUTOFFS[0]))
    for returned, expected in ((3, 3.0), (True, 1.0), (np.bool_(False), 0.0), (np.float32(0.5), 0.5), (-0.0, 0.0)):
        assert same_bits(np.array(value(sample, constant(returned))), np.array(expected))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "expected a number, NaN for nothing, got None"),
        ("3", "expected a number, NaN for nothing, got '3'"),
        (np.zeros(2), r"expected a number, NaN for nothing, got array\(\[0\., 0\.\]\)"),
        (1j, "expected a number, NaN for nothing, got 1j"),
        (np.inf, "expected a finite number or NaN, got inf"),
        (-np.inf, "expected a finite number or NaN, got -inf"),
        (10**400, "OverflowError: int too large to convert to float"),
    ],
)
def test_what_is_no_number_is_told(returned: Any, message: str) -> None:
    of = r"custom_function of customer 'anna' at 2021-02-04T00:00:00Z: my\.py: "
    with pytest.raises(FeatureError, match=of + message):
        value(world(Event(CUTOFFS[0])), constant(returned))


def constant(returned: Any) -> Compute:
    def function(_: VisibleRows) -> Any:
        return returned

    return function


def test_a_function_that_raises_is_told() -> None:
    def misspelt(seen: VisibleRows) -> float:
        return len(seen.categories["chanel"])

    with pytest.raises(FeatureError, match=r"custom_misspelt of .*: KeyError: 'chanel'; mend the function") as failure:
        value(world(Event(CUTOFFS[0])), misspelt)
    assert (failure.value.exit_code, failure.value.http_status) == (1, 500)


def test_without_its_function_a_feature_is_refused() -> None:
    bare = FeatureSet.from_json(OWN.to_json())
    assert (bare, bare.fingerprint, hash(bare)) == (OWN, OWN.fingerprint, hash(OWN))
    with pytest.raises(ConfigError, match="expected the function of custom_longest_silence, found none: the"):
        values(world(Event(CUTOFFS[0])), features=bare)
    with pytest.raises(ConfigError, match="expected the module that custom_everything comes from, found none; name it"):
        FeatureSet((everything.custom,))


def test_the_digest_of_the_module_is_part_of_the_fingerprint() -> None:
    other = of(longest_silence, web_orders, everything, digest="1" + "0" * 63)
    assert other != OWN
    assert other.fingerprint != OWN.fingerprint
    with pytest.raises(ConfigError, match="expected features of one module, found 2; train all anew"):
        OWN.union(other)


def test_a_set_without_a_module_takes_that_of_the_other() -> None:
    plain = FeatureSet((Feature("tenure"), Feature("recency")), TIMEZONE)
    for both in (plain.union(OWN), OWN.union(plain)):
        assert both.module == OWN.module
        assert set(both.names) == {*plain.names, *OWN.names}


def test_a_decorated_function_is_still_a_function() -> None:
    seen = VisibleRows(CUTOFFS[0], GRID[:1], np.array(["purchase"], object), np.array([1.0]))
    assert np.isnan(longest_silence(seen))
    assert (longest_silence.custom.name, longest_silence.custom.unit) == ("custom_longest_silence", "days")


@pytest.mark.parametrize(
    ("unit", "text", "compute", "message"),
    [
        ("", "x", len, "@feature: expected `unit` in words, got ''"),
        ("x", None, len, "@feature: expected `text` in words, got None"),
        ("x", "x", lambda _: 1.0, "@feature: expected a function with a name, got <lambda>; write it with `def`"),
        ("x", "x", longest_silence, "@feature: expected a function with a name, got Function"),
        ("x", "x", lambda_of, None),
        ("x", "x", same_bits, r"expected a function of one value, `def same_bits\(seen\)`, got \(left: .*right: "),
        ("x", "x", alone_names, r"expected a function of one value, `def alone_names\(seen\)`, got \(\)"),
    ],
)
def test_what_cannot_be_a_feature_is_told(unit: Any, text: Any, compute: Any, message: str | None) -> None:
    if message is None:
        assert feature(unit=unit, text=text)(compute).custom.function == "lambda_of"
        return
    with pytest.raises(ConfigError, match=message):
        feature(unit=unit, text=text)(compute)
