"""How far ours is ahead of a peer on the same customers: a paired bootstrap, and Holm's correction over data sets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics.metrics import Metric

Floats = NDArray[np.float64]
DRAWS = 2000
CELLS = 200_000  # of weights held at once: what stays in the processor
LEVEL = 0.05
HIGHER_IS_BETTER = ("AUROC", "Gini")


@dataclass(frozen=True)
class Ahead:
    """By how much ours is better (below 0: worse), its 95 % interval, and the two-sided p-value of no difference."""

    by: float
    low: float
    high: float
    p: float


def ahead(title: str, metric: Metric, truth: Floats, ours: Floats, others: dict[str, Floats]) -> dict[str, Ahead]:
    """Ours against each other prediction of the same rows, every time with the same draws of customers."""
    sign = 1 if title in HIGHER_IS_BETTER else -1
    told = {name: sign * (ours_at - other_at) for name, (ours_at, other_at) in _drawn(metric, truth, ours, others)}
    return {name: _ahead(values) for name, values in told.items()}


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values after Holm's step-down correction, in the same order.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(p) for p in corrected]


def _ahead(values: Floats) -> Ahead:
    """`values` holds the difference itself, then that of every draw."""
    by, drawn = values[0], values[1:]
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2))
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Ahead(float(by), float(low), float(high), min(1.0, 2 * (beyond + 1) / (len(drawn) + 1)))


def _drawn(
    metric: Metric, truth: Floats, ours: Floats, others: dict[str, Floats]
) -> list[tuple[str, tuple[Floats, Floats]]]:
    """The metric of ours and of each other one: on the rows as they are, then on every draw."""
    rng = np.random.default_rng(0)
    parts: list[list[Floats]] = [[] for _ in range(len(others) + 1)]
    said = [ours, *others.values()]
    chunk = max(1, CELLS // len(truth))
    for start in range(0, DRAWS + 1, chunk):
        count = min(chunk, DRAWS + 1 - start)
        weights = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), count).astype(np.float64)
        if start == 0:
            weights[0] = 1.0
        for part, one in zip(parts, said, strict=True):
            order = np.argsort(one, kind="stable")  # sums by score need no sorting then, draw after draw
            part.append(metric(truth[order], one[order], weights[:, order]))
    first, *rest = (np.concatenate(part) for part in parts)
    return [(name, (first, other)) for name, other in zip(others, rest, strict=True)]
