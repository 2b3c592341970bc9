"""Processes of one machine among each other: who one is, whether it is gone, and one at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")  # where there is none, a process is known by its number alone


def identity() -> str:
    """This process in a line: host, boot, number space, number and start; a number alone is given out again."""
    return " ".join((*_machine(), str(os.getpid()), _start(os.getpid())))


def is_gone(process: str) -> bool:
    """Whether the process of that `identity` is known to have ended: False when it may run out of our sight."""
    host, boot, space, pid, start = process.split(" ")
    here, this_boot, this_space = _machine()
    if host != here:
        return False
    if boot != this_boot:
        return True  # the machine was started again since
    return space == this_space and _start(int(pid)) != start


@contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock that a file stands for; it falls with the process, however that ends.

    Raises:
        BlockingIOError: another process holds it, and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _machine() -> tuple[str, str, str]:
    """Host name, boot id and namespace of process numbers: containers share the boot and not the numbers."""
    boot, space = PROC / "sys/kernel/random/boot_id", PROC / "self/ns/pid"
    return (
        socket.gethostname() or "-",
        boot.read_text(encoding="ascii").strip() if boot.exists() else "-",
        str(space.readlink()) if space.is_symlink() else "-",
    )


def _start(pid: int) -> str:
    """Clock ticks between boot and the start of a process, "gone" when it is; "alive" where nobody tells the ticks."""
    try:
        if PROC.exists():
            stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
            return "gone" if fields[0] in "ZX" else fields[19]
        os.kill(pid, 0)
    except PermissionError:
        return "alive"
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return "alive"
