"""What needs no model: as much as in the last year."""

import pandas as pd
import peer_features
from cases import Case
from peer_features import Floats

YEAR_DAYS = 365.0


def last_year(case: Case, population: pd.Index) -> Floats:
    """Money or orders of the 365 days before the cutoff (or of all history, if shorter), scaled to the horizon."""
    begin = pd.Timestamp(case.cutoff) - pd.Timedelta(days=YEAR_DAYS)
    came = case.label(population, str(begin), YEAR_DAYS).to_numpy()
    return came * case.question.horizon_days / min(YEAR_DAYS, peer_features.history_days(case))
