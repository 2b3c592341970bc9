"""What training costs beside fitting one LightGBM on the same panel, and what each trial of Optuna buys.

    python -m benchmarks.training             a simulated shop of 20,000 customers, and Online Retail II
    python -m benchmarks.training --log shop  one of them
    python -m benchmarks.training --quick     seconds: fails where a training loses to its baseline

Processor time on one thread, by phase as the training itself tells them. Log-loss is that of the training's own test:
rows later than all that was fitted or chosen. FLAML gets the same rows and as much time as the choosing took.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from experiments.peers import flaml
from experiments.peers.environments import FLAML
from features.config.load import load
from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.ingest.run import ingest
from features.simulate.write import Shop, simulate
from features.store.reader import Store
from features.system import environment
from features.timeline import instant
from training.context import TrainingContext
from training.dataset.examples import Examples, PanelRequest, build_examples
from training.dataset.split import Split, split
from training.metrics import metrics
from training.run import prepare, train_task

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("JOURNEYCAST_DATA", ROOT / "../shared/data"))
NOW = instant("2026-06-01")
TRIALS = (0, 1, 5, 15, 30, 60)
USUAL = 15  # the default of [train]
PLAIN = {"objective": "binary", "num_threads": 1, "verbosity": -1}
TREES = 100


@dataclass
class Phases:
    """Processor seconds between what a training tells, by the words it starts with."""

    seconds: dict[str, float] = field(default_factory=dict)
    _doing: str = ""
    _since: float = 0.0

    def tell(self, what: str) -> None:
        """The training begins something else."""
        now = time.process_time()
        if self._doing:
            self.seconds[self._doing] = self.seconds.get(self._doing, 0.0) + now - self._since
        told = what.rsplit(": ", 1)[-1]
        self._doing, self._since = " ".join(told.split()[:2]).removesuffix(" on").removesuffix(" of"), now

    def forget(self) -> None:
        """All that was before is not measured."""
        self.seconds.clear()
        self._doing = ""

    @property
    def panel(self) -> float:
        """Of building panels."""
        return sum(seconds for name, seconds in self.seconds.items() if name.startswith("panel"))

    @property
    def rest(self) -> float:
        """Of all else."""
        return sum(self.seconds.values()) - self.panel


@dataclass(frozen=True)
class Trained:
    """A training with so many trials: its test and what it took."""

    trials: int
    log_loss: float
    baseline: float
    rung: str
    phases: Phases


def main() -> int:
    """The exit code: 1 when a training is worse than its baseline."""
    options = _options()
    environment.apply()
    logs = {"shop": _shop, "retail": _retail}
    chosen = ["shop"] if options.quick else options.log or list(logs)
    customers = 300 if options.quick else options.customers
    lost = 0
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            config = logs[name](Path(folder), customers)
            if config is not None:
                lost += _measured(config, (0, 1) if options.quick else options.trials, with_flaml=not options.quick)
    return 1 if lost else 0


def _measured(config: Config, trials: tuple[int, ...], *, with_flaml: bool) -> int:
    """Print both tables of a log; the number of trainings that lose to their baseline."""
    ingest(config, clock=lambda: NOW)
    store, task = Store.open(config.workspace_path, config), config.task("churn")
    trained = [_trained(config, store, task, count) for count in trials]
    context, _ = prepare(config, store, as_of=None, trials=0, progress=lambda _: None)
    cut = split(max(task.horizons_days), context.first, context.end)
    rows = build_examples(context.parts, _asked(context, task, cut), cut.cutoffs)
    one = _processor(lambda: _plain(rows.at(cut.serving)))
    usual = min(trained, key=lambda of: abs(of.trials - USUAL))
    print(f"\n### {config.name}: {len(rows.at(cut.serving)):,} rows × {rows.values.shape[1]} features\n")
    print(_cost(usual, one))
    print("\n| | log-loss, later rows | processor s, panel apart |\n|---|---|---|")
    for of in trained:
        print(f"| {of.trials} trials ({of.rung}) | {of.log_loss:.4f} | {of.phases.rest:.1f} |")
    print(f"| the named baseline | {usual.baseline:.4f} | – |")
    said, seconds = _plain_later(rows, cut)
    print(f"| one LightGBM, {TREES} trees, defaults | {said:.4f} | {seconds:.1f} |")
    if with_flaml and FLAML.is_made():
        budget = max(sum(value for name, value in usual.phases.seconds.items() if name.startswith("choosing")), 1.0)
        print(f"| FLAML, {budget:.0f} s | {_flaml(rows, cut, budget):.4f} | {budget:.0f} |", flush=True)
    return sum(of.log_loss > of.baseline for of in trained)


def _trained(config: Config, store: Store, task: TaskConfig, trials: int) -> Trained:
    phases = Phases()
    context, facts = prepare(config, store, as_of=None, trials=trials, progress=phases.tell)
    phases.forget()
    bundle, _ = train_task(context, task, facts)
    phases.tell("")
    answer = bundle.predictors[-1]
    losses = answer.metrics["log_loss"][0], answer.baseline_metrics["log_loss"][0]
    return Trained(trials, *losses, answer.rung.name, phases)


def _cost(usual: Trained, one: float) -> str:
    """The phases of the default training, as multiples of one fit."""
    lines = ["| phase | processor s | × one LightGBM |", "|---|---|---|"]
    lines += [f"| {name} | {value:.2f} | {value / one:.1f} |" for name, value in usual.phases.seconds.items()]
    lines.append(f"| all but panels | {usual.phases.rest:.2f} | {usual.phases.rest / one:.1f} |")
    lines.append(f"| one LightGBM, {TREES} trees, defaults, on the serving rows | {one:.2f} | 1.0 |")
    return "\n".join(lines)


def _asked(context: TrainingContext, task: TaskConfig, cut: Split) -> PanelRequest:
    return PanelRequest(task, cut.fitted_days, context.features, context.end, context.config.train.max_rows)


def _plain(rows: Examples) -> lgb.Booster:
    return lgb.train(PLAIN, lgb.Dataset(rows.values, rows.outcome), TREES)


def _plain_later(rows: Examples, cut: Split) -> tuple[float, float]:
    """Log-loss on the test rows of one LightGBM fitted a horizon before them, and the seconds of its fit."""
    started = time.process_time()
    booster = _plain(rows.at(cut.reporting))
    seconds = time.process_time() - started
    test = rows.at([cut.test])
    return _loss(test, np.asarray(booster.predict(test.values, num_threads=1))), seconds


def _flaml(rows: Examples, cut: Split, seconds: float) -> float:
    parts = [rows.at(cutoffs) for cutoffs in (cut.choosing, [cut.validation], cut.reporting)]
    test = rows.at([cut.test])
    said = flaml.searched(*((part.values, part.outcome) for part in parts), test.values, seconds=seconds)
    return _loss(test, said)


def _loss(rows: Examples, said: Any) -> float:
    return float(metrics.log_loss(rows.outcome, said, np.ones((1, len(rows))))[0])


def _processor(job: Callable[[], object]) -> float:
    """The middle of three."""
    spent = []
    for _ in range(3):
        started = time.process_time()
        job()
        spent.append(time.process_time() - started)
    return sorted(spent)[1]


def _shop(folder: Path, customers: int) -> Config:
    return _alone(load(simulate(Shop(customers=customers), folder).config))


def _retail(folder: Path, _: int) -> Config | None:
    if not (DATA / "online_retail_ii").exists():
        print("Online Retail II is not here: JOURNEYCAST_DATA names the folder of the logs")
        return None
    os.environ.setdefault("JOURNEYCAST_DATA", str(DATA.resolve()))
    config = load(ROOT / "experiments" / "online_retail_ii.toml")
    return _alone(config.model_copy(update={"workspace": str(folder)}))


def _alone(config: Config) -> Config:
    """Churn only, on one thread."""
    work = config.train.model_copy(update={"threads": 1})
    return config.model_copy(update={"tasks": {"churn": config.task("churn")}, "train": work})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 customers, no FLAML")
    parser.add_argument("--log", nargs="+", choices=["shop", "retail"])
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--trials", type=int, nargs="+", default=TRIALS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
