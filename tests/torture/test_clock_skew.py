"""What lies further than a day after the clock goes into quarantine, is counted and moves nothing; everything else is
the same whatever the clock says, on days of any length and in any year."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from features.config.sections import Config
from features.ingest.report import IngestReport
from features.ingest.run import ingest
from features.log.cells import LATE
from features.timeline import DAY_US, SECOND_US, instant, iso, moment
from tests.support.digests import state_digest
from tests.support.log_files import config, event, opened, write
from tests.torture.support.sizes import FORM, Toll, size

ROOT = Path(__file__).parents[2]
HOUR_US = DAY_US // 24
HOURS = size((-48, 0, 25), (-48, -25, -24, -1, 0, 1, 2, 24, 48), tuple(range(-48, 49)))
DAYS = {  # what the clock says when nothing is wrong with it, and the zone of the log
    "ordinary": ("2025-06-11T09:30:00Z", "UTC"),
    "spring": ("2025-03-30T01:00:00Z", "Europe/Paris"),
    "autumn": ("2025-10-26T01:00:00Z", "Europe/Paris"),
    "leap day": ("2024-02-29T12:00:00Z", "America/New_York"),
    "2038": ("2038-01-19T03:14:08Z", "Asia/Kolkata"),
    "9999": ("9999-12-22T00:00:00Z", "UTC"),
}
SKEWS = (-DAY_US, 0, DAY_US)  # of producers' clocks
BESIDE = (-1, 0, 1)  # µs


@pytest.mark.parametrize("name", size(("ordinary", "autumn"), tuple(DAYS), tuple(DAYS)))
def test_a_clock_that_is_off_moves_nothing_but_the_bound(tmp_path: Path, name: str, toll: Toll) -> None:
    now, zone = instant(DAYS[name][0]), DAYS[name][1]
    moments = [(at, max(at, seen)) for at, seen in around(now)]
    rows = [
        event(who=f"c{i % 7}", at=written(at, zone, i), seen=written(seen, zone, i + 1))
        for i, (at, seen) in enumerate(moments)
    ]
    for offset in HOURS:
        clock = now + offset * HOUR_US
        late = [seen > clock + DAY_US for _, seen in moments]
        good = [row for row, is_late in zip(rows, late, strict=True) if not is_late]
        shop, report = taken(tmp_path / f"{offset}", rows, zone, lambda: clock)  # noqa: B023  called at once
        newest = max(seen for (_, seen), is_late in zip(moments, late, strict=True) if not is_late)
        told = f"{name}, clock {offset:+} h"
        toll.fault(sum(late))
        toll.hold(sum(report.quarantined.values()) == sum(late), f"{told}: quarantined {report.quarantined}")
        toll.hold(all(reason.endswith(LATE) for reason in report.quarantined), f"{told}: {report.quarantined}")
        toll.hold(opened(shop).end(shop) == newest, f"{told}: as-of {iso(opened(shop).end(shop))}, not {iso(newest)}")
        rest, _ = taken(tmp_path / f"{offset} rest", good, zone, lambda: now + 5 * DAY_US)
        same = state_digest(opened(shop)) == state_digest(opened(rest))
        toll.hold(same, f"{told}: the rest is not what it is without the late rows")
    toll.settle(at_least=2 * len(HOURS))


def test_a_clock_that_jumps_back_between_two_files_takes_nothing_back(tmp_path: Path, toll: Toll) -> None:
    now = instant(DAYS["ordinary"][0])
    edge = [event(who=f"c{ahead}", at=iso(now + DAY_US - ahead * HOUR_US), seen=None) for ahead in (0, 1, 2)]
    ticks = count(now, -HOUR_US)  # an hour back whenever somebody looks at it
    shop, _ = taken(tmp_path, edge, "UTC", lambda: next(ticks))
    assert opened(shop).end(shop) == now + DAY_US
    write(tmp_path / "log" / "b.jsonl", [{**row, "what": "again"} for row in edge])
    report = ingest(shop, clock=lambda: now - HOUR_US)
    toll.fault()
    toll.hold(report.quarantined == {f"at: {LATE}": 1}, f"{report.quarantined}")
    toll.hold(report.statistics.rows == 5, f"{report.statistics.rows} rows")
    toll.hold(opened(shop).end(shop) == now + DAY_US, "the as-of went back with the clock")
    toll.settle()


def test_events_of_the_year_9999_are_in_quarantine_and_move_nothing(tmp_path: Path, toll: Toll) -> None:
    now = instant(DAYS["ordinary"][0])
    far = ["9999-12-31T23:59:59.999999Z", "9999-12-31", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59.999999-12:00"]
    rows = [event(at=iso(now)), *(event(at=at) for at in far), *(event(at=iso(now), seen=at) for at in far)]
    shop, report = taken(tmp_path, [{"seen": None, **row} for row in rows], "Europe/Paris", lambda: now)
    toll.fault(2 * len(far))
    toll.hold(report.quarantined == {f"at: {LATE}": len(far), f"seen: {LATE}": len(far)}, f"{report.quarantined}")
    toll.hold(opened(shop).end(shop) == now, "the as-of moved")
    toll.settle()


@pytest.mark.skipif(FORM != "full", reason="the full form changes the clock of the whole process, with libfaketime")
def test_the_command_line_under_another_clock(tmp_path: Path, toll: Toll) -> None:
    assert shutil.which("faketime"), "expected faketime on the path, found none; install it, such as with apt"
    now = time.time_ns() // 1000 // SECOND_US * SECOND_US
    ahead = [hours * HOUR_US + HOUR_US // 2 for hours in range(-72, 97, 8)]
    write(tmp_path / "log" / "a.jsonl", [event(who=f"c{at % 5}", at=iso(now + at)) for at in ahead])
    for offset in range(-44, 49, 8):
        good = [at for at in ahead if at <= offset * HOUR_US + DAY_US]
        toml = tmp_path / f"shop{offset}.toml"
        toml.write_text(
            f'workspace = "{offset}"\n[log]\nsource = ["log/*"]\ncustomer = "who"\ntime = "at"\nevent = "what"\n'
        )
        command = ["faketime", "-f", f"{offset:+}h", sys.executable, "journeycast.py", "-c", str(toml), "ingest"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        told = f"clock {offset:+} h: {done.stdout}{done.stderr}"
        toll.fault()
        toll.hold(done.returncode == 0, told)
        toll.hold(f"{len(good)} stored of {len(ahead)}" in done.stdout, told)
        toll.hold(len(good) == len(ahead) or f"{len(ahead) - len(good)}  at: {LATE}" in done.stdout, told)
        toll.hold(f"known to {iso(now + max(good))}" in done.stdout, told)
    toll.settle(at_least=12)


def around(now: int) -> list[tuple[int, int]]:
    """Times and when they were known: by the hour, and on the bound of every clock, from clocks a day off each way."""
    hourly = [(now + hour * HOUR_US + skew, now + hour * HOUR_US) for hour in range(-48, 0, 5) for skew in SKEWS]
    bounds = [now + offset * HOUR_US + DAY_US + beside for offset in HOURS for beside in BESIDE]
    return [*hourly, *((bound, bound) for bound in bounds), *((now - DAY_US, bound) for bound in bounds)]


def written(at: int, zone: str, turn: int) -> str:
    """In one of the ways a log may have it; as local time where that is not said twice."""
    local = moment(at).astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat()
    ways = [iso(at), iso(at).replace("Z", "+00:00"), *([local] if instant(local, zone) == at else [])]
    return ways[turn % len(ways)]


def taken(
    folder: Path, rows: Sequence[dict[str, Any]], zone: str, clock: Callable[[], int]
) -> tuple[Config, IngestReport]:
    """A shop of one file, and what its ingest reports."""
    write(folder / "log" / "a.jsonl", rows)
    shop = config(folder, known="seen", timezone=zone)
    return shop, ingest(shop, clock=clock)
