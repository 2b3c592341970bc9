"""The whole base to one Parquet file: bucket by bucket, in threads, resumable, published whole.

A run is named by everything that decides its bytes (store, bundles, as-of). Each bucket becomes a part under
`workspace/scores/<run>/`; a part that is there, with the digest in the JSON file beside it, is not computed again. So a
run that was killed resumes, and ends with the bytes of one that was not.
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
from features.system.processes import file_lock
from features.system.threads import ordered_map
from serving.contract.arrow import SCHEMA
from serving.scoring.arrow_table import CODED_SCHEMA, TEXT_COLUMNS, record_batch
from serving.scoring.as_of import LogEnd, resolve_as_of
from serving.scoring.champions import champions
from serving.scoring.score_journeys import ScoringOptions, score_known_customers
from serving.scoring.served_model import ServedBundle, with_global_counts

Progress = Callable[[int, int], None]  # buckets done, of how many
DICTIONARY_ENCODED = [*TEXT_COLUMNS, "horizon_days", "as_of", "expires_at", "flags.list.element"]
FILE = "scores.parquet"
FOLDER = "scores"
WAITING = "another process is computing the same scores; waiting for it to end"


@dataclass(frozen=True)
class ScoresFile:
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
) -> ScoresFile:
    """Score every customer known at the as-of for the tasks (default: all) with their champions."""
    store = Store.open(config.workspace_path, config)
    as_of_us = resolve_as_of(config, store, as_of)
    options = ScoringOptions(
        as_of_us,
        store.log_position,
        model_from_the_future=model_from_the_future,
        log_end_us=LogEnd.of(config, store).at(as_of_us),
    )
    served = champions(config, tasks)
    run = BatchRun(with_global_counts(store, served), served, options, config.workspace_path / FOLDER)
    return run.publish(out or config.workspace_path / FILE, progress)


@dataclass(frozen=True)
class BatchRun:
    """One scoring of a store by some bundles; `workspace` is where parts of runs lie."""

    store: Store
    served: tuple[ServedBundle, ...]
    options: ScoringOptions
    workspace: Path
    threads: int = os.cpu_count() or 1

    @property
    def folder(self) -> Path:
        """Where the parts lie, named by all that decides their bytes."""
        run_key = {
            "store": [[files.events_digest, files.profile_digest] for files in self.store.manifest.buckets],
            "position": self.options.log_position,
            "as_of": self.options.as_of_us,
            "told_until": self.options.log_end_us,
            "bundles": [[model.bundle.digest, model.version] for model in self.served],
            "schema": str(SCHEMA),
        }
        return self.workspace / text_digest(canonical_json(run_key))[:16]

    def publish(self, out: Path, progress: Progress | None = None) -> ScoresFile:
        """Compute what is missing and write the file, whole or not at all; the parts go once it stands.

        The same run in another process ends first.
        """
        with file_lock(self.folder.with_suffix(".lock"), leave=False, waiting=WAITING):
            return self._publish(out, progress)

    def _publish(self, out: Path, progress: Progress | None) -> ScoresFile:
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
        return ScoresFile(out, rows, customers)

    def part(self, index: int) -> pa.RecordBatch:
        """The scores of one bucket, from its file if that is there and whole."""
        path = self.folder / f"part-{index:05d}.arrow"
        digest_path = path.with_suffix(".json")
        if not (
            digest_path.exists() and path.exists() and json.loads(digest_path.read_text())["digest"] == digest(path)
        ):
            batch = record_batch(score_known_customers(self.store.bucket(index), self.served, self.options))
            with atomic_write(path) as temporary, pa.ipc.new_file(temporary, batch.schema) as file:
                file.write_batch(batch)
            write_text(digest_path, canonical_json({"digest": digest(path), "rows": batch.num_rows}))
        with pa.memory_map(str(path)) as mapped:
            return pa.ipc.open_file(mapped).get_batch(0)


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        CODED_SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=DICTIONARY_ENCODED,
        store_schema=False,
    )
