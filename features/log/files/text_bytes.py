"""The bytes of a file of text: unpacked, and refused where a line would not fit into a reader's memory."""

import gzip
import mmap
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from features.errors import LogError
from features.log.files.relation import MAX_LINE
from features.system import duck

GZIP_MOST = 1032  # bytes that one packed byte can stand for
PIECE = 1024 * 1024


def is_packed(path: Path) -> bool:
    """Whether a file is packed by gzip, whatever its name."""
    return _start(path).startswith(b"\x1f\x8b")


def compression(path: Path) -> str:
    """The option of DuckDB's readers of text that unpacks the file."""
    return f", compression={duck.text('gzip' if is_packed(path) else 'none')}"


def first_character(path: Path) -> bytes:
    """The first byte that is neither space nor byte order mark; empty where the first piece holds none."""
    with text_bytes(path) as file:
        return file.read(PIECE).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def refuse_archives(path: Path) -> None:
    """Raise LogError for a ZIP archive or an Excel workbook, whatever its name."""
    if not _start(path).startswith(b"PK\x03\x04"):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        names = []
    if any(name.startswith("xl/") for name in names):
        raise LogError(f"{path} is an Excel workbook, expected text or Parquet; save its sheet as CSV (UTF-8)")
    listed = f", which holds {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}" if names else ""
    raise LogError(f"{path} is a ZIP archive{listed}; unpack it and name the files in it")


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


@contextmanager
def text_bytes(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """The bytes of a file of text, unpacked; raises LogError for those that cannot be."""
    try:
        with gzip.open(path, "rb") if is_packed(path) else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be read: {error}; repair it or take it out of the source") from None


def refuse_endless_lines(path: Path) -> None:
    """Raise LogError for a line longer than `MAX_LINE`: DuckDB passes over one that its buffer cannot hold."""
    packed = is_packed(path)
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
