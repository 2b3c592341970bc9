"""One bucket of the store as two Arrow IPC files, of events and of profile: uncompressed, mapped rather than read.

Text is dictionary-coded with names sorted and local to the bucket. A null is -1 under a cleared validity bit, or NaN,
so that NumPy views the mapped bytes as they lie. Files are named by their content.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrays import Strings
from features.errors import StoreError
from features.journeys import Category, Journeys, Profile
from features.log.schema import CATEGORY, NUMBER
from features.system.files import atomic_write, check_digests
from features.system.files import digest as content_digest

SPARSE = 8  # codes that spread over more places than this times their number are sorted instead of marked


@dataclass(frozen=True)
class BucketFiles:
    """Where one bucket lies; names carry the digest's beginning."""

    events: str
    events_digest: str
    profile: str
    profile_digest: str

    @property
    def names(self) -> tuple[str, str]:
        """Of both files."""
        return self.events, self.profile

    def lies_in(self, folder: Path) -> bool:
        """Whether both files are there; what is in them is checked when they are read."""
        return all((folder / name).is_file() for name in self.names)


def write(folder: Path, journeys: Journeys) -> BucketFiles:
    """Write a bucket; a file with the same content is left as it lies."""
    events, profile = _events_table(journeys), _profile_table(journeys)
    return BucketFiles(*_publish(folder, "events", events), *_publish(folder, "profile", profile))


def read(folder: Path, files: BucketFiles) -> Journeys:
    """A bucket as views of the mapped files, once their digests were found right; raises StoreError."""
    check_digests(folder, {files.events: files.events_digest, files.profile: files.profile_digest}, StoreError)
    events, profile = _map(folder / files.events), _map(folder / files.profile)
    owner = _category(events, "customer")
    return Journeys(
        customers=owner.names,
        starts=starts_of(owner.codes, len(owner.names)),
        time=_view(events, "time"),
        known=_view(events, "known"),
        event=_category(events, "event"),
        value=_view(events, "value"),
        arrival=_view(events, "arrival"),
        categories={name: _category(events, CATEGORY + name) for name in names_of(events, CATEGORY)},
        numbers={name: _view(events, NUMBER + name) for name in names_of(events, NUMBER)},
        profile=_profile(profile, len(owner.names)),
        order=_optional(events, "order"),
        occurrence=_optional(events, "occurrence"),
        identity=_optional(events, "identity"),
    )


def names_of(table: pa.RecordBatch | pa.Table, prefix: str) -> list[str]:
    """The names of the columns that start with a prefix, without it."""
    return [name.removeprefix(prefix) for name in table.schema.names if name.startswith(prefix)]


def starts_of(owner: NDArray[Any], customers: int) -> NDArray[np.int64]:
    """Where the rows of every customer start, from the sorted index of the customer of every row."""
    starts = np.zeros(customers + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=customers), out=starts[1:])
    return starts


