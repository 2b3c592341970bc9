"""What the TOML takes out of the default features, and what it and its module add to them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from features.config.sections import Config
from features.errors import ConfigError, did_you_mean
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.sets.chosen_feature import ChosenFeature
from features.sets.survey import LogSummary

logger = logging.getLogger(__name__)


def without(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The names that no pattern matches: `*` stands for anything, `?` for one character, all else for itself.

    >>> without(["purchase[channel=web]_count_30d", "event_gap_mean"], ["*[channel=*]_count_*"])
    ['event_gap_mean']
    """
    known, removed = list(names), set[str]()
    for pattern in patterns:
        matches = {name for name in known if fnmatchcase(name, pattern.replace("[", "[[]"))}
        if not matches:
            raise ConfigError(f"[features] remove: no default feature is '{pattern}'; {_nearest(pattern, known)}")
        removed |= matches
    return [name for name in known if name not in removed]


def with_added(
    chosen: Iterable[ChosenFeature], config: Config, user_features: FeatureSet, survey: LogSummary
) -> list[ChosenFeature]:
    """The features with those that the TOML and the user's module add; a warning for what no row could ever fill."""
    named = {choice.feature.name: choice for choice in chosen}
    tables = [
        ChosenFeature(table.feature, f"[[features.add]] number {number}")
        for number, table in enumerate(config.features.add, start=1)
    ]
    module = [ChosenFeature(feature, str(config.features.module)) for feature in user_features.features]
    for choice in (*tables, *module):
        if isinstance(choice.feature, Feature):
            for unknown in _unknown(choice.feature, survey):
                logger.warning("%s: %s has no value yet: %s", choice.reason, choice.feature.name, unknown)
        named.setdefault(choice.feature.name, choice)
    return list(named.values())


def _unknown(feature: Feature, survey: LogSummary) -> Iterator[str]:
    """Which of a feature's events, values and attributes the log does not hold."""
    for event in feature.stream.events:
        if event not in survey.events:
            yield f"no event '{event}'; {did_you_mean(event, survey.events)}"
    for column, level in feature.stream.where:
        levels: Mapping[str, int] = survey.categories.get(column, {})
        if levels and level not in levels:
            yield f"no '{level}' in '{column}'; {_nearest(level, levels)}"
    attributes = {"attribute": survey.profile_numbers, "attribute_is": survey.profile_categories}.get(feature.kind)
    if attributes is not None and feature.column not in attributes:
        yield f"no such attribute '{feature.column}'; {did_you_mean(feature.column or '', attributes)}"


def _nearest(misspelt: str, names: Iterable[str]) -> str:
    """The nearest name; there may be too many to list."""
    hint = did_you_mean(misspelt, names)
    return hint if hint.startswith("did you mean") else "the verb `features` prints all"
