"""Small worlds for all tests: a log written as plain events, the `Journeys` made of it, and Hypothesis strategies.

Times stand on cutoffs and window edges and one µs beside them, because with random times an off-by-one survives.
Money and quantities are quarters, so that every sum is exact and the order of adding changes no bit.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from features.arrays import Floats, Ints
from features.journeys import NO_ORDER, Category, Journeys, Profile, number_occurrences
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.language.kinds import CALENDAR, COMPARED, KINDS, PROFILE
from features.timeline import DAY_US, instant

NAN = math.nan
START = instant("2020-01-01")
CUTOFFS = tuple(START + day * DAY_US for day in (400, 401, 430))
WINDOWS = (1, 30, 365, 0)
EVENTS = ("cancel", "purchase", "view")
CHANNELS = ("shop", "web", "µ-app")
PRODUCTS = ("apple", "bread", "coffee", "🍵")
PLANS = ("free", "paid")


@dataclass(frozen=True)
class Event:
    """One row of a log; times in µs, `known` defaults to `time`."""

    time: int
    event: str = "purchase"
    value: float = NAN
    customer: str = "anna"
    known: int | None = None
    order: str | None = None
    channel: str | None = None
    product: str | None = None
    quantity: float = NAN

    @property
    def known_at(self) -> int:
        return self.time if self.known is None else self.known


@dataclass(frozen=True)
class Fact:
    """One row of a profile, which holds from `known` on."""

    known: int
    plan: str | None = None
    age: float = NAN
    customer: str = "anna"


@dataclass(frozen=True)
class World:
    """A log, a profile, and customers of whom nothing more is known."""

    events: tuple[Event, ...] = ()
    facts: tuple[Fact, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def customers(self) -> list[str]:
        names = {*self.strangers, *(row.customer for row in self.rows)}
        return sorted(names, key=str.encode)

    def only(self, customer: str) -> "World":
        return World(
            tuple(row for row in self.events if row.customer == customer),
            tuple(row for row in self.facts if row.customer == customer),
            (customer,),
        )

    @property
    def rows(self) -> tuple[Event | Fact, ...]:
        return (*self.events, *self.facts)

    def seen(self, cutoff: int) -> "World":
        """Only what had happened and was known."""
        return replace(
            self,
            events=tuple(row for row in self.events if max(row.time, row.known_at) <= cutoff),
            facts=tuple(row for row in self.facts if row.known <= cutoff),
        )

    def adding(self, *rows: Event | Fact) -> "World":
        events = tuple(row for row in rows if isinstance(row, Event))
        facts = tuple(row for row in rows if isinstance(row, Fact))
        return replace(self, events=self.events + events, facts=self.facts + facts)

    def journeys(self) -> Journeys:
        """What the store would give back: customers in UTF-8 order, rows by time and then by all columns."""
        customers = self.customers
        index = {customer: position for position, customer in enumerate(customers)}
        rows = sorted(self.events, key=lambda row: (index[row.customer], row.time, all_columns(row)))
        owner = np.array([index[row.customer] for row in rows], np.int64)
        event = category([row.event for row in rows])
        order = order_keys(rows)
        return Journeys(
            customers=np.array(customers, object),
            starts=np.searchsorted(owner, np.arange(len(customers) + 1)).astype(np.int64),
            time=np.array([row.time for row in rows], np.int64),
            known=np.array([row.known_at for row in rows], np.int64),
            event=event,
            value=np.array([row.value for row in rows], np.float64),
            occurrence=None if order is None else number_occurrences(owner, event.codes, order),
            order=order,
            arrival=np.zeros(len(rows), np.int32),
            categories={
                "channel": category([row.channel for row in rows]),
                "product": category([row.product for row in rows]),
            },
            numbers={"quantity": np.array([row.quantity for row in rows], np.float64)},
            profile=_profile(self.facts, customers),
        )


def world(*rows: Event | Fact, strangers: Sequence[str] = ()) -> World:
    return World(strangers=tuple(strangers)).adding(*rows)


def category(values: Sequence[str | None]) -> Category:
    names = sorted({value for value in values if value is not None}, key=str.encode)
    codes = [-1 if value is None else names.index(value) for value in values]
    return Category(np.array(codes, np.int32), np.array(names, object))


def order_keys(rows: Sequence[Event]) -> Ints | None:
    """A number for each order, `NO_ORDER` where there is none; None when no row has one, as in a log without orders."""
    names = sorted({row.order for row in rows if row.order is not None})
    keys = [NO_ORDER if row.order is None else names.index(row.order) for row in rows]
    return np.array(keys, np.int64) if names else None


def _profile(facts: Sequence[Fact], customers: Sequence[str]) -> Profile:
    rows = sorted(facts, key=lambda row: (row.customer.encode(), newest_last(row)))
    owner = np.array([customers.index(row.customer) for row in rows], np.int64)
    return Profile(
        starts=np.searchsorted(owner, np.arange(len(customers) + 1)).astype(np.int64),
        known=np.array([row.known for row in rows], np.int64),
        categories={"plan": category([row.plan for row in rows])},
        numbers={"age": np.array([row.age for row in rows], np.float64)},
    )


def newest_last(fact: Fact) -> tuple[Any, ...]:
    """How the rows of one profile are ordered: by `known`, then by all columns, nothing before something."""
    return fact.known, fact.plan or "", -math.inf if math.isnan(fact.age) else fact.age


def all_columns(row: Event) -> tuple[Any, ...]:
    texts = [row.event, row.order or "", row.channel or "", row.product or ""]
    numbers = [-math.inf if math.isnan(number) else number for number in (row.value, row.quantity)]
    return (*texts, *numbers, row.known_at)


TIMEZONE = "America/New_York"  # clocks go forward and back between START and the last cutoff

# Every kind of feature over every window, plain and filtered.
PURCHASES, EVERYTHING = Stream(("purchase",)), Stream()
SOME = (EVERYTHING, PURCHASES, Stream(("cancel", "view")), Stream(("never_seen",)))
STREAMS = (
    *SOME,
    Stream(("purchase",), (("channel", "web"),)),
    Stream((), (("channel", "shop"), ("product", "coffee"))),
    Stream((), (("channel", "never_seen"),)),
    Stream(("purchase",), (("channel", "web"),), ((None, ">=", 2.0), ("quantity", "<=", 0.25))),
)
LEVELS = {
    "hour_share": ("0-6", "18-24"),
    "weekday_share": ("monday", "sunday"),
    "last_1_is": ("purchase", "never_seen"),
    "last_2_is": ("view",),
    "last_3_is": ("view",),
    "transitions": ("view>purchase", "purchase>purchase", "view>never_seen"),
    "funnel": ("view>purchase", "cancel>never_seen>view>purchase"),
}
COLUMNS: Mapping[str, tuple[str | None, ...]] = {
    "amount": (None, "quantity"),
    "category": ("channel", "product"),
    "attribute": ("age", "not_in_the_profile"),
    "none": (None,),
}
SPANS = {"none": (0,), "any": WINDOWS, "days": (1, 30, 365)}


def every_kind() -> Iterator[Feature]:
    for what, meaning in KINDS.items():
        levels = LEVELS.get(what, (None,))
        if what in COMPARED:
            continue  # of these `COMPARISONS` are
        if what in CALENDAR:
            yield Feature(what)
        elif what == "attribute_is":
            yield from (Feature(what, column="plan", level=level) for level in (*PLANS, "never_seen"))
            yield Feature(what, column="not_in_the_profile", level="x")
        else:
            streams = (Stream(),) if what in PROFILE else STREAMS if what in BASIC else SOME
            every = product(streams, COLUMNS[meaning.column], SPANS[meaning.window], levels)
            yield from (Feature(what, stream, column, span, level) for stream, column, span, level in every)


BASIC = ("count", "refunds", "sum", "mean", "max", "distinct", "recency", "tenure", "gap_mean", "gap_std")
EVERY_FEATURE = FeatureSet(tuple(every_kind()), TIMEZONE)


def every_comparison() -> Iterator[Feature]:
    """Every kind that reads what everybody did."""
    every = product(STREAMS, COLUMNS["category"], WINDOWS)
    for stream, column, span in every:
        yield Feature("popularity", stream, column, span)
        yield from (Feature("event_share", stream, column, span, event) for event in ("purchase", "never_seen"))
    yield from (Feature("cohort_count", stream) for stream in SOME)


COMPARISONS = FeatureSet(tuple(every_comparison()), TIMEZONE)


def same_bits(left: Floats, right: Floats) -> bool:
    """Equal to the bit, NaN and the sign of zero included."""
    return left.shape == right.shape and left.tobytes() == right.tobytes()


MOMENTS = (
    *(
        cutoff - part * window * DAY_US
        for cutoff in CUTOFFS
        for window in WINDOWS
        for part in (1, 2, 3, 0.25, 0.5, 0.75)
    ),
    *(cutoff - minutes * 60_000_000 for cutoff in CUTOFFS for minutes in (30, 60)),  # sessions
    *(instant(day, TIMEZONE) for day in ("2020-03-08", "2020-03-09", "2020-11-01", "2020-11-02", "2021-02-03")),
)
EDGES = sorted({int(moment) + beside for moment in MOMENTS for beside in (-1, 0, 1)})
times = st.one_of(st.sampled_from(EDGES), st.integers(START, CUTOFFS[-1] + 10 * DAY_US))
quarters = st.integers(-40, 40).map(lambda number: number / 4)
maybe_quarters = st.one_of(st.just(NAN), quarters)


@st.composite
def events(draw: st.DrawFn, customers: Sequence[str] = ("anna", "bob", "zoë")) -> Event:
    """One event; of a quarter of them we learnt at another time than they happened, mostly later."""
    time = draw(times)
    late = draw(st.sampled_from((False, False, False, True)))
    return Event(
        time=time,
        event=draw(st.sampled_from(EVENTS)),
        value=draw(maybe_quarters),
        customer=draw(st.sampled_from(customers)),
        known=draw(times) if late else None,
        order=draw(st.sampled_from((None, None, "A", "B", "C"))),
        channel=draw(st.sampled_from((None, *CHANNELS))),
        product=draw(st.sampled_from((None, *PRODUCTS))),
        quantity=draw(maybe_quarters),
    )


@st.composite
def facts(draw: st.DrawFn, customers: Sequence[str] = ("anna", "bob", "zoë")) -> Fact:
    return Fact(
        known=draw(times),
        plan=draw(st.sampled_from((None, *PLANS))),
        age=draw(maybe_quarters),
        customer=draw(st.sampled_from(customers)),
    )


@st.composite
def worlds(draw: st.DrawFn, most: int = 25) -> World:
    """A log of up to `most` events of three customers, of whom some may have none; every third log has no orders."""
    rows = draw(st.lists(events(), max_size=most))
    if draw(st.integers(0, 2)) == 0:
        rows = [replace(row, order=None) for row in rows]
    known = draw(st.lists(facts(), max_size=4))
    return World(tuple(rows), tuple(known), ("anna", "bob", "nobody", "zoë"))
