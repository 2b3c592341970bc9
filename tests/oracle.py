"""Every feature kind in plain Python, from the definitions: slow, obvious, and sharing no code with the kernel.

Sums are exact (`math.fsum`); quotients are fractions that are rounded once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from features.timeline import DAY_US
from features.windows import Feature, Stream
from tests.worlds import NAN, Event, Fact, World, newest_last


@dataclass(frozen=True)
class Occurrence:
    """Rows of one event and order: their first time and summed value, NaN when no row has one."""

    time: int
    value: float

    @property
    def refund(self) -> bool:
        return self.value < 0


def oracle(world: World, customer: str, cutoff: int) -> Callable[[Feature], float]:
    """What every feature says of one customer at a cutoff."""
    own = world.only(customer)
    facts = sorted((fact for fact in own.facts if fact.known <= cutoff), key=newest_last)
    events = [row for row in own.events if row.time <= cutoff and row.known_at <= cutoff]
    rows_of = lru_cache(lambda stream: [row for row in events if belongs(row, stream)])
    net_of = lru_cache(lambda stream: net(rows_of(stream)))

    def inside(feature: Feature) -> Callable[[Event | Occurrence], bool]:
        return lambda each: not feature.window_days or each.time > cutoff - feature.window_days * DAY_US

    def expected(feature: Feature) -> float:
        if feature.what in ("attribute", "attribute_is"):
            return attribute(facts[-1], feature) if facts else NAN
        if feature.what in WHOLE:
            return WHOLE[feature.what](sorted(each.time for each in net_of(feature.stream) if not each.refund), cutoff)
        if feature.column is None:
            return money(list(filter(inside(feature), net_of(feature.stream))), feature.what)
        held = [getattr(row, feature.column) for row in filter(inside(feature), rows_of(feature.stream))]
        if feature.what == "distinct":
            return len(set(held) - {None})
        return AMOUNTS[feature.what]([number for number in held if not math.isnan(number)], [])

    return expected


def belongs(row: Event, stream: Stream) -> bool:
    named = not stream.events or row.event in stream.events
    return named and all(getattr(row, column) == level for column, level in stream.where)


def net(rows: Sequence[Event]) -> list[Occurrence]:
    orders: dict[tuple[str, object], list[Event]] = {}
    for number, row in enumerate(rows):
        orders.setdefault((row.event, row.order if row.order is not None else number), []).append(row)
    return [Occurrence(min(row.time for row in each), total([row.value for row in each])) for each in orders.values()]


def total(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) if known else NAN


def money(occurrences: Sequence[Occurrence], what: str) -> float:
    refunds = [each.value for each in occurrences if each.refund]
    genuine = [each.value for each in occurrences if not each.refund]
    if what in ("count", "refunds"):
        return len(genuine if what == "count" else refunds)
    return AMOUNTS[what]([value for value in genuine if not math.isnan(value)], refunds)


def attribute(fact: Fact, feature: Feature) -> float:
    value = getattr(fact, str(feature.column), None)
    if value is None:
        return NAN
    return float(value == feature.level) if feature.what == "attribute_is" else value


def gaps(times: Sequence[int]) -> list[Fraction]:
    return [Fraction(later - earlier, DAY_US) for earlier, later in pairwise(times)]


def spread(numbers: Sequence[Fraction]) -> float:
    if len(numbers) < 2:
        return NAN
    mean = sum(numbers) / len(numbers)
    return math.sqrt(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


def average(numbers: Sequence[Fraction]) -> float:
    return float(sum(numbers) / len(numbers)) if numbers else NAN


AMOUNTS: Mapping[str, Callable[[list[float], list[float]], float]] = {
    "sum": lambda values, refunds: math.fsum([*values, *refunds]),
    "mean": lambda values, _: math.fsum(values) / len(values) if values else NAN,
    "max": lambda values, _: max(values, default=NAN),
}
WHOLE: Mapping[str, Callable[[list[int], int], float]] = {
    "recency": lambda times, cutoff: (cutoff - times[-1]) / DAY_US if times else NAN,
    "tenure": lambda times, cutoff: (cutoff - times[0]) / DAY_US if times else NAN,
    "gap_mean": lambda times, _: average(gaps(times)),
    "gap_std": lambda times, _: spread(gaps(times)),
}
