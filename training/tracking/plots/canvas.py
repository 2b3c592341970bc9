"""What all pictures share: colours, styles, an empty figure, and how axes are dressed."""

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

BLUE, ORANGE, GREEN, VERMILION, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C", "#262626"
MODEL: dict[str, Any] = {"color": BLUE, "linewidth": 2.2, "zorder": 3}
BASELINE: dict[str, Any] = {"color": ORANGE, "linewidth": 1.8, "linestyle": "--", "zorder": 2}
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": ":", "zorder": 1}
DPI = 130
LONGEST_LABEL = 62  # characters
END = 20  # of them: a feature's window stands there


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()


def panels(
    title: str, count: int, *, rows: tuple[int, ...] = (), size: tuple[float, float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes: side by side, or one above the other with relative heights `rows`."""
    figure = Figure(figsize=size or ((10.4, 4.6) if count > 1 else (8.0, 4.4)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    shape, heights = ((count, 1), rows) if rows else ((1, count), None)
    return figure, list(figure.subplots(*shape, squeeze=False, height_ratios=heights).flat)


def nothing(title: str, sentence: str) -> Figure:
    """A figure that says why there is nothing to see."""
    figure, (axes,) = panels(title, 1, size=(8.0, 2.0))
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", fontsize=11, color=INK, wrap=True)
    return figure


def dress(axes: Axes, heading: str | None, x: str | None, y: str | None) -> None:
    """Heading, names of the axes, a light grid and no frame."""
    axes.set_title(heading or "", loc="left", fontsize=11, color=INK)
    axes.set_xlabel(x or "")
    axes.set_ylabel(y or "")
    axes.grid(color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, length=3)


def in_percent(*axes: Any) -> None:
    """Numbers of these axes as shares of a hundred."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1.0))


def short() -> FuncFormatter:
    """1200 as 1,200 and 2500000 as 2.5M."""
    return FuncFormatter(lambda value, _: f"{value / 1e6:g}M" if abs(value) >= 1e6 else f"{value:,g}")


def cut(text: str) -> str:
    """A name short enough to stand beside a picture: its middle is left out."""
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - END - 1]}…{text[-END:]}"
