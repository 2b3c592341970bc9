"""A comparison in the terminal: it fits 80 columns and takes 100 at most."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.compare.comparison import Comparison, Gate
from training.compare.figures import MISSING, Figure, Row, shown

WIDEST = 100


def table(comparison: Comparison) -> RenderableType:
    """Who serves and why, the figures that tell most, and the gate's conditions."""
    return Constrain(Group(*_parts(comparison)), WIDEST)


def sources(comparison: Comparison, page: Path) -> list[str]:
    """Where each figure comes from, and where the page is: lines that are not to be wrapped."""
    runs = ", ".join(f"{side.name} is run {side.version.run_id}" for side in comparison.sides)
    return ["", f"figures        {runs}", f"look at them   {comparison.look}", f"with pictures  {page}"]


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield from (Text(side.summary) for side in comparison.sides)
    yield Text()
    yield _figures(comparison)
    yield from (Text(f"note: {note}", style="dim") for note in comparison.notes)
    yield Text()
    yield from _gate(comparison.gate) if comparison.gate else [Text("The gate left no record of these versions.")]


def _figures(comparison: Comparison) -> Table:
    title = Text(f"{comparison.shop}.{comparison.task}, with 90 % intervals", style="italic")
    grid = Table(box=None, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
    grid.add_column("figure", no_wrap=True)
    for side in comparison.sides:
        grid.add_column(f"{side.name} {side.role}", no_wrap=True)
        grid.add_column("baseline", justify="right", no_wrap=True)
    if len(comparison.sides) > 1:
        grid.add_column("better", no_wrap=True)
    last: object = comparison
    for row in comparison.rows:
        if row.main:
            if row.horizon_days != last and row.horizon_days is not None:
                grid.add_row(Text(f"{row.horizon_days} days", style="bold"))
            last = row.horizon_days
            grid.add_row(*_cells(comparison, row))
    return grid


def _cells(comparison: Comparison, row: Row) -> Iterator[str]:
    yield row.kind.title
    for pair in row.pairs:
        yield interval(pair.model)
        yield shown(pair.baseline.value) if pair.baseline else MISSING
    if len(comparison.sides) > 1:
        yield "" if row.better is None else comparison.sides[row.better].name


def interval(figure: Figure | None) -> str:
    """A figure with its interval: `0.812 (0.799–0.825)`."""
    if figure is None:
        return MISSING
    return shown(figure.value) + (f" ({shown(figure.low)}–{shown(figure.high)})" if figure.whole else "")


def _gate(gate: Gate) -> Iterator[RenderableType]:
    yield Text(f"The gate {'passed' if gate.passed else 'refused'} v{gate.version}: {gate.reason}")
    if gate.how:
        yield Text(f"{gate.how}:")
    if gate.conditions:
        grid = Table(box=None, pad_edge=False)
        for name in ("", "condition", "what was found"):
            grid.add_column(name, overflow="fold")
        for condition in gate.conditions:
            grid.add_row("held" if condition.passed else "broken", escape(condition.name), escape(condition.message))
        yield grid
