"""What the purchase processes say of a population; of who never bought, what came of such people before."""

import numpy as np
import pandas as pd
import peer_features
import peers
import truth
from cases import Case
from peer_features import Floats

Instants = tuple[float, tuple[str, ...]]  # the horizon that is learnt, and the cutoffs


def chance(process: str, case: Case, table: pd.DataFrame, instants: Instants) -> Floats:
    """The probability of the outcome for each of the active."""
    p_buys = np.array(_expected(process, case, table)["p_buys"], float)
    said = 1 - p_buys if case.kind == "silence" else p_buys
    never = np.isnan(said)
    if never.any():
        said[never] = _of_who_never_bought(case, *instants)
    return said


def amount(process: str, case: Case, table: pd.DataFrame) -> Floats:
    """The mean of the money or orders that come from each of the active; nothing from who never bought."""
    return np.nan_to_num(_expected(process, case, table)[case.kind].to_numpy(float))


def _expected(process: str, case: Case, table: pd.DataFrame) -> pd.DataFrame:
    said = peers.btyd(table, case.question.horizon_days, process)
    return said.reindex(table.index[table["active"]])


def _of_who_never_bought(case: Case, horizon: float, cutoffs: tuple[str, ...]) -> float:
    """Their rate at the newest labelled cutoff, one more of each outcome added."""
    then = truth.rfm(case.question, cutoffs[-1])
    label = case.label(then.index[then["active"] & then["t"].isna()], cutoffs[-1], horizon)
    rate = np.array([(label.sum() + 1) / (len(label) + 2)])
    return float(peer_features.carried(case, rate, horizon)[0])
