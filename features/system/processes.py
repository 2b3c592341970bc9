"""Processes of one machine among each other: who one is, whether it is gone, and one at a time."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import psutil

logger = logging.getLogger(__name__)
PROC = Path("/proc")  # where there is none, a process is known by its number alone
ALIVE, GONE = "alive", "gone"  # in the place of ticks: nobody tells them; there is no such process
READINGS = 100  # of a clock that is set again and again


def identity() -> str:
    """This process in a line: host, boot, number space, number and start; a number alone is given out again."""
    return " ".join((*_machine(), str(os.getpid()), _start(os.getpid())))


def is_gone(process: str) -> bool:
    """Whether the process of that `identity` is known to have ended: False when it may run out of our sight."""
    host, boot, space, pid, start = process.split(" ")
    this_host, this_boot, this_space = _machine()
    if host != this_host:
        return False
    if boot != this_boot:
        return True  # the machine was started again since
    now = _start(int(pid))
    return space == this_space and now != start and (now == GONE or ALIVE not in (now, start))


@contextmanager
def file_lock(path: Path, *, wait: bool = True, leave: bool = True, waiting: str | None = None) -> Iterator[None]:
    """Hold the lock that a file stands for; it falls with the process, however that ends.

    With `leave` False the file goes with the lock. `waiting` is logged when another process has to end first.

    Raises:
        BlockingIOError: another process holds it, and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        file = files.enter_context(path.open("w", encoding="ascii"))
        _lock(file, wait=wait, waiting=waiting)
        while not _lies_at(file, path):  # its holder took it away, so that others may hold another one by now
            file = files.enter_context(path.open("w", encoding="ascii"))
            _lock(file, wait=wait, waiting=None)
        try:
            yield
        finally:
            if not leave:
                path.unlink(missing_ok=True)


def _lock(file: TextIO, *, wait: bool, waiting: str | None) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise
        if waiting is not None:
            logger.warning(waiting)
        fcntl.flock(file, fcntl.LOCK_EX)


def _lies_at(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _machine() -> tuple[str, str, str]:
    """Host name, boot id and namespace of process numbers: containers share the boot and not the numbers."""
    boot, space = PROC / "sys/kernel/random/boot_id", PROC / "self/ns/pid"
    return (
        socket.gethostname() or "-",
        boot.read_text(encoding="ascii").strip() if boot.exists() else "-",
        str(space.readlink()) if space.is_symlink() else "-",
    )


def _start(pid: int) -> str:
    """Clock ticks between boot and the start of a process, GONE when it is; ALIVE where nobody tells the ticks."""
    if not PROC.exists():
        return ALIVE if psutil.pid_exists(pid) else GONE
    try:
        if psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return GONE
        return _ticks(pid)
    except psutil.NoSuchProcess:
        return GONE
    except psutil.AccessDenied:
        return ALIVE


def _ticks(pid: int) -> str:
    """The clock may be set, and boot and start with it; what lies between them stays, if both are read by one clock."""
    for _ in range(READINGS):
        boot = psutil.boot_time()
        started = psutil.Process(pid).create_time()  # a new one, for it remembers what it said
        if psutil.boot_time() == boot:
            return str(round((started - boot) * os.sysconf("SC_CLK_TCK")))
    return ALIVE
