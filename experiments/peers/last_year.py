"""What needs no model: as much as in the last year."""

import pandas as pd

from experiments.peers import sql_features
from experiments.peers.sql_features import Floats
from experiments.questions import Case

YEAR_DAYS = 365.0


def last_year(case: Case, population: pd.Index) -> Floats:
    """Money or orders of the 365 days before the cutoff (or of all history, if shorter), scaled to the horizon."""
    begin = pd.Timestamp(case.cutoff) - pd.Timedelta(days=YEAR_DAYS)
    came = case.label(population, str(begin), YEAR_DAYS).to_numpy()
    return came * case.question.horizon_days / min(YEAR_DAYS, sql_features.history_days(case))
