"""What is held against what was said of a world: the baseline, the truth, and what a perfect model would show.

Differences of log-loss are paired. Their standard error is the larger of two: that of the sample, and that of customers
drawn anew and of what then happens to them, `Σ p(1-p)(Δ₁-Δ₀)² / n²` with the true chance p joined with the spread of
expected differences. Where hardly anybody falls silent the sample's alone is near zero, and would call chance a proof.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.known_truth.simulated_shops import Told
from features.arrays import Floats
from training.metrics.metrics import calibration_slope, ece, log_losses

SURE = 2.0  # standard errors
DRAWS = 400
GRADES = ("A", "B", "C", "D")
WALD_90, WALD_95 = 1.645, 1.96


@dataclass(frozen=True)
class Verdict:
    """Of one world. `skill` is 1 - expected log-loss / expected log-loss of the baseline, by the true chances."""

    skill: float
    excess: float  # expected log-loss above the truth's own, nats
    behind_baseline: bool
    ahead_of_truth: bool
    ece: float
    ece_limit: float  # the 95 % quantile of a perfect model's with the same scores
    slope: float | None  # None where it says nothing: equal scores, or one outcome
    slope_holds: bool | None
    answered: bool
    rung: str
    grade: str
    customers: int
    came: float
    chance: float

    @property
    def ece_holds(self) -> bool:
        """Whether the calibration error could be a perfect model's."""
        return self.ece <= self.ece_limit + 1e-12


def judged(world: Told, seed: int = 0) -> Verdict:
    """All that is asked of an answer."""
    truth = np.clip(world.chance, 1e-12, 1 - 1e-12)
    own, baseline, best = (_expected(truth, said) for said in (world.said, world.baseline, truth))
    return Verdict(
        skill=1 - own / baseline if baseline > 0 else 0.0,
        excess=own - best,
        behind_baseline=_worse(truth, world.came, world.said, world.baseline),
        ahead_of_truth=_worse(truth, world.came, truth, world.said),
        ece=float(ece(world.came, world.said, np.ones((1, len(truth))))[0]),
        ece_limit=perfect_ece(world.said, seed),
        slope=calibration_slope(world.came, world.said)[0],
        slope_holds=slope_holds(world.came, world.said),
        answered=_answered(world),
        rung=world.rung,
        grade=world.grade,
        customers=len(truth),
        came=float(world.came.mean()),
        chance=float(truth.mean()),
    )


def _expected(chance: Floats, said: Floats) -> float:
    """The mean log-loss that these chances lead one to expect."""
    happens, stays = log_losses(np.ones(len(said)), said), log_losses(np.zeros(len(said)), said)
    return float(np.mean(chance * happens + (1 - chance) * stays))


def _worse(chance: Floats, came: Floats, one: Floats, other: Floats) -> bool:
    """Whether `one` has the higher log-loss, by more than two standard errors."""
    happens, stays = (log_losses(c, one) - log_losses(c, other) for c in (np.ones(len(one)), np.zeros(len(one))))
    difference = np.where(came > 0, happens, stays)
    expected = chance * happens + (1 - chance) * stays
    known = np.mean(chance * (1 - chance) * (happens - stays) ** 2) + np.var(expected)
    error = np.sqrt(max(known, np.var(difference, ddof=1)) / len(one))
    return bool(difference.mean() > SURE * error + 1e-12)


def perfect_ece(said: Floats, seed: int) -> float:
    """The 95 % quantile of the calibration error of a perfect model with these scores."""
    ones = np.ones((1, len(said)))
    drawn = np.random.default_rng(seed).random((DRAWS, len(said))) < said
    return float(np.quantile([float(ece(row.astype(np.float64), said, ones)[0]) for row in drawn], 0.95))


def slope_holds(came: Floats, said: Floats) -> bool | None:
    """Whether the 95 % interval of the calibration slope contains 1."""
    slope, _, high = calibration_slope(came, said)
    if slope is None or high is None:
        return None
    return bool(abs(slope - 1) <= (high - slope) / WALD_90 * WALD_95)


def _answered(world: Told) -> bool:
    """Everybody has a probability within its interval, and the answer a grade."""
    numbers = np.stack([world.said, world.low, world.high, world.baseline])
    inside = (world.low <= world.said + 1e-12) & (world.said <= world.high + 1e-12)
    return bool(((numbers >= 0) & (numbers <= 1)).all() and inside.all() and world.grade in GRADES)
