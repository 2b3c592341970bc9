"""Run the experiments: ingest, train and score each real log as of past instants, then open the truth.

    python experiments/run.py                          runs every case and prints its table
    python experiments/run.py --write cdnow value      writes those of some cases into results/ and README.md
    python experiments/run.py --write --peers cached   our own rows anew; of the peers only what was kept before
    python experiments/run.py --write --ours cached    the same scores of ours, new peers or tables
    python experiments/run.py --ours none              peers only, kept for later

Scores come from the product as a user gets them and stand beside the peers'; population and truth come from `truth.py`,
by plain SQL on the published file.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))  # for the peers of benchmarks/

import automl
import numpy as np
import pandas as pd
import peer_features
import tables
from cases import CASES, HERE, Case
from paired import ahead
from peer_features import Floats
from rivals import CACHE, RANKS_ONLY, Asked, said

from features import settings
from features.config import load
from features.files import atomic_write
from features.ingest import ingest
from features.store import Store
from features.timeline import SECOND_US
from serving.score import score
from training import metrics
from training.metrics import Metric
from training.run import train

CHANCE: Mapping[str, Metric] = {
    "AUROC": metrics.auroc,
    "log-loss": metrics.log_loss,
    "Brier skill": metrics.brier_skill,
    "ECE": metrics.ece,
    "average precision": metrics.average_precision,
    "lift at 10 %": metrics.lift_at_tenth,
}
MONEY: Mapping[str, Metric] = {
    "RMSE": metrics.rmse,
    "MAE": metrics.mae,
    "Gini": metrics.normalised_gini,
    "Spearman": metrics.spearman,
    "bias": metrics.bias,
}


@dataclass(frozen=True)
class Given:
    """What the command line asked for."""

    peers: str
    ours: str
    seconds: float


def run(case: Case, given: Given) -> pd.DataFrame:
    """Every metric of ours and of every peer, a row each, with how far ours is ahead."""
    asked = Asked(case, given.seconds)
    truth = case.label(asked.population, case.cutoff).to_numpy()
    others = dict(said(asked, given.peers))
    ours = _ours(case, given.ours).reindex(asked.population).to_numpy(float)
    found = {tables.OURS: ours, **others}
    for name, one in found.items():
        if np.isnan(one).any():
            raise ValueError(f"{name} leaves {np.isnan(one).sum()} of {len(one)} customers of {case.title} out")
    about = _case(asked, truth)
    rows = [{**about, "contender": name, **_measured(case, name, truth, one)} for name, one in found.items()]
    return pd.DataFrame(rows).merge(_ahead(case, truth, ours, others), on="contender", how="left")


def _case(asked: Asked, truth: Floats) -> dict[str, object]:
    """The case, how many are asked about, and what the outcome's rate or mean was at training and came to be."""
    case, (horizon, instants) = asked.case, asked.instants
    newest = case.label(peer_features.members(case.question, instants[-1]), instants[-1], horizon)
    return {
        "case": case.title,
        "customers": len(truth),
        "learnt days": horizon,
        "base at training": newest.mean(),
        "base at test": truth.mean(),
    }


def _measured(case: Case, name: str, truth: Floats, one: Floats) -> dict[str, float]:
    ones = np.ones((1, len(truth)))
    figures = MONEY if case.is_money else CHANCE
    ranks = name in RANKS_ONLY
    told = {
        title: np.nan if ranks and title not in tables.RANKING else float(figure(truth, one, ones)[0])
        for title, figure in figures.items()
    }
    if not case.is_money and not ranks:
        names = ("slope", "slope low", "slope high")
        told |= dict(zip(names, metrics.calibration_slope(truth, one), strict=True))
    return told


def _ahead(case: Case, truth: Floats, ours: Floats, others: Mapping[str, Floats]) -> pd.DataFrame:
    """By contender, the difference in each judged metric with its interval and p-value."""
    figures = MONEY if case.is_money else CHANCE
    parts: dict[str, dict[str, float]] = {name: {} for name in others}
    for title in tables.JUDGED["money" if case.is_money else "chance"]:
        asked = {name: one for name, one in others.items() if name not in RANKS_ONLY or title in tables.RANKING}
        for name, one in ahead(title, figures[title], truth, ours, asked).items():
            parts[name] |= {f"{title} {what}": getattr(one, what) for what in ("by", "low", "high", "p")}
    return pd.DataFrame([{"contender": name, **part} for name, part in parts.items()])


def _ours(case: Case, which: str) -> pd.Series:
    """Our score of every customer; kept, so that tables can be made again without training."""
    kept = CACHE / f"ours {case.experiment} {case.task} {case.as_of[:10]}.parquet"
    if which != "cached" or not kept.exists():
        frame = _scored(case)
        CACHE.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as temporary:
            frame.to_parquet(temporary, index=False)
    return pd.read_parquet(kept).set_index("customer_id")["score"]


def _scored(case: Case) -> pd.DataFrame:
    started = time.perf_counter()
    config = load(HERE / f"{case.experiment}.toml")
    config = config.model_copy(update={"workspace": f"{config.workspace}/{case.as_of[:10]}"})  # a past of its own
    ingest(config, clock=_now)
    train(config, Store.open(config.workspace_path, config), [case.task], as_of=case.as_of, promote=True, clock=_now)
    frame = score(config, [case.task], as_of=case.as_of)
    print(f"{case.title}: {time.perf_counter() - started:.0f} s", flush=True)
    return frame[["customer_id", "score", "rung", "grade"]]


def _now() -> int:
    return int(time.time() * SECOND_US)


def main() -> None:
    """Run the cases asked for, one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="parts of titles: all cases that hold every one of them are run")
    parser.add_argument("--write", action="store_true", help="write figures into results/ and tables into README.md")
    parser.add_argument("--peers", choices=["usual", "cached", "fresh"], default="usual")
    parser.add_argument("--ours", choices=["cached", "fresh", "none"], default="fresh", help="none: only peers, kept")
    parser.add_argument("--seconds", type=float, default=automl.SECONDS, help="FLAML's time for a case; 0: without it")
    given = parser.parse_args()
    settings.apply()
    for case in CASES:
        if all(part in case.title for part in given.parts):
            if given.ours == "none":
                print(case.title, *said(Asked(case, given.seconds), given.peers), sep="\n  ", flush=True)
                continue
            found = run(case, Given(given.peers, given.ours, given.seconds))
            print(f"\n{tables.section(found)}", flush=True)
            if given.write:
                tables.keep(found, [one.title for one in CASES])
    if given.write:
        tables.write([one.title for one in CASES])


if __name__ == "__main__":
    main()
