"""Small logs for the tests of log and store: written in any format, ingested into a workspace of their own."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.config.load import parse
from features.config.sections import Config
from features.ingest.report import IngestReport
from features.ingest.run import ingest
from features.store.reader import Store
from features.timeline import instant
from tests.support.digests import state_digest

Row = dict[str, Any]
NOW = instant("2026-01-01")
COLUMNS = {"customer": "who", "time": "at", "event": "what", "value": "money"}


def config(folder: Path, source: str = "log/*", **log: Any) -> Config:
    """A configuration with the columns who, at, what and money."""
    profile = log.pop("profile", {})
    return parse({"log": {"source": [source], **COLUMNS, **log}, "profile": profile}, folder=folder)


def event(
    who: Any = "anna", at: Any = "2025-01-01T10:00:00", what: Any = "purchase", money: Any = 5.0, **more: Any
) -> Row:
    return {"who": who, "at": at, "what": what, "money": money, **more}


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows in the format that the name tells; CSV writes None as nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(config: Config, files: Sequence[Path] | None = None, now: int = NOW) -> IngestReport:
    return ingest(config, files=files, clock=lambda: now)


def opened(config: Config) -> Store:
    return Store.open(config.workspace_path, config)


def digest_of(folder: Path, files: Mapping[str, Sequence[Row]], **log: Any) -> str:
    """The state of a store made of these files in one ingest."""
    for name, rows in files.items():
        write(folder / "log" / name, rows)
    shop = config(folder, **log)
    run(shop)
    return state_digest(opened(shop))
