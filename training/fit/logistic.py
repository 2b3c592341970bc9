"""The penalised logistic rung, and how the level moved from cutoff to cutoff beside what features tell.

Log-odds of row i at cutoff c are `offset_i + b0 + x_i · b + e_c`. The penalties `λ b²` and `e²` are fixed, so that
little data say little. The effects e of the cutoffs stand at right angles to a straight line over time: what changes
slowly is left to the features, a season is not, so that weights are learnt among rows of one date, not from Christmas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, logit

from features.arrays import Floats, Ints
from features.timeline import DAY_US
from models.ladder.logistic import Logistic, Standardizer, reading
from models.ladder.purchase_process import PurchaseProcess
from models.prediction import Position
from training.dataset.examples import Examples

MOST_FITTED = 40_000  # rows: more change nothing that can be measured
FEWEST_CUTOFFS = 4  # for effects beside a straight line
STEPS, SETTLED = 20, 1e-5
FLAT = 1e-9  # a standard deviation that is none
WEIGHT_DIGITS = 12  # of the weights that are kept


@dataclass(frozen=True)
class LogisticSpec:
    """How a logistic is fitted: the penalty on its weights, and whether a process is its offset where there is one.

    Of a fiftieth of the customers of real logs a strong penalty made the best of it, of all of them a weak one.
    """

    penalty: float = 2000.0
    offset: bool = True


LOGISTIC_SPECS = (LogisticSpec(), LogisticSpec(400.0), LogisticSpec(400.0, offset=False))


@dataclass(frozen=True, eq=False)
class FittedLogistic:
    """The rung, and the effect of each cutoff (µs UTC) on the log-odds of all."""

    rung: Logistic
    effects: Mapping[int, float]

    def at(self, cutoff: Ints) -> Floats:
        """The effect of each row's cutoff; 0 where none was seen."""
        instants, code = np.unique(cutoff, return_inverse=True)
        return np.array([self.effects.get(instant, 0.0) for instant in instants.tolist()])[code]


def fit_logistic(rows: Examples, position: Position, process: PurchaseProcess | None, penalty: float) -> FittedLogistic:
    """Fit on these rows (at most about `MOST_FITTED` of them, evenly)."""
    some = rows[:: max(1, -(-len(rows) // MOST_FITTED))]
    names = _columns(some.values, position)
    read, offset = reading(names, process, some.values, position)
    standardizer = _standardizer(read)
    units = standardizer.standardized(read)
    blank = np.isnan(read)
    blanks = np.flatnonzero(_informative(blank))
    instants, code = np.unique(some.cutoff, return_inverse=True)
    seasons = _without_trend(instants)
    design = np.concatenate([np.ones((len(some), 1)), units, blank[:, blanks], seasons[code]], axis=1)
    count = read.shape[1] + len(blanks)
    penalties = np.concatenate([[1e-6], np.full(count, penalty), np.ones(len(instants))])
    coefficients = _maximised(design, some.outcome, penalties, np.broadcast_to(offset, len(some)))
    weights = _rounded(coefficients[1 : 1 + count])
    rung = Logistic(names, standardizer, tuple(blanks.tolist()), weights, float(_rounded(coefficients[:1])[0]), process)
    effects = seasons @ coefficients[len(coefficients) - len(instants) :]
    return FittedLogistic(rung, dict(zip(instants.tolist(), effects.tolist(), strict=True)))


def _columns(values: Floats, position: Position) -> tuple[str, ...]:
    """The columns that differ between rows and from each other, in their order."""
    plain = np.nan_to_num(values, nan=-1.5)
    moving = np.flatnonzero((plain != plain[0]).any(axis=0)) if len(plain) else np.zeros(0, np.int64)
    by_place = {place: name for name, place in position.items()}
    return tuple(by_place[place] for place in moving[_first_of_equals(plain[:, moving])].tolist())


def _first_of_equals(columns: NDArray[Any]) -> list[int]:
    """The place of each different column, ascending."""
    places: dict[bytes, int] = {}
    for place, column in enumerate(np.ascontiguousarray(columns.T)):
        places.setdefault(column.tobytes(), place)
    return list(places.values())


def _standardizer(read: Floats) -> Standardizer:
    """Mean and standard deviation of every column that is read; 1 where a column does not differ."""
    known = np.copysign(np.log1p(np.abs(read)), read)
    counted = ~np.isnan(known)
    count = np.maximum(counted.sum(axis=0), 1)
    mean = np.where(counted, known, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(counted, known - mean, 0.0) ** 2).sum(axis=0) / count)
    return Standardizer(_rounded(mean), _rounded(np.where(scale > FLAT, scale, 1.0)))


def _informative(blank: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which columns are absent in some rows, the first of those that are absent in the same ones."""
    kept = np.zeros(blank.shape[1], np.bool_)
    kept[_first_of_equals(blank)] = True
    return np.asarray(blank.any(axis=0) & kept)


def _without_trend(instants: Ints) -> Floats:
    """The projection (cutoffs, cutoffs) that takes away what runs straight over time; nothing is left of few."""
    count = len(instants)
    if count < FEWEST_CUTOFFS:
        return np.zeros((count, count))
    line = np.column_stack([np.ones(count), (instants - instants[0]) / DAY_US])
    base, _ = np.linalg.qr(line)
    return np.asarray(np.eye(count) - base @ base.T)


def _maximised(design: Floats, outcome: Floats, penalty: Floats, offset: Floats) -> Floats:
    """The penalised maximum by Newton's method; a step that overshoots is halved."""
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = logit(np.clip(outcome.mean(), 0.01, 0.99)) - offset.mean()
    value = _loss(design, outcome, penalty, offset, coefficients)
    narrow = design.astype(np.float32)  # for the curvature, which only says how far to go
    for _ in range(STEPS):
        predicted = expit(design @ coefficients + offset)
        slope = design.T @ (predicted - outcome) + penalty * coefficients
        weight = np.maximum(predicted * (1 - predicted), 1e-6).astype(np.float32)
        curvature = (narrow * weight[:, None]).T @ narrow
        step = cho_solve(cho_factor(curvature.astype(np.float64) + np.diag(penalty + 1e-3)), slope)
        for _ in range(STEPS):
            nearer = coefficients - step
            lower = _loss(design, outcome, penalty, offset, nearer)
            if lower <= value:
                break
            step /= 2
        else:
            return coefficients
        coefficients, value = nearer, lower
        if np.abs(step).max() < SETTLED:
            return coefficients
    return coefficients


def _loss(design: Floats, outcome: Floats, penalty: Floats, offset: Floats, coefficients: Floats) -> float:
    total = design @ coefficients + offset
    return float((np.logaddexp(0.0, total) - outcome * total).sum() + (penalty * coefficients**2).sum() / 2)


def _rounded(values: Floats) -> Floats:
    """To `WEIGHT_DIGITS` significant digits, below which sums may differ between processors."""
    return np.array([float(f"{value:.{WEIGHT_DIGITS}g}") for value in values.tolist()])
