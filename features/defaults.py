"""The default feature set, derived from what a log holds and from the questions asked of it, with no hand work."""

from collections.abc import Iterable, Iterator
from itertools import islice

from features.config import Config, TaskConfig
from features.survey import Survey
from features.timeline import EVER_DAYS
from features.windows import Feature, FeatureSet, Stream

EVENT_TYPES = 12  # streams of single events, the commonest first
LEVELS = 5  # streams of single category values, the commonest first
PROFILE_LEVELS = 12
AMOUNTS: tuple[str, ...] = ("sum", "mean", "max")
WHOLE: tuple[str, ...] = ("recency", "tenure", "gap_mean", "gap_std")


def derive(survey: Survey, config: Config, horizons_days: Iterable[int] = ()) -> FeatureSet:
    """At most `[features] max_columns` features, the most telling first.

    First what the tasks ask about (with windows as long as `horizons_days`), then all events, the profile, every
    common event, numbers and categories.
    """
    windows = (*config.features.windows_days, EVER_DAYS)
    own_windows = (*sorted({*config.features.windows_days, *horizons_days}), EVER_DAYS)
    # a null probability or action says how a decision was taken, not what the customer did
    secret = {task.probability for task in config.tasks.values()}
    numbers = [name for name in config.log.numbers if survey.numbers.get(name) and name not in secret]
    text = f"{config.log.text}_length"
    numbers += [text] if config.log.text and survey.numbers.get(text) else []
    ordered = [
        *(
            feature
            for stream in _task_streams(config.tasks.values())
            for feature in _stream(stream, survey, own_windows)
        ),
        *_stream(Stream(), survey, windows),
        *_profile(survey),
        *(
            feature
            for event in _commonest(survey.events, EVENT_TYPES)
            for feature in _stream(Stream((event,)), survey, windows)
        ),
        *(Feature(what, Stream(), name, window) for name in numbers for what in AMOUNTS for window in windows),
        *(feature for name in survey.categories for feature in _category(name, survey, windows)),
    ]
    named: dict[str, Feature] = {}
    for feature in ordered:
        named.setdefault(feature.name, feature)
    return FeatureSet(tuple(islice(named.values(), config.features.max_columns)), config.log.timezone)


def _task_streams(tasks: Iterable[TaskConfig]) -> Iterator[Stream]:
    for task in tasks:
        yield Stream(_sorted(task.event or task.churn_event), tuple(sorted(task.where.items())))
        if task.reward:
            yield Stream(_sorted(task.reward))


def _sorted(events: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(events)))


def _stream(stream: Stream, survey: Survey, windows: tuple[int, ...]) -> Iterator[Feature]:
    events = stream.events or tuple(survey.events)
    if not stream.events and len(survey.events) == 1:
        return  # all events are that one event, which has a stream of its own
    if not any(survey.events.get(event) for event in events):
        return
    yield from (Feature("count", stream, None, window) for window in windows)
    yield from (Feature(what, stream) for what in WHOLE)
    if any(survey.valued.get(event) for event in events):
        yield from (Feature(what, stream, None, window) for window in windows for what in AMOUNTS)
    if any(survey.refunds.get(event) for event in events):
        yield from (Feature("refunds", stream, None, window) for window in windows)


def _category(name: str, survey: Survey, windows: tuple[int, ...]) -> Iterator[Feature]:
    levels = survey.categories[name]
    if len(levels) > 1:
        yield from (Feature("distinct", Stream(), name, window) for window in windows)
    for level in _commonest(levels, LEVELS) if len(levels) > 1 else ():
        yield from (Feature("count", Stream((), ((name, level),)), None, window) for window in windows)


def _profile(survey: Survey) -> Iterator[Feature]:
    yield from (Feature("attribute", column=name) for name, count in sorted(survey.profile_numbers.items()) if count)
    for name, levels in sorted(survey.profile_categories.items()):
        yield from (Feature("attribute_is", column=name, level=level) for level in _commonest(levels, PROFILE_LEVELS))


def _commonest(counts: dict[str, int], most: int) -> list[str]:
    """The commonest names, ties in alphabetical order, so that the order of files and customers changes nothing."""
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]
