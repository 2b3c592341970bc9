"""Two models on the same rows: what has no value is not called an error of 0."""

import numpy as np
import pytest

from training.metrics.paired import bias

CUSTOMERS = np.array(["ada", "bob", "cleo", "dora"], object)
PREDICTED, OTHER = np.array([1.0, 2.0, 0.0, 1.0]), np.array([2.0, 2.0, 1.0, 3.0])


def test_the_bias_is_a_share_of_the_money_that_came() -> None:
    error = bias(CUSTOMERS, np.array([1.0, 1.0, 1.0, 1.0]), PREDICTED, OTHER, seed=7)
    assert error is not None
    assert (error.own, error.other) == pytest.approx((0.0, 1.0))


def test_without_any_money_the_bias_is_undefined() -> None:
    assert bias(CUSTOMERS, np.zeros(4), PREDICTED, OTHER, seed=7) is None


def test_refunds_that_cancel_the_sales_leave_the_bias_undefined() -> None:
    assert bias(CUSTOMERS, np.array([5.0, -5.0, 0.0, 0.0]), PREDICTED, OTHER, seed=7) is None
