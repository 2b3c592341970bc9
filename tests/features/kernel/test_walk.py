"""The compiled pass against the oracle, feature by feature."""

import math

import numpy as np
from hypothesis import given

from features.language.feature import Feature
from features.panel.build import Panel, Rows, build
from tests.support.oracle import oracle
from tests.support.strategies import CUTOFFS, EVERY_FEATURE, World, worlds

ROUNDING = 2.0**-53  # of one float64 operation, relative
LONGEST_DAYS = 440  # from the first to the last time of a generated world


def panel(of: World) -> Panel:
    journeys = of.journeys()
    return build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), EVERY_FEATURE)


def tolerance(feature: Feature, events: int) -> float:
    """Quarters add up exactly, and a quotient rounded once is the same everywhere: these few are not exact.

    Gaps: each gap's distance from the mean is off by at most two roundings of the longest gap, so their root mean
    square is too; squaring, adding n of them, dividing and the root add n + 4 roundings of a number that is smaller
    still. Over the mean gap, the longest is at most n. Amounts: none is above 10 n, so a squared distance is off by at
    most four roundings of (20 n)²; the root divides n of them by 2 (n - 1) standard deviations, and the smallest that
    is not 0 is a quarter over the root of n. Entropy adds n products of a share and a logarithm below log n. The season
    subtracts the whole years from a number below 64.
    """
    n = events + 1
    roundings = {
        "gap_std": (n + 6) * LONGEST_DAYS,
        "gap_cv": (n + 8) * n,
        "std": 4 * (20 * n) ** 2 * 4 * math.sqrt(n),
        "entropy": (n + 4) * math.log(n + 1),
        "season_sin": 64 * 8,
        "season_cos": 64 * 8,
    }
    return roundings.get(feature.kind, 0.0) * ROUNDING


@given(worlds())
def test_every_feature_says_what_its_definition_says(of: World) -> None:
    computed = panel(of).values.reshape(len(of.customers), len(CUTOFFS), -1)
    for index, customer in enumerate(of.customers):
        for place, cutoff in enumerate(CUTOFFS):
            expected = oracle(of, customer, cutoff)
            for feature, value in zip(EVERY_FEATURE.declared, computed[index, place], strict=True):
                wanted = expected(feature)
                near = abs(value - wanted) <= tolerance(feature, len(of.events))
                assert near or (np.isnan(value) and np.isnan(wanted)), (feature.name, customer, cutoff, value, wanted)
