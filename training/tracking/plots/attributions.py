"""What the model looks at: gains of its trees, and what moves its scores."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from features.arrays import Floats
from training.evaluation.diagnostics import Attributions
from training.tracking.plots.canvas import BLUE, INK, cut, dress, in_percent, nothing, panels

TOP = 20  # features
UNKNOWN = "#B5B5B5"
VALUES = "cividis"  # reads the same for the colour-blind


def importance(texts: Sequence[str], gain: Floats, *, title: str) -> Figure:
    """The features that the trees gained most from, in plain words, as shares of the whole gain."""
    total = gain.sum()
    if not total > 0:
        return nothing(title, "The trees use no feature: every customer gets the same answer.")
    order = np.argsort(-gain, kind="stable")[:TOP]
    order = order[gain[order] > 0][::-1]
    figure, (axes,) = panels(title, 1, size=(8.6, 1.2 + 0.26 * len(order)))
    share = gain[order] / total
    bars = axes.barh([cut(texts[index]) for index in order], share, color=BLUE, height=0.72)
    axes.bar_label(bars, [f"{value:.1%}" for value in share], padding=3, color=INK, fontsize=9)
    used = f"{len(order)} of {(gain > 0).sum()} features in use, {len(gain)} offered"
    dress(axes, "What the trees look at", f"share of the total gain\n{used}", None)
    axes.margins(y=0.01)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, share.max() * 1.14)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    in_percent(axes.xaxis)
    return figure


def shap(texts: Sequence[str], attributions: Attributions | None, *, title: str, unit: str) -> Figure:
    """How far the strongest features moved each test row's score, coloured by the feature's value."""
    if attributions is None:
        return nothing(title, "No feature moves the scores: every customer gets the same answer.")
    rows = len(attributions.feature)
    figure, (axes,) = panels(title, 1, size=(9.6, 1.7 + 0.33 * rows))
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for place in range(rows):
        y, moved = rows - 1 - place, attributions.shifts[:, place]
        shade = _shade(attributions.values[:, place])
        height = y + _swarm(moved)
        unknown = np.isnan(shade)
        axes.scatter(moved[unknown], height[unknown], s=5, color=UNKNOWN, linewidths=0, zorder=2)
        drawn = axes.scatter(
            moved[~unknown],
            height[~unknown],
            s=5,
            c=shade[~unknown],
            cmap=VALUES,
            vmin=0,
            vmax=1,
            linewidths=0,
            zorder=3,
        )
    axes.set_yticks(range(rows), [cut(texts[feature]) for feature in reversed(attributions.feature.tolist())])
    axes.set_ylim(-0.7, rows - 0.3)
    dress(axes, f"What moves the scores of {len(attributions.shifts):,} test rows, the strongest on top", unit, None)
    axes.grid(axis="y", visible=False)
    bar = figure.colorbar(drawn, ax=axes, ticks=[0, 1], fraction=0.025, pad=0.01, aspect=40)
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("value of the feature (grey: none)", labelpad=-16)
    bar.outline.set_visible(False)
    return figure


def _shade(values: Floats) -> Floats:
    """Each value's place among the others, 0 to 1; NaN where there is none."""
    known = ~np.isnan(values)
    shade = np.full(len(values), np.nan)
    levels, place = np.unique(values[known], return_inverse=True)
    middle = (np.cumsum(np.bincount(place)) - np.bincount(place) / 2) / max(known.sum(), 1) if len(levels) else levels
    shade[known] = middle[place] if len(levels) > 1 else 0.5
    return shade


def _swarm(moved: Floats) -> Floats:
    """Heights that spread points of about equal place, the more of them the wider, up to 0.4 either way."""
    reach = np.ptp(moved)
    bins = np.floor((moved - moved.min()) / reach * 119).astype(np.int64) if reach else np.zeros(len(moved), np.int64)
    counts = np.bincount(bins)
    order = np.argsort(bins, kind="stable")
    within = np.empty(len(moved))
    within[order] = np.arange(len(moved)) - np.repeat(np.cumsum(counts) - counts, counts)
    side = np.where(within % 2, 1, -1) * np.ceil(within / 2)
    return np.asarray(0.4 * side / max(counts.max() / 2, 12))
