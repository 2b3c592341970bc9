"""Events that arrive up to a week late, in later files: the store ends as the reference, a cutoff reads only what was
known at it, and rows that lateness corrects are counted."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.arrays import Floats
from features.config.sections import Config
from features.ingest import build
from features.journeys import Journeys
from features.panel.build import Rows
from features.panel.build import build as panel
from features.timeline import DAY_US, iso
from tests.support.digests import state_digest
from tests.support.log_files import config, opened, run, write
from tests.support.strategies import CHANNELS, EVENTS, EVERY_FEATURE, PRODUCTS, START
from tests.torture.support.sizes import Toll, size

DAYS, CUSTOMERS, EVENTS_A_DAY = size((4, 30, 80), (14, 200, 300), (90, 1_000, 2_000))
LATE, LATEST_DAYS = 0.05, 7
LOG: dict[str, Any] = {"categories": ["channel", "product"], "numbers": ["quantity"]}
KNOWN: dict[str, Any] = {**LOG, "known": "seen"}


def test_late_events_land_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toll: Toll) -> None:
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", 1_000)
    by_day, late = arriving()
    toll.fault(late)
    knowing, unknowing = config(tmp_path / "known", **KNOWN), config(tmp_path / "unknown", **LOG)
    then: list[dict[str, tuple[Floats, Floats]]] = []
    for day, rows in by_day.items():
        for shop in (knowing, unknowing):
            write(shop.folder / "log" / f"{day:03}.jsonl", rows)
            run(shop, now=cutoff_of(day))
        both = zip(at(knowing, day), at(unknowing, day), strict=True)
        then.append({who: (known, row) for (who, known), (_, row) in both})
    corrected = 0
    for day, before in zip(by_day, then, strict=True):
        now = dict(at(knowing, day))
        toll.hold(
            all(now[who].tobytes() == known.tobytes() for who, (known, _) in before.items()),
            f"day {day}: the rows are not those of the day, though `known` tells what was known",
        )
        with_hindsight = dict(at(unknowing, day))
        corrected += sum(with_hindsight[who].tobytes() != row.tobytes() for who, (_, row) in before.items())
    toll.hold(corrected > 0, "no row was corrected: nothing was late")
    for log, shop in ((KNOWN, knowing), (LOG, unknowing)):
        reference = config(tmp_path / f"reference of {shop.folder.name}", **log)
        write(reference.folder / "log" / "all.jsonl", [row for rows in by_day.values() for row in rows])
        run(reference, now=cutoff_of(max(by_day)))
        same = state_digest(opened(shop)) == state_digest(opened(reference))
        toll.hold(same, f"{shop.folder.name}: the store is not that of all events at once")
    toll.tell(rows_corrected=corrected, rows=sum(map(len, then)))
    toll.settle(at_least=DAYS)


def arriving() -> tuple[dict[int, list[dict[str, Any]]], int]:
    """The rows of every day's file, and how many of all came late."""
    dice = np.random.default_rng(DAYS)
    by_day: dict[int, list[dict[str, Any]]] = defaultdict(list)
    late = 0
    for day in range(DAYS):
        for _ in range(EVENTS_A_DAY):
            time = START + day * DAY_US + int(dice.integers(DAY_US))
            delay = int(dice.integers(1, LATEST_DAYS * DAY_US)) if dice.random() < LATE else 0
            seen = time + delay
            late += (seen - START) // DAY_US > day
            by_day[(seen - START) // DAY_US].append(happening(dice, time, seen))
    return dict(sorted(by_day.items())), late


def happening(dice: np.random.Generator, time: int, seen: int) -> dict[str, Any]:
    return {
        "who": f"c{dice.integers(CUSTOMERS)}",
        "at": iso(time),
        "what": str(dice.choice(EVENTS)),
        "money": int(dice.integers(-20, 80)) / 4,
        "seen": iso(seen),
        "channel": str(dice.choice(CHANNELS)),
        "product": str(dice.choice(PRODUCTS)),
        "quantity": int(dice.integers(9)) / 4,
    }


def cutoff_of(day: int) -> int:
    """The last µs of a day."""
    return START + (day + 1) * DAY_US - 1


def at(shop: Config, day: int) -> Iterator[tuple[str, Floats]]:
    """Every customer's row at the end of a day, as the store has it now."""
    for journeys in opened(shop).buckets():
        yield from zip(journeys.customers, values(journeys, cutoff_of(day)), strict=True)


def values(journeys: Journeys, cutoff: int) -> Floats:
    return panel(journeys, Rows.grid(len(journeys), np.array([cutoff])), EVERY_FEATURE).values
