"""Kill an ingest at every fsync of it, run it again, and tell where it did not end as if run once.

Run as a program with the folder of a shop. It imports once and forks a child for every ingest, each the first to open
DuckDB; that keeps a kill at a few tenths of a second.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from features import build
from features.config import Config
from tests.shops import config, opened, run

ROWS_PER_BUCKET = 4


def shop(folder: Path) -> Config:
    """The configuration of the shop that is killed."""
    return config(folder, id="key")


def forked(work: Callable[[], None]) -> int:
    """Do `work` in a child; returns how it ended, as `os.waitstatus_to_exitcode` says it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ingest(folder: Path, kill_at: int) -> None:
    """An ingest that is killed at its `kill_at`-th fsync, and leaves the number of them otherwise."""
    syncs, sync = 0, os.fsync

    def fsync(fd: Any) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(fd)

    os.fsync = fsync
    run(shop(folder))
    (folder / "syncs").write_text(str(syncs))
    tell(folder)


def tell(folder: Path) -> None:
    """Leave what the store holds, its manifest, and the names of all files of the workspace."""
    manifest = (folder / "workspace" / "store" / "manifest.json").read_text()
    files = sorted(path.relative_to(folder).as_posix() for path in (folder / "workspace").rglob("*") if path.is_file())
    (folder / "state").write_text(json.dumps([opened(shop(folder)).state_digest(), manifest, files]))


def main(folder: Path) -> dict[str, int]:
    """How many kills there were, and after how many of them the store was torn or a second run ended otherwise."""
    build.ROWS_PER_BUCKET = ROWS_PER_BUCKET
    pa.array([1]).to_numpy()  # imports pandas, here and not in every child
    reference = folder.with_name("reference")
    shutil.copytree(folder, reference)
    assert forked(lambda: ingest(reference, 0)) == 0
    expected, points = (reference / "state").read_text(), int((reference / "syncs").read_text())
    killed = torn = other = 0
    for point in range(1, points + 1):
        copy = folder.with_name(f"killed-{point}")
        shutil.copytree(folder, copy)
        killed += forked(lambda copy=copy, point=point: ingest(copy, point)) == -signal.SIGKILL  # type: ignore[misc]
        torn += forked(lambda copy=copy: tell(copy)) != 0  # type: ignore[misc]
        other += forked(lambda copy=copy: ingest(copy, 0)) != 0  # type: ignore[misc]
        other += (copy / "state").read_text() != expected
        shutil.rmtree(copy)
    return {"points": points, "killed": killed, "torn": torn, "other": other}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
