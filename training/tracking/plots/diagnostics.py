"""Would more customers help, and does the quality hold over time?"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.arrays import Floats
from training.evaluation.diagnostics import LearningPoint, SliceFigures
from training.tracking.plots.canvas import BASELINE, BLUE, MODEL, ORANGE, dress, nothing, panels, short

CALLED = {
    "auroc": "AUROC (higher is better)",
    "log_loss": "log-loss (lower is better)",
    "gini": "Gini (higher is better)",
    "rmse": "root mean squared error (lower is better)",
}
CHOSEN = (
    "the recipe was chosen on the period before the last\n"
    "and refitted for each: only the last one is a test of the choice"
)


def learning(curve: Sequence[LearningPoint], baseline: Sequence[float | None], *, title: str, money: bool) -> Figure:
    """Loss on the test rows by how many customers were learnt from, and the baseline's."""
    if not curve:
        return nothing(title, "There were no later rows to measure what more customers would bring.")
    figure, (axes,) = panels(title, 1)
    level = np.sqrt if money else np.asarray
    loss = _ends([point.loss for point in curve], level)
    share = np.array([point.share for point in curve])
    axes.fill_between(share, loss[1], loss[2], color=BLUE, alpha=0.15, linewidth=0, label="its 90% interval")
    axes.plot(share, loss[0], marker="o", label="the chosen recipe", **MODEL)
    other = _ends([baseline], level)
    axes.axhspan(float(other[1][0]), float(other[2][0]), color=ORANGE, alpha=0.10, linewidth=0)
    axes.axhline(float(other[0][0]), label="baseline of all customers, and its interval", **BASELINE)
    what = "error on the test rows (RMSE, largest cut)" if money else "log-loss on the test rows"
    dress(axes, "Would more customers help?", "learnt from", what)
    axes.set_xscale("log", base=2)
    axes.set_xticks(
        share, [f"{_part(point.share)}\n{point.customers:,} customers\n{point.rows:,} rows" for point in curve]
    )
    axes.minorticks_off()
    axes.set_xlim(share.min() * 0.85, 1.18)
    axes.yaxis.set_major_formatter(short())
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def stability(parts: Sequence[SliceFigures], *, title: str) -> Figure:
    """Figures of model and baseline at cutoffs a horizon apart."""
    if not parts:
        return nothing(title, "There were no later rows to test on, at any cutoff.")
    names = list(parts[0].model)
    figure, both = panels(title, len(names))
    for axes, name in zip(both, names, strict=True):
        _over_time(axes, parts, name)
        dress(axes, CALLED[name], None, None)
    both[0].legend(loc="best", frameon=False)
    both[0].set_xlabel("cutoff, and rows measured over the horizon after it")
    both[-1].set_xlabel(CHOSEN if len(parts) > 1 else "history is too short for an earlier period")
    return figure


def _over_time(axes: Axes, parts: Sequence[SliceFigures], name: str) -> None:
    x = np.arange(len(parts))
    for shift, whose, style in ((0.06, "baseline", BASELINE), (-0.06, "model", MODEL)):
        value, low, high = _ends([getattr(part, whose)[name] for part in parts], np.asarray)
        axes.errorbar(x + shift, value, (value - low, high - value), marker="o", capsize=3, label=whose, **style)
    axes.set_xticks(x, [f"{part.name}\n{part.rows:,} rows" for part in parts])
    axes.set_xlim(-0.4, len(parts) - 0.6)
    axes.yaxis.set_major_formatter(short())


def _ends(figures: Sequence[Sequence[float | None]], level: Callable[[Floats], Floats]) -> tuple[Floats, ...]:
    """Values and both ends of their intervals; NaN where a figure says nothing."""
    known = np.array([[np.nan if end is None else end for end in figure] for figure in figures], np.float64)
    return tuple(level(known).T)


def _part(share: float) -> str:
    return "all" if share == 1 else f"1/{round(1 / share)}"
