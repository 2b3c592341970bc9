"""Maximum likelihood over positive parameters, for models of a handful of them."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from features.arrays import Floats

Objective = Callable[[Floats], tuple[float, Floats]]  # parameters -> mean log-likelihood, its gradient
FLAT = 2e-3  # slope per logarithm of a parameter, of the mean log-likelihood, that counts as the top
EDGE = 1e-9  # logarithms: as good as on a bound
STEP = 1e-5  # of a difference, relative


def maximised(
    objective: Objective, starts: Sequence[Sequence[float]], bounds: Sequence[tuple[float, float]]
) -> Floats | None:
    """The parameters with the highest likelihood, climbing from each of `starts`; None: no top was found.

    `bounds` are the least and the largest value of each parameter. A top on a bound counts.
    """
    within = [(float(np.log(least)), float(np.log(largest))) for least, largest in bounds]

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logarithms)
        likelihood, gradient = objective(parameters)
        return -likelihood, -gradient * parameters

    optima = [
        minimize(
            loss,
            np.log(np.asarray(start, np.float64)),
            jac=True,
            method="L-BFGS-B",
            bounds=within,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
        )
        for start in starts
    ]
    best = min(optima, key=lambda optimum: float(optimum.fun) if np.isfinite(optimum.fun) else np.inf)
    slope = np.asarray(best.jac, np.float64)
    low, high = np.array(within).T
    on_bound = ((best.x <= low + EDGE) & (slope > 0)) | ((best.x >= high - EDGE) & (slope < 0))
    flat = np.isfinite(best.fun) and np.all(on_bound | (np.abs(slope) < FLAT))
    return np.asarray(np.exp(best.x), np.float64) if flat else None


def by_differences(likelihood: Callable[[Floats], float]) -> Objective:
    """An objective whose gradient comes from central differences, for a likelihood without a closed one."""

    def objective(parameters: Floats) -> tuple[float, Floats]:
        gradient = np.zeros(len(parameters))
        for index, parameter in enumerate(parameters):
            step = np.zeros(len(parameters))
            step[index] = parameter * STEP
            gradient[index] = (likelihood(parameters + step) - likelihood(parameters - step)) / (2 * parameter * STEP)
        return likelihood(parameters), gradient

    return objective
