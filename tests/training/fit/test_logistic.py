"""The fit of the penalised logistic: against scikit-learn, its penalty, its columns, and the effects of cutoffs."""

import warnings

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from features.arrays import Floats, Ints
from features.timeline import DAY_US
from tests.models.btyd.test_expectations import POSITION, PROBABLE, customers
from training.dataset.examples import Examples
from training.dataset.labels import Labels
from training.fit.logistic import FEWEST_CUTOFFS, FittedLogistic, fit_logistic

MONTHS = np.arange(24) * 30
FIVE = {name: place for place, name in enumerate("abcde")}


def came(values: Floats, outcome: Floats, cutoff: Ints | None = None) -> Examples:
    """Rows in the order of their cutoffs, by default all of one."""
    rows = len(outcome)
    at = np.zeros(rows, np.int64) if cutoff is None else cutoff * DAY_US
    return Examples(np.array(["anna"] * rows, object), at, values, Labels(outcome, outcome))


def crowd(rows: int, seed: int, cutoff: Ints | None = None, by: Floats | float = 0.0) -> Examples:
    """Five columns, of which two matter; `by` is added to the log-odds."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(1.0, 3.0, (rows, 5))
    values[:, 4] = np.where(rng.random(rows) < 0.2, np.nan, values[:, 4])
    log_odds = np.log1p(values[:, 0]) - 0.8 * np.log1p(values[:, 1]) - 0.5 + by
    return came(values, (rng.random(rows) < expit(log_odds)).astype(np.float64), cutoff)


def plain(rows: Examples, penalty: float = 10.0) -> FittedLogistic:
    return fit_logistic(rows, FIVE, None, penalty)


@pytest.mark.parametrize("penalty", [1.0, 30.0, 2000.0])
def test_it_is_what_scikit_learn_finds(penalty: float) -> None:
    rows = crowd(600, seed=1)
    rung = plain(rows, penalty).rung
    design = np.column_stack([rung.standardizer.standardized(rows.values), np.isnan(rows.values[:, 4])])
    wanted = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=500).fit(design, rows.outcome)
    assert rung.weights == pytest.approx(wanted.coef_[0], abs=1e-6)
    assert rung.intercept == pytest.approx(wanted.intercept_[0], abs=1e-6)


def test_an_enormous_penalty_says_the_rate_of_all() -> None:
    rows = crowd(400, seed=2)
    said = plain(rows, 1e12).rung.predict(rows.values, FIVE).mean
    assert said == pytest.approx(np.full(400, rows.outcome.mean()), abs=1e-6)


def test_an_enormous_penalty_says_what_the_process_says_with_one_shift_for_all() -> None:
    values = customers(500, seed=3)
    begun = np.clip(PROBABLE.predict(values, POSITION).mean, 1e-3, 1 - 1e-3)
    outcome = (np.random.default_rng(3).random(500) < expit(logit(begun) + 0.5)).astype(np.float64)
    rung = fit_logistic(came(values, outcome), POSITION, PROBABLE, 1e12).rung
    said = rung.predict(values, POSITION).mean
    assert logit(said) - logit(begun) == pytest.approx(np.full(500, rung.intercept), abs=1e-6)
    assert said.mean() == pytest.approx(outcome.mean(), abs=1e-6)


def test_effects_find_a_season_and_stand_at_right_angles_to_a_line() -> None:
    cutoff = np.repeat(MONTHS, 400)
    season = 0.6 * np.cos(2 * np.pi * cutoff / 365.25)
    rows = crowd(len(cutoff), 4, cutoff, season + cutoff / 1000)
    fitted = plain(rows)
    found = np.array([fitted.effects[day * DAY_US] for day in MONTHS.tolist()])
    assert found.sum() == pytest.approx(0, abs=1e-9)
    assert found @ MONTHS == pytest.approx(0, abs=1e-6)
    line = np.polynomial.Polynomial.fit(MONTHS, season[::400], 1)(MONTHS)
    assert found == pytest.approx(season[::400] - line, abs=4 * np.sqrt(1 / (400 * 0.2)))
    assert fitted.at(rows.cutoff[[0, -1]]).tolist() == found[[0, -1]].tolist()
    assert fitted.at(np.array([-5])).tolist() == [0.0]


def test_too_few_cutoffs_have_no_effects() -> None:
    cutoff = np.repeat(MONTHS[: FEWEST_CUTOFFS - 1], 100)
    assert set(plain(crowd(len(cutoff), 5, cutoff, cutoff / 30)).effects.values()) == {0.0}


def test_columns_that_tell_nothing_more_are_not_read() -> None:
    rows = crowd(200, seed=6)
    values = rows.values.copy()
    values[:, 1], values[:, 2], values[:, 3] = values[:, 0], 7.0, np.nan
    assert plain(came(values, rows.outcome)).rung.columns == ("a", "e")


def test_two_columns_absent_in_the_same_rows_have_one_blank() -> None:
    values = crowd(200, seed=7).values
    values[np.isnan(values[:, 4]), 2] = np.nan
    assert plain(came(values, (values[:, 0] > 3).astype(np.float64))).rung.blanks == (2,)


@pytest.mark.parametrize(
    "values",
    [np.ones((1, 5)), np.ones((50, 5)), np.full((50, 5), np.nan), np.eye(5), np.where(np.eye(5) > 0, 1e300, np.nan)],
    ids=["one row", "equal rows", "nothing known", "five rows", "huge or absent"],
)
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_next_to_nothing_gives_a_cautious_answer(values: Floats, outcome: float) -> None:
    rows = came(values, np.full(len(values), outcome), np.arange(len(values)) % 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = plain(rows, 400.0).rung.predict(values, FIVE).mean
    assert ((said > 0) & (said < 1)).all()


def test_the_order_of_rows_of_one_cutoff_changes_next_to_nothing() -> None:
    rows = crowd(300, seed=8)
    again = plain(rows[np.random.default_rng(8).permutation(300)])
    assert again.rung.weights == pytest.approx(plain(rows).rung.weights, abs=1e-9)
