"""The level of a probability: learnt from past cutoffs, forecast with a doubt that holds, and moved without harm."""

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from features.arrays import Floats
from features.timeline import DAY_US
from models.predictor.level import Level, unpack_level
from training.dataset.examples import Examples
from training.dataset.labels import Labels
from training.fit.level import (
    DRIFT_WIDTHS,
    MEAN_SIZE,
    SEASON_DAYS,
    Shifts,
    forecast,
    level,
    levelled,
    missing_shift,
    shifts,
)

RAMP = Level(100 * DAY_US, 7.0, (0.0, 0.7, -0.7), (0.1, 0.2, 0.4))
MONTHS: Floats = np.linspace(0.0, 720.0, 25)
rates = st.lists(st.floats(0, 1), min_size=1, max_size=30)
learnt = partial(shifts, horizon_days=30, first=-300 * DAY_US)


def came(day: Floats, outcome: Floats) -> Examples:
    """One row per entry, of which only cutoff and outcome matter."""
    rows = len(day)
    cutoff = np.round(day * DAY_US).astype(np.int64)
    return Examples(np.array(["anna"] * rows, object), cutoff, np.zeros((rows, 1)), Labels(outcome, outcome))


def drawn(rng: np.random.Generator, rows: int, shift: Floats, rate: float = 0.3) -> tuple[Examples, Floats]:
    """Rows at each of MONTHS whose true rate is off by a shift of the log-odds, and what is said of them."""
    day, by = np.repeat(MONTHS, rows), np.repeat(shift, rows)
    said = expit(logit(rate) + rng.normal(0, 0.7, len(day)))
    return came(day, (rng.random(len(day)) < expit(logit(said) + by)).astype(np.float64)), said


def season(day: Floats) -> Floats:
    return 0.6 * np.cos(2 * np.pi * day / SEASON_DAYS)


def test_a_season_of_two_years_is_forecast_a_year_later_within_its_doubt() -> None:
    rows, said = drawn(np.random.default_rng(1), 1500, season(MONTHS))
    days = MONTHS[-1] + np.linspace(30.0, 360.0, 12)
    mean, doubt = forecast(learnt(rows, said), days)
    assert (np.abs(mean - season(days)) < 3 * doubt).all()
    assert np.abs(mean - season(days)).mean() < 0.15  # a quarter of the season, of which 0.38 is the mean size
    assert doubt.max() < 0.3


def test_without_a_season_many_rows_leave_neither_shift_nor_doubt() -> None:
    rows, said = drawn(np.random.default_rng(2), 3000, np.zeros(len(MONTHS)))
    mean, doubt = forecast(learnt(rows, said), MONTHS[-1] + np.linspace(30.0, 360.0, 12))
    assert np.abs(mean).max() < 0.05
    assert doubt.max() < 0.1


def test_nine_in_ten_draws_lie_within_the_stated_doubt() -> None:
    rng = np.random.default_rng(3)
    day = np.append(MONTHS, MONTHS[-1] + 60)
    gap = np.abs(day[:, None] - day[None, :])
    kernel = 0.2**2 * np.exp(-((gap / DRIFT_WIDTHS[1]) ** 2) / 2) + MEAN_SIZE**2
    root = np.linalg.cholesky(kernel + 1e-9 * np.eye(len(day)))
    inside = 0
    for _ in range(60):
        true = root @ rng.normal(size=len(day))
        past = Shifts(MONTHS, true[:-1] + rng.normal(0, 0.05, 25), np.full(25, 0.05**2), MONTHS + 300)
        mean, doubt = forecast(past, day[-1:])
        inside += int(abs(mean[0] - true[-1]) < 1.645 * doubt[0])
    assert inside / 60 == pytest.approx(0.9, abs=2.6 * np.sqrt(0.09 / 60))


def test_an_error_of_the_first_cutoffs_does_not_mislead() -> None:
    early = 1.2 * np.exp(-MONTHS / 60)
    past = Shifts(MONTHS, early, np.full(25, 0.02**2), MONTHS)
    mean, _ = forecast(past, MONTHS[-1] + np.linspace(30.0, 360.0, 12))
    assert np.abs(mean).max() < 0.15  # of 1.2; as a season it would come back


