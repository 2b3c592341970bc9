"""Splits: the gap, the dates, and short histories."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.timeline import DAY_US, days
from tests.support.strategies import START
from training.dataset.split import MOST_CUTOFFS, split

spans = st.floats(0, 4000).map(lambda length: START + round(length * DAY_US))


@given(st.integers(1, 400), spans)
def test_whatever_is_chosen_is_judged_a_horizon_later(horizon: int, end: int) -> None:
    made = split(horizon, START, end)
    gap = days(made.fitted_days)
    assert made.test + gap == end
    assert made.validation + gap == made.test
    assert max(made.choosing, default=made.validation - gap) + gap <= made.validation
    assert max(made.reporting, default=made.test - gap) + gap <= made.test
    assert max(made.serving, default=end - gap) + gap <= end


@given(st.integers(1, 400), spans)
def test_cutoffs_are_few_ascending_and_inside_the_history(horizon: int, end: int) -> None:
    made = split(horizon, START, end)
    for cutoffs in (made.choosing, made.reporting, made.serving):
        assert len(cutoffs) <= MOST_CUTOFFS
        assert all(one < other for one, other in pairwise(cutoffs))
        assert min(cutoffs, default=START) >= START


@given(st.integers(1, 400), spans)
def test_a_shorter_horizon_is_fitted_only_when_history_is_short(horizon: int, end: int) -> None:
    made = split(horizon, START, end)
    held = (end - START) / DAY_US / horizon
    assert 1 <= made.fitted_days <= horizon
    assert made.extrapolated == (made.fitted_days < horizon)
    if held >= 3 + 1 / 3:
        assert not made.extrapolated
        assert made.choosing
    if 1.01 < held < 3 and horizon > 1:
        assert made.extrapolated


def test_the_39_weeks_after_the_first_39_are_fitted_on_less_than_a_third() -> None:
    made = split(273, START, START + 273 * DAY_US)
    assert made.fitted_days == 81
    assert len(made.choosing) >= 1
    assert len(made.serving) >= 6


def test_no_history_gives_no_cutoff_to_learn_from() -> None:
    made = split(30, START, START)
    assert (made.choosing, made.reporting, made.serving) == ((), (), ())


def test_the_newest_cutoffs_are_close_and_the_others_a_month_apart_for_three_years() -> None:
    made = split(30, START, START + 3650 * DAY_US)
    gaps = np.diff(made.serving) / DAY_US
    assert gaps[-7:].tolist() == [10.0] * 7
    assert set(gaps[:-7].tolist()) == {30.0}
    assert len(made.serving) == MOST_CUTOFFS


def test_a_split_tells_its_dates() -> None:
    told = split(90, START, START + 700 * DAY_US).describe()
    assert told["test"] == "2021-09-02T00:00:00Z"
    assert str(told["serving"]).startswith("18: 2020-04-10")
