"""The default feature set, derived from what a log holds and from the questions asked of it, with no hand work.

Which families enter was chosen by what they gain out of time (`experiments/family_gains.py`); `[features] families`
names others. Every feature comes with the reason why it is there.
"""

from collections.abc import Iterable, Iterator

from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.errors import ConfigError, did_you_mean
from features.language.feature import Stream
from features.language.feature_set import FeatureSet
from features.sets.chosen_feature import ChosenFeature
from features.sets.families import (
    FAMILIES,
    OF_CATEGORY,
    OF_NUMBER,
    OF_STREAM,
    OfColumn,
    commonest,
    profile,
    season,
)
from features.sets.overrides import without
from features.sets.survey import LogSummary
from features.timeline import EVER_DAYS

EVENT_TYPES = 12  # streams of single events, the commonest first
OF_EVENTS = ("counts", "money")  # what a single event type gives that no task asks about
DEFAULT = ("counts", "money", "regularity", "days", "distinct", "levels", "numbers", "profile")


def derive(survey: LogSummary, config: Config, horizons_days: Iterable[int] = ()) -> FeatureSet:
    """At most `[features] max_columns` features, the most telling first."""
    choices = chosen(survey, config, horizons_days)
    return FeatureSet(tuple(choice.feature for choice in choices), config.log.timezone)


def chosen(survey: LogSummary, config: Config, horizons_days: Iterable[int] = ()) -> list[ChosenFeature]:
    """What `derive` takes, with reasons.

    First what the tasks ask about (with windows as long as `horizons_days`), then all events, the profile, every
    common event, numbers and categories.
    """
    families = config.features.families or DEFAULT
    for name in families:
        if name not in FAMILIES:
            raise ConfigError(f"[features] families: no family '{name}'; {did_you_mean(name, FAMILIES)}")
    named: dict[str, ChosenFeature] = {}
    for choice in _all(survey, config, tuple(horizons_days), families):
        named.setdefault(choice.feature.name, choice)
    names = without(named, config.features.remove)
    return [named[name] for name in names[: config.features.max_columns]]


def _all(
    survey: LogSummary, config: Config, horizons_days: tuple[int, ...], families: tuple[str, ...]
) -> Iterator[ChosenFeature]:
    windows = (*config.features.windows_days, EVER_DAYS)
    task_windows = (*sorted({*config.features.windows_days, *horizons_days}), EVER_DAYS)
    if "season" in families and survey.rows:
        yield from (ChosenFeature(feature, "the season moves every task") for feature in season())
    for stream, task in _task_streams(config.tasks.values()):
        yield from _stream(stream, survey, task_windows, families, f"task {task} asks about {stream.text('s')}")
    yield from _stream(Stream(), survey, windows, families, "all events together")
    if "profile" in families:
        yield from (ChosenFeature(feature, "the profile holds it") for feature in profile(survey))
    event_families = tuple(family for family in families if family in OF_EVENTS)
    for event in commonest(survey.events, EVENT_TYPES):
        share = survey.events[event] / survey.rows
        yield from _stream(Stream((event,)), survey, windows, event_families, f"{share:.0%} of the rows are {event}")
    for name in _numbers(survey, config):
        reason = f"{survey.numbers[name] / survey.rows:.0%} of the rows hold the number {name}"
        yield from _column(
            name, survey, windows, [OF_NUMBER[family] for family in families if family in OF_NUMBER], reason
        )
    for name, levels in survey.categories.items():
        reason = f"{name} has {len(levels):,} values"
        if len(levels) > 1:
            yield from _column(
                name, survey, windows, [OF_CATEGORY[family] for family in families if family in OF_CATEGORY], reason
            )


def _task_streams(tasks: Iterable[TaskConfig]) -> Iterator[tuple[Stream, str]]:
    for task in tasks:
        events = _sorted(task.event or task.churn_event)
        yield Stream(events, tuple(sorted(task.where.items())), task.bounds), task.name
        if task.reward:
            yield Stream(_sorted(task.reward)), task.name


def _sorted(events: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(events)))


def _stream(
    stream: Stream, survey: LogSummary, windows: tuple[int, ...], families: tuple[str, ...], reason: str
) -> Iterator[ChosenFeature]:
    if not stream.events and len(survey.events) == 1:
        return  # all events are that one event, which has a stream of its own
    if not any(survey.events.get(event) for event in stream.events or survey.events):
        return
    for family in families:
        if family in OF_STREAM:
            yield from (ChosenFeature(feature, reason) for feature in OF_STREAM[family](stream, survey, windows))


def _column(
    name: str, survey: LogSummary, windows: tuple[int, ...], families: Iterable[OfColumn], reason: str
) -> Iterator[ChosenFeature]:
    for family in families:
        yield from (ChosenFeature(feature, reason) for feature in family(name, survey, windows))


def _numbers(survey: LogSummary, config: Config) -> list[str]:
    """Number columns that say something of the customer: a logged probability says how a decision was taken."""
    secret = {task.probability for task in config.tasks.values()}
    numbers = [name for name in config.log.numbers if survey.numbers.get(name) and name not in secret]
    text = config.log.text_length
    return [*numbers, text] if text and survey.numbers.get(text) else numbers
