"""What is measured of every contender, by kind of table, and of ours what it says beyond the mean."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from experiments.peers.run import RANKS_ONLY
from experiments.peers.sql_features import Floats
from experiments.questions import Case
from experiments.results import tables
from training.metrics import metrics
from training.metrics.metrics import Metric

AMOUNT: Mapping[str, Metric] = {
    "RMSE": metrics.rmse,
    "MAE": metrics.mae,
    "Gini": metrics.normalised_gini,
    "Spearman": metrics.spearman,
    "decile MAPE": metrics.decile_mape,
    "bias": metrics.bias,
}
FIGURES: Mapping[str, Mapping[str, Metric]] = {
    "chance": {
        "AUROC": metrics.auroc,
        "log-loss": metrics.log_loss,
        "Brier skill": metrics.brier_skill,
        "ECE": metrics.ece,
        "average precision": metrics.average_precision,
        "lift at 10 %": metrics.lift_at_tenth,
    },
    "money": AMOUNT,
    "orders": AMOUNT,
}
TENTHS = 10
SILENT = 0.9  # of a tenth in which more than this brings nothing: an interval from 0 on holds too many, never too few
NOISE = 1e-6  # of sums of money that cancel out


def measured(case: Case, name: str, truth: Floats, said: Floats) -> dict[str, float]:
    """Every figure of one contender; of one that only ranks, those of ranking."""
    ones = np.ones((1, len(truth)))
    ranks = name in RANKS_ONLY
    told = {
        title: np.nan if ranks and title not in tables.RANKING else float(figure(truth, said, ones)[0])
        for title, figure in FIGURES[case.table].items()
    }
    if case.kind == "money":
        told["MAE of median"] = told["MAE"]
    if not case.is_amount and not ranks:
        slopes = [np.nan if one is None else one for one in metrics.calibration_slope(truth, said)]
        told |= dict(zip(("slope", "slope low", "slope high"), slopes, strict=True))
    return told


def of_distribution(truth: Floats, told: pd.DataFrame) -> dict[str, float]:
    """How well the median and the intervals of money hold.

    `told` has a row for each customer: `score`, `median`, `low` to `high` for 90 % of outcomes, `quantile 0.1` and
    `quantile 0.9`. Tenths are of `score`, equal ones together.
    """
    names = ("score", "median", "low", "high", "quantile 0.1", "quantile 0.9")
    score, median, low, high, bottom, top = (_every(told, name) for name in names)
    inside, middle = pd.Series(_holds(low, high, truth)), _holds(bottom, top, truth)
    tenth = np.searchsorted(metrics.edges(score, TENTHS), score, side="left")
    held, silent = inside.groupby(tenth).mean(), pd.Series(np.abs(truth) <= NOISE).groupby(tenth).mean()
    return {
        "MAE of median": float(np.abs(truth - median).mean()),
        "coverage 90": float(inside.mean()),
        "coverage 80": float(middle.mean()),
        "coverage 90, lowest tenth": float(held.min()),
        "coverage 90, highest tenth": float(held[silent <= SILENT].max()),
        "Winkler 90": float(metrics.winkler(truth, low, high).mean()),
    }


def _every(told: pd.DataFrame, name: str) -> Floats:
    values = told[name].to_numpy(float)
    if np.isnan(values).any():
        raise ValueError(f"expected a {name} for each of {len(values)} customers, {np.isnan(values).sum()} have none")
    return values


def _holds(low: Floats, high: Floats, truth: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (low - NOISE <= truth) & (truth <= high + NOISE)
