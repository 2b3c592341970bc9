"""One event of every id, over all taken files: the one known first, then the smallest by all columns.

Ids meet across customers, so this is the one thing that the store cannot do bucket by bucket.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features import duck, runs
from features.bucket import CATEGORY, NUMBER
from features.config import Config

PLACE = "place"  # of a row among all rows of the taken files


def repeated_rows(connection: duck.Connection, logs: Sequence[Path], config: Config) -> dict[Path, NDArray[np.bool_]]:
    """For each taken file of the log, whether a row has to go because another one of its id stays."""
    _scan(connection, logs, ["identity"])
    connection.execute(
        "CREATE TABLE repeated AS SELECT identity FROM taken WHERE identity >= 0 GROUP BY identity HAVING count(*) > 1"
    )
    if not duck.number(connection, "SELECT count(*) FROM repeated"):
        return {}
    text_length = ["length(text)"] if config.log.text else []
    order = ["known" if config.log.known else "time", "customer", "time", "event", *_given(config)]
    listed = ", ".join(f"{column} NULLS FIRST" for column in [*map(duck.name, order), *text_length, "arrival"])
    _scan(
        connection, logs, [*dict.fromkeys(order), *(["text"] if config.log.text else []), "arrival", "identity", "id"]
    )
    losers = duck.stream(
        connection,
        "SELECT place FROM taken SEMI JOIN repeated USING (identity) WHERE id IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY id ORDER BY {listed}) > 1",
        runs.ROWS,
    )
    return _masks(logs, losers)


def _given(config: Config) -> list[str]:
    single = (["value"] if config.log.value else []) + (["order"] if config.log.order else [])
    categories = [CATEGORY + name for name in config.stored_categories]
    return [*single, *categories, *(NUMBER + name for name in config.stored_numbers)]


def _scan(connection: duck.Connection, logs: Sequence[Path], columns: list[str]) -> None:
    """Register all rows of the taken files as `taken`, to be read once."""
    batches = _numbered(logs, columns)
    first = next(batches)

    def every() -> Iterator[pa.RecordBatch]:
        yield first
        yield from batches

    connection.register("taken", pa.RecordBatchReader.from_batches(first.schema, every()))


def _numbered(logs: Sequence[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    first = 0
    for path in logs:
        for table in runs.plain(path, columns):
            numbered = table.append_column(PLACE, pa.array(np.arange(first, first + len(table))))
            yield from numbered.to_batches()
            first += len(table)


def _masks(logs: Sequence[Path], losers: Iterator[pa.Table]) -> dict[Path, NDArray[np.bool_]]:
    sizes = [sum(len(run.rows) for run in runs.read(path)) for path in logs]
    lost = np.zeros(sum(sizes), bool)
    for piece in losers:
        lost[piece.column(PLACE).to_numpy()] = True
    return dict(zip(logs, np.split(lost, np.cumsum(sizes)[:-1]), strict=True))
