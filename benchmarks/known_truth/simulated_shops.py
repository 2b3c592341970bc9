"""Simulated shops whose true chance of silence is known, and what a training says of them at the end of their logs.

A world is a size, a share of customers who fall silent, and a seed. Offers do nothing and no row comes late, so that
the log's last day is like those before it; customers keep joining, as in any young shop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.known_truth import cache
from features.arrays import Floats, Strings
from features.config.load import load
from features.config.tasks import TaskConfig
from features.ingest.run import ingest
from features.panel.build import Rows, build
from features.simulate.write import Shop, Simulation, simulate
from features.store.reader import Store
from features.timeline import DAY_US, instant
from models.bundle import Bundle
from models.tasks import population
from training.context import TrainingContext
from training.run import prepare, train_task

HORIZON_DAYS = 90
ACTIVE_DAYS = 180
TRIALS = 5
MOST_ROWS = 100_000  # of a panel, a quarter of the default: shops of 30,000 would take many minutes each
SIZES = (50, 300, 3000, 30_000)
ARRAYS = ("chance", "came", "said", "low", "high", "baseline")
NOW = instant("2026-06-01")
QUIET: Mapping[str, Any] = MappingProxyType(
    {
        "future_days": HORIZON_DAYS,
        "one_time_share": 0.0,
        "policy": (0.0, 0.0, 1.0),
        "policy_when_quiet": (0.0, 0.0, 1.0),
        "offer_every_days": 270,
        "views_per_session": 1.0,
        "browse_per_purchase": 0.1,
        "browse_rate": 1 / 300,
        "lines_per_order": 1.0,
        "late_share": 0.0,
        "return_share": 0.03,
    }
)
# What makes about this share of those who bought in the last 180 days buy nothing in the next 90: few fall silent where
# all buy every other week and hardly anybody leaves.
SILENT: Mapping[float, Mapping[str, Any]] = MappingProxyType(
    {
        0.01: {
            "purchase_rate": 1 / 11,
            "purchase_rate_shape": 8.0,
            "lapse_hazard": 1 / 45_000,
            "trouble_rate": 1 / 2800,
        },
        0.10: {
            "purchase_rate": 1 / 20,
            "purchase_rate_shape": 3.0,
            "lapse_hazard": 1 / 10_000,
            "trouble_rate": 1 / 1000,
        },
        0.40: {"purchase_rate": 1 / 48, "purchase_rate_shape": 1.4, "lapse_hazard": 1 / 2000, "trouble_rate": 1 / 250},
    }
)


@dataclass(frozen=True)
class World:
    """A shop of so many customers, of whom about `silent` fall silent."""

    customers: int
    silent: float
    seed: int

    @property
    def shop(self) -> Shop:
        """The simulated shop."""
        return Shop(customers=self.customers, seed=self.seed, **QUIET, **SILENT[self.silent])


@dataclass(frozen=True, eq=False)
class Told:
    """Of each customer of the population at the end of the log: the true chance, what came, what was said (n,)."""

    chance: Floats
    came: Floats
    said: Floats
    low: Floats
    high: Floats
    baseline: Floats
    rung: str
    grade: str


def worlds(count: int, sizes: tuple[int, ...] = SIZES) -> list[World]:
    """So many worlds spread over the cells, each with a seed of its own, the small shops first."""
    cells = [(customers, silent) for customers in sizes for silent in SILENT]
    spread = [World(*cells[number % len(cells)], seed=1000 + number) for number in range(count)]
    return sorted(spread, key=lambda world: (world.customers, world.silent, world.seed))


def told(world: World, folder: Path, *, trials: int = TRIALS, threads: int = 1) -> Told:
    """Simulate the shop into the folder, train on its log, and put what is said of everybody beside the truth."""
    made = simulate(world.shop, folder, threads=threads)
    config = load(made.config)
    task = config.task("churn").model_copy(update={"active_days": ACTIVE_DAYS})
    work = config.train.model_copy(update={"threads": threads, "max_rows": MOST_ROWS})
    config = config.model_copy(update={"tasks": {"churn": task}, "train": work})
    ingest(config, clock=lambda: NOW)
    store = Store.open(config.workspace_path, config)
    context, facts = prepare(config, store, as_of=None, trials=trials, progress=lambda _: None)
    bundle, _ = train_task(context, task, facts)
    customers, said = of_everybody(context, task, bundle)
    (answer,) = bundle.predictors
    return Told(*_truth(world.shop, made, customers), *said, answer.rung.name, answer.grade)


def of_everybody(
    context: TrainingContext, task: TaskConfig, bundle: Bundle
) -> tuple[Strings, tuple[Floats, Floats, Floats, Floats]]:
    """The population at the training's instant, and of each score, low, high and baseline."""
    (answer,) = bundle.predictors
    customers, columns = [], []
    for part in context.parts():
        rows = Rows.grid(len(part), np.array([context.as_of], np.int64))
        rows = rows[population(task, part, rows)]
        said = answer.predict(build(part, rows, bundle.features).values, bundle.features.position)
        customers.append(part.customers[rows.customer])
        columns.append(np.stack([said.score, said.low, said.high, said.baseline]))
    score, low, high, baseline = np.concatenate(columns, axis=1)
    return np.concatenate(customers), (score, low, high, baseline)


def kept(world: World, file: Path, *, trials: int = TRIALS) -> Told:
    """The same from a file, if it was told before; else told, and written there."""

    def tell() -> dict[str, Any]:
        with TemporaryDirectory() as folder:
            return vars(told(world, Path(folder), trials=trials))

    return restored(cache.kept(file, tell))


def restored(saved: Mapping[str, Any]) -> Told:
    """What was told, from the arrays of it that were kept."""
    arrays = {name: saved[name] for name in ARRAYS}
    return Told(**arrays, rung=str(saved["rung"]), grade=str(saved["grade"]))


def _truth(shop: Shop, made: Simulation, customers: Any) -> tuple[Floats, Floats]:
    """The chance that each of these buys nothing within the horizon, and whether it was so."""
    chance = pd.read_parquet(made.truth).set_index("customer_id")[f"p_no_purchase_{HORIZON_DAYS}d"]
    future = pd.read_parquet(made.future)
    until = pd.Timestamp(shop.end_us + HORIZON_DAYS * DAY_US, unit="us", tz="UTC")
    bought = future.loc[(future["event_type"] == "purchase") & (future["timestamp"] <= until), "customer_id"]
    came = ~np.isin(customers.astype(str), bought.unique().astype(str))
    return chance.loc[customers].to_numpy(float), came.astype(np.float64)
