"""The log of a shop of many customers with a few purchases each, and their statistics at its end."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.known_truth.stationary_shops import Steady, happened, statistics, written

LAPSE, MEAN_RATE = 0.3, 1 / 90


def simulated(folder: Path, customers: int, seed: int = 7) -> None:
    """Write log, TOML, statistics (the customers in random order, so that the first n are a sample) and counts."""
    folder.mkdir(parents=True, exist_ok=True)
    past, _ = written(happened(Steady(customers, "uniform", LAPSE, seed, MEAN_RATE)), folder)
    known = statistics(past).sample(frac=1, random_state=seed)
    columns: dict[str, Any] = {str(name): column.to_numpy() for name, column in known.items()}
    np.savez(folder / "statistics.npz", **columns)
    made = {"customers": len(known), "events": len(past), "bytes": (folder / "past.parquet").stat().st_size}
    (folder / "made.json").write_text(json.dumps(made))
