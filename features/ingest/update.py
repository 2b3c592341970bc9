"""The buckets after files came or went: those whose rows are as they were stay as they lie, the others are built."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from features.config.sections import Config
from features.errors import StoreError
from features.ingest.build import Bucket, Progress, buckets_for, build, no_progress
from features.ingest.changes import StagedFiles, changed
from features.ingest.deduplicate import masks_name, read_masks, repeated_rows, write_masks
from features.store.manifest import STORE, TAKEN, Manifest, TakenFile, mapping_fingerprint, taken_name
from features.store.statistics import StoreStatistics, statistics
from features.system import duck

BUILD_MEMORY = "1GB"  # for DuckDB, which makes ids unique


@dataclass(frozen=True)
class UpdatedBuckets:
    """All buckets in order, how many were `built`, the digest of the marks of repeated ids, and what was found."""

    buckets: tuple[Bucket, ...]
    built: int
    repeated: str | None
    statistics: StoreStatistics


def update_buckets(
    config: Config, taken: Sequence[TakenFile], before: Manifest | None, progress: Progress = no_progress
) -> UpdatedBuckets:
    """Write those buckets of the `taken` files that the store `before` does not hold yet."""
    folder = config.workspace_path / STORE
    former = before if before is not None and _stands(config, before) else None
    had = StagedFiles() if former is None else _former(config, former)
    contents = _made_unique(config, _contents(config, taken), had)
    kept = {} if former is None else _kept(folder, former, had, contents)
    buckets = tuple(build(folder, contents, config, kept, progress))
    lost = sum(int(mask.sum()) for mask in contents.repeated.values())
    found = statistics([found for _, found in buckets], repeated_ids=lost, equal_dropped=config.log.drop_duplicates)
    repeated = write_masks(folder / TAKEN, list(contents.repeated.values())) if lost else None
    return UpdatedBuckets(buckets, len(buckets) - len(kept), repeated, found)


def staged(config: Config, file: TakenFile) -> Path:
    """Where a taken file lies."""
    return config.workspace_path / STORE / TAKEN / taken_name(file, mapping_fingerprint(config))


def _stands(config: Config, before: Manifest) -> bool:
    """Whether buckets can stay: they are of the same mapping, and what they were cut from is all there."""
    folder = config.workspace_path / STORE / TAKEN
    marks = [] if before.repeated is None else [folder / masks_name(before.repeated)]
    return before.mapping == mapping_fingerprint(config) and all(
        path.is_file() for path in (*marks, *(staged(config, file) for file in before.taken))
    )


def _former(config: Config, before: Manifest) -> StagedFiles:
    contents = _contents(config, before.taken)
    if not config.log.id:
        return contents
    rows = [file.counts.good for file in before.taken if file.kind == "log"]
    masks = read_masks(config.workspace_path / STORE / TAKEN, before.repeated, rows)
    return replace(contents, repeated=dict(zip(contents.logs, masks, strict=True)))


def _contents(config: Config, taken: Sequence[TakenFile]) -> StagedFiles:
    logs, profiles = (tuple(staged(config, file) for file in taken if file.kind == kind) for kind in ("log", "profile"))
    for path in (*logs, *profiles):
        if not path.is_file():
            store = config.workspace_path / STORE
            raise StoreError(f"expected {path}, found none; remove {store} and `ingest` all files of the log again")
    return StagedFiles(logs, profiles)


def _made_unique(config: Config, contents: StagedFiles, had: StagedFiles) -> StagedFiles:
    """The same with the rows marked that another one of their id outdoes."""
    if not config.log.id:
        return contents
    with duck.connect(config.workspace_path, memory=BUILD_MEMORY) as connection:
        return replace(contents, repeated=repeated_rows(connection, contents.logs, config, had.repeated))


def _kept(folder: Path, former: Manifest, had: StagedFiles, contents: StagedFiles) -> dict[int, Bucket]:
    """The buckets that can stay, by number: none when there have to be more of them, or fewer."""
    count = buckets_for(contents.rows)
    if len(former.buckets) != count:
        return {}
    pairs = enumerate(zip(former.buckets, former.tallies, strict=True))
    moved = changed(had, contents, count)
    return {number: pair for number, pair in pairs if not moved[number] and pair[0].lies_in(folder)}
