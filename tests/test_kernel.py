"""The compiled pass against the oracle, feature by feature."""

import numpy as np
from hypothesis import given

from features.panel import Panel, Rows, build
from features.windows import Feature
from tests.oracle import oracle
from tests.worlds import CUTOFFS, EVERY_FEATURE, World, worlds

ROUNDING = 2.0**-53  # of one float64 operation, relative
LONGEST_DAYS = 440  # from the first to the last time of a generated world


def panel(of: World) -> Panel:
    journeys = of.journeys()
    return build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), EVERY_FEATURE)


def tolerance(feature: Feature, events: int) -> float:
    """Quarters add up exactly, and a quotient rounded once is the same everywhere: only the spread is not exact.

    Each gap's distance from the mean is off by at most two roundings of the longest gap, so their root mean square is
    too; squaring, adding n of them, dividing and the root add n + 4 roundings of a number that is smaller still.
    """
    return (events + 6) * ROUNDING * LONGEST_DAYS if feature.what == "gap_std" else 0.0


@given(worlds())
def test_every_feature_says_what_its_definition_says(of: World) -> None:
    found = panel(of).values.reshape(len(of.customers), len(CUTOFFS), -1)
    for index, customer in enumerate(of.customers):
        for place, cutoff in enumerate(CUTOFFS):
            expected = oracle(of, customer, cutoff)
            for feature, value in zip(EVERY_FEATURE.features, found[index, place], strict=True):
                wanted = expected(feature)
                near = abs(value - wanted) <= tolerance(feature, len(of.events))
                assert near or (np.isnan(value) and np.isnan(wanted)), (feature.name, customer, cutoff, value, wanted)
