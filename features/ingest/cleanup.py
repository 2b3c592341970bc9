"""What lies in a workspace and belongs to nothing: files of ingests that were killed or refused.

The quarantine is a part of the store: the bad rows of a file stay as long as the store holds its good ones, and go with
the ingest that replaces it. Left over are those of an ingest that was refused for want of a single good row.
"""

from pathlib import Path

from features.ingest.run import ingest_lock
from features.store.manifest import QUARANTINE, STORE, TAKEN, quarantine_name, read_manifest
from features.system import duck
from features.system.files import TEMPORARY, remove


def leftovers(workspace: Path, before_us: int) -> tuple[Path, ...]:
    """Unfinished files of the store, and quarantines of files that it has not taken, last written before an instant."""
    folders = [workspace / STORE, workspace / STORE / TAKEN, workspace / QUARANTINE]
    paths = [path for folder in folders for path in folder.glob(f"{TEMPORARY}*")]
    named = _named(workspace)
    paths += [path for path in (workspace / QUARANTINE).glob("*-*.parquet") if path.name not in named]
    paths += [workspace / duck.SPILL]
    return tuple(sorted(path for path in paths if older(path, before_us)))


def remove_leftover(workspace: Path, path: Path, before_us: int) -> None:
    """Remove one of them, if it still is one, with no ingest at work; raises StoreError when there is one."""
    with ingest_lock(workspace):
        if path in leftovers(workspace, before_us):
            remove(path)


def older(path: Path, before_us: int) -> bool:
    """Whether a file or folder is there and was last written before an instant, µs UTC."""
    try:
        return path.stat().st_mtime_ns // 1000 < before_us
    except FileNotFoundError:
        return False


def _named(workspace: Path) -> set[str]:
    manifest = read_manifest(workspace)
    return set() if manifest is None else {quarantine_name(file) for file in manifest.taken}
