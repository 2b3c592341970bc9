"""A row of figures as a strip: each side's interval and value, and the baselines, on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.compare.figures import Figure, Row

WIDTH, LEFT = 200.0, 8.0  # of the drawing, and what is kept free at either end
LANE = 14.0  # height of one side


@dataclass(frozen=True)
class Mark:
    """Where one side stands, in the drawing's units; `baseline` is None when there is none."""

    y: float
    low: float
    high: float
    at: float
    baseline: float | None


def strip(row: Row) -> tuple[Mark | None, ...] | None:
    """A mark for each side; None where nothing can be drawn to scale."""
    figures = [figure for pair in row.pairs for figure in (pair.model, pair.baseline) if figure]
    ends = [end for figure in figures for end in (figure.low, figure.value, figure.high) if end is not None]
    if len(figures) < 2 or not max(ends) > min(ends):
        return None
    low, span = min(ends), max(ends) - min(ends)
    return tuple(
        _mark(pair.model, pair.baseline, LANE * (side + 0.5), (low, span)) if pair.model else None
        for side, pair in enumerate(row.pairs)
    )


def height(sides: Sequence[object]) -> float:
    """Of a strip."""
    return LANE * len(sides)


def _mark(model: Figure, baseline: Figure | None, y: float, scale: tuple[float, float]) -> Mark:
    def place(value: float) -> float:
        return round(LEFT + (WIDTH - 2 * LEFT) * (value - scale[0]) / scale[1], 1)

    ends = [model.value if end is None else end for end in (model.low, model.high)]
    return Mark(y, place(ends[0]), place(ends[1]), place(model.value), place(baseline.value) if baseline else None)
