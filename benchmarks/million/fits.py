"""One fit of ours to many customers' statistics, timed in a process that does nothing else."""

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.arrays import Floats
from models.btyd.bg_nbd import BgNbd, fit_bg_nbd
from models.btyd.gamma_gamma import GammaGamma, fit_gamma_gamma
from models.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from models.btyd.process import MOST_FITTED, Past

FITS: Mapping[str, Callable[[Past], BgNbd | ParetoNbd | None]] = {
    "BG/NBD": fit_bg_nbd,
    "MBG/NBD": lambda past: fit_bg_nbd(past, from_first=True),
    "Pareto/NBD": fit_pareto_nbd,
}
MONEY = "Gamma-Gamma"
STATISTICS = ("x", "t_x", "age", "day_value")
HORIZON_DAYS = 90
Told = dict[str, Any]


@dataclass(frozen=True)
class Everybody(Past):
    """Customers of whom a fit leaves out none."""

    def summed(self, most: int = MOST_FITTED) -> Past:
        """Equal customers in one row."""
        return super().summed(max(most, len(self)))


def fitted(name: str, file: Path, customers: int, *, everybody: bool) -> Told:
    """Seconds, peak memory of this process (MiB), parameters, and what they make of everybody."""
    with np.load(file) as saved:
        x, t_x, age, value = (np.ascontiguousarray(saved[one][:customers], np.float64) for one in STATISTICS)
    past = (Everybody if everybody else Past)(x, t_x, age, np.ones(len(x)))
    before = _peak_mib()
    wall, work = time.perf_counter(), time.process_time()
    model = fit_gamma_gamma(x + 1, value) if name == MONEY else FITS[name](past)
    told: Told = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - work}
    told |= {"before_mib": before, "peak_mib": _peak_mib()}
    return told | ({"failed": "no top was found"} if model is None else _quality(model, past, value))


def _quality(model: BgNbd | ParetoNbd | GammaGamma, past: Past, value: Floats) -> Told:
    parameters = [float(one) for one in astuple(model)[:4]]
    if isinstance(model, GammaGamma):
        return {"parameters": parameters, "log_likelihood": float(model.log_likelihood(past.x + 1, value).mean())}
    orders = model.expect(past, HORIZON_DAYS).orders
    return {
        "parameters": parameters,
        "log_likelihood": float(model.log_likelihood(past).mean()),
        "orders": float(orders.mean()),
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