def coded(column: pa.ChunkedArray | pa.Array) -> Category:
    """A text column by its sorted names; its chunks may be dictionary-coded, each with names of its own."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [_used(chunk) for chunk in chunks]
    encoded = pc.dictionary_encode(pa.concat_arrays([pa.array([], pa.string()), *(names for _, _, names in parts)]))
    order = pc.sort_indices(encoded.dictionary).to_numpy().astype(np.int64)
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    places = np.split(ranks[encoded.indices.to_numpy()], np.cumsum([len(used) for _, used, _ in parts]))
    recoded = [_replaced(codes, used, new) for (codes, used, _), new in zip(parts, places[:-1], strict=True)]
    names: Strings = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    return Category(np.concatenate([np.zeros(0, np.int32), *recoded]), names[order])


def _used(chunk: pa.Array) -> tuple[NDArray[Any], NDArray[Any], pa.Array]:
    """The codes (from 0) of a chunk, those of them that are no null, and the names they stand for."""
    encoded = chunk if pa.types.is_dictionary(chunk.type) else pc.dictionary_encode(chunk)
    codes = encoded.indices.fill_null(-1).to_numpy()
    if not len(codes):
        return codes, codes, encoded.dictionary.slice(0, 0)
    low, span = int(codes.min()), int(np.ptp(codes)) + 1
    if span > SPARSE * len(codes):
        distinct, codes = np.unique(codes, return_inverse=True)
        used = np.arange(len(distinct))
    else:
        codes = codes - low
        seen = np.zeros(span, bool)
        seen[codes] = True
        used = np.flatnonzero(seen)
        distinct = used + low
    null = int(distinct[0] < 0)
    return codes, used[null:], encoded.dictionary.take(pa.array(distinct[null:]))


def _replaced(codes: NDArray[Any], old: NDArray[Any], new: NDArray[np.int32]) -> NDArray[np.int32]:
    """The codes with every old one replaced by the new one in its place, and all others by -1."""
    table = np.full(int(codes.max(initial=-1)) + 1, -1, np.int32)
    table[old] = new
    replaced: NDArray[np.int32] = table[codes]
    return replaced


def _category(batch: pa.RecordBatch, name: str) -> Category:
    column = batch.column(name)
    names: Strings = column.dictionary.to_numpy(zero_copy_only=False).astype(object)
    return Category(np.frombuffer(column.indices.buffers()[1], np.int32)[: len(column)], names)


def _view(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    column: NDArray[Any] = batch.column(name).to_numpy(zero_copy_only=True)
    return column


def _optional(batch: pa.RecordBatch, name: str) -> NDArray[Any] | None:
    return _view(batch, name) if name in batch.schema.names else None


def _profile(table: pa.RecordBatch, customers: int) -> Profile:
    return Profile(
        starts=starts_of(_view(table, "customer"), customers),
        known=_view(table, "known"),
        categories={name: _category(table, CATEGORY + name) for name in names_of(table, CATEGORY)},
        numbers={name: _view(table, NUMBER + name) for name in names_of(table, NUMBER)},
    )


def _events_table(journeys: Journeys) -> pa.RecordBatch:
    columns: dict[str, Any] = {
        "customer": _encode(Category(journeys.owner.astype(np.int32), journeys.customers)),
        "time": journeys.time,
        "known": journeys.known,
        "event": _encode(journeys.event),
        "value": journeys.value,
        "order": journeys.order,
        "occurrence": journeys.occurrence,
        "identity": journeys.identity,
        "arrival": journeys.arrival,
        **_attributes(journeys.categories, journeys.numbers),
    }
    return pa.RecordBatch.from_pydict(
        {name: pa.array(column) for name, column in columns.items() if column is not None}
    )


def _profile_table(journeys: Journeys) -> pa.RecordBatch:
    profile = journeys.profile
    owner = np.repeat(np.arange(len(journeys), dtype=np.int32), np.diff(profile.starts))
    columns = {"customer": owner, "known": profile.known, **_attributes(profile.categories, profile.numbers)}
    return pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})


def _attributes(categories: Mapping[str, Category], numbers: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    coded = {CATEGORY + name: _encode(column) for name, column in categories.items()}
    return {**coded, **{NUMBER + name: column for name, column in numbers.items()}}


def _encode(column: Category) -> pa.DictionaryArray:
    codes = np.ascontiguousarray(column.codes, dtype=np.int32)
    null = codes < 0
    bits = pa.py_buffer(np.packbits(~null, bitorder="little")) if null.any() else None
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [bits, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(indices, pa.array(column.names, pa.string()))


def _publish(folder: Path, stem: str, batch: pa.RecordBatch) -> tuple[str, str]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content = sink.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{stem}-{digest[:24]}.arrow"
    if not (path.is_file() and content_digest(path) == digest):
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    return path.name, digest


def _map(path: Path) -> pa.RecordBatch:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{path} cannot be read: {error}; run `ingest` again") from None
