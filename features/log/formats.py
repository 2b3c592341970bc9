"""The files a log comes in: finding them, and reading Parquet, CSV and JSON Lines as one kind of relation.

A file's format is told by its name: `.parquet`; `.csv`, `.tsv`; `.jsonl`, `.ndjson`, `.json` (one object a line); all
but Parquet also with `.gz`. CSV has a header line, is UTF-8, and every value is read as text: nothing is sniffed but
the delimiter, which the header tells.
"""

import csv
import glob
import gzip
import mmap
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from features.errors import ConfigError, LogError, did_you_mean
from features.log.cells_sql import Cell
from features.system import duck

ROW = '"#row"'  # the 1-based number of a row in its source
MAX_LINE = 64 * 1024 * 1024
GZIP_MOST = 1032  # bytes that one packed byte can stand for
PIECE = 1024 * 1024
MANY_LINES = 10_000
FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
KEEP_BROKEN = ", store_rejects=true, rejects_limit=0"  # each reading tells them anew


@dataclass(frozen=True)
class Relation:
    """A source file as SQL: `query` gives `ROW` and what `cells`, by source column, read; `raw` is a row as JSON text.

    At every reading the rows and their numbers are the same. `checks` pairs conditions on a whole row with reasons;
    `header_lines` come before the first row.
    """

    query: str
    cells: Mapping[str, Cell]
    raw: str
    checks: tuple[tuple[str, str], ...] = ()
    header_lines: int = 0


