"""The form of a taken file: runs of rows, each run ordered by the hash of the customer.

So every bucket, whatever their number, is one slice of each run, and none of the other rows is looked at. A taken file
is an Arrow IPC stream with a batch for each run; text that repeats is dictionary-coded, each run with names of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.log.schema import CATEGORY, hash_of
from features.system.files import atomic_write
from features.system.threads import ordered_map

ROWS = 2_000_000  # of a run, in memory while it is written
HASH = "hash"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """Rows of one run, and the place of the first among all rows of its file."""

    rows: pa.RecordBatch
    first: int

    @property
    def places(self) -> slice:
        """Where the rows stand among all of their file."""
        return slice(self.first, self.first + len(self.rows))

    @property
    def hashes(self) -> NDArray[np.uint16]:
        """The hash of the customer of every row."""
        hashes: NDArray[np.uint16] = self.rows.column(HASH).to_numpy()
        return hashes


def write(path: Path, pieces: Iterable[pa.Table]) -> int:
    """Write rows with a `customer`, in any order, as a taken file; the first piece may be empty. Returns how many."""
    rows = 0
    with atomic_write(path) as temporary, pa.OSFile(str(temporary), "wb") as file:
        writer = None
        for run in ordered_map(_run, _regrouped(pieces), threads=2):  # while the next rows come in
            writer = writer or pa.ipc.new_stream(file, run.schema)
            writer.write_batch(run)
            rows += len(run)
        if writer is not None:
            writer.close()
    return rows


def read(path: Path) -> Iterator[Slice]:
    """The runs, mapped rather than read."""
    with pa.memory_map(str(path)) as file:
        first = 0
        for batch in pa.ipc.open_stream(file):
            yield Slice(batch, first)
            first += len(batch)


def count(path: Path) -> int:
    """How many rows there are."""
    return sum(len(run.rows) for run in read(path))


def columns(path: Path) -> list[str]:
    """The names of the columns."""
    names: list[str] = next(read(path)).rows.schema.names
    return names


def plain(path: Path, names: Sequence[str] | None = None, mask: Mask | None = None) -> Iterator[pa.Table]:
    """Some columns, or all, of each run in turn, with text as text; `mask` marks the rows that are asked for."""
    for run in read(path):
        rows = run.rows if mask is None else run.rows.filter(pa.array(mask[run.places]))
        table = pa.Table.from_batches([rows]).select(names or rows.schema.names)
        kinds = [field.with_type(getattr(field.type, "value_type", field.type)) for field in table.schema]
        yield table.cast(pa.schema(kinds))


def cut(path: Path, low: int, high: int) -> Iterator[Slice]:
    """The rows of customers with `low <= hash < high`, copied: pages of the mapped files would pile up in memory."""
    for run in read(path):
        start = int(np.searchsorted(run.hashes, np.uint16(low)))  # a wider type would have all of them copied
        end = int(np.searchsorted(run.hashes, np.uint16(high - 1), side="right"))
        yield Slice(_copied(run.rows.slice(start, end - start)), run.first + start)


def _copied(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in memory of their own, with the names that they need of each dictionary."""
    columns = [_trimmed(column) if pa.types.is_dictionary(column.type) else _copy(column) for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, rows.schema.names)


def _trimmed(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """With the span of names from the first to the last that occurs: those of a slice stand together."""
    ends = pc.min_max(column.indices).as_py()
    low = ends["min"] or 0
    names = column.dictionary.slice(low, 0 if ends["max"] is None else ends["max"] - low + 1)
    indices = pc.subtract(column.indices, pa.scalar(low, column.indices.type))
    return pa.DictionaryArray.from_arrays(indices, _copy(names))


def _copy(column: pa.Array) -> pa.Array:
    return pa.concat_arrays([column, column.slice(0, 0)])


def _regrouped(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about `ROWS` rows."""
    pending: list[pa.Table] = []
    count = 0
    for piece in pieces:
        pending.append(piece)
        count += len(piece)
        if count >= ROWS:
            yield pa.concat_tables(pending)
            pending, count = [], 0
    if pending:
        yield pa.concat_tables(pending)


def _run(table: pa.Table) -> pa.RecordBatch:
    columns = {name: _column(table, name) for name in table.schema.names}
    customer = columns["customer"]
    hashes = np.fromiter(map(hash_of, customer.dictionary.to_pylist()), np.uint16, len(customer.dictionary))
    columns["customer"], columns[HASH] = _by_hash(customer, hashes)
    order = np.argsort(columns[HASH], kind="stable")
    return pa.RecordBatch.from_pydict(columns).take(pa.array(order))


def _by_hash(customer: pa.DictionaryArray, hashes: np.ndarray) -> tuple[pa.DictionaryArray, np.ndarray]:
    """The column with its names in order of their hash, so that those of a slice stand together; each row's hash."""
    order = np.argsort(hashes, kind="stable")
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    codes = customer.indices.to_numpy()
    names = customer.dictionary.take(pa.array(order))
    return pa.DictionaryArray.from_arrays(pa.array(ranks[codes]), names), hashes[codes]


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    repeats = name in ("customer", "event") or name.startswith(CATEGORY)
    return (pc.dictionary_encode(column) if repeats else column).combine_chunks()
