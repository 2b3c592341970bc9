"""Panels with their labels, stacked over the buckets of a store.

Only members of the task's population at a cutoff get a row. When there are more rows than the budget, customers are
left out by a stable hash of their id (`training.dataset.sampling`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.timeline import DAY_US
from models.tasks import population
from training.dataset.labels import Labels, compute_labels, has_whole_window
from training.dataset.sampling import in_share

STRAY_SHARE = 0.001
Parts = Callable[[], Iterable[Journeys]]  # every call walks all buckets again, as of the training's instant


@dataclass(frozen=True)
class Examples:
    """Rows of a panel with what came of them: `values` is float64 (n_rows, n_features) in the order of the feature
    set.
    """

    customer: Strings
    cutoff: Ints
    values: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.cutoff)

    def __getitem__(self, rows: NDArray[np.bool_] | Ints | slice) -> "Examples":
        return Examples(self.customer[rows], self.cutoff[rows], self.values[rows], self.labels[rows])

    def at(self, cutoffs: Iterable[int]) -> "Examples":
        """Only the rows of these cutoffs."""
        return self[np.isin(self.cutoff, np.fromiter(cutoffs, np.int64))]

    @property
    def outcome(self) -> Floats:
        """The label of every row."""
        return self.labels.outcome

    @property
    def no_purchase(self) -> "Examples":
        """The same rows, labelled 1 where nothing happened."""
        count = self.labels.count
        return replace(self, labels=Labels((count == 0).astype(np.float64), count))


@dataclass(frozen=True)
class PanelRequest:
    """What panels are made for: a task at a horizon, with features, and labels that end at `end` (µs UTC)."""

    task: TaskConfig
    horizon_days: int
    features: FeatureSet
    end: int
    max_rows: int


def build_examples(parts: Parts, request: PanelRequest, cutoffs: Iterable[int]) -> Examples:
    """Members of the population at these cutoffs whose label window is whole; about `max_rows` of them at most."""
    instants = np.fromiter(cutoffs, np.int64)
    members = sum(len(_members(request.task, part, instants)) for part in parts())
    share = min(1.0, request.max_rows / max(members, 1))
    return _stack([_examples(request, part, instants, share) for part in parts()], request.features)


def history_start(parts: Parts, first: int) -> int:
    """The day by which one event in a thousand has happened: stray early dates are no history. µs UTC."""
    counts = np.zeros(0, np.int64)
    for part in parts():
        day = (part.time - first) // DAY_US
        counts = _added(counts, np.bincount(day)) if len(day) else counts
    if not counts.sum():
        return first
    return first + int(np.searchsorted(counts.cumsum(), counts.sum() * STRAY_SHARE, side="right")) * DAY_US


def base_values(parts: Parts, task: TaskConfig, features: FeatureSet, as_of: int, max_rows: int) -> Floats:
    """Feature values of the population at `as_of`: whom the task is about now. At most about `max_rows` of them."""
    now = np.array([as_of], np.int64)
    members = sum(len(_members(task, part, now)) for part in parts())
    share = min(1.0, max_rows / max(members, 1))
    blocks = [build(part, _sampled(part, _members(task, part, now), share), features).values for part in parts()]
    return np.concatenate([np.zeros((0, len(features))), *blocks])


def _members(task: TaskConfig, journeys: Journeys, cutoffs: Ints) -> Rows:
    rows = Rows.grid(len(journeys), cutoffs)
    return rows[population(task, journeys, rows)]


def _sampled(journeys: Journeys, rows: Rows, share: float) -> Rows:
    return rows if share >= 1 else rows[in_share(journeys.customers, share)[rows.customer]]


def _examples(request: PanelRequest, journeys: Journeys, cutoffs: Ints, share: float) -> Examples:
    rows = _sampled(journeys, _members(request.task, journeys, cutoffs), share)
    rows = rows[has_whole_window(rows, request.horizon_days, request.end)]
    labels = compute_labels(request.task, journeys, rows, request.horizon_days)
    return Examples(
        journeys.customers[rows.customer], rows.cutoff, build(journeys, rows, request.features).values, labels
    )


def _added(first: Ints, second: Ints) -> Ints:
    """Sums of two counts by day, of whatever lengths."""
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    total = longer.copy()
    total[: len(shorter)] += shorter
    return total


def _stack(parts: list[Examples], features: FeatureSet) -> Examples:
    """All parts under each other, by cutoff and then customer, so that the number of buckets changes nothing."""
    if not parts:
        nothing = np.zeros(0)
        return Examples(
            np.zeros(0, object), np.zeros(0, np.int64), np.zeros((0, len(features))), Labels(nothing, nothing)
        )
    customer = np.concatenate([part.customer for part in parts])
    cutoff = np.concatenate([part.cutoff for part in parts])
    order = np.lexsort((customer.astype(np.str_), cutoff)) if len(customer) else np.zeros(0, np.int64)
    values = np.concatenate([part.values for part in parts])[order]
    outcome = np.concatenate([part.labels.outcome for part in parts])[order]
    count = np.concatenate([part.labels.count for part in parts])[order]
    return Examples(customer[order], cutoff[order], values, Labels(outcome, count))
