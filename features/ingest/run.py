"""The verb `ingest`: take new files, build the buckets that they change, publish the store in one step.

A file is known by its content: what was taken before is skipped, and a path with other bytes replaces what it gave
before. Killed at any instant and run again, it ends as if run once: nothing counts until the manifest names it.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from features.config.sections import Config
from features.errors import ConfigError, LogError, StoreError
from features.ingest.build import Progress, no_progress
from features.ingest.deduplicate import masks_name
from features.ingest.plan import Plan, SourceFile, plan_ingest
from features.ingest.report import IngestReport, report
from features.ingest.update import UpdatedBuckets, staged_path, update_buckets
from features.log.validate import RowCounts, Source, validate_file
from features.store.manifest import (
    QUARANTINE,
    RULES,
    STORE,
    TAKEN,
    VERSION,
    Manifest,
    TakenFile,
    mapping_fingerprint,
    quarantine_name,
    read_manifest,
    taken_name,
    write_manifest,
)
from features.store.statistics import StoreStatistics
from features.system import duck
from features.system.files import demanding_room, digest, sweep
from features.system.processes import file_lock

LOCK = ".lock"


def ingest(
    config: Config,
    *,
    files: Sequence[Path] | None = None,
    clock: Callable[[], int],
    progress: Progress = no_progress,
) -> IngestReport:
    """Bring the store up to date with the sources of the TOML, or with `files` of the log; `clock` gives µs UTC.

    Raises LogError for a source that cannot be used, DiskError for want of room; the store is then as it was.
    """
    workspace = config.workspace_path
    _refuse_names_that_clash(config)
    with demanding_room(workspace / STORE), ingest_lock(workspace):
        _clean(workspace)
        before = read_manifest(workspace)
        plan = plan_ingest(config, files, before)
        if before and plan.leaves(before) and all(files.lies_in(workspace / STORE) for files in before.buckets):
            after, built = before, 0
        else:
            after, built = _update(config, plan, before, clock(), progress)
        _remove_unnamed(workspace, after)
        return report(after, str(workspace / QUARANTINE), plan, built)


def _refuse_names_that_clash(config: Config) -> None:
    """SQL knows no case in names, so two stored columns may not differ by it alone."""
    for columns in (config.stored_categories, config.stored_numbers):
        seen: dict[str, str] = {}
        for column in columns:
            first_spelling = seen.setdefault(column.lower(), column)
            if first_spelling != column:
                raise ConfigError(
                    f"columns '{first_spelling}' and '{column}' differ in case alone; rename one in the source"
                )


def _update(
    config: Config, plan: Plan, before: Manifest | None, now_us: int, progress: Progress
) -> tuple[Manifest, int]:
    """Validate new files, build the buckets that they change, publish; returns the manifest and how many were built."""
    workspace = config.workspace_path
    with duck.connect(workspace, [file.path for file in plan.new]) as connection:
        taken = [*plan.kept, *_validate_new(connection, config, plan.new, before, now_us, progress)]
    taken.sort(key=lambda file: (file.kind, file.digest))
    _demand_a_good_row(taken, workspace)
    with duck.working("sorting the log into the store"):
        updated = update_buckets(config, taken, before, progress)
    _account(taken, updated.statistics)
    manifest = _manifest(config, plan, before, taken, updated)
    write_manifest(workspace, manifest)
    return manifest, updated.built


def _validate_new(
    connection: duck.Connection,
    config: Config,
    new: Sequence[SourceFile],
    before: Manifest | None,
    now_us: int,
    progress: Progress,
) -> Iterator[TakenFile]:
    arrived = {(file.kind, file.digest): file.arrival for file in before.taken} if before is not None else {}
    next_arrival = 1 if before is None else before.arrival + 1
    for done, file in enumerate(new, 1):
        arrival = arrived.get((file.kind, file.digest), next_arrival)
        taken = TakenFile(file.kind, file.digest, arrival, RowCounts(0, {}))
        source = Source(file.path, file.kind, arrival)
        quarantine = config.workspace_path / QUARANTINE / quarantine_name(taken)
        counts = validate_file(connection, source, config, staged_path(config, taken), quarantine, now_us)
        if digest(file.path) != file.digest:
            raise LogError(f"{file.path} was changed while it was read; ingest it again when it is whole")
        yield replace(taken, counts=counts)
        progress("files", done, len(new))


def _demand_a_good_row(taken: Sequence[TakenFile], workspace: Path) -> None:
    logs = [file for file in taken if file.kind == "log"]
    if any(file.counts.good for file in logs):
        return
    reasons: Counter[str] = Counter()
    for file in logs:
        reasons.update(file.counts.quarantined)
    if not reasons:
        raise LogError("the log holds no row at all; check that `source` in [log] names the right files")
    commonest = "; ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common(5))
    raise LogError(
        f"no good row among the {sum(reasons.values()):,} of the log: {commonest}. "
        f"Correct the columns or the timezone in [log]; the rows with their reasons are in {workspace / QUARANTINE}"
    )


def _account(taken: Sequence[TakenFile], statistics: StoreStatistics) -> None:
    """Nothing is lost: every good row is stored or a counted duplicate."""
    good = sum(file.counts.good for file in taken if file.kind == "log")
    stored = statistics.rows + statistics.repeated_ids + (statistics.equal_rows if statistics.equal_dropped else 0)
    if good != stored:
        raise StoreError(
            f"expected {good:,} good rows in the store, found {stored:,}; this is a defect, please report it"
        )


def _manifest(
    config: Config, plan: Plan, before: Manifest | None, taken: Sequence[TakenFile], updated: UpdatedBuckets
) -> Manifest:
    files, tallies = zip(*updated.buckets, strict=True)
    named = {name for bucket in files for name in bucket.names}
    return Manifest(
        version=VERSION,
        mapping=mapping_fingerprint(config),
        generation=1 if before is None else before.generation + 1,
        arrival=max([file.arrival for file in taken] + ([] if before is None else [before.arrival])),
        paths=plan.paths,
        taken=tuple(taken),
        repeated=updated.repeated,
        buckets=files,
        tallies=tallies,
        statistics=updated.statistics,
        rules=RULES,
        previous=() if before is None else tuple(sorted(before.files - named)),
    )


def _clean(workspace: Path) -> None:
    """Remove what a killed ingest left unfinished."""
    for folder in (workspace / STORE, workspace / STORE / TAKEN, workspace / QUARANTINE):
        sweep(folder)
    shutil.rmtree(workspace / duck.SPILL, ignore_errors=True)


def _remove_unnamed(workspace: Path, manifest: Manifest) -> None:
    """Remove files that neither this generation nor the one before it names."""
    marks = set() if manifest.repeated is None else {masks_name(manifest.repeated)}
    named = {
        workspace / STORE: manifest.files | set(manifest.previous),
        workspace / STORE / TAKEN: {taken_name(file, manifest.mapping) for file in manifest.taken} | marks,
        workspace / QUARANTINE: {quarantine_name(file) for file in manifest.taken if file.counts.quarantined},
    }
    for folder, names in named.items():
        for path in folder.glob("*-*.*"):
            if path.name not in names and not path.name.startswith("."):
                path.unlink(missing_ok=True)


@contextmanager
def ingest_lock(workspace: Path) -> Iterator[None]:
    """Hold the lock that lets one ingest at a time work in a workspace; it falls with the process."""
    folder = workspace / STORE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"workspace: {folder} cannot be made ({error.strerror}); name a folder to write to") from None
    with ExitStack() as locks:
        try:
            locks.enter_context(file_lock(folder / LOCK, wait=False))
        except BlockingIOError:
            raise StoreError(f"another ingest is at work in {workspace}; wait until it has ended") from None
        yield
