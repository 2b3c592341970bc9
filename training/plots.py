"""The matplotlib door: what a training shows of itself, as figures.

Every function takes arrays of the test period (one entry per row: `truth` 0/1 or money, predictions alike) and a title,
and returns a Figure that belongs to nobody: no pyplot, no global state. The model is blue and solid, the named baseline
orange and dashed, references grey and dotted; the colours are Okabe and Ito's, which the colour-blind tell apart.
Intervals hold 90 %.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from features.journeys import Floats
from models.action import Actions
from training.curves import equal_groups, gained, rate_interval, thinned

BLUE, ORANGE, GREEN, VERMILION, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C", "#262626"
MODEL: dict[str, Any] = {"color": BLUE, "linewidth": 2.2, "zorder": 3}
BASELINE: dict[str, Any] = {"color": ORANGE, "linewidth": 1.8, "linestyle": "--", "zorder": 2}
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": ":", "zorder": 1}
DPI = 130
TOP = 20  # features
LONGEST_LABEL = 62  # characters


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()


def ranking(truth: Floats, model: Floats, baseline: Floats, *, title: str) -> Figure:
    """ROC and precision-recall curves of model and baseline."""
    if len(np.unique(truth)) < 2:
        return _nothing(title, f"All {len(truth):,} test rows have the same outcome: there is no ranking to draw.")
    figure, (left, right) = _panels(title, 2)
    for score, name, style in ((model, "model", MODEL), (baseline, "baseline", BASELINE)):
        wrong, found, _ = roc_curve(truth, score)
        left.plot(*thinned(wrong, found), label=f"{name}  AUROC {roc_auc_score(truth, score):.3f}", **style)
        precision, recall, _ = precision_recall_curve(truth, score)
        label = f"{name}  AP {average_precision_score(truth, score):.3f}"
        right.step(*thinned(recall[:-1], precision[:-1]), where="post", label=label, **style)
    left.plot([0, 1], [0, 1], label="chance", **REFERENCE)
    right.axhline(truth.mean(), label=f"base rate {truth.mean():.1%}", **REFERENCE)
    _dress(left, "ROC", "false positive rate", "true positive rate")
    _dress(right, "Precision and recall", "recall", "precision")
    for axes in (left, right):
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _in_percent(axes.xaxis, axes.yaxis)
    left.legend(loc="lower right", frameon=False)
    right.legend(loc="best", frameon=False)
    return figure


def gains(truth: Floats, model: Floats, baseline: Floats, *, title: str, what: str = "outcomes") -> Figure:
    """How much of all outcomes (or money) the best-scored customers hold, and the lift of each share of the base."""
    total = truth.sum()
    if total <= 0:
        return _nothing(title, f"The {len(truth):,} test rows hold no {what}: there is nothing to find.")
    figure, (left, right) = _panels(title, 2)
    share = np.arange(1, len(truth) + 1) / len(truth)
    shown = share >= min(0.01, share[-1])  # a lift of the first few rows is noise
    for score, name, style in (
        (model, "model", MODEL),
        (baseline, "baseline", BASELINE),
        (truth, "perfect", REFERENCE),
    ):
        found = gained(truth, score) / total
        left.plot(*thinned(np.r_[0, share], np.r_[0, found]), label=name, **style)
        if score is not truth:
            at_ten = found[max(len(truth) // 10 - 1, 0)] / share[max(len(truth) // 10 - 1, 0)]
            right.plot(
                *thinned(share[shown], (found / share)[shown]), label=f"{name}  {at_ten:.2f}× in the best 10%", **style
            )
    right.axhline(1, label="chance", **REFERENCE)
    _dress(left, "Gains", "share of customers, best score first", f"share of all {what}")
    _dress(right, "Lift", "share of customers, best score first", "times the average")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    right.set(xlim=(0, 1), ylim=(0, None))
    _in_percent(left.xaxis, left.yaxis, right.xaxis)
    left.legend(loc="lower right", frameon=False)
    right.legend(loc="best", frameon=False)
    return figure


def reliability(truth: Floats, model: Floats, baseline: Floats, *, title: str, bins: int = 10) -> Figure:
    """Observed against predicted rate in bins of equally many rows, over how many rows have which prediction."""
    if not len(truth):
        return _nothing(title, "There are no test rows.")
    figure, (top, below) = _panels(title, 2, rows=(3, 1), size=(7.2, 6.0))
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
    _dress(top, "Reliability", None, "observed rate")
    _dress(below, None, "predicted probability", "rows")
    top.set(xlim=(0, limit), ylim=(0, min(1.0, max(limit, 1.25 * float(seen.max())))))
    below.set(xlim=(0, limit))
    below.yaxis.set_major_formatter(_short())
    _in_percent(top.xaxis, top.yaxis, below.xaxis)
    top.legend(loc="best", frameon=False)
    return figure


def distribution(truth: Floats, model: Floats, *, title: str, happened: str, otherwise: str) -> Figure:
    """How the scores of those it happened to and of the others spread: densities, so that a rare outcome is seen."""
    if not len(truth):
        return _nothing(title, "There are no test rows.")
    figure, (axes,) = _panels(title, 1)
    edges = np.linspace(0, max(float(np.quantile(model, 0.999)), 1e-6), 41)
    for group, name, style in (
        (truth <= 0, otherwise, {"color": GREY, "alpha": 0.6, "fill": True}),
        (truth > 0, happened, MODEL),
    ):
        if group.any():
            counts, _ = np.histogram(np.minimum(model[group], edges[-1]), edges)
            axes.stairs(counts / counts.sum(), edges, label=f"{name} ({group.sum():,} rows)", **style)
    _dress(axes, "Scores by what happened", "predicted probability", "share of the group's rows")
    axes.set_xlim(edges[0], edges[-1])
    _in_percent(axes.xaxis, axes.yaxis)
    axes.legend(loc="best", frameon=False)
    return figure


def importance(texts: Sequence[str], gain: Floats, *, title: str) -> Figure:
    """The features that the trees gained most from, in plain words, as shares of the whole gain."""
    total = gain.sum()
    if not total > 0:
        return _nothing(title, "The trees use no feature: every customer gets the same answer.")
    order = np.argsort(-gain, kind="stable")[:TOP]
    order = order[gain[order] > 0][::-1]
    figure, (axes,) = _panels(title, 1, size=(8.6, 1.2 + 0.26 * len(order)))
    share = gain[order] / total
    bars = axes.barh([_cut(texts[index]) for index in order], share, color=BLUE, height=0.72)
    axes.bar_label(bars, [f"{one:.1%}" for one in share], padding=3, color=INK, fontsize=9)
    used = f"{len(order)} of {(gain > 0).sum()} features in use, {len(gain)} offered"
    _dress(axes, "What the trees look at", f"share of the total gain; {used}", None)
    axes.margins(y=0.01)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, share.max() * 1.14)
    _in_percent(axes.xaxis)
    return figure


def deciles(truth: Floats, model: Floats, baseline: Floats, *, title: str) -> Figure:
    """Money per customer in tenths of the base by prediction: predicted beside actual."""
    if not len(truth):
        return _nothing(title, "There are no test rows.")
    figure, (axes,) = _panels(title, 1)
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
    _dress(axes, "Value by tenth of the base", "tenth, from the lowest to the highest prediction", "money per customer")
    axes.set_xticks(x)
    axes.yaxis.set_major_formatter(_short())
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.legend(loc="upper left", frameon=False)
    return figure


def coverage(truth: Floats, model: Floats, low: Floats, high: Floats, *, title: str) -> Figure:
    """How many outcomes fall inside their 90 % interval, in tenths of the base by prediction."""
    if not len(truth):
        return _nothing(title, "There are no test rows.")
    figure, (axes,) = _panels(title, 1)
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
    _dress(
        axes, "Outcomes inside their interval", "tenth, from the lowest to the highest prediction", "share of customers"
    )
    axes.set_xticks(x)
    axes.set_ylim(min(0.5, float(bottom.min()) - 0.05), 1.02)
    _in_percent(axes.yaxis)
    axes.legend(loc="lower left", frameon=False)
    return figure


def actions(found: Actions, *, title: str) -> Figure:
    """What each action brings over doing nothing, best on top."""
    order = [one for one in reversed(found.ranking) if found.actions[one] != found.nothing]
    if not order:
        return _nothing(title, f"No action but '{found.nothing}' was taken.")
    figure, (axes,) = _panels(title, 1, size=(8.0, 1.6 + 0.5 * len(order)))
    axes.axvline(0, color=INK, linewidth=1)
    for row, one in enumerate(order):
        gain, low, high = found.gain[one], found.low[one], found.high[one]
        colour = BLUE if low > 0 else VERMILION if high < 0 else GREY
        axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(gain, row, "o", color=colour, markersize=9)
        axes.annotate(f"{gain:+,.3g}", (gain, row), (0, 9), textcoords="offset points", ha="center", color=INK)
    _dress(axes, f"Gain over '{_cut(found.nothing)}', after cost", "gain per customer, with its 90% interval", None)
    axes.set_yticks(range(len(order)), [f"{_cut(found.actions[one])}\n{found.count[one]:,} decisions" for one in order])
    axes.set_ylim(-0.6, len(order) - 0.3)
    axes.margins(x=0.08)
    axes.grid(axis="y", visible=False)
    return figure


def _panels(
    title: str, count: int, *, rows: tuple[int, ...] = (), size: tuple[float, float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes: side by side, or one above the other with relative heights `rows`."""
    figure = Figure(figsize=size or ((10.4, 4.6) if count > 1 else (8.0, 4.4)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    shape, heights = ((count, 1), rows) if rows else ((1, count), None)
    return figure, list(figure.subplots(*shape, squeeze=False, height_ratios=heights).flat)


def _nothing(title: str, sentence: str) -> Figure:
    """A figure that says why there is nothing to see."""
    figure, (axes,) = _panels(title, 1, size=(8.0, 2.0))
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", fontsize=11, color=INK, wrap=True)
    return figure


def _dress(axes: Axes, heading: str | None, x: str | None, y: str | None) -> None:
    axes.set_title(heading or "", loc="left", fontsize=11, color=INK)
    axes.set_xlabel(x or "")
    axes.set_ylabel(y or "")
    axes.grid(color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, length=3)


def _in_percent(*axis: Any) -> None:
    for one in axis:
        one.set_major_formatter(PercentFormatter(1.0))


def _short() -> FuncFormatter:
    """1200 as 1,200 and 2500000 as 2.5M."""
    return FuncFormatter(lambda value, _: f"{value / 1e6:g}M" if abs(value) >= 1e6 else f"{value:,g}")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
