"""Files that appear whole or not at all, and manifests of digests.

Everything that is published goes through `atomic_write` or `atomic_folder`: temporary name, fsync, rename, fsync of
the folder. A reader never lists a folder; it reads a manifest and checks what the manifest names.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from features.errors import DiskError, JourneycastError

TEMPORARY = ".tmp-"  # every unfinished file or folder starts with this, so that a sweep finds it
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # of file systems that know no second name of a file
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_write(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well the file takes its name, durable and whole.

    When the block raises, the temporary file is removed and `path` is as it was. Raises DiskError for want of room,
    and without `replace` FileExistsError where there is a file of that name by then.
    """
    with demanding_room(path):
        temporary = _beside(path)
        try:
            yield temporary
            _sync(temporary)
            if replace:
                temporary.replace(path)
            else:
                _take_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block ends well it takes the name `path`.

    Raises OSError when `path` exists already: a published folder never changes. Raises DiskError for want of room.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, "a published folder never changes", str(path))
    with demanding_room(path):
        temporary = _beside(path)
        temporary.mkdir()
        try:
            yield temporary
            for entry in sorted(temporary.rglob("*")):
                _sync(entry)
            _sync(temporary)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _sync(path.parent)


@contextmanager
def demanding_room(path: Path) -> Iterator[None]:
    """Translate what the system raises when there is no room for `path`: a full disk, a quota, a limit on files."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise no_room(path, os.strerror(error.errno)) from None


def no_room(path: Path, reason: str) -> DiskError:
    """The error for want of room to write `path`; `reason` is what the system says."""
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(folder).free / 2**20
    return DiskError(
        f"expected room for {path}, found {free:,.1f} MiB free in {folder} ({reason.lower()}); "
        "make room and run it again, what was there before is as it was"
    )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_new_text(path: Path, text: str) -> None:
    """Write UTF-8 text where no file is yet, whole or not at all; raises FileExistsError where another was faster."""
    with atomic_write(path, replace=False) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sweep(folder: Path, keep: Callable[[Path], bool] = lambda _: False) -> None:
    """Remove what a killed process left unfinished in `folder`, except what `keep` claims."""
    for path in folder.glob(f"{TEMPORARY}*") if folder.is_dir() else ():
        if not keep(path):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, whole or not at all: what a kill leaves of a folder is unfinished, and swept.

    What another process has removed meanwhile is gone, and well.
    """
    if path.is_dir() and not path.is_symlink():
        with suppress(FileNotFoundError):
            shutil.rmtree(path.rename(_beside(path)), ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(_file_size(file) for file in files)


def _file_size(path: Path) -> int:
    """Bytes of a file; none of a folder, a link, or what another process has just removed."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(text: str) -> str:
    """SHA-256 of UTF-8 text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, the same bytes for equal values; NaN and infinities are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digests(folder: Path, names: list[str]) -> dict[str, str]:
    """The digest of each named file of a folder."""
    return {name: digest(folder / name) for name in sorted(names)}


def check_digests(folder: Path, expected: dict[str, str], error: type[JourneycastError]) -> None:
    """Raise `error` when a named file is missing or its bytes are not those of the manifest."""
    for name, expected_sha in expected.items():
        path = folder / name
        if Path(name).name != name or path.is_symlink() or not path.is_file():
            raise error(f"expected the plain file '{name}' in {folder}, found none; it was moved or deleted")
        sha = digest(path)
        if sha != expected_sha:
            raise error(
                f"{path} was changed: expected SHA-256 {expected_sha[:12]}…, found {sha[:12]}…; restore or rebuild it"
            )


def _beside(path: Path) -> Path:
    """A name in the same folder (which is made) that no other process or thread takes; its suffix is that of `path`."""
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _sync(folder.parent)
    return path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")


def _take_name(temporary: Path, path: Path) -> None:
    """Give a file a name that no other has, in the one step that fails where another process was faster."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        path.touch(exist_ok=False)
        temporary.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
