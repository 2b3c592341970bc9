"""One door for all formats: a source file opened as a relation.

A file's format is told by its name: `.parquet`; `.csv`, `.tsv`; `.jsonl`, `.ndjson`, `.json` (one object a line); all
but Parquet also with `.gz`. Whether text is packed by gzip is told by its content. Text is UTF-8.
"""

from collections.abc import Mapping
from pathlib import Path

from features.errors import LogError, did_you_mean
from features.log.files.csv_file import csv_relation
from features.log.files.json_file import json_relation
from features.log.files.parquet_file import parquet_relation
from features.log.files.paths import format_of
from features.log.files.relation import Relation
from features.log.files.text_bytes import refuse_archives, refuse_endless_lines
from features.system import duck


def open_file(connection: duck.Connection, path: Path, required: Mapping[str, str], section: str) -> Relation:
    """A file as a relation that has every column of `required` (key of the TOML → source column); raises LogError."""
    if path.stat().st_size == 0:
        raise LogError(f"{path} is empty (0 bytes); write it again or take it out of the source")
    refuse_archives(path)
    kind = format_of(path)
    if kind != "parquet":
        refuse_endless_lines(path)
    with duck.reading(str(path)):
        opened = _read(connection, path, kind, list(required.values()), section)
    for key, column in required.items():
        if column not in opened.cells:
            listed = ", ".join(opened.cells) or "none"
            hint = did_you_mean(column, opened.cells)
            advice = hint if hint.startswith("did") else f"set `{key}` in [{section}]"
            raise LogError(
                f"{path}: no column '{column}', which [{section}] names as `{key}`; {advice} Columns found: {listed}"
            )
    return opened


def _read(connection: duck.Connection, path: Path, kind: str, required: list[str], section: str) -> Relation:
    if kind == "parquet":
        return parquet_relation(connection, path)
    return csv_relation(path, required) if kind == "csv" else json_relation(connection, path, required, section)
