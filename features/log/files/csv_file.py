"""CSV files as relations: a header line, then rows of text.

Every value is read as text, and nothing is sniffed but the delimiter, which the header tells.
"""

import csv
from collections import Counter
from pathlib import Path

from features.errors import LogError
from features.log.cells_sql import Cell
from features.log.files.relation import KEEP_BROKEN, MAX_LINE, ROW, Relation, json_object, path_literal
from features.log.files.text_bytes import PIECE, text_bytes
from features.system import duck

MANY_LINES = 10_000


def csv_relation(path: Path, required: list[str]) -> Relation:
    """A CSV file as a relation; its delimiter is the one that yields most of the columns `required`."""
    header, delimiter = _header(path, required)
    _refuse_other_lines(path, len(header), delimiter)
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    source = (
        f"read_csv({path_literal(path)}, auto_detect=false, header=true, delim={duck.text(delimiter)}, quote='\"', "
        f"escape='\"', max_line_size={MAX_LINE}, columns={{{columns}}}{KEEP_BROKEN})"
    )
    cells = {name: Cell(f"c{number}", "VARCHAR") for number, name in enumerate(header)}
    query = f"SELECT row_number() OVER () AS {ROW}, * FROM {source}"
    return Relation(query, cells, json_object({name: cell.sql for name, cell in cells.items()}), header_lines=1)


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
