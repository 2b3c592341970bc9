"""A random shop as raw files: everything a log may hold, for many customers, with the columns of
`tests.support.strategies`.

Times stand on cutoffs and edges of windows; money is in cents, so that sums tell the order of adding.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.config.load import parse
from features.config.sections import Config
from features.timeline import DAY_US, iso
from tests.support.strategies import CHANNELS, CUTOFFS, EDGES, EVENTS, PLANS, PRODUCTS, START

LOG: dict[str, Any] = {
    "source": ["log/*.parquet"],
    "customer": "who",
    "time": "at",
    "event": "what",
    "value": "money",
    "order": "bill",
    "known": "seen",
    "id": "number",
    "text": "comment",
    "categories": ["channel", "product"],
    "numbers": ["quantity"],
    "timezone": "Europe/Paris",
}
PROFILE = {"source": ["people/*.parquet"], "customer": "who", "known": "since"}
NOW = CUTOFFS[-1] + 100 * DAY_US


def crowd(folder: Path, customers: int, *, events_each: int = 20, seed: int = 1, without: str = "") -> Config:
    """Write a log (in three files) and a profile (in one); returns the configuration, `without` a key."""
    rng = np.random.default_rng(seed)
    names = [f"c{number}" + ("", " 😀", "é", "@x.org")[number % 4] for number in range(customers)]
    rows = list(_events(rng, names, customers * events_each))
    for part in range(3):
        _write(folder / "log" / f"{part}.parquet", rows[part::3])
    _write(folder / "people" / "all.parquet", list(_facts(rng, [*names, "only in the profile"], customers)))
    return parse({"log": {key: LOG[key] for key in LOG if key != without}, "profile": PROFILE}, folder=folder)


def _events(rng: np.random.Generator, names: list[str], count: int) -> Iterator[dict[str, Any]]:
    times = _times(rng, count)
    for row in range(count):
        late = _one_of(rng, [0, 0, 0, 1, DAY_US, 40 * DAY_US])
        yield {
            "who": names[int(rng.integers(len(names)) ** 2 / len(names))],
            "at": _written(rng, int(times[row])),
            "what": _one_of(rng, EVENTS),
            "money": str(
                _one_of(rng, [None, "", "-0", f"{rng.integers(-500, 5000) / 100}", f"{rng.normal():.3e}"]) or ""
            ),
            "bill": _one_of(rng, [None, "A", "B", f"{row}"]),
            "seen": _written(rng, int(times[row]) + late) if late else None,
            "number": _one_of(rng, [None, f"{row}", f"{row}", f"{row // 10}"]),
            "comment": _one_of(rng, [None, "", "schön 😀", "so la la"]),
            "channel": _one_of(rng, [None, *CHANNELS]),
            "product": _one_of(rng, [None, *PRODUCTS]),
            "quantity": _one_of(rng, [None, 0.1, 0.7, 1.3]),
        } | _mistake(rng)


def _mistake(rng: np.random.Generator) -> dict[str, Any]:
    """Now and then something that the checks must find."""
    wrong = [{"who": " "}, {"at": "yesterday"}, {"money": "a lot"}, {"what": None}, {"at": "2031-01-01"}, {"seen": "?"}]
    chosen: dict[str, Any] = _one_of(rng, wrong)
    return chosen if rng.random() < 0.02 else {}


def _one_of(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def _facts(rng: np.random.Generator, names: list[str], count: int) -> Iterator[dict[str, Any]]:
    times = _times(rng, count)
    for row in range(count):
        fact = {
            "who": names[int(rng.integers(len(names)))] if row else names[-1],
            "since": _written(rng, int(times[row])) if rng.random() < 0.8 else None,
            "plan": _one_of(rng, [None, *PLANS]),
            "age": _one_of(rng, [None, "18", "40.5"]),
            "size": _one_of(rng, [None, "44", "XL"]) if row % 100 == 0 else "40",  # a number in most places, not in all
        }
        yield from [fact] * (1 + row % 2)


def _times(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    anywhere = rng.integers(START, CUTOFFS[-1] + 10 * DAY_US, count)
    return np.where(rng.random(count) < 0.5, rng.choice(EDGES, count), anywhere)


def _written(rng: np.random.Generator, time: int) -> str:
    """The time as a log may have it: in UTC, or without a word about its zone."""
    return iso(time) if rng.random() < 0.7 else iso(time).removesuffix("Z")


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
