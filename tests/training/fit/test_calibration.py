"""Calibrators: chosen only where they help out of time, ascending, within (0, 1), and back from JSON."""

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from features.arrays import Floats
from features.errors import BundleError
from models.predictor.adjusted import Adjusted, unpack_adjusted
from models.predictor.calibrators import Beta, Calibrator, VennAbers, unpack_calibrator
from models.predictor.level import Level
from training.fit.calibration import CALIBRATION_MIN_ROWS, FITS, LaterPredictions, calibrator
from training.metrics.metrics import log_losses

GRID = np.linspace(0.0, 1.0, 501)
LEVEL = Level(0, 7.0, (0.5, -0.5), (0.1, 0.2))


def later(rows: int, seed: int, steep: float = 1.0, periods: int = 2) -> LaterPredictions:
    """Rows whose log-odds are said `steep` times too far from nothing."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-0.5, 1.2, rows)
    truth = (rng.random(rows) < expit(log_odds)).astype(np.float64)
    customer = np.array([f"c{row}" for row in range(rows)], object)
    return LaterPredictions(truth, expit(log_odds * steep), customer, np.arange(rows) * periods // rows)


def loss(held: LaterPredictions, said: Floats) -> float:
    return float(log_losses(held.truth, said).mean())


def test_what_is_calibrated_is_left_as_it_is() -> None:
    chosen = [calibrator(later(400, seed, periods=1 + seed % 2)) for seed in range(20)]
    assert sum(one is not None for one in chosen) <= 4


@pytest.mark.parametrize("periods", [1, 2])
def test_log_odds_twice_too_steep_are_put_right_out_of_time(periods: int) -> None:
    found = calibrator(later(1500, 1, steep=2.0, periods=periods))
    assert found is not None
    fresh = later(4000, 2, steep=2.0)
    saved = loss(fresh, fresh.predicted) - loss(fresh, found.calibrated(fresh.predicted))
    possible = loss(fresh, fresh.predicted) - loss(fresh, expit(logit(fresh.predicted) / 2))
    assert 0.8 * possible < saved < 1.05 * possible


def test_beta_finds_how_much_too_steep() -> None:
    held = later(8000, 3, steep=2.0)
    found = FITS["beta"](held.truth, held.predicted)
    assert isinstance(found, Beta)
    assert (found.a, found.b, found.c) == pytest.approx((0.5, 0.5, 0.0), abs=0.06)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("truth", ["mixed", "none", "all", "against"])
def test_a_calibrator_ascends_within_zero_and_one_and_a_row_alone_has_its_bits(name: str, truth: str) -> None:
    held = later(200, 4)
    came = {"mixed": held.truth, "none": held.truth * 0, "all": held.truth * 0 + 1, "against": held.predicted < 0.4}[
        truth
    ]
    found = FITS[name](came.astype(np.float64), held.predicted)
    said = found.calibrated(GRID)
    assert ((said > 0) & (said < 1)).all()
    assert (np.diff(said) >= 0).all()
    for place in (0, 7, 250, 500):
        assert found.calibrated(GRID[place : place + 1]).tobytes() == said[place : place + 1].tobytes()


def test_venn_abers_is_two_isotonic_fits_as_by_hand() -> None:
    truth, said = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.5, 0.7])
    found = FITS["venn-abers"](truth, said)
    assert isinstance(found, VennAbers)
    at = {round(one, 9): place for place, one in enumerate(found.knots)}
    assert found.zero[at[0.1]] == 0.0
    assert found.one[at[0.1]] == pytest.approx(0.5)  # 0.1 holds a 0 and a 1
    assert found.zero[at[0.7]] == pytest.approx(0.5)
    assert found.one[at[0.7]] == 1.0


def test_equal_scores_have_one_knot() -> None:
    found = FITS["venn-abers"](np.array([0.0, 1.0, 1.0]), np.full(3, 0.4))
    assert isinstance(found, VennAbers)
    assert found.knots == (0.4,)
    assert found.calibrated(GRID[:2]) == pytest.approx([0.6, 0.6])  # 3/4 over 1 - 2/4 + 3/4


def test_few_rows_or_one_class_have_no_calibrator() -> None:
    steep = later(CALIBRATION_MIN_ROWS - 1, 5, steep=3.0)
    assert calibrator(steep) is None
    many = later(2000, 6, steep=3.0)
    assert calibrator(LaterPredictions(many.truth * 0, many.predicted, many.customer, many.period)) is None
    assert calibrator(later(0, 7)) is None


def test_periods_that_are_added_stay_apart() -> None:
    both = later(10, 8) + later(6, 9, periods=1)
    assert np.unique(both.period).tolist() == [0, 1, 2]
    assert len(both) == 16


@pytest.mark.parametrize(
    "found", [None, Beta(0.5, 0.7, -0.1), VennAbers((0.1, 0.4), (0.05, 0.3), (0.1, 0.6))], ids=["none", "beta", "table"]
)
@pytest.mark.parametrize("level", [None, LEVEL], ids=["no level", "level"])
def test_what_adjusts_comes_back_from_json_as_it_was(found: Calibrator | None, level: Level | None) -> None:
    adjusted = Adjusted(found, level)
    again = unpack_adjusted(json.loads(json.dumps(adjusted.pack())))
    assert again == adjusted
    assert again.apply(GRID, LEVEL.start_us).tobytes() == adjusted.apply(GRID).tobytes()
    assert again.level_std() == (0.1 if level else 0.0)


def test_the_level_is_that_of_the_date_asked_for() -> None:
    adjusted, week = Adjusted(None, LEVEL), 7 * 24 * 3600 * 1_000_000
    assert (adjusted.apply(GRID) > adjusted.apply(GRID, week)).all()
    assert Adjusted().apply(GRID, week) is GRID


def test_an_unknown_calibrator_is_refused() -> None:
    with pytest.raises(BundleError, match="'platt', which this version does not know"):
        unpack_calibrator({"calibrator": "platt"})
