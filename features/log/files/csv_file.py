"""CSV files as relations: a header line, then rows of text.

Every value is read as text, and nothing is sniffed but the delimiter, which the header tells.
"""

import csv
from collections import Counter
from functools import partial
from pathlib import Path

from features.errors import LogError
from features.log.cells_sql import Cell
from features.log.files.relation import KEEP_BROKEN, MAX_LINE, ROW, Relation, json_object, path_literal
from features.log.files.text_bytes import PIECE, compression, text_bytes
from features.system import duck

MANY_LINES = 10_000


def csv_relation(path: Path, required: list[str]) -> Relation:
    """A CSV file as a relation; its delimiter is the one that yields most of the columns `required`."""
    header, delimiter = _header(path, required)
    _refuse_other_lines(path, len(header), delimiter)
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    source = (
        f"read_csv({path_literal(path)}, auto_detect=false, header=true, delim={duck.text(delimiter)}, quote='\"', "
        f"escape='\"', max_line_size={MAX_LINE}, columns={{{columns}}}{compression(path)}{KEEP_BROKEN})"
    )
    cells = {name: Cell(f"c{number}", "VARCHAR") for number, name in enumerate(header)}
    query = f"SELECT row_number() OVER () AS {ROW}, * FROM {source}"
    raw = json_object({name: cell.sql for name, cell in cells.items()})
    return Relation(query, cells, raw, header_lines=1, refuse_lost_lines=partial(_refuse_open_quote, path))


def _header(path: Path, required: list[str]) -> tuple[list[str], str]:
    """The names in the first line, repeated ones numbered, and the delimiter that yields most of the wanted ones."""
    try:
        with text_bytes(path) as file:
            line = file.readline(MAX_LINE).decode("utf-8-sig")
        split = {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in (",", ";", "\t", "|")}
    except UnicodeDecodeError:
        raise LogError(f"{path} cannot be read: its first line is not UTF-8; convert the file to UTF-8") from None
    except csv.Error as error:
        raise LogError(f"{path} cannot be read: its first line is no header: {error}; mend its line ends") from None
    delimiter = max(split, key=lambda candidate: (len(set(required) & set(split[candidate])), len(split[candidate])))
    seen: Counter[str] = Counter()
    names = []
    for name in split[delimiter]:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    if not names:
        raise LogError(f"{path}: expected a header line with column names, found none")
    return names, delimiter


def _refuse_other_lines(path: Path, fields: int, delimiter: str) -> None:
    """Raise LogError when most of very many first lines are no rows: DuckDB keeps each of them in memory."""
    with text_bytes(path) as file:
        lines = [line for line in file.read(PIECE).split(b"\n")[1:-1] if line.strip()]
    mismatches = sum(line.count(delimiter.encode()) + 1 < fields for line in lines if b'"' not in line)
    if mismatches > max(len(lines) / 2, MANY_LINES):
        raise LogError(
            f"{path}: expected lines of {fields} fields as in its header, found fewer in {mismatches:,} of the first "
            f"{len(lines):,}; mend the file or take it out of the source"
        )


def _refuse_open_quote(path: Path, connection: duck.Connection) -> None:
    """Raise LogError for a quote that opens in one line and does not close as it should: the lines up to there are one.

    DuckDB keeps no more than the beginning of such a line, so it cannot be quarantined whole.
    """
    ((position,),) = duck.rows(
        connection,
        """SELECT min(line_byte_position) FROM reject_errors
        WHERE error_type = 'UNQUOTED VALUE' AND contains(trim(csv_line, chr(13) || chr(10)), chr(10))""",
    )
    if position is None:
        return
    line, left = 1, int(str(position))
    with text_bytes(path) as file:
        while left > 0 and (piece := file.read(min(left, PIECE))):
            line, left = line + piece.count(b"\n"), left - len(piece)
    raise LogError(
        f'{path}: line {line:,} opens a quote (") that does not close before a delimiter or the end of a line, so the '
        "lines after it cannot be told apart; remove that quote or double it, and ingest again"
    )
