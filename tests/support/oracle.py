"""Every feature kind in plain Python, from the definitions: slow, obvious, and sharing no code with the kernel.

Sums are exact (`math.fsum`); quotients are fractions that are rounded once.
"""

import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from features.language.feature import Feature, Stream
from features.timeline import DAY_US
from tests.support.strategies import NAN, TIMEZONE, Event, Fact, World, all_columns, newest_last

HALF_HOUR_US = 30 * 60 * 1_000_000
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NOON_OF_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Occurrence:
    """Rows of one event and order: their first time and summed value, NaN when no row has one."""

    time: int
    value: float
    event: str

    @property
    def refund(self) -> bool:
        return self.value < 0

    @property
    def local(self) -> datetime:
        return local(self.time)


@dataclass(frozen=True)
class Sight:
    """What a stream shows at a cutoff: occurrences, oldest first, of which `inside` are in the window."""

    cutoff: int
    feature: Feature
    every: list[Occurrence]

    def within(self, days: float) -> list[Occurrence]:
        """Those in the last so many days; 0 is ever."""
        return [occurrence for occurrence in self.every if not days or occurrence.time > self.cutoff - days * DAY_US]

    @property
    def inside(self) -> list[Occurrence]:
        return self.within(self.feature.window_days)

    @property
    def days(self) -> list[date]:
        """Local days with an occurrence, in order."""
        return sorted({occurrence.local.date() for occurrence in self.every})


def local(time: int) -> datetime:
    return (NOON_OF_1970 + timedelta(microseconds=time)).astimezone(ZoneInfo(TIMEZONE))


def oracle(world: World, customer: str, cutoff: int) -> Callable[[Feature], float]:
    """What every feature says of one customer at a cutoff."""
    own = world.only(customer)
    facts = sorted((fact for fact in own.facts if fact.known <= cutoff), key=newest_last)
    seen = [row for row in own.events if row.time <= cutoff and row.known_at <= cutoff]
    events = sorted(seen, key=lambda row: (row.time, all_columns(row)))
    rows_of = lru_cache(lambda stream: [row for row in events if belongs(row, stream)])
    net_of = lru_cache(lambda stream: net(rows_of(stream)))

    def expected(feature: Feature) -> float:
        if feature.kind in CALENDAR:
            return CALENDAR[feature.kind](local(cutoff))
        if feature.kind in ("attribute", "attribute_is"):
            return attribute(facts[-1], feature) if facts else NAN
        rows, occurrences = rows_of(feature.stream), net_of(feature.stream)
        if feature.kind in OF_OCCURRENCES:
            genuine = [occurrence for occurrence in occurrences if not occurrence.refund]
            return OF_OCCURRENCES[feature.kind](Sight(cutoff, feature, genuine))
        if feature.kind in OF_CATEGORIES:
            labelled = [(row.time, getattr(row, str(feature.column))) for row in rows]
            categories = [(time, value) for time, value in labelled if value is not None]
            inside = [place for place, (time, _) in enumerate(categories) if is_inside(time, cutoff, feature)]
            return OF_CATEGORIES[feature.kind]([value for _, value in categories], inside)
        if feature.column is None:
            return of_amounts(Sight(cutoff, feature, occurrences))
        numbers = [Occurrence(row.time, number_of(row, feature), row.event) for row in rows]
        present = [occurrence for occurrence in numbers if not math.isnan(occurrence.value)]
        return AMOUNTS[feature.kind](Sight(cutoff, feature, present), [])

    return expected


def is_inside(time: int, cutoff: int, feature: Feature) -> bool:
    return not feature.window_days or time > cutoff - feature.window_days * DAY_US


def number_of(row: Event, feature: Feature) -> float:
    return float(getattr(row, str(feature.column)))


KEPT = {">=": operator.ge, "<=": operator.le}


def belongs(row: Event, stream: Stream) -> bool:
    named = not stream.events or row.event in stream.events
    kept = all(KEPT[how](getattr(row, column or "value"), bound) for column, how, bound in stream.bounds)
    return named and kept and all(getattr(row, column) == level for column, level in stream.where)


def net(rows: Sequence[Event]) -> list[Occurrence]:
    orders: dict[tuple[str, object], list[Event]] = {}
    for number, row in enumerate(rows):
        orders.setdefault((row.event, row.order if row.order is not None else number), []).append(row)
    return [
        Occurrence(min(row.time for row in order_rows), total([row.value for row in order_rows]), event)
        for (event, _), order_rows in orders.items()
    ]


def total(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) if known else NAN


def of_amounts(sight: Sight) -> float:
    """A figure of the money of occurrences: refunds stand apart."""
    refunds = [occurrence.value for occurrence in sight.inside if occurrence.refund]
    if sight.feature.kind == "refunds":
        return len(refunds)
    genuine = [occurrence for occurrence in sight.every if not occurrence.refund]
    counted = sight.feature.kind in ("count", "count_ratio", "count_slope", "count_acceleration")
    valued = genuine if counted else [occurrence for occurrence in genuine if not math.isnan(occurrence.value)]
    return AMOUNTS[sight.feature.kind](Sight(sight.cutoff, sight.feature, valued), refunds)


