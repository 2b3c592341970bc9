"""Run the experiments: ingest, train and score each real log as of past instants, then open the truth.

    python experiments/run.py                          runs every case and prints its table
    python experiments/run.py --write cdnow value      writes those of some cases into experiments/README.md

Scores come from the product as a user gets them and stand beside the peers'; population and truth come from `truth.py`,
by plain SQL on the published file.
"""

import argparse
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import peers
import truth
from truth import Question

from features.config import Config, load
from features.files import write_text
from features.ingest import ingest
from features.store import Store
from features.timeline import SECOND_US
from serving.score import score
from training import metrics
from training.run import train

HERE = Path(__file__).parent
DATA = Path(os.environ.get("JOURNEYCAST_DATA", HERE / "../../shared/data"))
RETAIL, CDNOW, TAOBAO = (DATA / name / "events.parquet" for name in ("online_retail_ii", "cdnow", "taobao"))
PURCHASES = Question(RETAIL, ("purchase",), 90, 180, order="invoice_no", money=("purchase", "return"))
COHORT = Question(CDNOW, ("purchase",), 273, 365)
BUYS = Question(TAOBAO, ("buy",), 2, 365, valued=False, active=())


@dataclass(frozen=True)
class Case:
    """One question put at one instant."""

    experiment: str
    task: str
    as_of: str
    question: Question
    kind: str  # "silence", "event" or "money"


RETAIL_CUTOFFS = ("2011-03-10", "2011-06-10", "2011-09-10")
CASES = (
    *(Case("online_retail_ii", "churn", cutoff, PURCHASES, "silence") for cutoff in RETAIL_CUTOFFS),
    *(
        Case("online_retail_ii", "buys_again", cutoff, replace(PURCHASES, horizon_days=30), "event")
        for cutoff in RETAIL_CUTOFFS
    ),
    *(Case("online_retail_ii", "value", cutoff, PURCHASES, "money") for cutoff in RETAIL_CUTOFFS),
    Case("cdnow", "churn", "1998-04-01", replace(COHORT, horizon_days=90, active_days=180), "silence"),
    Case("cdnow", "buys", "1997-09-30", COHORT, "event"),
    Case("cdnow", "value", "1997-09-30", COHORT, "money"),
    Case("taobao", "buys", "2017-12-01T16:00:00", BUYS, "event"),
)
CHANCE = {"AUROC": metrics.auroc, "log-loss": metrics.log_loss, "Brier skill": metrics.brier_skill, "ECE": metrics.ece}
MONEY = {
    "RMSE": metrics.rmse,
    "MAE": metrics.mae,
    "Gini": metrics.normalised_gini,
    "Spearman": metrics.spearman,
    "bias": metrics.bias,
}


def run(case: Case) -> pd.DataFrame:
    """Metrics of ours and of every peer, one row each."""
    config = load(HERE / f"{case.experiment}.toml")
    config = config.model_copy(update={"workspace": f"{config.workspace}/{case.as_of[:10]}"})  # a past of its own
    table = truth.rfm(case.question, _sql(case.as_of))
    came = truth.outcome(case.question, _sql(case.as_of))
    asked = table[table["active"]]
    outcome = came.reindex(asked.index).fillna(0.0)
    y = outcome["money"] if case.kind == "money" else (outcome["orders"] > 0) == (case.kind == "event")
    said = {"journeycast": _ours(config, case).reindex(asked.index), **_peers(case, table, asked)}
    figures = MONEY if case.kind == "money" else CHANCE
    return pd.DataFrame([_measured(name, y.to_numpy(float), scores, figures) for name, scores in said.items()])


def _ours(config: Config, case: Case) -> pd.Series:
    started = time.perf_counter()
    ingest(config, clock=_now)
    train(config, Store.open(config.workspace_path, config), [case.task], as_of=case.as_of, promote=True, clock=_now)
    frame = score(config, [case.task], as_of=case.as_of)
    print(f"{case.experiment} {case.task} as of {case.as_of}: {time.perf_counter() - started:.0f} s", flush=True)
    return frame.set_index("customer_id")["score"]


