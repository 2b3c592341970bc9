"""Shops in which nothing depends on the calendar, and what a training says of churn and money at the end of their logs.

Each customer buys at random moments at an own rate λ ~ Gamma until an unseen lapse, after each purchase (the first one
too) with probability p ~ Beta. An order is worth Gamma(6, ν), ν ~ Gamma(4, v) by customer, whatever the rate. That is
the MBG/NBD × Gamma-Gamma, so a purchase process can be right about these shops, and a season cannot be at fault.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.known_truth import cache
from benchmarks.known_truth.money import Worth
from benchmarks.known_truth.simulated_shops import Told, of_everybody, restored
from features.arrays import Floats
from features.config.load import load
from features.ingest.run import ingest
from features.store.reader import Store
from features.timeline import instant
from models.btyd.bg_nbd import fit_bg_nbd
from models.btyd.gamma_gamma import fit_gamma_gamma
from models.btyd.pareto_nbd import fit_pareto_nbd
from models.btyd.process import Past
from training.run import prepare, train_task

HORIZON_DAYS, ACTIVE_DAYS, VALUE_ACTIVE_DAYS = 90, 180, 365
SPAN_DAYS = 730
START, NOW = pd.Timestamp("2024-01-01"), instant("2026-06-01")
END = START + pd.Timedelta(days=SPAN_DAYS)
RATE_SHAPE, MEAN_RATE = 1.2, 1 / 30  # purchases a day
LAPSE_SHAPE = 1.0
ORDER_SHAPE, MONEY_SHAPE, MONEY_SCALE = 6.0, 4.0, 15.0  # an order is worth 30 on average
JOINED = ("uniform", "old")
KINDS = (("uniform", 0.1), ("old", 0.1), ("uniform", 0.3), ("old", 0.03))
SIZES = (3000, 10_000)
STATISTICS = ("x", "t_x", "age", "day_value")
FILE = "journeycast.toml"
NO_TOP = "expected a likelihood with a top, found none; such a shop proves nothing"
TOML = f"""
name = "stationary"
[log]
source = ["past.parquet"]
value = "value"
complete_until = "{END:%Y-%m-%d}"
[tasks.churn]
kind = "churn"
event = "purchase"
horizon_days = {HORIZON_DAYS}
active_days = {ACTIVE_DAYS}
[tasks.value]
kind = "cltv"
event = "purchase"
horizon_days = {HORIZON_DAYS}
active_days = {VALUE_ACTIVE_DAYS}
[train]
threads = 1
"""


@dataclass(frozen=True)
class Steady:
    """A shop whose customers joined evenly over the log ("uniform"), or whose log begins in mid-life ("old").

    `lapse` is the mean probability of a lapse after a purchase. Customers of an old shop joined over twice the span,
    and only what happened within the log is seen.
    """

    customers: int
    joined: str
    lapse: float
    seed: int
    mean_rate: float = MEAN_RATE


@dataclass(frozen=True, eq=False)
class Happened:
    """All events of log and horizon, in order of time, and each customer's chance to buy nothing in the horizon."""

    events: pd.DataFrame  # customer_id, timestamp, event_type, value
    silent: "pd.Series[float]"  # by customer_id


def shops(count: int, sizes: tuple[int, ...] = SIZES) -> list[Steady]:
    """So many shops spread over sizes and kinds, each with a seed of its own, the small ones first."""
    cells = [(size, *kind) for size in sizes for kind in KINDS]
    spread = [Steady(*cells[number % len(cells)], seed=2000 + number) for number in range(count)]
    return sorted(spread, key=lambda shop: (shop.customers, KINDS.index((shop.joined, shop.lapse)), shop.seed))


def happened(shop: Steady) -> Happened:
    """Simulate the shop from its first day to a horizon after the log's end."""
    rng = np.random.default_rng(shop.seed)
    n, until = shop.customers, float(SPAN_DAYS + HORIZON_DAYS)
    began = rng.uniform(-SPAN_DAYS if shop.joined == "old" else 0, SPAN_DAYS - 1, n)
    rate = rng.gamma(RATE_SHAPE, shop.mean_rate / RATE_SHAPE, n)
    lapse = rng.beta(LAPSE_SHAPE, LAPSE_SHAPE / shop.lapse - LAPSE_SHAPE, n)
    last = rng.geometric(np.maximum(lapse, 1e-12))  # the purchase after which the customer is gone, counted from 1
    who, day, number = _arrivals(rng, began, rate, until)
    before = np.bincount(who[day <= SPAN_DAYS], minlength=n)
    silent = np.where(before >= last, 1.0, np.exp(-rate * HORIZON_DAYS))
    worth = rng.gamma(ORDER_SHAPE, 1.0, len(who)) / rng.gamma(MONEY_SHAPE, 1 / MONEY_SCALE, n)[who]
    seen = (number < last[who]) & (day >= 0)
    names = np.char.add("c", np.arange(n).astype(str))
    time = START + pd.to_timedelta(np.round(day[seen] * 86_400.0), unit="s")
    columns = {"customer_id": names[who[seen]], "timestamp": time.astype("datetime64[us]"), "event_type": "purchase"}
    events = pd.DataFrame({**columns, "value": np.round(worth[seen], 2)}).sort_values("timestamp", kind="stable")
    return Happened(events, pd.Series(silent, index=names))


