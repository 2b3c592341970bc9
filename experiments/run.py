"""Run the experiments: ingest, train and score each real log as of past instants, then open the truth.

    python -m experiments.run                         runs every case and prints its table
    python -m experiments.run --write cdnow value     writes those of some cases into results/ and README.md
    python -m experiments.run --write --peers cached  our own rows anew; of the peers only what was kept before
    python -m experiments.run --write --ours cached   the same scores of ours, new peers or tables
    python -m experiments.run --ours none             peers only, kept for later

Scores come from the product as a user gets them and stand beside the peers'; population and truth come from `truth.py`,
by plain SQL on the published file.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.journeycast_scores import ours
from experiments.peers import flaml, sql_features
from experiments.peers.run import RANKS_ONLY, Asked, said
from experiments.peers.sql_features import Floats
from experiments.questions import CASES, Case
from experiments.results import tables
from experiments.results.figures import FIGURES, measured, of_distribution
from experiments.results.paired import ahead
from features.system import environment


@dataclass(frozen=True)
class Given:
    """What the command line asked for."""

    peers: str
    ours: str
    seconds: float


def run(case: Case, given: Given) -> pd.DataFrame:
    """Every figure of ours and of every peer, a row each, with how far ours is ahead."""
    asked = Asked(case, given.seconds)
    truth = case.label(asked.population, case.cutoff).to_numpy()
    others = dict(said(asked, given.peers))
    told = ours(case, given.ours).reindex(asked.population)
    own = told["orders" if case.kind == "orders" else "score"].to_numpy(float)
    found = {tables.OURS: own, **others}
    for name, one in found.items():
        if np.isnan(one).any():
            raise ValueError(f"{name} leaves {np.isnan(one).sum()} of {len(one)} customers of {case.title} out")
    about = _case(asked, truth)
    rows = [{**about, "contender": name, **measured(case, name, truth, one)} for name, one in found.items()]
    if case.kind == "money":
        rows[0] |= of_distribution(truth, told)
    return pd.DataFrame(rows).merge(_ahead(case, truth, own, others), on="contender", how="left")


def _case(asked: Asked, truth: Floats) -> dict[str, object]:
    """The case, how many are asked about, and what the outcome's rate or mean was at training and came to be."""
    case, (horizon, instants) = asked.case, asked.instants
    newest = case.label(sql_features.members(case.question, instants[-1]), instants[-1], horizon)
    return {
        "case": case.title,
        "customers": len(truth),
        "learnt days": horizon,
        "base at training": newest.mean(),
        "base at test": truth.mean(),
    }


def _ahead(case: Case, truth: Floats, own: Floats, others: Mapping[str, Floats]) -> pd.DataFrame:
    """By contender, the difference in each judged metric with its interval and p-value."""
    parts: dict[str, dict[str, float]] = {name: {} for name in others}
    for title in tables.JUDGED[case.table]:
        asked = {name: one for name, one in others.items() if name not in RANKS_ONLY or title in tables.RANKING}
        for name, one in ahead(title, FIGURES[case.table][title], truth, own, asked).items():
            parts[name] |= {f"{title} {what}": getattr(one, what) for what in ("by", "low", "high", "p")}
    return pd.DataFrame([{"contender": name, **part} for name, part in parts.items()])


def main() -> None:
    """Run the cases asked for, one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="parts of titles: all cases that hold every one of them are run")
    parser.add_argument("--write", action="store_true", help="write figures into results/ and tables into README.md")
    parser.add_argument("--peers", choices=["usual", "cached", "fresh"], default="usual")
    parser.add_argument("--ours", choices=["cached", "fresh", "none"], default="fresh", help="none: only peers, kept")
    parser.add_argument("--seconds", type=float, default=flaml.SECONDS, help="FLAML's time for a case; 0: without it")
    given = parser.parse_args()
    environment.apply()
    scored: set[tuple[str, str, str]] = set()
    for case in CASES:
        if all(part in case.title for part in given.parts):
            if given.ours == "none":
                print(case.title, *said(Asked(case, given.seconds), given.peers), sep="\n  ", flush=True)
                continue
            asked = (case.experiment, case.task, case.as_of)  # two cases may read one training
            found = run(case, Given(given.peers, "cached" if asked in scored else given.ours, given.seconds))
            scored.add(asked)
            print(f"\n{tables.section(found, case.table)}", flush=True)
            if given.write:
                tables.keep(found, case.table, [one.title for one in CASES])
    if given.write:
        tables.write([one.title for one in CASES])


if __name__ == "__main__":
    main()
