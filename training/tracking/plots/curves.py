"""The numbers behind the plots: equal groups, cumulative gains, intervals of rates. One entry per row of the test."""

import numpy as np
from scipy.stats import beta

from features.arrays import Floats, Ints


def equal_groups(score: Floats, count: int) -> list[Ints]:
    """Row numbers in up to `count` groups of about equal size, by ascending score; equal scores stay together.

    >>> [len(group) for group in equal_groups(np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]), 3)]
    [3, 1, 2]
    """
    edges = np.unique(np.quantile(score, np.arange(1, count) / count)) if len(score) else np.zeros(0)
    group = np.searchsorted(edges, score, side="left")
    return [np.flatnonzero(group == number) for number in np.unique(group)]


def gained(truth: Floats, score: Floats) -> Floats:
    """Summed outcome of the k best-scored rows, for k = 1..n; rows of equal score share theirs evenly.

    >>> gained(np.array([0.0, 1.0, 0.0]), np.array([0.1, 0.9, 0.9])).tolist()
    [0.5, 1.0, 1.0]
    """
    order = np.argsort(-score, kind="stable")
    _, first, counts = np.unique(-score[order], return_index=True, return_counts=True)
    return np.cumsum(np.repeat(np.add.reduceat(truth[order], first) / counts, counts))


def rate_interval(events: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The 90 % interval of each rate by Jeffreys' prior, which holds for none and for all too."""
    low, high = (np.asarray(beta.ppf(level, events + 0.5, counts - events + 0.5)) for level in (0.05, 0.95))
    return np.minimum(low, events / counts), np.maximum(high, events / counts)


def thinned(x: Floats, y: Floats, most: int = 2000) -> tuple[Floats, Floats]:
    """At most `most` points of a curve, evenly by number, with both its ends: as many as a picture can show."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(most, len(x))).astype(np.int64))
    return x[kept], y[kept]