@pytest.mark.parametrize(("rows", "rate"), [(1, 0.01), (10, 0.01), (50, 0.99)])
def test_few_rows_with_a_rare_outcome_move_nothing_where_nothing_moved(rows: int, rate: float) -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(8):
        given_rows, _ = drawn(rng, rows, np.zeros(len(MONTHS)))
        outcome = (rng.random(len(given_rows)) < rate).astype(np.float64)
        said = np.full(len(outcome), (outcome.sum() + 0.5) / (len(outcome) + 1))
        past = learnt(came(np.repeat(MONTHS, rows), outcome), said)
        found.append(float(forecast(past, MONTHS[-1:] + 30)[0][0]))
    assert abs(np.mean(found)) < 0.15


@given(rates, st.integers(0, 999))
def test_the_missing_shift_makes_the_mean_come_true(said: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcome = (rng.random(len(said)) < 0.5).astype(np.float64)
    log_odds = logit(np.clip(said, 1e-6, 1 - 1e-6))
    moved = expit(log_odds + missing_shift(outcome, np.array(said)))
    assert moved.mean() == pytest.approx((outcome.sum() + 0.5) / (len(said) + 1))


def test_every_cutoff_comes_to_its_own_level_and_keeps_its_order() -> None:
    rows, said = drawn(np.random.default_rng(5), 200, season(MONTHS))
    moved = levelled(rows.outcome, said, rows.cutoff)
    for one in np.unique(rows.cutoff):
        part = rows.cutoff == one
        assert moved[part].mean() == pytest.approx(rows.outcome[part].mean(), abs=0.5 / 200)
        assert (np.argsort(moved[part]) == np.argsort(said[part])).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("said", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("day", [[0.0, 0.0, 40.0], [0.0, 30.0], [0.0] * 50 + [30.0] * 50 + [60.0]])
def test_one_class_and_few_cutoffs_give_a_finite_level(value: float, said: float, day: list[float]) -> None:
    rows = came(np.array(day), np.full(len(day), value))
    found = level(rows, np.full(len(day), said), horizon_days=30, first=0, start=90 * DAY_US)
    assert found is not None
    assert np.isfinite([*found.shift, *found.std]).all()
    moved = found.moved(np.array([0.0, 1e-9, 0.5, 1.0]), found.start_us)
    assert ((moved > 0) & (moved < 1)).all()


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_one_cutoff_tells_of_no_calendar(rows: int) -> None:
    held = came(np.zeros(rows), np.ones(rows))
    assert level(held, np.full(rows, 0.5), horizon_days=30, first=0, start=90 * DAY_US) is None


@pytest.mark.parametrize(
    ("day", "shift", "doubt"),
    [(0.0, 0.0, 0.1), (100.0, 0.0, 0.1), (103.5, 0.35, 0.15), (107.0, 0.7, 0.2), (110.5, 0.0, 0.3), (999.0, -0.7, 0.4)],
)
def test_a_level_runs_straight_between_its_dates_and_stays_beyond_them(day: float, shift: float, doubt: float) -> None:
    assert RAMP.at(round(day * DAY_US)) == pytest.approx((shift, doubt))


@given(rates, st.floats(0, 200), st.floats(-20, 20), st.floats(0, 3))
def test_a_moved_probability_stays_one_and_keeps_its_order(
    said: list[float], day: float, shift: float, doubt: float
) -> None:
    held = Level(100 * DAY_US, 7.0, (0.0, shift), (0.0, doubt))
    moved = held.moved(np.sort(said), round(day * DAY_US))
    assert ((moved > 0) & (moved < 1)).all()
    assert (np.diff(moved) >= 0).all()
    alone = held.moved(np.sort(said)[:1], round(day * DAY_US))
    assert alone.tobytes() == moved[:1].tobytes()


@pytest.mark.parametrize("doubt", [0.0, 0.3, 1.0])
def test_a_moved_probability_is_the_mean_over_what_the_level_may_be(doubt: float) -> None:
    said = np.array([0.001, 0.01, 0.3, 0.5, 0.99])
    points = np.linspace(-8, 8, 4001)
    weight = np.exp(-(points**2) / 2)
    wanted = (expit(logit(said)[:, None] + 0.4 + doubt * points) * weight).sum(axis=1) / weight.sum()
    assert Level(0, 7.0, (0.4,), (doubt,)).moved(said, 0) == pytest.approx(wanted, rel=1e-3)


def test_a_level_comes_back_from_json_as_it_was() -> None:
    rows, said = drawn(np.random.default_rng(6), 50, season(MONTHS))
    found = level(rows, said, horizon_days=30, first=0, start=round((MONTHS[-1] + 30) * DAY_US))
    assert found is not None
    assert unpack_level(json.loads(json.dumps(found.pack()))) == found
    assert unpack_level(None) is None
