"""Who else answers a case, each cached: what a peer says depends on the log, the case and the peer's code alone.

A contender's predictions lie in `.cache/experiments` under the case's title, its name and a digest of the files that
make it, so that a change of our own models runs only our own rows again.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from experiments import truth
from experiments.peers import (
    btyd,
    btyd_population,
    featuretools,
    flaml,
    hurdle,
    last_year,
    sql_features,
    tuned_lightgbm,
)
from experiments.peers.environments import FEATURETOOLS, FLAML
from experiments.peers.sql_features import Floats, Past
from experiments.questions import Case
from features.system.files import atomic_write

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "experiments"
SHARED = ("../truth.py", "../questions.py")
PROCESS_CODE = tuple(f"../../models/btyd/{name}.py" for name in ("bg_nbd", "gamma_gamma", "likelihood"))
FLAML_CODE = "flaml.py"
RANKS_ONLY = ("recency rule",)


@dataclass(frozen=True)
class Rival:
    """`say` gives a score for each customer of the population, in order; None where it has nothing to learn from."""

    name: str
    say: Callable[["Asked"], Floats | None]
    code: tuple[str, ...]
    kinds: tuple[str, ...] = ("silence", "event")
    is_here: Callable[[], bool] = lambda: True

    def digest(self, case: Case, seconds: float) -> str:
        """Of the case, the name and the code; of what searches for a time also the time."""
        parts = [repr(case), self.name, *(CODE[name] for name in (*SHARED, *self.code))]
        parts[0] = parts[0].replace(str(case.question.file.parent.parent), "")
        parts += [str(seconds)] if FLAML_CODE in self.code else []
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Asked:
    """A case with what several peers share, made when first asked for."""

    case: Case
    seconds: float = flaml.SECONDS

    @cached_property
    def table(self) -> pd.DataFrame:
        """RFM and BTYD statistics of every customer at the as-of."""
        return truth.rfm(self.case.question, self.case.cutoff)

    @cached_property
    def population(self) -> pd.Index:
        """Whom the case is about."""
        return self.table.index[self.table["active"]]

    @cached_property
    def instants(self) -> tuple[float, tuple[str, ...]]:
        """The horizon that is learnt, and the cutoffs."""
        return sql_features.cutoffs(self.case)

    @cached_property
    def aggregates(self) -> tuple[Past, Floats]:
        """The panel of window aggregates, and the same of the population now."""
        question, (horizon, instants) = self.case.question, self.instants
        tables = [sql_features.aggregates(question, cutoff) for cutoff in instants]
        now = sql_features.aggregates(question, self.case.cutoff).loc[self.population].to_numpy(float)
        return sql_features.past(self.case, tables, horizon, instants), now

    @cached_property
    def synthesis(self) -> tuple[Past, Floats]:
        """The same with the features of deep feature synthesis."""
        horizon, instants = self.instants
        rows = [(sql_features.members(self.case.question, cutoff), cutoff) for cutoff in instants]
        *before, now = featuretools.matrix(self.case, [*rows, (self.population, self.case.cutoff)])
        tables = [pd.DataFrame(part, index=who) for part, (who, _) in zip(before, rows, strict=True)]
        return sql_features.past(self.case, tables, horizon, instants), now


def said(asked: Asked, which: str = "usual") -> Mapping[str, Floats]:
    """What each peer says of the population. `which`: "usual" takes what is cached, "cached" nothing else, "fresh" none
    of it.
    """
    found = {}
    for rival in RIVALS:
        if asked.case.kind in rival.kinds:
            one = _said(rival, asked, which)
            if one is not None:
                found[rival.name] = one
    return found


def _said(rival: Rival, asked: Asked, which: str) -> Floats | None:
    file = CACHE / f"{rival.digest(asked.case, asked.seconds)}.npy"
    if file.exists() and which != "fresh":
        kept = np.load(file)
        return kept if len(kept) else None
    if asked.seconds <= 0 and FLAML_CODE in rival.code:
        return None
    if which == "cached" or not rival.is_here():
        print(f"  {rival.name} is left out: {'not cached' if which == 'cached' else 'its environment is missing'}")
        return None
    one = rival.say(asked)
    CACHE.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary, temporary.open("wb") as out:
        np.save(out, np.zeros(0) if one is None else one)
    return one


def _learnt(objective: str, asked: Asked, *, synthesis: bool = False) -> Floats:
    before, now = asked.synthesis if synthesis else asked.aggregates
    return sql_features.carried(asked.case, tuned_lightgbm.tuned(before, now, objective), before.horizon_days)


def _searched(asked: Asked) -> Floats:
    before, now = asked.aggregates
    parts = [(before.values[rows], before.label[rows]) for rows in (before.earlier, before.newest, slice(None))]
    earlier, newest, every = parts
    found = flaml.searched(earlier, newest, every, now, seconds=asked.seconds)
    return sql_features.carried(asked.case, found, before.horizon_days)


def _of_rfm(fit: Callable[[pd.DataFrame, Floats, pd.DataFrame], Floats], asked: Asked) -> Floats:
    case, (horizon, instants) = asked.case, asked.instants
    tables = [truth.rfm(case.question, cutoff) for cutoff in instants]
    members = [_filled(table[table["active"]]) for table in tables]
    label = np.concatenate(
        [case.label(table.index, cutoff, horizon).to_numpy() for table, cutoff in zip(members, instants, strict=True)]
    )
    known = _filled(asked.table.loc[asked.population])
    return sql_features.carried(case, fit(pd.concat(members), label, known), horizon)


def _filled(asked: pd.DataFrame) -> pd.DataFrame:
    """RFM of the population; who never did the key event stands beyond everybody who did."""
    return asked[btyd.RFM].fillna(asked[btyd.RFM].max() * 2).fillna(0.0)


def _chance(process: str, asked: Asked) -> Floats:
    return btyd_population.chance(process, asked.case, asked.table, asked.instants)


def _amount(process: str, asked: Asked) -> Floats:
    return btyd_population.amount(process, asked.case, asked.table)


def _hurdle(asked: Asked) -> Floats:
    before, now = asked.aggregates
    return sql_features.carried(asked.case, hurdle.tuned(before, now), before.horizon_days)


def _last_year(asked: Asked) -> Floats:
    return last_year.last_year(asked.case, asked.population)


def _recency(asked: Asked) -> Floats:
    rank = btyd.recency_rule(_filled(asked.table.loc[asked.population]))
    return rank if asked.case.kind == "silence" else -rank


OF_AGGREGATES = ("sql_features.py", "tuned_lightgbm.py")
OF_RFM = ("btyd.py", "sql_features.py")
OF_PROCESS = ("btyd.py", "btyd_population.py", *PROCESS_CODE)
CHANCE_PROCESSES = ("BG/NBD", "Pareto/NBD")
MONEY, ORDERS = ("money",), ("orders",)
RIVALS = (
    Rival("SQL + LightGBM", partial(_learnt, "binary"), OF_AGGREGATES),
    Rival(
        "DFS + LightGBM",
        partial(_learnt, "binary", synthesis=True),
        (*OF_AGGREGATES, "featuretools.py", "featuretools_matrix.py"),
        is_here=FEATURETOOLS.is_made,
    ),
    Rival(
        "SQL + FLAML",
        _searched,
        ("sql_features.py", FLAML_CODE, "flaml_fit.py"),
        is_here=FLAML.is_made,
    ),
    Rival("RFM + logistic", partial(_of_rfm, btyd.rfm_logistic), OF_RFM),
    Rival("RFM + LightGBM", partial(_of_rfm, btyd.rfm_lightgbm), OF_RFM),
    *(Rival(name, partial(_chance, name), OF_PROCESS) for name in CHANCE_PROCESSES),
    Rival("recency rule", _recency, ("btyd.py",)),
    Rival("SQL + LightGBM, squares", partial(_learnt, "regression"), OF_AGGREGATES, MONEY + ORDERS),
    Rival("SQL + LightGBM, Poisson", partial(_learnt, "poisson"), OF_AGGREGATES, ORDERS),
    Rival("SQL + LightGBM, Tweedie", partial(_learnt, "tweedie"), OF_AGGREGATES, MONEY),
    Rival("SQL + LightGBM, hurdle", _hurdle, (*OF_AGGREGATES, "hurdle.py"), MONEY),
    *(Rival(f"{name} × Gamma-Gamma", partial(_amount, name), OF_PROCESS, MONEY) for name in btyd.PROCESSES),
    *(Rival(name, partial(_amount, name), OF_PROCESS, ORDERS) for name in btyd.PROCESSES),
    Rival(
        "last year again",
        _last_year,
        ("sql_features.py", "last_year.py"),
        MONEY + ORDERS,
    ),
    Rival("zero", lambda asked: np.zeros(len(asked.population)), (), MONEY + ORDERS),
)
CODE = {  # as it was imported: an edit during a run changes no name of what that run keeps
    name: (HERE / name).read_text(encoding="utf-8")
    for name in {*SHARED, *(name for one in RIVALS for name in one.code)}
}
