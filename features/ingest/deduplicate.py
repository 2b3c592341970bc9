"""One event of every id, over all taken files: the one known first, then the smallest by all columns.

Ids meet across customers, so this is the one thing that the store cannot do bucket by bucket. Which rows are
superseded by another one of their id is kept beside the taken files, a bit for each row; new files then ask about their
own ids alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.config.sections import Config
from features.errors import StoreError
from features.log import staging
from features.log.schema import CATEGORY, NUMBER
from features.log.staging import Mask
from features.system import duck
from features.system.files import atomic_write, check_digests

PLACE = "place"  # of a row among all rows of the taken files

Masks = Mapping[Path, Mask]  # taken file of the log → which of its rows are superseded by another one of their id


def repeated_rows(connection: duck.Connection, logs: Sequence[Path], config: Config, before: Masks) -> dict[Path, Mask]:
    """For each taken file of the log, whether a row has to go because another one of its id stays.

    `before` says it of the files there were; only ids in files that have come or gone since are looked at again.
    """
    changed = [*(path for path in logs if path not in before), *(path for path in before if path not in logs)]
    repeated = [before[path] if path in before else np.zeros(staging.count(path), bool) for path in logs]
    if changed and _list_candidates(connection, logs, changed, everything=not before):
        joined = np.concatenate(repeated)
        joined &= ~_marked(connection, "SELECT place FROM candidates", len(joined))
        several = "SELECT identity FROM candidates GROUP BY identity HAVING count(*) > 1"
        query = f"SELECT place FROM candidates SEMI JOIN ({several}) USING (identity)"
        rivals = _split(_marked(connection, query, len(joined)), [len(mask) for mask in repeated])
        joined |= _superseded(connection, logs, config, rivals)
        repeated = _split(joined, [len(mask) for mask in repeated])
    return dict(zip(logs, repeated, strict=True))


def write_masks(folder: Path, masks: Sequence[Mask]) -> str:
    """Write the masks of all taken files of the log, in order, into `folder`; returns their digest."""
    content = np.packbits(np.concatenate(masks)).tobytes()
    digest = hashlib.sha256(content).hexdigest()
    with atomic_write(folder / masks_name(digest)) as temporary:
        temporary.write_bytes(content)
    return digest


def read_masks(folder: Path, digest: str | None, rows: Sequence[int]) -> list[Mask]:
    """The masks of taken files with so many `rows`, no bit set without a digest; StoreError when they were changed."""
    if digest is None:
        return [np.zeros(count, bool) for count in rows]
    check_digests(folder, {masks_name(digest): digest}, StoreError)
    bits = np.fromfile(folder / masks_name(digest), np.uint8)
    return _split(np.unpackbits(bits, count=sum(rows)).view(bool), rows)


def masks_name(digest: str) -> str:
    """The name of the file of that digest."""
    return f"repeated-{digest[:24]}.bits"


def _list_candidates(
    connection: duck.Connection, logs: Sequence[Path], changed: Sequence[Path], *, everything: bool
) -> bool:
    """Make a table `candidates` of rows (`place`, `identity`) with an id of a changed file; False if there is none.

    Of a log that is looked at for the first time only repeated ids are candidates.
    """
    _scan(connection, changed, ["identity"])
    having = "HAVING count(*) > 1" if everything else ""
    connection.execute(
        f"CREATE TABLE candidate_ids AS SELECT identity FROM taken WHERE identity >= 0 GROUP BY identity {having}"
    )
    if not duck.number(connection, "SELECT count(*) FROM candidate_ids"):
        return False
    _scan(connection, logs, ["identity"])
    connection.execute(
        "CREATE TABLE candidates AS SELECT place, identity FROM taken SEMI JOIN candidate_ids USING (identity)"
    )
    return True


def _superseded(connection: duck.Connection, logs: Sequence[Path], config: Config, masks: Sequence[Mask]) -> Mask:
    """Of the rows that `masks` mark those that are not the first of their id."""
    order = ["known" if config.log.known else "time", "customer", "time", "event", *_given(config)]
    text, length = (["text"], ["length(text)"]) if config.log.text else ([], [])
    _scan(connection, logs, [*dict.fromkeys(order), *text, "arrival", "id"], masks)
    listed = ", ".join(f"{column} NULLS FIRST" for column in [*map(duck.name, order), *length, "arrival"])
    ranked = f"row_number() OVER (PARTITION BY id ORDER BY {listed})"
    query = f"SELECT place FROM taken WHERE id IS NOT NULL QUALIFY {ranked} > 1"
    return _marked(connection, query, sum(map(len, masks)))


def _given(config: Config) -> list[str]:
    single = (["value"] if config.log.value else []) + (["order"] if config.log.order else [])
    categories = [CATEGORY + name for name in config.stored_categories]
    return [*single, *categories, *(NUMBER + name for name in config.stored_numbers)]


def _scan(
    connection: duck.Connection, logs: Sequence[Path], columns: list[str], masks: Sequence[Mask] | None = None
) -> None:
    """Register rows of the taken files as `taken`, to be read once: all, or those that `masks` mark."""
    batches = _numbered(logs, columns, masks)
    first = next(batches)

    def every() -> Iterator[pa.RecordBatch]:
        yield first
        yield from batches

    connection.register("taken", pa.RecordBatchReader.from_batches(first.schema, every()))


def _numbered(logs: Sequence[Path], columns: list[str], masks: Sequence[Mask] | None) -> Iterator[pa.RecordBatch]:
    first = 0
    for path, mask in zip(logs, [None] * len(logs) if masks is None else masks, strict=True):
        size = staging.count(path) if mask is None else len(mask)
        places = first + (np.arange(size) if mask is None else np.flatnonzero(mask))
        done = 0
        for table in staging.plain(path, columns, mask):
            numbered = table.append_column(PLACE, pa.array(places[done : done + len(table)]))
            yield from numbered.to_batches() or [pa.RecordBatch.from_pylist([], numbered.schema)]
            done += len(table)
        first += size


def _marked(connection: duck.Connection, query: str, rows: int) -> Mask:
    """Of so many rows those whose place the query gives."""
    marks = np.zeros(rows, bool)
    for piece in duck.stream(connection, query, staging.ROWS):
        marks[piece.column(PLACE).to_numpy()] = True
    return marks


def _split(joined: Mask, rows: Sequence[int]) -> list[Mask]:
    return np.split(joined, np.cumsum(rows)[:-1])
