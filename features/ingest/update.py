"""The buckets after files came or went: those whose rows are as they were stay as they lie, the others are built."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features.config.sections import Config
from features.errors import StoreError
from features.ingest.build import Bucket, Progress, buckets_for, build, no_progress
from features.ingest.changed_buckets import StagedFiles, changed
from features.ingest.deduplicate import masks_name, read_masks, repeated_rows, write_masks
from features.store.manifest import STORE, TAKEN, Manifest, TakenFile, mapping_fingerprint, taken_name
from features.store.statistics import StoreStatistics, statistics
from features.system import duck

BUILD_MEMORY = "1GB"  # for DuckDB, which makes ids unique


@dataclass(frozen=True)
class UpdatedBuckets:
    """All buckets in order, how many were `built`, the digest of the marks of repeated ids, the totals."""

    buckets: tuple[Bucket, ...]
    built: int
    repeated: str | None
    statistics: StoreStatistics


def update_buckets(
    config: Config, taken: Sequence[TakenFile], before: Manifest | None, progress: Progress = no_progress
) -> UpdatedBuckets:
    """Write those buckets of the `taken` files that the store `before` does not hold yet."""
    folder = config.workspace_path / STORE
    former = before if before is not None and _is_reusable(config, before) else None
    former_files = StagedFiles() if former is None else _former(config, former)
    staged = _with_repeated(config, _staged_files(config, taken), former_files)
    unchanged = {} if former is None else _unchanged_buckets(folder, former, former_files, staged)
    buckets = tuple(build(folder, staged, config, unchanged, progress))
    repeated_ids = sum(int(mask.sum()) for mask in staged.repeated.values())
    tallies = [bucket_statistics for _, bucket_statistics in buckets]
    totals = statistics(tallies, repeated_ids=repeated_ids, equal_dropped=config.log.drop_duplicates)
    repeated = write_masks(folder / TAKEN, list(staged.repeated.values())) if repeated_ids else None
    return UpdatedBuckets(buckets, len(buckets) - len(unchanged), repeated, totals)


def staged_path(config: Config, file: TakenFile) -> Path:
    """Where a taken file lies."""
    return config.workspace_path / STORE / TAKEN / taken_name(file, mapping_fingerprint(config))


def _is_reusable(config: Config, before: Manifest) -> bool:
    """Whether buckets can stay: they are of the same mapping, and what they were cut from is all there."""
    folder = config.workspace_path / STORE / TAKEN
    marks = [] if before.repeated is None else [folder / masks_name(before.repeated)]
    return before.mapping == mapping_fingerprint(config) and all(
        path.is_file() for path in (*marks, *(staged_path(config, file) for file in before.taken))
    )


def _former(config: Config, before: Manifest) -> StagedFiles:
    staged = _staged_files(config, before.taken)
    if not config.log.id:
        return staged
    rows = [file.counts.good for file in before.taken if file.kind == "log"]
    masks = read_masks(config.workspace_path / STORE / TAKEN, before.repeated, rows)
    return replace(staged, repeated=dict(zip(staged.logs, masks, strict=True)))


def _staged_files(config: Config, taken: Sequence[TakenFile]) -> StagedFiles:
    logs = tuple(staged_path(config, file) for file in taken if file.kind == "log")
    profiles = tuple(staged_path(config, file) for file in taken if file.kind == "profile")
    for path in (*logs, *profiles):
        if not path.is_file():
            store = config.workspace_path / STORE
            raise StoreError(f"expected {path}, found none; remove {store} and `ingest` all files of the log again")
    return StagedFiles(logs, profiles)


def _with_repeated(config: Config, staged: StagedFiles, former_files: StagedFiles) -> StagedFiles:
    """The same with the rows marked that another one of their id supersedes."""
    if not config.log.id:
        return staged
    with duck.connect(config.workspace_path, memory=BUILD_MEMORY) as connection:
        return replace(staged, repeated=repeated_rows(connection, staged.logs, config, former_files.repeated))


def _unchanged_buckets(
    folder: Path, former: Manifest, former_files: StagedFiles, staged: StagedFiles
) -> dict[int, Bucket]:
    """The buckets that can stay, by number: none when there have to be more of them, or fewer."""
    count = buckets_for(staged.rows)
    if len(former.buckets) != count:
        return {}
    pairs = enumerate(zip(former.buckets, former.tallies, strict=True))
    moved = changed(former_files, staged, count)
    return {number: pair for number, pair in pairs if not moved[number] and pair[0].lies_in(folder)}
