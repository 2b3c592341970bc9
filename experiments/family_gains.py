"""What each family of features gains out of time: the default set plus one family, against the default set.

    python -m experiments.family_gains               every log, every task, every family
    python -m experiments.family_gains retail cdnow  some logs

Boosted trees as they stand, untuned. The number of trees is chosen on the validation cutoff, the gain is measured on
the test cutoff, a horizon later, on rows that chose nothing; all lie before the instants at which `run.py` opens its
truths. Gains are mean differences of log-loss in thousandths with their 90 % interval over customers, after each model
was given the base rate of the test: the level is the business of the season and of calibration, not of a family. A line
with a minus says what leaving out a family of the default set gives.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from features.arrays import Floats
from features.config.load import load
from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.ingest.run import ingest
from features.language.feature_set import FeatureSet
from features.sets.defaults import DEFAULT, derive
from features.sets.families import FAMILIES
from features.sets.survey import survey
from features.simulate.write import Shop, simulate
from features.store.reader import Store
from features.timeline import instant, iso
from models.ladder.lightgbm import TreeParameters, TreeTrainer, sample
from training.context import TrainingContext
from training.dataset.examples import Examples, PanelRequest, build_examples
from training.dataset.split import Split, split
from training.metrics.metrics import log_losses
from training.run import prepare

HERE = Path(__file__).parent
LOGS = {  # name: (configuration, as of)
    "retail": ("online_retail_ii", "2011-03-10"),
    "retail before": ("online_retail_ii", "2010-12-10"),
    "taobao": ("taobao", "2017-12-01T16:00:00"),
    "cdnow": ("cdnow", "1997-09-30"),
}
SHOPS = {"shop 1": 1, "shop 2": 2}  # simulated; name: seed
DRAWS = 400
SEEDS = (1, 2, 3)
NOW = instant("2026-01-01")


def main() -> None:
    """Run the logs asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", default=[*LOGS, *SHOPS], help="names of logs")
    given = parser.parse_args()
    for log in given.logs:
        for title, losses in _asked(log):
            print(f"\n### {title}\n\n| families | gain |\n|---|---|", flush=True)
            _tell(losses)


def _asked(log: str) -> Iterator[tuple[str, Iterator[tuple[str, Floats]]]]:
    """Every question put to a log, with the losses of each choice of families."""
    with TemporaryDirectory() as folder:
        if log in SHOPS:
            simulate(Shop(customers=2000, seed=SHOPS[log]), Path(folder))
            config, as_of = load(Path(folder) / "journeycast.toml"), None
        else:
            name, as_of = LOGS[log]
            config = load(HERE / f"{name}.toml").model_copy(update={"workspace": folder})
        ingest(config, clock=lambda: NOW)
        store = Store.open(config.workspace_path, config)
        context, _ = prepare(_offering(config, FAMILIES), store, as_of=as_of, trials=0, progress=lambda _: None)
        for task in config.tasks.values():
            if task.kind in ("churn", "propensity"):
                yield _title(log, context, task), _losses(context, task)


def _title(log: str, context: TrainingContext, task: TaskConfig) -> str:
    return f"{log}, `{task.name}`, {_split(context, task).fitted_days} days, as of {iso(context.as_of)[:10]}"


def _split(context: TrainingContext, task: TaskConfig) -> Split:
    return split(max(task.horizons_days), context.first, context.end)


def _losses(context: TrainingContext, task: TaskConfig) -> Iterator[tuple[str, Floats]]:
    """Of every choice of families, the loss of each test row."""
    found, cut = survey(context.parts()), _split(context, task)

    def derived(families: tuple[str, ...]) -> FeatureSet:
        return derive(found, _offering(context.config, families), [cut.fitted_days])

    every, base = context.features, derived(DEFAULT)
    asked = PanelRequest(task, cut.fitted_days, every, context.end, context.config.train.max_rows)
    rows = build_examples(context.parts, asked, cut.cutoffs)
    parts = [rows.at(cutoffs) for cutoffs in (cut.choosing, [cut.validation], cut.reporting, [cut.test])]
    choices = {"the default set": DEFAULT}
    choices |= {f"+ {family}": (*DEFAULT, family) for family in FAMILIES if family not in DEFAULT}
    choices |= {f"− {family}": tuple(one for one in DEFAULT if one != family) for family in DEFAULT}
    for name, families in choices.items():
        some = derived(families)
        if name == "the default set" or 0 < len(some) != len(base):
            yield name, _loss(parts, [every.position[column] for column in some.names])


def _offering(config: Config, families: tuple[str, ...]) -> Config:
    wide = config.features.model_copy(update={"families": families, "max_columns": 10_000})
    return config.model_copy(update={"features": wide})


def _loss(parts: list[Examples], columns: list[int]) -> Floats:
    """Mean over seeds of each test row's loss."""
    cut = [(np.ascontiguousarray(part.values[:, columns]), (part.labels.count > 0).astype(float)) for part in parts]
    choosing = sample(*cut[0])
    validation, reporting = sample(*cut[1], like=choosing), sample(*cut[2])
    growth = TreeParameters(min_data_in_leaf=int(np.clip(len(parts[0]) // 300, 20, 100)))
    losses = []
    for seed in SEEDS:
        grower = TreeTrainer("binary", seed, 2)
        trees, _ = grower.count_trees(choosing, validation, growth)
        losses.append(_levelled(cut[3][1], grower.grow(reporting, growth, trees).raw(cut[3][0])))
    return np.mean(losses, axis=0)


def _levelled(outcome: Floats, raw: Floats) -> Floats:
    """Log-losses with the one intercept that gets the base rate of the test right."""
    shift = brentq(lambda by: float(np.mean(expit(raw + by)) - outcome.mean()), -20.0, 20.0)
    return log_losses(outcome, expit(raw + shift))


def _tell(losses: Iterator[tuple[str, Floats]]) -> None:
    """A line for each choice, as soon as it is known."""
    title, base = next(losses)
    weights = np.random.default_rng(7).poisson(1.0, (DRAWS, len(base)))
    print(f"| {title} | log-loss {base.mean():.4f} on {len(base):,} rows |", flush=True)
    for name, loss in losses:
        gain = (base - loss) * 1000
        low, high = np.quantile(weights @ gain / weights.sum(axis=1), [0.05, 0.95])
        print(f"| {name} | {gain.mean():+.1f} ({low:+.1f} to {high:+.1f}) |", flush=True)


if __name__ == "__main__":
    main()
