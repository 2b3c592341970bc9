"""A disk without room: one clear sentence, the store as it was, nothing left lying about, and on it goes afterwards."""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.config.sections import Config
from features.errors import DiskError
from features.system import duck
from features.system.files import TEMPORARY, atomic_folder, write_text
from tests.support.log_files import config, event, opened, run, write


def grown(folder: Path) -> Config:
    """A shop with a store, and a file with good and bad rows that is not in it yet."""
    write(folder / "log" / "a.csv", [event(who=f"c{number}", key="1") for number in range(20)])
    shop = config(folder, id="key")
    run(shop)
    write(folder / "log" / "b.csv", [event(who=f"d{number}", at="2024-12-01", key="1") for number in range(300)])
    write(folder / "log" / "c.csv", [event(who=f"d{number}", at="2024", key="2") for number in range(300)] + [event()])
    return shop


def files(shop: Config) -> set[str]:
    return {path.name for path in shop.workspace_path.rglob("*") if path.is_file()}


@contextmanager
def no_file_above(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit", [0, 1_000, 2_500, 4_000])
def test_a_limit_on_files_is_told_and_nothing_is_left_behind(tmp_path: Path, limit: int) -> None:
    shop = grown(tmp_path)
    before = opened(shop)
    with no_file_above(limit), pytest.raises(DiskError, match=r"expected room.*file too large.*make room"):
        run(shop)
    assert opened(shop).manifest == before.manifest
    assert not [name for name in files(shop) if name.startswith(TEMPORARY)]
    assert run(shop).statistics.rows == 2


@contextmanager
def full_at(point: int) -> Iterator[list[Any]]:
    """The disk is found full by the `point`-th fsync; yields the list of what was synced."""
    sync, seen = os.fsync, list[Any]()

    def fsync(fd: Any) -> None:
        seen.append(fd)
        if len(seen) == point:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(fd)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield seen


def test_a_disk_that_is_full_at_any_write_is_told_and_the_next_ingest_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    before = opened(grown(tmp_path / "shop")).manifest
    shutil.copytree(tmp_path / "shop", tmp_path / "reference")
    reference = config(tmp_path / "reference", id="key")
    with full_at(0) as synced:
        run(reference)
    assert len(synced) >= 10
    for point in range(1, len(synced) + 1):
        copy = config(tmp_path / f"{point}", id="key")
        shutil.copytree(tmp_path / "shop", copy.folder)
        with full_at(point), pytest.raises(DiskError, match="no space left on device"):
            run(copy)
        assert not [name for name in files(copy) if name.startswith(TEMPORARY)]
        assert opened(copy).manifest in (before, opened(reference).manifest)
        run(copy)
        assert opened(copy).manifest == opened(reference).manifest
        assert files(copy) == files(reference)


def test_want_of_room_is_told_by_every_door(tmp_path: Path) -> None:
    with no_file_above(10), pytest.raises(DiskError, match=r"expected room for .*/a, found .* MiB free in .*make room"):
        write_text(tmp_path / "a", "x" * 100)
    with (
        no_file_above(10),
        pytest.raises(DiskError, match=r"expected room for .*/b"),
        atomic_folder(tmp_path / "b") as new,
    ):
        (new / "c").write_text("x" * 100)
    assert list(tmp_path.iterdir()) == []
    message = r"log: expected room on the disk, found none for DuckDB \(file too large\)"
    limited, reading = no_file_above(1000), duck.reading("log")
    with duck.connect(tmp_path) as connection, pytest.raises(DiskError, match=message), reading, limited:
        duck.copy(connection, "SELECT range, md5(range::VARCHAR) FROM range(10000)", tmp_path / "d.parquet")
