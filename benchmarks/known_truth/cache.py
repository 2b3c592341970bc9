"""Answers of a benchmark's many shops: kept by a digest of the code that gave them, found in one process or several.

A run that was stopped goes on where it was; a change of the code asks every shop anew.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from features.system.files import atomic_write

ROOT = Path(__file__).parents[2]
FOLDERS = ("features", "models", "training")
Asked = TypeVar("Asked")
Found = TypeVar("Found")


def kept(file: Path, tell: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The arrays, numbers and texts that `tell` gives, from a file if it told them before; numbers as arrays of ()."""
    if not file.exists():
        fresh = tell()
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary, temporary.open("wb") as out:
            np.savez(out, **fresh)
    with np.load(file) as saved:
        return dict(saved)


def folder_of(name: str, *own: str) -> Path:
    """Where answers are kept: a folder named by a digest of all the product's code and of `own` files."""
    files = [*(ROOT / path for path in own), *(file for name in FOLDERS for file in (ROOT / name).rglob("*.py"))]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]
    return ROOT / ".cache" / name / digest


def in_turn(asked: Sequence[Asked], find: Callable[[Asked], Found], processes: int) -> Iterator[tuple[Asked, Found]]:
    """Each with what was found of it, in order, as soon as it is there."""
    if processes == 1:
        yield from ((one, find(one)) for one in asked)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from zip(asked, pool.map(find, asked), strict=True)


def counted(names: Sequence[str]) -> str:
    """How often each occurs.

    >>> counted(["rule", "btyd", "rule"])
    '1 btyd, 2 rule'
    """
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
