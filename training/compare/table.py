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


def table(found: Comparison) -> RenderableType:
    """Who serves and why, the figures that tell most, and the gate's conditions."""
    return Constrain(Group(*_parts(found)), WIDEST)


def sources(found: Comparison, page: Path) -> list[str]:
    """Where each figure comes from, and where the page is: lines that are not to be wrapped."""
    runs = ", ".join(f"{side.name} is run {side.version.run_id}" for side in found.sides)
    return ["", f"figures        {runs}", f"look at them   {found.look}", f"with pictures  {page}"]


def _parts(found: Comparison) -> Iterator[RenderableType]:
    yield from (Text(side.summary) for side in found.sides)
    yield Text()
    yield _figures(found)
    yield from (Text(f"note: {note}", style="dim") for note in found.notes)
    yield Text()
    yield from _gate(found.gate) if found.gate else [Text("The gate left no record of these versions.")]


def _figures(found: Comparison) -> Table:
    title = Text(f"{found.shop}.{found.task}, with 90 % intervals", style="italic")
    made = Table(box=None, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
    made.add_column("figure", no_wrap=True)
    for side in found.sides:
        made.add_column(f"{side.name} {side.role}", no_wrap=True)
        made.add_column("baseline", justify="right", no_wrap=True)
    if len(found.sides) > 1:
        made.add_column("better", no_wrap=True)
    last: object = found
    for row in found.rows:
        if row.main:
            if row.horizon_days != last and row.horizon_days is not None:
                made.add_row(Text(f"{row.horizon_days} days", style="bold"))
            last = row.horizon_days
            made.add_row(*_cells(found, row))
    return made


def _cells(found: Comparison, row: Row) -> Iterator[str]:
    yield row.kind.title
    for pair in row.pairs:
        yield interval(pair.model)
        yield shown(pair.baseline.value) if pair.baseline else MISSING
    if len(found.sides) > 1:
        yield "" if row.better is None else found.sides[row.better].name


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
        made = Table(box=None, pad_edge=False)
        for name in ("", "condition", "what was found"):
            made.add_column(name, overflow="fold")
        for one in gate.conditions:
            made.add_row("held" if one.passed else "broken", escape(one.name), escape(one.message))
        yield made