def parts(sight: Sight, days: float, most: int, weigh: Callable[[Occurrence], float]) -> list[float]:
    """What fell into the last so many days, into as many before, and so on."""
    sums = [math.fsum(map(weigh, sight.within(days * part))) for part in range(1, most + 1)]
    return [sums[0], *(later - earlier for earlier, later in pairwise(sums))]


def ratio(sight: Sight, weigh: Callable[[Occurrence], float]) -> float:
    now, before = parts(sight, sight.feature.window_days, 2, weigh)
    return float(Fraction(now) / Fraction(now + before)) if now + before else NAN


def slope(sight: Sight, weigh: Callable[[Occurrence], float]) -> float:
    """Least squares: the covariance with the quarter's number over its variance."""
    newest_first = parts(sight, sight.feature.window_days / 4, 4, weigh)
    apart = [Fraction(number) - Fraction(3, 2) for number in (3, 2, 1, 0)]
    return float(sum(a * Fraction(y) for a, y in zip(apart, newest_first, strict=True)) / sum(a * a for a in apart))


def acceleration(sight: Sight, weigh: Callable[[Occurrence], float]) -> float:
    now, before, earlier = parts(sight, sight.feature.window_days, 3, weigh)
    return (now - before) - (before - earlier)


def one(_: Occurrence) -> float:
    return 1.0


def money(occurrence: Occurrence) -> float:
    return occurrence.value


def attribute(fact: Fact, feature: Feature) -> float:
    value = getattr(fact, str(feature.column), None)
    if value is None:
        return NAN
    return float(value == feature.level) if feature.kind == "attribute_is" else value


def gaps(sight: Sight) -> list[Fraction]:
    return [Fraction(later.time - earlier.time, DAY_US) for earlier, later in pairwise(sight.every)]


def since(sight: Sight, which: int) -> Fraction:
    return Fraction(sight.cutoff - sight.every[which].time, DAY_US)


