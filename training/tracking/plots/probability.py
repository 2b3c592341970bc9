"""Probabilities: how well they rank, whether they come true, and how they spread."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from features.arrays import Floats
from training.tracking.plots.canvas import (
    BASELINE,
    BLUE,
    GREY,
    MODEL,
    REFERENCE,
    dress,
    in_percent,
    nothing,
    panels,
    short,
)
from training.tracking.plots.curves import equal_groups, rate_interval, thinned


def ranking(truth: Floats, model: Floats, baseline: Floats, *, title: str) -> Figure:
    """ROC and precision-recall curves of model and baseline."""
    if len(np.unique(truth)) < 2:
        return nothing(title, f"All {len(truth):,} test rows have the same outcome: there is no ranking to draw.")
    figure, (left, right) = panels(title, 2)
    for score, name, style in ((model, "model", MODEL), (baseline, "baseline", BASELINE)):
        false_positive, true_positive, _ = roc_curve(truth, score)
        left.plot(
            *thinned(false_positive, true_positive), label=f"{name}  AUROC {roc_auc_score(truth, score):.3f}", **style
        )
        precision, recall, _ = precision_recall_curve(truth, score)
        label = f"{name}  AP {average_precision_score(truth, score):.3f}"
        right.step(*thinned(recall[:-1], precision[:-1]), where="post", label=label, **style)
    left.plot([0, 1], [0, 1], label="chance", **REFERENCE)
    right.axhline(truth.mean(), label=f"base rate {truth.mean():.1%}", **REFERENCE)
    dress(left, "ROC", "false positive rate", "true positive rate")
    dress(right, "Precision and recall", "recall", "precision")
    for axes in (left, right):
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        in_percent(axes.xaxis, axes.yaxis)
    left.legend(loc="lower right", frameon=False)
    right.legend(loc="best", frameon=False)
    return figure


def reliability(truth: Floats, model: Floats, baseline: Floats, *, title: str, bins: int = 10) -> Figure:
    """Observed against predicted rate in bins of equally many rows, over how many rows have which prediction."""
    if not len(truth):
        return nothing(title, "There are no test rows.")
    figure, (top, below) = panels(title, 2, rows=(3, 1), size=(7.2, 6.0))
    groups = equal_groups(model, bins)
    mean = np.array([model[group].mean() for group in groups])
    seen = np.array([truth[group].mean() for group in groups])
    events, counts = np.array([truth[g].sum() for g in groups]), np.array([len(g) for g in groups])
    low, high = rate_interval(events, counts)
    limit = min(1.0, 1.05 * max(float(np.quantile(model, 0.999)), float(baseline.max()), 1e-6))
    top.plot([0, 1], [0, 1], label="perfect", **REFERENCE)
    top.axhline(truth.mean(), color=GREY, linewidth=1, label=f"base rate {truth.mean():.1%}", zorder=1)
    others = equal_groups(baseline, bins)
    top.plot(
        [baseline[g].mean() for g in others],
        [truth[g].mean() for g in others],
        label="baseline",
        marker=".",
        **BASELINE,
    )
    top.errorbar(
        mean,
        seen,
        (seen - low, high - seen),
        fmt="o",
        color=BLUE,
        markersize=6,
        capsize=3,
        label=f"model, {len(groups)} groups of about {len(truth) // len(groups):,} rows",
        zorder=3,
    )
    below.stairs(*np.histogram(model, np.linspace(0, limit, 41)), color=BLUE, fill=True)
    dress(top, "Reliability", None, "observed rate")
    dress(below, None, "predicted probability", "rows")
    top.set(xlim=(0, limit), ylim=(0, min(1.0, max(limit, 1.25 * float(seen.max())))))
    below.set(xlim=(0, limit))
    below.yaxis.set_major_formatter(short())
    in_percent(top.xaxis, top.yaxis, below.xaxis)
    top.legend(loc="best", frameon=False)
    return figure


def distribution(truth: Floats, model: Floats, *, title: str, happened: str, otherwise: str) -> Figure:
    """How the scores of those it happened to and of the others spread: densities, so that a rare outcome is seen."""
    if not len(truth):
        return nothing(title, "There are no test rows.")
    figure, (axes,) = panels(title, 1)
    edges = np.linspace(0, max(float(np.quantile(model, 0.999)), 1e-6), 41)
    for group, name, style in (
        (truth <= 0, otherwise, {"color": GREY, "alpha": 0.6, "fill": True}),
        (truth > 0, happened, MODEL),
    ):
        if group.any():
            counts, _ = np.histogram(np.minimum(model[group], edges[-1]), edges)
            axes.stairs(counts / counts.sum(), edges, label=f"{name} ({group.sum():,} rows)", **style)
    dress(axes, "Scores by what happened", "predicted probability", "share of the group's rows")
    axes.set_xlim(edges[0], edges[-1])
    in_percent(axes.xaxis, axes.yaxis)
    axes.legend(loc="best", frameon=False)
    return figure
