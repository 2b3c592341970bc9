"""Families of features that a log may offer: what a stream, a category, a number or the calendar gives.

Every function yields the features of one family; which families enter the default set is `features.sets.defaults`'
choice.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product

from features.language.feature import Feature, Stream
from features.language.kinds import CALENDAR, HOURS, STEP, WEEKDAYS
from features.sets.survey import LogSummary
from features.timeline import EVER_DAYS

Windows = tuple[int, ...]  # in days, ascending; 0 is ever
LEVELS = 5  # of a category, the commonest first
PROFILE_LEVELS = 12
STEPS = 4  # events whose transitions count


def counts(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """How many, and how long ago."""
    yield from (Feature("count", stream, None, window) for window in windows)
    yield from (Feature(kind, stream) for kind in ("recency", "tenure", "gap_mean", "gap_std"))
    if any(survey.refunds.get(event) for event in _events(stream, survey)):
        yield from (Feature("refunds", stream, None, window) for window in windows)


def money(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """How much money."""
    if _has_money(stream, survey):
        yield from (Feature(kind, stream, None, window) for window in windows for kind in ("sum", "mean", "max"))


def amounts(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """The shape of amounts: smallest, spread, first and last."""
    if _has_money(stream, survey):
        yield from (Feature(kind, stream, None, window) for window in windows for kind in ("min", "std"))
        yield from (Feature(kind, stream) for kind in ("last", "first", "gross"))


def repeats(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """The statistics that buy-till-you-die models read."""
    yield from (Feature(kind, stream) for kind in ("repeat_days", "repeat_span", "repeat_age"))
    if _has_money(stream, survey):
        yield Feature("repeat_value", stream)


def regularity(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """Whether the present silence is unusual."""
    yield from (Feature(kind, stream) for kind in ("silence", "gap_cv", "gap_max"))


def days(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """On how many days, and how many of them in a row."""
    yield from (Feature(kind, stream, None, window) for window in windows for kind in ("active_days", "active_share"))
    yield from (Feature(kind, stream) for kind in ("streak_longest", "streak_last"))


def hours(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """At which hours and on which weekdays."""
    yield from (Feature("hour_share", stream, None, EVER_DAYS, level) for level in HOURS)
    yield from (Feature("weekday_share", stream, None, EVER_DAYS, level) for level in WEEKDAYS)


def changes(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """Whether it grows or fades."""
    spans = [window for window in windows if window]
    kinds = ["count_ratio", "count_slope", "count_acceleration"]
    kinds += ["sum_ratio", "sum_slope"] if _has_money(stream, survey) else []
    yield from (Feature(kind, stream, None, span) for span in spans for kind in kinds)


def sessions(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """Visits: how many, how long, how deep."""
    kinds = ("sessions", "session_length", "session_depth", "bounce_share")
    yield from (Feature(kind, stream, None, window) for window in windows for kind in kinds)


def order(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """What came last, and what after what."""
    events = [event for event in commonest(survey.events, STEPS) if not stream.events or event in stream.events]
    if len(events) > 1:
        yield from (Feature(kind, stream, level=event) for kind in ("last_1_is", "last_2_is") for event in events)
        pairs = [STEP.join(pair) for pair in product(events, events) if not any(STEP in event for event in pair)]
        yield from (Feature("transitions", stream, None, window, pair) for window in windows[-2:] for pair in pairs)


def cohorts(stream: Stream, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """What those who came in the same week have done."""
    if not stream.is_narrowed:
        yield Feature("cohort_count", stream)


def distinct(column: str, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """How many different values."""
    yield from (Feature("distinct", Stream(), column, window) for window in windows)


def levels(column: str, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """How many rows of each of the commonest values."""
    for level in commonest(survey.categories[column], LEVELS):
        yield from (Feature("count", Stream((), ((column, level),)), None, window) for window in windows)


def variety(column: str, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """How evenly spread the values are, and how many come again."""
    kinds = ("top_share", "entropy", "repeat_share")
    yield from (Feature(kind, Stream(), column, window) for window in windows for kind in kinds)


def popularity(column: str, survey: LogSummary, windows: Windows) -> Iterator[Feature]:
    """How common with everybody what was touched is, and what became of it there."""
    spans = windows[-2:]
    yield from (Feature("popularity", Stream(), column, window) for window in spans)
    for event in commonest(survey.events, STEPS) if len(survey.events) > 1 else ():
        yield from (Feature("event_share", Stream(), column, window, event) for window in spans)


def numbers(column: str, survey: LogSummary, windows: Windows) -> Iterator[Feature]:  # noqa: ARG001
    """How much of a number."""
    yield from (Feature(kind, Stream(), column, window) for kind in ("sum", "mean", "max") for window in windows)


def season() -> Iterator[Feature]:
    """When the cutoff is."""
    yield from (Feature(kind) for kind in CALENDAR)


def profile(survey: LogSummary) -> Iterator[Feature]:
    """Attributes of the customer."""
    yield from (Feature("attribute", column=name) for name, count in sorted(survey.profile_numbers.items()) if count)
    for name, rows_of in sorted(survey.profile_categories.items()):
        yield from (Feature("attribute_is", column=name, level=level) for level in commonest(rows_of, PROFILE_LEVELS))


OfStream = Callable[[Stream, LogSummary, Windows], Iterator[Feature]]
OfColumn = Callable[[str, LogSummary, Windows], Iterator[Feature]]
OF_STREAM: Mapping[str, OfStream] = {
    "counts": counts,
    "money": money,
    "repeats": repeats,
    "regularity": regularity,
    "changes": changes,
    "days": days,
    "amounts": amounts,
    "order": order,
    "sessions": sessions,
    "hours": hours,
    "cohorts": cohorts,
}
OF_CATEGORY: Mapping[str, OfColumn] = {
    "distinct": distinct,
    "levels": levels,
    "variety": variety,
    "popularity": popularity,
}
OF_NUMBER: Mapping[str, OfColumn] = {"numbers": numbers}
FAMILIES = (*OF_STREAM, *OF_CATEGORY, *OF_NUMBER, "season", "profile")


def commonest(counts_by_name: Mapping[str, int], most: int) -> list[str]:
    """The commonest names, ties in alphabetical order, so that the order of files and customers changes nothing."""
    return sorted(counts_by_name, key=lambda name: (-counts_by_name[name], name))[:most]


def _events(stream: Stream, survey: LogSummary) -> tuple[str, ...]:
    return stream.events or tuple(survey.events)


def _has_money(stream: Stream, survey: LogSummary) -> bool:
    return any(survey.valued.get(event) for event in _events(stream, survey))
