"""Money: what was predicted beside what came, and how often the interval held it."""

import numpy as np
from matplotlib.figure import Figure

from features.arrays import Floats
from training.tracking.plots.canvas import BLUE, GREY, INK, ORANGE, REFERENCE, dress, in_percent, nothing, panels, short
from training.tracking.plots.curves import equal_groups, rate_interval


def deciles(truth: Floats, model: Floats, baseline: Floats, *, title: str) -> Figure:
    """Money per customer in tenths of the base by prediction: predicted beside actual."""
    if not len(truth):
        return nothing(title, "There are no test rows.")
    figure, (axes,) = panels(title, 1)
    groups = equal_groups(model, 10)
    x = np.arange(1, len(groups) + 1)
    for offset, values, name, colour in ((-0.2, model, "predicted", BLUE), (0.2, truth, "actual", GREY)):
        axes.bar(
            x + offset,
            [values[group].mean() for group in groups],
            width=0.38,
            color=colour,
            label=f"{name}, total {values.sum():,.0f}",
        )
    axes.plot(
        x,
        [baseline[g].mean() for g in groups],
        "D",
        color=ORANGE,
        markersize=6,
        label=f"baseline, total {baseline.sum():,.0f}",
    )
    dress(axes, "Value by tenth of the base", "tenth, from the lowest to the highest prediction", "money per customer")
    axes.set_xticks(x)
    axes.yaxis.set_major_formatter(short())
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.legend(loc="upper left", frameon=False)
    return figure


def coverage(truth: Floats, model: Floats, low: Floats, high: Floats, *, title: str) -> Figure:
    """How many outcomes fall inside their 90 % interval, in tenths of the base by prediction."""
    if not len(truth):
        return nothing(title, "There are no test rows.")
    figure, (axes,) = panels(title, 1)
    inside = ((truth >= low) & (truth <= high)).astype(np.float64)
    groups = equal_groups(model, 10)
    events, counts = np.array([inside[g].sum() for g in groups]), np.array([len(g) for g in groups])
    bottom, top = rate_interval(events, counts)
    x, share = np.arange(1, len(groups) + 1), events / counts
    axes.axhline(0.9, label="promised 90%", **REFERENCE)
    axes.errorbar(
        x,
        share,
        (share - bottom, top - share),
        fmt="o",
        color=BLUE,
        markersize=7,
        capsize=3,
        label=f"inside; {inside.mean():.1%} over all",
    )
    dress(
        axes, "Outcomes inside their interval", "tenth, from the lowest to the highest prediction", "share of customers"
    )
    axes.set_xticks(x)
    axes.set_ylim(min(0.5, float(bottom.min()) - 0.05), 1.02)
    in_percent(axes.yaxis)
    axes.legend(loc="lower left", frameon=False)
    return figure
