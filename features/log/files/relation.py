"""A source file as SQL, whatever its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.log.cells_sql import Cell
from features.system import duck

ROW = '"#row"'  # the 1-based number of a row in its source
MAX_LINE = 64 * 1024 * 1024
KEEP_BROKEN = ", store_rejects=true, rejects_limit=0"  # each reading tells them anew


@dataclass(frozen=True)
class Relation:
    """A source file as SQL: `query` gives `ROW` and what `cells`, by source column, read; `raw` is a row as JSON text.

    At every reading the rows and their numbers are the same. `checks` pairs conditions on a whole row with reasons;
    `header_lines` come before the first row. `refuse_lost_lines` raises LogError, once all is read, for lines that are
    neither rows nor broken lines.
    """

    query: str
    cells: Mapping[str, Cell]
    raw: str
    checks: tuple[tuple[str, str], ...] = ()
    header_lines: int = 0
    refuse_lost_lines: Callable[[duck.Connection], None] = lambda _connection: None


def json_object(values: Mapping[str, str]) -> str:
    """SQL of a row as JSON text, from SQL of its cells by source column."""
    pairs = ", ".join(f"{duck.text(name)}, {value}" for name, value in values.items())
    return f"json_object({pairs})::VARCHAR"


def path_literal(path: Path) -> str:
    """The path as SQL text that DuckDB takes for no pattern."""
    return duck.text(duck.pattern(path))
