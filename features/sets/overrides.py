"""What the TOML takes out of the default features, and what it and its module add to them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from features.config.sections import Config
from features.errors import ConfigError, did_you_mean
from features.language.feature import AnyFeature, Feature
from features.language.feature_set import FeatureSet
from features.sets.survey import LogSummary

logger = logging.getLogger(__name__)


def removed(names: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """The names that a pattern matches: `*` stands for anything, `?` for one character, all else for itself.

    >>> sorted(removed(["purchase[channel=web]_count_30d", "event_gap_mean"], ["*[channel=*]_count_*"]))
    ['purchase[channel=web]_count_30d']
    """
    known, gone = list(names), set[str]()
    for pattern in patterns:
        found = {name for name in known if fnmatchcase(name, pattern.replace("[", "[[]"))}
        if not found:
            raise ConfigError(f"[features] remove: no default feature is '{pattern}'; {_nearest(pattern, known)}")
        gone |= found
    return gone


def added(config: Config, own: FeatureSet, survey: LogSummary) -> Iterator[tuple[AnyFeature, str]]:
    """What is added, with the reason; a warning for what no row of the log could ever fill."""
    tables = [
        (one.feature, f"[[features.add]] number {number}") for number, one in enumerate(config.features.add, start=1)
    ]
    for feature, reason in (*tables, *((feature, str(config.features.module)) for feature in own.features)):
        if isinstance(feature, Feature):
            for unknown in _unknown(feature, survey):
                logger.warning("%s: %s says nothing so far: %s", reason, feature.name, unknown)
        yield feature, reason


def _unknown(feature: Feature, survey: LogSummary) -> Iterator[str]:
    """What of a feature's events, values and attributes nobody has had yet."""
    for event in feature.stream.events:
        if event not in survey.events:
            yield f"no event '{event}'; {did_you_mean(event, survey.events)}"
    for column, level in feature.stream.where:
        held: Mapping[str, int] = survey.categories.get(column, {})
        if held and level not in held:
            yield f"no '{level}' in '{column}'; {_nearest(level, held)}"
    attributes = {"attribute": survey.profile_numbers, "attribute_is": survey.profile_categories}.get(feature.kind)
    if attributes is not None and feature.column not in attributes:
        yield f"no such attribute '{feature.column}'; {did_you_mean(feature.column or '', attributes)}"


def _nearest(found: str, names: Iterable[str]) -> str:
    """The nearest name; there may be too many to list."""
    hint = did_you_mean(found, names)
    return hint if hint.startswith("did you mean") else "the verb `features` prints all"