def spread(numbers: Sequence[Fraction]) -> float:
    if len(numbers) < 2:
        return NAN
    mean = sum(numbers) / len(numbers)
    return math.sqrt(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


def average(numbers: Sequence[Fraction]) -> Fraction | float:
    return sum(numbers, Fraction()) / len(numbers) if numbers else NAN


def share(hits: Sequence[bool]) -> float:
    return float(Fraction(sum(hits), len(hits))) if hits else NAN


def over(numerator: float | Fraction, denominator: float | Fraction) -> float:
    return float(numerator / denominator) if denominator else NAN


def active_share(sight: Sight) -> float:
    if not sight.every:
        return NAN
    window = sight.feature.window_days
    first = sight.days[0]
    if window and sight.every[0].time <= sight.cutoff - window * DAY_US:
        first = max(first, local(sight.cutoff - window * DAY_US + 1).date())
    active = {occurrence.local.date() for occurrence in sight.inside}
    return float(Fraction(len(active), (local(sight.cutoff).date() - first).days + 1))


def streaks(sight: Sight) -> list[int]:
    numbered = [(day - timedelta(days=number), day) for number, day in enumerate(sight.days)]
    return [len(list(run)) for _, run in groupby(numbered, key=lambda pair: pair[0])]


def repeat_value(sight: Sight) -> float:
    later = [
        occurrence.value
        for occurrence in sight.every
        if occurrence.local.date() != sight.days[0] and not math.isnan(occurrence.value)
    ]
    return math.fsum(later) / (len(sight.days) - 1) if len(sight.days) > 1 else NAN


def last_is(place: int) -> Callable[[Sight], float]:
    def is_level(sight: Sight) -> float:
        return float(sight.every[-place].event == sight.feature.level) if len(sight.every) >= place else NAN

    return is_level


def transitions(sight: Sight) -> float:
    wanted = tuple(str(sight.feature.level).split(">"))
    inside = {id(occurrence) for occurrence in sight.inside}
    return sum((a.event, b.event) == wanted for a, b in pairwise(sight.every) if id(b) in inside)


def funnel(sight: Sight) -> float:
    stages = str(sight.feature.level).split(">")
    return max(
        (stages.index(occurrence.event) + 1 for occurrence in sight.inside if occurrence.event in stages), default=0
    )


def sessions(sight: Sight) -> list[list[Occurrence]]:
    groups: list[list[Occurrence]] = []
    for occurrence in sight.inside:
        if not groups or occurrence.time - groups[-1][-1].time > HALF_HOUR_US:
            groups.append([])
        groups[-1].append(occurrence)
    return groups


def minutes(session: Sequence[Occurrence]) -> Fraction:
    return Fraction(session[-1].time - session[0].time, 60_000_000)


def angle(day: datetime) -> float:
    """The phase of the mean Gregorian year since 1970 began, in local time."""
    elapsed = day.replace(tzinfo=UTC) - NOON_OF_1970
    year_us = Fraction("365.2425") * DAY_US
    return 2 * math.pi * float(Fraction(elapsed // timedelta(microseconds=1)) % year_us / year_us)


def counted(values: Sequence[str], inside: Sequence[int]) -> list[Fraction]:
    return [Fraction(count, len(inside)) for count in Counter(values[place] for place in inside).values()]


CALENDAR: Mapping[str, Callable[[datetime], float]] = {
    "season_sin": lambda now: math.sin(angle(now)),
    "season_cos": lambda now: math.cos(angle(now)),
    "weekday": lambda now: now.weekday(),
}
AMOUNTS: Mapping[str, Callable[[Sight, list[float]], float]] = {
    "count": lambda sight, _: len(sight.inside),
    "sum": lambda sight, refunds: math.fsum([*map(money, sight.inside), *refunds]),
    "gross": lambda sight, _: math.fsum(map(money, sight.inside)),
    "refunded": lambda _, refunds: -math.fsum(refunds) if refunds else 0.0,
    "mean": lambda sight, _: math.fsum(map(money, sight.inside)) / len(sight.inside) if sight.inside else NAN,
    "min": lambda sight, _: min(map(money, sight.inside), default=NAN),
    "max": lambda sight, _: max(map(money, sight.inside), default=NAN),
    "std": lambda sight, _: spread([Fraction(occurrence.value) for occurrence in sight.inside]),
    "last": lambda sight, _: sight.inside[-1].value if sight.inside else NAN,
    "first": lambda sight, _: sight.inside[0].value if sight.inside else NAN,
    "count_ratio": lambda sight, _: ratio(sight, one),
    "sum_ratio": lambda sight, _: ratio(sight, money),
    "count_slope": lambda sight, _: slope(sight, one),
    "sum_slope": lambda sight, _: slope(sight, money),
    "count_acceleration": lambda sight, _: acceleration(sight, one),
    "sum_acceleration": lambda sight, _: acceleration(sight, money),
}
OF_OCCURRENCES: Mapping[str, Callable[[Sight], float]] = {
    "recency": lambda sight: float(since(sight, -1)) if sight.every else NAN,
    "tenure": lambda sight: float(since(sight, 0)) if sight.every else NAN,
    "gap_mean": lambda sight: float(average(gaps(sight))),
    "gap_std": lambda sight: spread(gaps(sight)),
    "gap_max": lambda sight: float(max(gaps(sight), default=NAN)),
    "gap_cv": lambda sight: over(spread(gaps(sight)), average(gaps(sight))),
    "silence": lambda sight: over(since(sight, -1), average(gaps(sight))) if sight.every else NAN,
    "active_days": lambda sight: len({occurrence.local.date() for occurrence in sight.inside}),
    "active_share": active_share,
    "hour_share": lambda sight: share(
        [
            sight.feature.level == f"{6 * (occurrence.local.hour // 6)}-{6 * (occurrence.local.hour // 6) + 6}"
            for occurrence in sight.inside
        ]
    ),
    "weekday_share": lambda sight: share(
        [sight.feature.level == WEEKDAYS[occurrence.local.weekday()] for occurrence in sight.inside]
    ),
    "streak_longest": lambda sight: max(streaks(sight), default=0),
    "streak_last": lambda sight: streaks(sight)[-1] if sight.every else 0,
    "repeat_days": lambda sight: len(sight.days) - 1 if sight.every else NAN,
    "repeat_span": lambda sight: (sight.days[-1] - sight.days[0]).days if sight.every else NAN,
    "repeat_age": lambda sight: (local(sight.cutoff).date() - sight.days[0]).days if sight.every else NAN,
    "repeat_value": repeat_value,
    "last_1_is": last_is(1),
    "last_2_is": last_is(2),
    "last_3_is": last_is(3),
    "transitions": transitions,
    "funnel": funnel,
    "sessions": lambda sight: len(sessions(sight)),
    "session_length": lambda sight: float(average([minutes(session) for session in sessions(sight)])),
    "session_depth": lambda sight: float(average([Fraction(len(session)) for session in sessions(sight)])),
    "bounce_share": lambda sight: share([len(session) == 1 for session in sessions(sight)]),
}
OF_CATEGORIES: Mapping[str, Callable[[Sequence[str], Sequence[int]], float]] = {
    "distinct": lambda values, inside: len({values[place] for place in inside}),
    "top_share": lambda values, inside: float(max(counted(values, inside), default=NAN)),
    "entropy": lambda values, inside: (
        math.fsum(-part * math.log(part) for part in counted(values, inside)) if inside else NAN
    ),
    "repeat_share": lambda values, inside: share([values[place] in values[:place] for place in inside]),
}
