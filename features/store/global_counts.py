"""Global counts from journeys: what each bucket adds to them, kept beside the store so that only changed ones are read.

Files are named by all that decides their bytes, each with a note of its digest; what does not fit is made anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.arrays import Ints
from features.errors import StoreError
from features.global_counts import CountKey, GlobalCounts, GroupCounts, packed_keys, summed, together
from features.journeys import Category, Journeys
from features.log.schema import hash_of
from features.store import bucket
from features.store.bucket import BucketFiles
from features.system.files import atomic_write, canonical_json, digest, sweep, text_digest, write_text
from features.system.processes import file_lock
from features.system.threads import ordered_map
from features.timeline import DAY_US, WEEK_US, seen_from, span

FOLDER = "crowd"
COUNTS_VERSION = 1  # raise it when the same rows give other counts
THREADS = 2
WEEKS = 2**20  # more than there are
PART, WHOLE = "part", "whole"
LOCK = ".lock"

Arrays = dict[str, NDArray[Any]]


def load_or_build(
    store: Path,
    buckets: Sequence[BucketFiles],
    count_keys: tuple[CountKey, ...],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GlobalCounts:
    """The global counts of all buckets of a store, from the files beside it (`crowd/`) where they are there."""
    folder = store.parent / FOLDER
    request = text_digest(canonical_json([COUNTS_VERSION, *map(asdict, count_keys)]))[:16]
    state = text_digest(canonical_json([files.events_digest for files in buckets]))[:24]
    path = folder / f"{WHOLE}-{state}-{request}.arrow"
    if _read(path) is None:
        with file_lock(folder / LOCK):  # who builds takes away what is of no bucket any more, and what is unfinished
            return _built(store, buckets, count_keys, path, progress)
    return read(path, count_keys)


def _built(
    store: Path,
    buckets: Sequence[BucketFiles],
    count_keys: tuple[CountKey, ...],
    path: Path,
    progress: Callable[[int, int], None],
) -> GlobalCounts:
    """The global counts in the file `path`, which is made unless another process has made it meanwhile."""
    _, state, request = path.stem.split("-")

    def part(files: BucketFiles) -> GroupCounts:
        return _part(store, files, count_keys, path.parent / f"{PART}-{files.events_digest[:24]}-{request}.arrow")

    if _read(path) is None:
        parts = []
        for counts in ordered_map(part, buckets, threads=THREADS):
            parts.append(counts)
            progress(len(parts), len(buckets))
        write(path, together(parts, count_keys))
        _prune(path.parent, {state, *(files.events_digest[:24] for files in buckets)})
    return read(path, count_keys)


def counted(journeys: Journeys, count_keys: Sequence[CountKey]) -> GroupCounts:
    """What these customers add to the global counts. Raises ConfigError for a column that is not there."""
    days = span(seen_from(journeys.time, journeys.known), DAY_US)
    states = _states(journeys, days)
    hashes = {key.column: cells(journeys, key.column) for key in count_keys if key.column}
    parts = []
    for number, key in enumerate(count_keys):
        if key.column:
            enters = (hashes[key.column] >= 0) & _with_event(journeys, key.events)
            group = 0 if key.about == "all" else hashes[key.column][enters].astype(np.int64)
            parts.append(summed(packed_keys(number, group, days[enters]), np.ones(int(enters.sum()), np.int64)))
        else:
            parts.append(_of_cohorts(number, states, _arrivals(journeys, key, states)))
    return GroupCounts(np.concatenate([part.keys for part in parts]), np.concatenate([part.counts for part in parts]))


def cells(journeys: Journeys, column: str) -> NDArray[np.int32]:
    """The hash of every row's value, -1 where there is none."""
    return _hashed(journeys.category(column))


def write(path: Path, counts: GlobalCounts) -> None:
    """Write global counts for `read`."""
    _write(path, {"starts": counts.starts, "spans": counts.days, "totals": counts.totals})


def read(path: Path, count_keys: tuple[CountKey, ...]) -> GlobalCounts:
    """What `write` wrote; raises StoreError when it is not there or not whole."""
    arrays = _read(path)
    if arrays is None:
        raise StoreError(f"expected {path} as it was written, found it missing or changed; run the same command again")
    return GlobalCounts(count_keys, arrays["starts"], arrays["spans"], arrays["totals"])


def _hashed(category: Category) -> NDArray[np.int32]:
    used, rows = np.unique(category.codes, return_inverse=True)
    hashes = (hash_of(category.names[code]) if code >= 0 else -1 for code in used)
    hash_of_row: NDArray[np.int32] = np.fromiter(hashes, np.int32, len(used))[rows]
    return hash_of_row


