"""A small shop to train on: its configuration, its customers, and a bundle for each of its tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.config.load import parse
from features.config.sections import Config
from features.timeline import DAY_US, instant, iso
from models.bundle import Bundle
from tests.support.log_files import Row, event, opened, run, write
from training.run import prepare, train_task

FIRST = instant("2024-01-01")
TASKS = {
    "churn": {"kind": "churn", "event": "purchase", "horizon_days": 30},
    "buys": {"kind": "propensity", "event": "purchase", "horizons_days": [7, 30]},
    "value": {"kind": "cltv", "event": "purchase", "horizon_days": 30},
    "offer": {
        "kind": "next_action",
        "event": "mail",
        "action": "kind",
        "nothing": "none",
        "reward": "purchase",
        "horizon_days": 7,
    },
}


def config(folder: Path, *, seed: int = 7, **keys: Any) -> Config:
    log = {"source": ["log/*"], "customer": "who", "time": "at", "event": "what", "value": "money"}
    return parse({"seed": seed, "log": log, "tasks": TASKS, "train": {"threads": 1, **keys}}, folder=folder)


def crowd(customers: int = 250, length_days: int = 300) -> list[Row]:
    """Buyers whose own pace, order value and lapse decide what comes; the mails that half of them get help nobody."""
    rng = np.random.default_rng(5)
    rows = []
    for index in range(customers):
        pace, worth = rng.gamma(1.5, 12.0) + 2, rng.gamma(2.0, 15.0) + 5
        day, end = rng.random() * 100, rng.exponential(250) + 20
        start = day
        while day < min(start + end, length_days):
            at, money = iso(FIRST + round(day * DAY_US)), round(worth * rng.gamma(4.0, 0.25), 2)
            rows.append(event(f"c{index}", at, "purchase", money) | {"kind": None})
            day += rng.exponential(pace)
        for day in range(40, length_days, 40):
            kind = "web" if rng.random() < 0.5 else "none"
            rows.append(event(f"c{index}", iso(FIRST + day * DAY_US), "mail", None) | {"kind": kind})
    return rows


def bundles(folder: Path, rows: Sequence[Row], tasks: Sequence[str] = tuple(TASKS), **keys: Any) -> dict[str, Bundle]:
    """A bundle for each task, by ingest and training but without tracking."""
    shop = config(folder, **keys)
    write(folder / "log" / "rows.jsonl", rows)
    run(shop)
    context, facts = prepare(shop, opened(shop), as_of=None, trials=2, progress=lambda _: None)
    return {task.name: train_task(context, task, facts)[0] for task in map(shop.task, tasks)}