def _peers(case: Case, table: pd.DataFrame, asked: pd.DataFrame) -> dict[str, pd.Series]:
    if case.kind == "money":
        money = {name: _btyd(case, table, asked, name)["money"] for name in peers.PROCESSES}
        return {**{f"{name} × Gamma-Gamma": one for name, one in money.items()}, "zero": pd.Series(0.0, asked.index)}
    train_table, label = _past(case)
    fits = {"RFM + logistic": peers.rfm_logistic, "RFM + LightGBM": peers.rfm_lightgbm}
    known = _filled(asked)
    both = len(np.unique(label)) > 1
    said = {name: pd.Series(fit(train_table, label, known), asked.index) for name, fit in fits.items() if both}
    p_buys = {name: _btyd(case, table, asked, name)["p_buys"] for name in peers.PROCESSES}
    processes = {name: 1 - one if case.kind == "silence" else one for name, one in p_buys.items()}
    recency = known["recency_days"] * (1 if case.kind == "silence" else -1)
    return {**said, **processes, "recency rule": recency}


def _btyd(case: Case, table: pd.DataFrame, asked: pd.DataFrame, process: str) -> pd.DataFrame:
    """What a process says of the population; nothing comes of who never bought."""
    return peers.btyd(table, case.question.horizon_days, process).reindex(asked.index).fillna(0.0)


def _past(case: Case) -> tuple[pd.DataFrame, np.ndarray]:
    """RFM and labels of up to six past cutoffs, a horizon and then 30 days apart, all labels before the as-of."""
    horizon = pd.Timedelta(days=case.question.horizon_days)
    tables, labels = [], []
    for back in range(6):
        cutoff = _sql(str(pd.Timestamp(case.as_of) - horizon - back * min(horizon, pd.Timedelta(days=30))))
        table = truth.rfm(case.question, cutoff)
        asked = table[table["active"]]
        orders = truth.outcome(case.question, cutoff)["orders"].reindex(asked.index).fillna(0)
        tables.append(_filled(asked))
        labels.append(((orders > 0) == (case.kind == "event")).to_numpy(float))
    return pd.concat(tables), np.concatenate(labels)


def _filled(asked: pd.DataFrame) -> pd.DataFrame:
    """RFM of the population; who never did the key event stands beyond everybody who did."""
    return asked[peers.RFM].fillna(asked[peers.RFM].max() * 2).fillna(0.0)


def _measured(name: str, y: np.ndarray, scores: pd.Series, figures: dict[str, metrics.Metric]) -> dict[str, object]:
    p = scores.to_numpy(float)
    if np.isnan(p).any():
        raise ValueError(f"{name} leaves {np.isnan(p).sum()} of {len(p)} customers of the population without a score")
    ranks_only = name == "recency rule"
    ones = np.ones((1, len(y)))
    return {"": name} | {
        title: np.nan if ranks_only and title != "AUROC" else float(figure(y, p, ones)[0])
        for title, figure in figures.items()
    }


def _title(case: Case) -> str:
    return f"{case.experiment}, `{case.task}`, {case.question.horizon_days:g} days ahead of {case.as_of}"


def _table(frame: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(frame.columns) + " |", "|---" * len(frame.columns) + "|"]
    best = {column: _best(frame[column], column) for column in frame.columns[1:]}
    for _, row in frame.iterrows():
        cells = [_cell(row[column], best=row[column] == best[column]) for column in frame.columns[1:]]
        lines.append(f"| {row.iloc[0]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _best(column: pd.Series, name: str) -> float:
    if name == "bias":
        return float(column.iloc[column.abs().argmin()])
    return float(column.max() if name in ("AUROC", "Brier skill", "Gini", "Spearman") else column.min())


def _cell(value: float, *, best: bool) -> str:
    text = "–" if np.isnan(value) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"**{text}**" if best else text


def _sql(instant: str) -> str:
    return instant.replace("T", " ")


def _now() -> int:
    return int(time.time() * SECOND_US)


def main() -> None:
    """Run the cases asked for, one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="parts of titles: all cases that hold every one of them are run")
    parser.add_argument("--write", action="store_true", help="write each table into experiments/README.md")
    given = parser.parse_args()
    for case in CASES:
        if all(part in _title(case) for part in given.parts):
            table = _table(run(case))
            print(f"\n### {_title(case)}\n\n{table}", flush=True)
            if given.write:
                _write(case, table)


def _write(case: Case, table: str) -> None:
    """Put the table under its title in the README, in the order of the cases."""
    page = HERE / "README.md"
    head, sections, tail = re.split(r"<!-- (?:tables|end) -->", page.read_text(encoding="utf-8"))
    known = dict(re.findall(r"(?s)### (.*?)\n\n(.*?)(?=\n\n###|\Z)", sections.strip())) | {_title(case): table}
    ordered = [f"### {title}\n\n{known[title]}" for title in map(_title, CASES) if title in known]
    write_text(page, f"{head}<!-- tables -->\n\n" + "\n\n".join(ordered) + f"\n\n<!-- end -->{tail}")


if __name__ == "__main__":
    main()