def find(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that globs relative to `folder` match, each once; raises LogError for one that matches none."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207  a pattern may be absolute
        files = [folder / match for match in matches if (folder / match).is_file()]
        if not files:
            raise LogError(
                f"no file matches source '{pattern}' (looked in {folder}); correct the pattern or bring the files"
            )
        paths.update(dict.fromkeys(file.resolve() for file in files))
    return list(paths)


def named_files(files: Iterable[Path]) -> list[Path]:
    """Files named one by one; raises LogError for one that is not there."""
    for file in files:
        if not file.is_file():
            raise LogError(
                f"expected a file at {file}, found {'a folder' if file.is_dir() else 'nothing'}; name files of the log"
            )
    return list(dict.fromkeys(file.resolve() for file in files))


def relation(connection: duck.Connection, path: Path, required: Mapping[str, str], section: str) -> Relation:
    """A file as a relation that has every column of `required` (key of the TOML → source column); raises LogError."""
    read = {"parquet": _parquet, "csv": _csv, "json": _json}[format_of(path)]
    if path.stat().st_size == 0:
        raise LogError(f"{path} is empty (0 bytes); write it again or take it out of the source")
    if read is not _parquet:
        _refuse_endless_lines(path)
    with duck.reading(str(path)):
        opened = read(connection, path, list(required.values()), section)
    for key, column in required.items():
        if column not in opened.cells:
            listed = ", ".join(opened.cells) or "none"
            hint = did_you_mean(column, opened.cells)
            advice = hint if hint.startswith("did") else f"set `{key}` in [{section}]"
            raise LogError(
                f"{path}: no column '{column}', which [{section}] names as `{key}`; {advice} Columns found: {listed}"
            )
    return opened


def format_of(path: Path) -> str:
    """`parquet`, `csv` or `json`; raises ConfigError for another extension."""
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    kind = FORMATS.get(suffix.lower())
    if kind is None or (kind == "parquet" and suffix != path.suffix):
        raise ConfigError(
            f"{path}: expected a name ending in {', '.join(FORMATS)} (or .csv.gz, .jsonl.gz), got '{path.name}'"
        )
    return kind


def _parquet(connection: duck.Connection, path: Path, _required: list[str], _section: str) -> Relation:
    source = f"read_parquet({_literal(path)}, file_row_number=true, binary_as_string=true)"
    columns = [(str(name), str(kind)) for name, kind, *_ in duck.rows(connection, f"DESCRIBE FROM {source}")]
    cells = {name: _cell(duck.name(name), kind) for name, kind in columns if name != "file_row_number"}
    query = f"SELECT file_row_number + 1 AS {ROW}, * FROM {source}"
    return Relation(query, cells, _object({name: f"{cell.sql}::VARCHAR" for name, cell in cells.items()}))


def _cell(sql: str, kind: str) -> Cell:
    return Cell(f"{sql}::VARCHAR", "VARCHAR") if kind.startswith("ENUM") else Cell(sql, kind)


def _csv(_connection: duck.Connection, path: Path, required: list[str], _section: str) -> Relation:
    header, delimiter = _header(path, required)
    _refuse_other_lines(path, len(header), delimiter)
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    source = (
        f"read_csv({_literal(path)}, auto_detect=false, header=true, delim={duck.text(delimiter)}, quote='\"', "
        f"escape='\"', max_line_size={MAX_LINE}, columns={{{columns}}}{KEEP_BROKEN})"
    )
    cells = {name: Cell(f"c{number}", "VARCHAR") for number, name in enumerate(header)}
    query = f"SELECT row_number() OVER () AS {ROW}, * FROM {source}"
    return Relation(query, cells, _object({name: cell.sql for name, cell in cells.items()}), header_lines=1)


def _header(path: Path, required: list[str]) -> tuple[list[str], str]:
    """The names in the first line, repeated ones numbered, and the delimiter that yields most of the wanted ones."""
    try:
        with _bytes(path) as file:
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
    with _bytes(path) as file:
        lines = [line for line in file.read(PIECE).split(b"\n")[1:-1] if line.strip()]
    mismatches = sum(line.count(delimiter.encode()) + 1 < fields for line in lines if b'"' not in line)
    if mismatches > max(len(lines) / 2, MANY_LINES):
        raise LogError(
            f"{path}: expected lines of {fields} fields as in its header, found fewer in {mismatches:,} of the first "
            f"{len(lines):,}; mend the file or take it out of the source"
        )


@contextmanager
def _bytes(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """The bytes of a file of text, unpacked; raises LogError for those that cannot be."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be read: {error}; repair it or take it out of the source") from None


def _refuse_endless_lines(path: Path) -> None:
    """Raise LogError for a line longer than `MAX_LINE`: DuckDB passes over one that its buffer cannot hold."""
    packed = path.suffix.lower() == ".gz"
    if path.stat().st_size * (GZIP_MOST if packed else 1) <= MAX_LINE:
        return
    if (_is_endless_packed if packed else _is_endless)(path):
        raise LogError(f"{path} cannot be read: it holds a line of more than {MAX_LINE:,} bytes; mend its line ends")


def _is_endless(path: Path) -> bool:
    """Whether a file holds such a line. It is not read for that: before the longest line ends, another end is near."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = 0
        while len(content) - start > MAX_LINE:
            window = start, start + MAX_LINE + 1
            end = content.rfind(b"\n", *window)
            end = content.rfind(b"\r", *window) if end < 0 else end
            if end < 0:
                return True
            start = end + 1
    return False


def _is_endless_packed(path: Path) -> bool:
    length = 0
    with _bytes(path) as file:
        while piece := file.read(PIECE):
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
            length = length + len(piece) if end < 0 else len(piece) - end - 1
            if length > MAX_LINE:
                return True
    return False


def _json(connection: duck.Connection, path: Path, required: list[str], section: str) -> Relation:
    source = (
        f"read_csv({_literal(path)}, auto_detect=false, header=false, delim='\x01', quote='', escape='', "
        f"strict_mode=false, max_line_size={MAX_LINE}, columns={{'line': 'VARCHAR'}}{KEEP_BROKEN})"
    )
    lines = f"SELECT row_number() OVER () AS {ROW}, line FROM {source}"
    keys = _keys(connection, lines, required, section)
    pointers = duck.texts("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    parts = ", ".join(f"v[{number}] AS c{number}, t[{number}] AS t{number}" for number in range(1, len(keys) + 1))
    values = f"try(json_extract_string(line, {pointers})) AS v, try(json_type(line, {pointers})) AS t"
    opened = f"SELECT {ROW}, line, {values} FROM ({lines})"
    query = f"SELECT {ROW}, line{', ' + parts if parts else ''} FROM ({opened}) WHERE trim(line) <> ''"
    cells = {key: Cell(f"c{number}", "VARCHAR", f"t{number}") for number, key in enumerate(keys, 1)}
    broken = ("coalesce(try(json_type(line)), '') <> 'OBJECT'", "not a JSON object")
    return Relation(query, cells, "CASE WHEN json_valid(line) THEN line ELSE to_json(line)::VARCHAR END", (broken,))


def _keys(connection: duck.Connection, lines: str, required: list[str], section: str) -> list[str]:
    """The keys of the objects in a file; of the log's first 1,000 alone when these hold all that is wanted."""
    keys: list[str] = []
    for part in (f"({lines}) LIMIT 1000", f"({lines})")[section == "profile" :]:
        query = f"SELECT DISTINCT unnest(try(json_keys(line))) AS key FROM (FROM {part}) ORDER BY key"
        keys = [str(key) for (key,) in duck.rows(connection, query)]
        if set(required) <= set(keys):
            break
    return keys


def _object(values: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{duck.text(name)}, {value}" for name, value in values.items())
    return f"json_object({pairs})::VARCHAR"


def _literal(path: Path) -> str:
    return duck.text(duck.pattern(path))