def _with_event(journeys: Journeys, events: tuple[str, ...]) -> NDArray[np.bool_]:
    """Rows with one of the events, or with any."""
    if not events:
        return np.ones(journeys.rows, np.bool_)
    return np.isin(journeys.event.codes, [journeys.event.code(event) for event in events])


@dataclass(frozen=True)
class _States:
    """What is known of a customer changes on some days: a state is (customer, day), with the cohort from then on.

    `rows` are those that are no refund, `state` is the state of each; `owner`, `day` and `week` (the cohort) are those
    of every state.
    """

    rows: Ints
    state: Ints
    owner: Ints
    day: Ints
    week: Ints


def _states(journeys: Journeys, days: Ints) -> _States:
    rows = np.flatnonzero(~(journeys.value < 0))
    owner, day = journeys.owner[rows], days[rows]
    order = np.lexsort((day, owner))
    rows, owner, day = rows[order], owner[order], day[order]
    last = np.flatnonzero((np.diff(owner, append=-1) != 0) | (np.diff(day, append=-1) != 0))
    week = np.minimum.accumulate(span(journeys.time[rows], WEEK_US) - owner * WEEKS) + owner * WEEKS
    return _States(rows, np.searchsorted(last, np.arange(len(rows))), owner[last], day[last], week[last])


def _arrivals(journeys: Journeys, key: CountKey, states: _States) -> Ints:
    """How many are new in every state: the customer, or occurrences."""
    rows, owner = states.rows, states.owner
    if key.about == "customers":
        first: Ints = (np.diff(owner, prepend=-1) != 0).astype(np.int64)
        return first
    new = _with_event(journeys, key.events)[rows]
    if journeys.occurrence is not None:
        number = journeys.occurrence[rows]
        order = np.lexsort((states.state, number, journeys.owner[rows]))
        again = (np.diff(journeys.owner[rows][order], prepend=-1) == 0) & (np.diff(number[order], prepend=-1) == 0)
        new[order[again]] = False
    arrivals: Ints = np.bincount(states.state[new], minlength=len(owner)).astype(np.int64)
    return arrivals


def _of_cohorts(number: int, states: _States, arrivals: Ints) -> GroupCounts:
    """On every state's day all that the customer has comes to the cohort of the state and goes from the one before."""
    owner, day, week = states.owner, states.day, states.week
    follows = np.diff(owner, prepend=-1) == 0
    running = np.cumsum(arrivals)
    first = np.flatnonzero(~follows)
    total = running - np.repeat((running - arrivals)[first], np.diff(first, append=len(owner)))
    later = np.flatnonzero(follows)
    keys = [packed_keys(number, week, day), packed_keys(number, week[later - 1], day[later])]
    return summed(np.concatenate(keys), np.concatenate([total, -total[later - 1]]))


def _part(store: Path, files: BucketFiles, count_keys: tuple[CountKey, ...], path: Path) -> GroupCounts:
    arrays = _read(path)
    if arrays is None:
        counts = counted(bucket.read(store, files), count_keys)
        arrays = {"keys": counts.keys, "counts": counts.counts}
        _write(path, arrays)
    return GroupCounts(**arrays)


def _write(path: Path, arrays: Arrays) -> None:
    """One row of lists, which may be of different lengths, so that NumPy views the mapped bytes as they lie."""
    lists = {
        name: pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), pa.array(values))
        for name, values in arrays.items()
    }
    batch = pa.RecordBatch.from_pydict(lists)
    with atomic_write(path) as temporary, pa.ipc.new_file(temporary, batch.schema) as file:
        file.write_batch(batch)
    write_text(path.with_suffix(".json"), _note(path))


def _note(path: Path) -> str:
    return canonical_json({"digest": digest(path)})


def _read(path: Path) -> Arrays | None:
    """What `_write` wrote, None when it is not there or not whole."""
    try:
        if path.with_suffix(".json").read_text() != _note(path):
            return None
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    except FileNotFoundError:
        return None
    return {name: batch.column(name).values.to_numpy(zero_copy_only=True) for name in batch.schema.names}


def _prune(folder: Path, digests: set[str]) -> None:
    """Remove what is of no bucket any more."""
    sweep(folder)
    for path in folder.glob("*-*-*"):
        if path.name.split("-")[1] not in digests:
            path.unlink(missing_ok=True)
