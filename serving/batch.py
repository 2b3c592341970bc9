"""The whole base to one Parquet file: bucket by bucket, in threads, resumable, published whole.

A run is named by everything that decides its bytes (store, bundles, as-of). Each bucket becomes a part under
`workspace/scores/<run>/`; a part that is there, with the digest of its note, is not computed again. So a run that was
killed goes on, and ends with the bytes of one that was not.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.config.sections import Config
from features.store.reader import Store
from features.system.files import atomic_write, canonical_json, digest, sweep, text_digest, write_text
from features.system.threads import ordered_map
from serving.contract.arrow import SCHEMA
from serving.scoring.arrow_table import CODED_SCHEMA, WORDS, record_batch
from serving.scoring.as_of import LogEnd, as_of_us
from serving.scoring.champions import champions
from serving.scoring.judge import ScoringOptions, judge_everyone
from serving.scoring.served_model import Served, attended

Progress = Callable[[int, int], None]  # buckets done, of how many
REPEATING = [*WORDS, "horizon_days", "as_of", "expires_at", "flags.list.element"]
FILE = "scores.parquet"
FOLDER = "scores"


@dataclass(frozen=True)
class Written:
    """The file that was published and how many records it holds."""

    path: Path
    rows: int
    customers: int


def score_base(
    config: Config,
    tasks: Sequence[str] | None = None,
    as_of: str | int | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
    *,
    model_from_the_future: bool = False,
) -> Written:
    """Score every customer known at the as-of for the tasks (default: all) with their champions."""
    store = Store.open(config.workspace_path, config)
    now = as_of_us(config, store, as_of)
    told = LogEnd.by(config, store).until(now)
    asked = ScoringOptions(now, store.log_position, model_from_the_future=model_from_the_future, told_until_us=told)
    served = champions(config, tasks)
    run = BatchRun(attended(store, served), served, asked, config.workspace_path / FOLDER)
    return run.publish(out or config.workspace_path / FILE, progress)


@dataclass(frozen=True)
class BatchRun:
    """One scoring of a store by some bundles; `workspace` is where parts of runs lie."""

    store: Store
    served: tuple[Served, ...]
    asked: ScoringOptions
    workspace: Path
    threads: int = os.cpu_count() or 1

    @property
    def folder(self) -> Path:
        """Where the parts lie, named by all that decides their bytes."""
        decides = {
            "store": [[files.events_digest, files.profile_digest] for files in self.store.manifest.buckets],
            "position": self.asked.log_position,
            "as_of": self.asked.as_of_us,
            "told_until": self.asked.told_until_us,
            "bundles": [[one.bundle.digest, one.version] for one in self.served],
            "schema": str(SCHEMA),
        }
        return self.workspace / text_digest(canonical_json(decides))[:16]

    def publish(self, out: Path, progress: Progress | None = None) -> Written:
        """Compute what is missing and write the file, whole or not at all; the parts go once it stands."""
        sweep(self.folder)
        rows, customers = 0, 0
        scored = ordered_map(self.part, range(len(self.store)), threads=self.threads)
        with atomic_write(out) as temporary, _writer(temporary) as writer, closing(scored) as parts:
            for done, part in enumerate(parts, start=1):
                if part.num_rows:
                    writer.write_batch(part, row_group_size=part.num_rows)
                rows += part.num_rows
                customers += len(part.column("customer_id").dictionary)
                if progress is not None:
                    progress(done, len(self.store))
        shutil.rmtree(self.folder, ignore_errors=True)
        return Written(out, rows, customers)

    def part(self, index: int) -> pa.RecordBatch:
        """The scores of one bucket, from its file if that is there and whole."""
        path = self.folder / f"part-{index:05d}.arrow"
        note = path.with_suffix(".json")
        if not (note.exists() and path.exists() and json.loads(note.read_text())["digest"] == digest(path)):
            batch = record_batch(judge_everyone(self.store.bucket(index), self.served, self.asked))
            with atomic_write(path) as temporary, pa.ipc.new_file(temporary, batch.schema) as file:
                file.write_batch(batch)
            write_text(note, canonical_json({"digest": digest(path), "rows": batch.num_rows}))
        with pa.memory_map(str(path)) as mapped:
            return pa.ipc.open_file(mapped).get_batch(0)


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path, CODED_SCHEMA, compression="zstd", compression_level=1, use_dictionary=REPEATING, store_schema=False
    )
