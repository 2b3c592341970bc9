"""How functions are compiled and kept: types of the arrays, options, and the cache folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numpy.typing import NDArray

from features import timeline
from features.system.files import digest, text_digest

# numba's cache does not see a change in an imported function, so the cache folder carries the digest of all sources.
_HERE = Path(__file__).parent
_SOURCES = text_digest("".join(digest(file) for file in (*sorted(_HERE.glob("*.py")), Path(timeline.__file__))))[:16]
_CACHE = Path(os.environ.get("NUMBA_CACHE_DIR", _HERE / "__pycache__")) / f"kernel-{_SOURCES}"
numba.config.CACHE_DIR = str(_CACHE)  # type: ignore[attr-defined]
# `_nrt` off: reference counts take two thirds of the time; without them nothing is made inside, so scratch is given
OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "_nrt": False}

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[Any]


def compiled(function: F) -> F:
    """Compile a function once, keep it on disk, and release the interpreter lock while it runs."""
    return numba.njit(**OPTIONS, forceinline=True)(function)  # type: ignore[no-any-return]


def entry(*kinds: Any) -> Callable[[F], F]:
    """Compile a function that is called from Python, for arguments of these types and when it is first imported."""
    return numba.njit(numba.types.void(*kinds), **OPTIONS)  # type: ignore[no-any-return]


def reads(kind: str, dimensions: int = 1) -> Any:
    """The type of an input array: read-only, so that mapped files and plain arrays run the same machine code."""
    return numba.types.Array(getattr(numba.types, kind), dimensions, "C", readonly=True)


def together(*kinds: Any) -> Any:
    """The type of a tuple."""
    return numba.types.Tuple(kinds)


INT, CODE, FLOAT, TABLE = reads("int64"), reads("int32"), reads("float64"), reads("int64", 2)
OUT = numba.types.float64[:, ::1]
ROWS = together(INT, INT)
ZONE = together(INT, INT)
COLUMNS = together(INT, INT, INT, CODE, FLOAT, CODE, reads("float64", 2), reads("int32", 2))
STREAMS = together(reads("bool_", 2), TABLE, TABLE, TABLE)
SCRATCH = together(*[numba.types.int64[::1]] * 7, numba.types.float64[::1])
PROFILE = together(INT, INT, reads("float64", 2), reads("int32", 2))
COUNTS = together(INT, CODE, CODE, numba.types.int64, numba.types.int64)

visible = compiled(timeline.visible)
in_window = compiled(timeline.in_window)
span = compiled(timeline.span)
over = compiled(timeline.over)
