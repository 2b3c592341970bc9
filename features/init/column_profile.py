"""What the columns of a log's files hold, told by SQL over a sample: how full, how various, which are times or numbers.

Cells are read by the very rules `ingest` reads them by, so what is a time here is a time there. A sample is a table
that has for the i-th column `t<i>` (text), `n<i>` (number; NULL for a code such as 00123), `m<i>` (µs UTC, local times
as if UTC) and `o<i>` (whether it is nested).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.log.cells_sql import Cell, sql_nested, sql_number, sql_numeric, sql_text, sql_time
from features.log.files.open_file import open_file
from features.log.files.relation import ROW, Relation
from features.system import duck
from features.timeline import DAY_US

SAMPLE_ROWS = 200_000  # rows that columns are profiled on
LEVELS = 200  # a column with more different texts is not listed
AT_ONCE = 30  # columns profiled by one query
SLASHED = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([ T].*)?"  # a date, perhaps in an order of its own


@dataclass(frozen=True)
class File:
    """An opened file and how many rows it holds."""

    path: Path
    relation: Relation
    rows: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(self.relation.cells)


@dataclass(frozen=True)
class ColumnProfile:
    """What one column holds, counted over a sample of `rows` rows; `place` is its number in the sample."""

    name: str
    place: int
    rows: int
    filled: int  # cells that hold something
    distinct: int
    length: float  # average, in characters
    numbers: int
    whole: int  # whole numbers
    low: float | None
    high: float | None
    negative: int
    times: int
    midnights: int  # times at 00:00, which may stand for days
    slashed: int  # texts that look like a date and are no ISO 8601
    nested: int  # lists and objects
    levels: tuple[tuple[str, int], ...] = ()  # the texts and their rows, commonest first; empty when there are many

    @property
    def filled_share(self) -> float:
        """Share of rows that hold something."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def distinct_share(self) -> float:
        """Different texts for each cell that holds something: 1 when none repeats."""
        return self.distinct / self.filled if self.filled else 0.0

    @property
    def is_time(self) -> bool:
        """Nearly every cell is a time."""
        return 0 < 0.95 * self.filled <= self.times

    @property
    def is_number(self) -> bool:
        """Nearly every cell is a number."""
        return 0 < 0.95 * self.filled <= self.numbers

    @property
    def is_whole(self) -> bool:
        """Nearly every cell is a whole number."""
        return 0 < 0.95 * self.filled <= self.whole


def open_files(connection: duck.Connection, paths: Iterable[Path]) -> list[File]:
    """The files, readable; raises LogError for one that can not be read."""
    files = []
    for path in paths:
        opened = open_file(connection, path, {}, "log")
        with duck.reading(str(path)):
            files.append(File(path, opened, duck.number(connection, f"SELECT count(*) FROM ({opened.query})")))
    return files


def profile_columns(connection: duck.Connection, files: Sequence[File], sample: str) -> tuple[ColumnProfile, ...]:
    """The facts of every column that all files have, over about `SAMPLE_ROWS` rows, which the table `sample` keeps."""
    names = shared_names(files)
    one_in = -(-sum(file.rows for file in files) // SAMPLE_ROWS)
    condition = f"hash({ROW}) % {one_in} = 0" if one_in > 1 else "true"
    create_sample(connection, files, dict.fromkeys(names, "tnmo"), sample, [condition] * len(files))
    return tuple(
        column for start in range(0, len(names), AT_ONCE) for column in _profile_batch(connection, sample, names, start)
    )


def create_sample(
    connection: duck.Connection,
    files: Sequence[File],
    column_letters: Mapping[str, str],
    sample: str,
    conditions: Sequence[str],
) -> None:
    """Make the table `sample` of the rows of each file that meet its condition in `chosen`.

    `column_letters` is column → the letters of what to read it as.
    """
    queries = []
    for file, condition in zip(files, conditions, strict=True):
        cells = [
            (place, file.relation.cells[name], letters) for place, (name, letters) in enumerate(column_letters.items())
        ]
        parts = [f"{_READ[letter](cell)} AS {letter}{place}" for place, cell, letters in cells for letter in letters]
        queries.append(f"SELECT {', '.join(parts)} FROM ({file.relation.query}) WHERE {condition}")
    with duck.reading(", ".join(str(file.path) for file in files)):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {sample} AS {' UNION ALL '.join(queries)}")


def shared_names(files: Sequence[File]) -> list[str]:
    """The columns that all files have, in the order of the first."""
    return [name for name in files[0].columns if all(name in file.columns for file in files)]


_READ: Mapping[str, Callable[[Cell], str]] = {
    "t": sql_text,
    "n": lambda cell: f"CASE WHEN {sql_numeric(cell)} THEN {sql_number(cell)} END",
    "m": sql_time,
    "o": sql_nested,
}


def _profile_batch(connection: duck.Connection, sample: str, names: Sequence[str], start: int) -> list[ColumnProfile]:
    places = range(start, min(start + AT_ONCE, len(names)))
    aggregates = ", ".join(
        f"{sql} AS {duck.name(f'{fact} {place}')}" for place in places for fact, sql in _aggregates(place)
    )
    counts = duck.table(connection, f"SELECT count(*) AS rows, {aggregates} FROM {sample}").to_pylist()[0]
    columns = []
    for place in places:
        facts = {fact: counts[f"{fact} {place}"] for fact, _ in _aggregates(place)}
        levels = _levels(connection, sample, place) if 0 < facts["distinct"] <= LEVELS else ()
        columns.append(ColumnProfile(name=names[place], place=place, rows=counts["rows"], levels=levels, **facts))
    return columns


def _aggregates(place: int) -> list[tuple[str, str]]:
    text, number, time = f"t{place}", f"n{place}", f"m{place}"
    return [
        ("filled", f"count({text})"),
        ("distinct", f"count(DISTINCT {text})"),
        ("length", f"coalesce(avg(length({text})), 0)"),
        ("numbers", f"count({number})"),
        ("whole", f"count(*) FILTER ({number} = trunc({number}))"),
        ("low", f"min({number})"),
        ("high", f"max({number})"),
        ("negative", f"count(*) FILTER ({number} < 0)"),
        ("times", f"count({time})"),
        ("midnights", f"count(*) FILTER ({time} % {DAY_US} = 0)"),
        ("slashed", f"count(*) FILTER ({time} IS NULL AND regexp_full_match({text}, {duck.text(SLASHED)}))"),
        ("nested", f"count(*) FILTER (o{place})"),
    ]


def _levels(connection: duck.Connection, sample: str, place: int) -> tuple[tuple[str, int], ...]:
    query = f"SELECT t{place}, count(*) AS n FROM {sample} WHERE t{place} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1"
    return tuple((str(level), int(str(count))) for level, count in duck.rows(connection, query))
