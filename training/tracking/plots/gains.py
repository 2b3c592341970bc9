"""Whom to call first: gains and lift."""

import numpy as np
from matplotlib.figure import Figure

from features.arrays import Floats
from training.tracking.plots.canvas import BASELINE, MODEL, REFERENCE, dress, in_percent, nothing, panels
from training.tracking.plots.curves import gained, thinned


def gains(truth: Floats, model: Floats, baseline: Floats, *, title: str, what: str = "outcomes") -> Figure:
    """How much of all outcomes (or money) the best-scored customers hold, and the lift of each share of the base."""
    total = truth.sum()
    if total <= 0:
        return nothing(title, f"The {len(truth):,} test rows hold no {what}: there is nothing to find.")
    figure, (left, right) = panels(title, 2)
    share = np.arange(1, len(truth) + 1) / len(truth)
    shown = share >= min(0.01, share[-1])  # a lift of the first few rows is noise
    for score, name, style in (
        (model, "model", MODEL),
        (baseline, "baseline", BASELINE),
        (truth, "perfect", REFERENCE),
    ):
        cumulative = gained(truth, score) / total
        left.plot(*thinned(np.r_[0, share], np.r_[0, cumulative]), label=name, **style)
        if score is not truth:
            at_ten = cumulative[max(len(truth) // 10 - 1, 0)] / share[max(len(truth) // 10 - 1, 0)]
            right.plot(
                *thinned(share[shown], (cumulative / share)[shown]),
                label=f"{name}  {at_ten:.2f}× in the best 10%",
                **style,
            )
    right.axhline(1, label="chance", **REFERENCE)
    dress(left, "Gains", "share of customers, best score first", f"share of all {what}")
    dress(right, "Lift", "share of customers, best score first", "times the average")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    right.set(xlim=(0, 1), ylim=(0, None))
    in_percent(left.xaxis, left.yaxis, right.xaxis)
    left.legend(loc="lower right", frameon=False)
    right.legend(loc="best", frameon=False)
    return figure
