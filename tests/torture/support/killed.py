"""Kill an ingest at every call that changes the disk, run it again, and tell where it did not end as if run once.

Run as a program with the folder of a shop, what to kill at, and how many points at most. It imports once and forks a
child for every ingest, each the first to open DuckDB; that keeps a kill at a few tenths of a second.

`calls` are those that Python makes: fsync, rename, unlink, mkdir, rmdir. `writes` are the system calls that fill files,
from whatever library; strace kills at them. It counts for each thread alone, so that Python's have to be one there.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any, Self

import pyarrow as pa

from features.config.sections import Config
from features.errors import StoreError
from features.ingest import build
from features.system import threads
from tests.support.digests import state_digest
from tests.support.log_files import config, opened, run

CALLS = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir")
WRITES = ("write", "writev", "pwrite64", "pwritev", "ftruncate")
Point = tuple[str, int]  # the call, and at its how-manyth
NOWHERE: Point = ("", 0)
ROWS_PER_BUCKET = 3  # so that an ingest has many buckets, and builds some of them


def shop(folder: Path) -> Config:
    """The shop that is killed: ids let a new row take an event from another customer."""
    return config(folder, id="key")


class Inline:
    """An executor that does the work at once, in the thread that asks for it."""

    def __init__(self, _threads: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[[Any], Any], item: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(item))
        return future


def forked(work: Callable[..., None], *of: Any) -> int:
    """Start a child that does `work`, and ends with 1 when that raises."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*of)
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """How a child ended, as `os.waitstatus_to_exitcode` says it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ingest(folder: Path, point: Point = NOWHERE) -> None:
    """An ingest that is killed at a point of `calls`; leaves their number and what became of the store otherwise."""
    calls, lock = 0, Lock()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            with lock:
                calls += 1
                if calls == point[1]:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return instead

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    run(shop(folder))
    (folder / "calls").write_text(str(calls))
    tell(folder)


def tell(folder: Path) -> None:
    """Leave what the store holds, its manifest, and the names of all files of the workspace."""
    manifest = (folder / "workspace" / "store" / "manifest.json").read_text()
    files = sorted(path.relative_to(folder).as_posix() for path in (folder / "workspace").rglob("*") if path.is_file())
    (folder / "state").write_text(json.dumps([held(folder), manifest, files]))


def leave(folder: Path) -> None:
    """Leave what the store holds."""
    (folder / "held").write_text(held(folder))


def held(folder: Path) -> str:
    """What the store holds, every byte of it checked; nothing before the first ingest."""
    try:
        store = opened(shop(folder))
    except StoreError as error:
        if "run `ingest` first" in str(error):
            return "nothing"
        raise
    return state_digest(store)


def traced(folder: Path, *options: str) -> int:
    """An ingest under strace, all in one thread but DuckDB's; returns how it ended."""

    def work() -> None:
        vars(threads)["ThreadPoolExecutor"] = Inline
        signal.raise_signal(signal.SIGSTOP)
        run(shop(folder))

    child = forked(work)
    os.waitpid(child, os.WUNTRACED)
    log = folder.with_name("strace")
    command = ["strace", "-f", "-p", str(child), "-o", str(log), "-e", f"trace={','.join(WRITES)}", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert "attached" in tracer.stderr.readline()  # type: ignore[union-attr]
        os.kill(child, signal.SIGCONT)
        code = ended(child)
    return code


def points_of(kind: str, folder: Path) -> list[Point]:
    """All points of a whole run in `folder`."""
    if kind == "calls":
        assert ended(forked(ingest, folder)) == 0
        return [(kind, number) for number in range(1, int((folder / "calls").read_text()) + 1)]
    assert traced(folder) == 0
    made = Counter(re.findall(r"^(\d+) +(\w+)\(", folder.with_name("strace").read_text(), re.MULTILINE))
    most = {name: max(count for (_, each), count in made.items() if each == name) for _, name in made}
    return [(name, number) for name, count in sorted(most.items()) for number in range(1, count + 1)]


def kill(kind: str, folder: Path, point: Point) -> bool:
    """Whether an ingest was killed at that point."""
    if kind == "calls":
        return ended(forked(ingest, folder, point)) == -signal.SIGKILL
    return traced(folder, "-e", f"inject={point[0]}:signal=SIGKILL:when={point[1]}") == -signal.SIGKILL


def torture(folder: Path, kind: str, most: int) -> dict[str, Any]:
    """How many kills there were, and after which of them the store was torn, had lost, or a second run ended otherwise.

    After a kill the store holds what it held before or what the whole run brings, and nothing between.
    """
    reference, scratch = folder.with_name("reference"), folder.with_name("scratch")
    shutil.copytree(folder, reference)
    shutil.copytree(folder, scratch)
    points = points_of(kind, scratch)
    assert ended(forked(ingest, reference)) == 0
    expected = (reference / "state").read_text()
    found: dict[str, Any] = {"points": len(points), "killed": 0, "torn": [], "lost": [], "other": []}
    for point in points[:: -(-len(points) // most)]:
        copy = folder.with_name("killed")
        shutil.copytree(folder, copy)
        found["killed"] += kill(kind, copy, point)
        if ended(forked(leave, copy)) != 0:
            found["torn"].append(point)
        elif (copy / "held").read_text() not in ((folder / "held").read_text(), json.loads(expected)[0]):
            found["lost"].append(point)
        if ended(forked(ingest, copy)) != 0 or (copy / "state").read_text() != expected:
            found["other"].append(point)
        shutil.rmtree(copy)
    return found


def main(folder: Path, kind: str, most: int) -> dict[str, Any]:
    pa.array([1]).to_numpy()  # imports pandas, here and not in every child
    build.ROWS_PER_BUCKET = ROWS_PER_BUCKET
    assert ended(forked(leave, folder)) == 0
    return torture(folder, kind, most)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
