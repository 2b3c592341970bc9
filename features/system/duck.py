"""The door to DuckDB: connections that may touch only what they are told, and quoting.

A connection reads the named files, writes below its workspace, spills there when memory runs out, and installs nothing
from the net.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import DiskError, JourneycastError, LogError
from features.system.files import NO_ROOM

Connection = duckdb.DuckDBPyConnection

MEMORY = "4GB"
THREADS = 2
SPILL = "spill"  # folder of the workspace


@contextmanager
def connect(
    workspace: Path, files: Iterable[Path] = (), *, memory: str = MEMORY, threads: int = THREADS
) -> Iterator[Connection]:
    """A private in-memory database that may read `files` and use the folder `workspace`, nothing else."""
    spill = workspace / SPILL
    spill.mkdir(parents=True, exist_ok=True)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(spill),
        "max_temp_directory_size": "200GB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    connection = duckdb.connect(config=settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET allowed_directories = {texts([str(workspace), pattern(workspace)])}")
        allowed = [form for file in files for form in (str(file), pattern(file))]
        connection.execute(f"SET allowed_paths = {texts(allowed)}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Translate what DuckDB raises while it reads `source`, so that a person knows which file to look at."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise JourneycastError(f"{source}: not enough memory or disk to go on: {_first_lines(error)}") from None
    except duckdb.Error as error:
        _refuse_a_full_disk(error, source)
        raise LogError(
            f"{source} cannot be read: {_first_lines(error)}; repair it or take it out of the source"
        ) from None
    except OSError as error:
        raise JourneycastError(f"{source} cannot be taken: {error}; make room on the disk and run it again") from None


@contextmanager
def working(job: str) -> Iterator[None]:
    """Translate what is raised while `job` is done with our own files: no memory, no disk."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise JourneycastError(f"{job} failed: {_first_lines(error)}; make room on the disk and run it again") from None


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    """All rows of a query, as Python values."""
    return list(connection.execute(query).fetchall())


def number(connection: Connection, query: str) -> int:
    """The single whole number that a query gives."""
    return int(str(rows(connection, query)[0][0]))


def table(connection: Connection, query: str) -> pa.Table:
    """The result of a query in memory."""
    return connection.sql(query).to_arrow_table()


def stream(connection: Connection, query: str, batch_rows: int) -> Iterator[pa.Table]:
    """The result of a query in pieces, while it runs; an empty piece comes first, for the schema."""
    reader = connection.sql(query).to_arrow_reader(batch_rows)
    yield reader.schema.empty_table()
    try:
        for batch in reader:
            yield pa.Table.from_batches([batch])
    except OSError as error:  # a streamed result brings DuckDB's errors as Arrow's
        kind = duckdb.OutOfMemoryException if "Out of Memory" in str(error) else duckdb.IOException
        raise kind(str(error)) from None


def copy(connection: Connection, query: str, path: Path) -> None:
    """Write the rows of a query to a Parquet file; `path` must be a temporary one, for a kill leaves it torn."""
    connection.execute(f"COPY ({query}) TO {text(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)")


def name(column: str) -> str:
    """A quoted identifier.

    >>> name('a"b')
    '"a""b"'
    """
    return '"' + column.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted string.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def pattern(path: Path) -> str:
    """The glob that matches this file alone: DuckDB takes every path for a glob.

    >>> pattern(Path("a[1].csv"))
    'a[[]1].csv'
    """
    return glob.escape(str(path))


def texts(values: Iterable[str]) -> str:
    """A list of quoted strings.

    >>> texts(["a", "b"])
    "['a', 'b']"
    """
    return "[" + ", ".join(text(value) for value in values) + "]"


def _refuse_a_full_disk(error: Exception, source: str) -> None:
    """Raise DiskError when this is what DuckDB, which gives no number, stumbled over."""
    reason = next((os.strerror(code) for code in NO_ROOM if os.strerror(code) in str(error)), None)
    if reason is not None:
        raise DiskError(
            f"{source}: expected room on the disk, found none for DuckDB ({reason.lower()}); make room and run "
            "it again, what was there before is as it was"
        ) from None


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:1]).removeprefix("Invalid Input Error: ").removeprefix("IO Error: ").rstrip(".")
