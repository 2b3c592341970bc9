"""One fit of lifetimes, in its own environment; prints JSON.

python lifetimes_fit.py MODEL STATISTICS.npz CUSTOMERS SECONDS
"""

import json
import resource
import signal
import sys
import time
import warnings
from typing import Any

import numpy as np
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
from lifetimes.utils import ConvergenceError

FITTERS = {
    "BG/NBD": BetaGeoFitter,
    "MBG/NBD": ModifiedBetaGeoFitter,
    "Pareto/NBD": ParetoNBDFitter,
    "Gamma-Gamma": GammaGammaFitter,
}


def main() -> None:
    name, file, customers, seconds = sys.argv[1:]
    warnings.simplefilter("ignore")
    with np.load(file) as saved:
        x, t_x, age, value = (saved[column][: int(customers)] for column in ("x", "t_x", "age", "day_value"))
    fitter = FITTERS[name]()
    asked = (x + 1, value) if name == "Gamma-Gamma" else (x, t_x, age)
    told: dict[str, Any] = {}
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(int(seconds))
    wall, work = time.perf_counter(), time.process_time()
    try:
        fitter.fit(*asked)
        told["parameters"] = [float(one) for one in fitter.params_.to_numpy()]
    except (ConvergenceError, ArithmeticError, TimeoutError, ValueError) as error:
        told["failed"] = f"{type(error).__name__}: {error}"[:200]
    told["seconds"], told["processor_seconds"] = time.perf_counter() - wall, time.process_time() - work
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


def _too_long(*_: Any) -> None:
    raise TimeoutError("not done in time")


if __name__ == "__main__":
    main()
