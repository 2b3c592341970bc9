"""Finding the files of a log, and telling the format of each by its name."""

import glob
from collections.abc import Iterable
from pathlib import Path

from features.errors import ConfigError, LogError

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}


def find(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that globs relative to `folder` match, each once; raises LogError for one that matches none."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207  a pattern may be absolute
        files = [folder / match for match in matches if (folder / match).is_file()]
        if not files:
            raise LogError(
                f"no file matches source '{pattern}' (looked in {folder}); correct the pattern or bring the files"
            )
        paths.update(dict.fromkeys(file.resolve() for file in files))
    return list(paths)


def named_files(files: Iterable[Path]) -> list[Path]:
    """Files named one by one; raises LogError for one that is not there."""
    for file in files:
        if not file.is_file():
            raise LogError(
                f"expected a file at {file}, found {'a folder' if file.is_dir() else 'nothing'}; name files of the log"
            )
    return list(dict.fromkeys(file.resolve() for file in files))


def format_of(path: Path) -> str:
    """`parquet`, `csv` or `json`; raises ConfigError for another extension."""
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    kind = FORMATS.get(suffix.lower())
    if kind is None or (kind == "parquet" and suffix != path.suffix):
        raise ConfigError(
            f"{path}: expected a name ending in {', '.join(FORMATS)} (or .csv.gz, .jsonl.gz), got '{path.name}'"
        )
    return kind
