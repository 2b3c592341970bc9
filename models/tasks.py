"""The questions and their populations, shared by training and scoring, so the same by construction.

Membership is read from features like everything else, so it obeys the one time comparison and can not see past the
cutoff.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows, build


def outcome_stream(task: TaskConfig) -> Stream:
    """The rows that decide the label: the task's event (with its filter), the churn event, or the reward."""
    stream = _stream(task.reward or task.churn_event or task.event)
    return replace(stream, where=tuple(sorted(task.where.items())), bounds=task.bounds)


def worth(task: TaskConfig, window_days: int = 0) -> Feature:
    """The sum of what the task counts as money over the days before, or of all (0)."""
    return Feature("sum", outcome_stream(task), task.amount, window_days)


def population(task: TaskConfig, journeys: Journeys, rows: Rows) -> NDArray[np.bool_]:
    """Which rows the task asks about: active within `active_days`, not ended since, never did a `never` event."""
    features = membership(task)
    if not features:
        return np.ones(len(rows), np.bool_)
    return is_member(task, build(journeys, rows, features))


def is_member(task: TaskConfig, panel: Panel) -> NDArray[np.bool_]:
    """Which rows of a panel, that holds at least the columns of `membership`, the task asks about."""
    member = np.ones(len(panel), np.bool_)
    if task.asks_for_activity:
        member &= panel.column(_active(task).name) > 0
    if task.ended_by:
        ended, active = panel.column(_recency(task.ended_by).name), panel.column(_recency(task.active_event).name)
        member &= ~(ended <= active)  # an end at the same instant wins; NaN (never ended) compares false
    if task.never:
        member &= panel.column(_ever(task).name) == 0
    return member


def membership(task: TaskConfig) -> FeatureSet:
    """The features that decide who is in the population."""
    features = [
        *([_active(task)] if task.asks_for_activity else []),
        *([_recency(task.ended_by), _recency(task.active_event)] if task.ended_by else []),
        *([_ever(task)] if task.never else []),
    ]
    return FeatureSet(tuple(dict.fromkeys(features)))


def _active(task: TaskConfig) -> Feature:
    return Feature("count", _stream(task.active_event), None, task.active_days)


def _ever(task: TaskConfig) -> Feature:
    return Feature("count", _stream(task.never))


def _recency(events: tuple[str, ...]) -> Feature:
    return Feature("recency", _stream(events))


def _stream(events: tuple[str, ...]) -> Stream:
    return Stream(tuple(sorted(set(events))))