def _arrivals(rng: np.random.Generator, began: Floats, rate: Floats, until: float) -> tuple[Any, Floats, Any]:
    """Customer, day and number (from 0) of each purchase as if nobody lapsed; the first is when one joins."""
    count = rng.poisson(rate * (until - began))
    who = np.repeat(np.arange(len(began)), count)
    day = began[who] + rng.random(len(who)) * (until - began[who])
    who, day = np.concatenate([np.arange(len(began)), who]), np.concatenate([began, day])
    order = np.lexsort((day, who))
    starts = np.cumsum(count + 1) - count - 1
    return who[order], day[order], np.arange(len(order)) - np.repeat(starts, count + 1)


def told(shop: Steady, folder: Path, *, trials: int) -> tuple[Told, Worth]:
    """Write the shop's log into the folder, train both tasks on it, and put what is said beside what came."""
    world = happened(shop)
    past, ahead = written(world, folder)
    config = load(folder / FILE)
    ingest(config, clock=lambda: NOW)
    store = Store.open(config.workspace_path, config)
    context, facts = prepare(config, store, as_of=None, trials=trials, progress=lambda _: None)
    churn, value = (train_task(context, config.task(name), facts)[0] for name in ("churn", "value"))
    who, said = of_everybody(context, config.task("churn"), churn)
    silent = ~np.isin(who.astype(str), ahead["customer_id"].unique().astype(str))
    (answer,) = churn.predictors
    first = Told(_of(world.silent, who), silent.astype(np.float64), *said, answer.rung.name, answer.grade)
    who, (score, low, high, _) = of_everybody(context, config.task("value"), value)
    (answer,) = value.predictors
    came = _of(ahead.groupby("customer_id")["value"].sum(), who, 0.0)
    return first, Worth(came, score, low, high, _of(rival(past), who), answer.rung.name, answer.grade)


def knowing(shop: Steady) -> Told:
    """What is said of churn by who knows that the MBG/NBD is behind the shop, and has only to fit it on the log.

    Of an old shop that is not quite so: purchases before the log are not known. The baseline is the mean of what came.
    """
    world = happened(shop)
    later = world.events["timestamp"] > END
    past = world.events[~later]
    known = statistics(past)
    x, t_x, age, _ = (known[name].to_numpy(np.float64) for name in STATISTICS)
    process = fit_bg_nbd(Past.of(x, t_x, age), from_first=True)
    if process is None:
        raise ValueError(NO_TOP)
    said = pd.Series(process.expect(Past.of(x, t_x, age), HORIZON_DAYS).p_none, index=known.index)
    who = past.loc[past["timestamp"] > END - pd.Timedelta(days=ACTIVE_DAYS), "customer_id"].unique()
    came = (~np.isin(who.astype(str), world.events.loc[later, "customer_id"].unique().astype(str))).astype(np.float64)
    own = _of(said, who)
    return Told(_of(world.silent, who), came, own, own, own, np.full(len(who), came.mean()), "MBG/NBD", "A")


def written(world: Happened, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the log and its TOML into the folder; the events of the log, and those of the horizon after it."""
    later = world.events["timestamp"] > END
    past, ahead = world.events[~later], world.events[later]
    past.to_parquet(folder / "past.parquet", index=False)
    (folder / FILE).write_text(TOML)
    return past, ahead


def rival(past: pd.DataFrame) -> "pd.Series[float]":
    """What Pareto/NBD × Gamma-Gamma, fitted on everybody at the log's end, expects of everybody's money."""
    known = statistics(past)
    x, t_x, age, mean = (known[name].to_numpy(np.float64) for name in STATISTICS)
    process, money = fit_pareto_nbd(Past.of(x, t_x, age)), fit_gamma_gamma(x + 1, mean)
    if process is None or money is None:
        raise ValueError(NO_TOP)
    orders = process.expect(Past.of(x, t_x, age), HORIZON_DAYS).orders
    return pd.Series(orders * money.order_value(x + 1, mean), index=known.index)


def statistics(past: pd.DataFrame) -> pd.DataFrame:
    """Of each customer at the log's end: x, t_x and age in days (as in `models.btyd.bg_nbd`), and the mean worth of
    a day.
    """
    days = past.groupby(["customer_id", past["timestamp"].dt.floor("D")])["value"].sum().reset_index("timestamp")
    by = days.groupby("customer_id")
    first, last, count = (by["timestamp"].agg(how) for how in ("min", "max", "count"))
    columns = (count - 1, (last - first).dt.days, (END - first).dt.days, by["value"].mean())
    return pd.DataFrame(dict(zip(STATISTICS, columns, strict=True)), dtype=np.float64)


def _of(series: "pd.Series[float]", who: Any, missing: float = np.nan) -> Floats:
    return np.asarray(series.reindex(pd.Index(who)).fillna(missing), np.float64)


def kept(shop: Steady, file: Path, *, trials: int) -> tuple[Told, Worth]:
    """The same from a file, if it was told before; else told, and written there."""

    def tell() -> dict[str, Any]:
        with TemporaryDirectory() as folder:
            churn, value = told(shop, Path(folder), trials=trials)
        return {**vars(churn), **{f"value_{name}": one for name, one in vars(value).items()}}

    saved = cache.kept(file, tell)
    value = {name.removeprefix("value_"): one for name, one in saved.items() if name.startswith("value_")}
    return restored(saved), Worth(**value | {"rung": str(value["rung"]), "grade": str(value["grade"])})
