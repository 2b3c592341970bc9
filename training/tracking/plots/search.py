"""How the search for the growth of trees went."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.tracking.plots.canvas import BLUE, GREEN, GREY, INK, VERMILION, dress, in_percent, nothing, panels, short

Trials = Sequence[Mapping[str, object]]


def history(trials: Trials, *, title: str) -> Figure:
    """Loss of each trial, the best so far, and which were stopped early or failed."""
    done = _losses(trials, "complete")
    if not len(done):
        return nothing(title, "No search: the rows are too few for trees, or no trial came to its end.")
    figure, (axes,) = panels(title, 1)
    number, loss = done.T
    newest = max(float(str(trial["trial"])) for trial in trials)
    steps = np.r_[number, newest], np.r_[np.minimum.accumulate(loss), loss.min()]
    axes.step(*steps, where="post", color=BLUE, linewidth=2.2, label="best so far")
    axes.plot(number, loss, "o", color=GREY, markersize=6, label=f"{len(done)} complete")
    best = int(np.argmin(loss))
    axes.plot(
        number[best], loss[best], "*", color=GREEN, markersize=15, zorder=4, label=f"best, trial {number[best]:.0f}"
    )
    top = axes.get_ylim()[1]
    for state, marker, name in (("pruned", "v", "stopped early"), ("failed", "x", "failed")):
        unfinished = [trial for trial in trials if trial["state"] == state]
        if unfinished:
            place = [(float(str(trial["trial"])), _known(trial.get("loss"), top)) for trial in unfinished]
            axes.plot(*zip(*place, strict=True), marker, color=VERMILION, label=f"{len(unfinished)} {name}")
    dress(axes, "The search for how trees grow", "trial", "loss on later rows")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(short())
    axes.legend(loc="best", frameon=False)
    return figure


def importances(share: Mapping[str, float], *, title: str) -> Figure:
    """How much each hyper-parameter had to do with a trial being among the best."""
    known = sorted(share.items(), key=lambda pair: pair[1])
    if not known:
        return nothing(title, "Too few trials came to their end to tell which hyper-parameter mattered.")
    figure, (axes,) = panels(title, 1, size=(8.0, 1.4 + 0.32 * len(known)))
    bars = axes.barh(
        [name.replace("_", " ") for name, _ in known], [value for _, value in known], color=BLUE, height=0.7
    )
    axes.bar_label(bars, [f"{value:.0%}" for _, value in known], padding=3, color=INK, fontsize=9)
    dress(axes, "Which hyper-parameters mattered", "share in whether a trial was among the best quarter", None)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, max(value for _, value in known) * 1.14 or 1)
    in_percent(axes.xaxis)
    return figure


def _known(loss: object, otherwise: float) -> float:
    return float(loss) if isinstance(loss, int | float) else otherwise


def _losses(trials: Trials, state: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    losses = [
        (trial["trial"], trial["loss"]) for trial in trials if trial["state"] == state and trial["loss"] is not None
    ]
    return np.array(losses, np.float64).reshape(-1, 2)
