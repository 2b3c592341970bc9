"""The bytes of a file of text: unpacked, and refused where a line would not fit into a reader's memory."""

import gzip
import mmap
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from features.errors import LogError
from features.log.files.relation import MAX_LINE

GZIP_MOST = 1032  # bytes that one packed byte can stand for
PIECE = 1024 * 1024


@contextmanager
def text_bytes(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """The bytes of a file of text, unpacked; raises LogError for those that cannot be."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be read: {error}; repair it or take it out of the source") from None


def refuse_endless_lines(path: Path) -> None:
    """Raise LogError for a line longer than `MAX_LINE`: DuckDB passes over one that its buffer cannot hold."""
    packed = path.suffix.lower() == ".gz"
    if path.stat().st_size * (GZIP_MOST if packed else 1) <= MAX_LINE:
        return
    if (_is_endless_packed if packed else _is_endless)(path):
        raise LogError(f"{path} cannot be read: it holds a line of more than {MAX_LINE:,} bytes; mend its line ends")


def _is_endless(path: Path) -> bool:
    """Whether a file holds such a line. It is not read for that: before the longest line ends, another end is near."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = 0
        while len(content) - start > MAX_LINE:
            window = start, start + MAX_LINE + 1
            end = content.rfind(b"\n", *window)
            end = content.rfind(b"\r", *window) if end < 0 else end
            if end < 0:
                return True
            start = end + 1
    return False


def _is_endless_packed(path: Path) -> bool:
    length = 0
    with text_bytes(path) as file:
        while piece := file.read(PIECE):
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
            length = length + len(piece) if end < 0 else len(piece) - end - 1
            if length > MAX_LINE:
                return True
    return False
