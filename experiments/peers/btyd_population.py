"""What the purchase processes say of a population; of who never bought, what came of such people before."""

import numpy as np
import pandas as pd

from experiments import truth
from experiments.peers import btyd, sql_features
from experiments.peers.sql_features import Floats
from experiments.questions import Case

Instants = tuple[float, tuple[str, ...]]  # the horizon that is learnt, and the cutoffs


def chance(process: str, case: Case, table: pd.DataFrame, instants: Instants) -> Floats:
    """The probability of the outcome for each of the active."""
    p_buys = np.array(_expected(process, case, table)["p_buys"], float)
    chance: Floats = 1 - p_buys if case.kind == "silence" else p_buys
    never_bought = np.isnan(chance)
    if never_bought.any():
        chance[never_bought] = _of_who_never_bought(case, *instants)
    return chance


def amount(process: str, case: Case, table: pd.DataFrame) -> Floats:
    """The mean of the money or orders that come from each of the active; nothing from who never bought."""
    expected = _expected(process, case, table)[case.kind]
    return np.asarray(np.nan_to_num(expected.to_numpy(float)), np.float64)


def _expected(process: str, case: Case, table: pd.DataFrame) -> pd.DataFrame:
    expected = btyd.btyd(table, case.question.horizon_days, process)
    return expected.reindex(table.index[table["active"]])


def _of_who_never_bought(case: Case, horizon: float, cutoffs: tuple[str, ...]) -> float:
    """Their rate at the newest labelled cutoff, one more of each outcome added."""
    then = truth.rfm(case.question, cutoffs[-1])
    label = case.label(then.index[then["active"] & then["t"].isna()], cutoffs[-1], horizon)
    rate = np.array([(label.sum() + 1) / (len(label) + 2)])
    return float(sql_features.carried(case, rate, horizon)[0])
