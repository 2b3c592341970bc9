"""The one comparison of times with cutoffs, and instants from text."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.errors import ConfigError
from features.timeline import DAY_US, days, instant, iso, moment
from tests.support.boundaries import CHECKS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_on_the_edge(check: Callable[[], None]) -> None:
    check()


def test_no_mutant_of_the_comparison_survives_the_edges() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.boundaries"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("text", "timezone", "utc"),
    [
        ("2011-09-10", "UTC", "2011-09-10T00:00:00Z"),
        ("2011-09-10", "Europe/Paris", "2011-09-09T22:00:00Z"),
        ("2011-09-10T08:00:00Z", "Europe/Paris", "2011-09-10T08:00:00Z"),
        ("2011-09-10T08:00:00+02:00", "UTC", "2011-09-10T06:00:00Z"),
        ("2011-09-10 08:00:00.000001", "UTC", "2011-09-10T08:00:00.000001Z"),
        ("2024-10-27T02:30:00", "Europe/Paris", "2024-10-27T01:30:00Z"),  # twice: the later offset, +01:00
        ("2024-03-31T02:30:00", "Europe/Paris", "2024-03-31T00:30:00Z"),  # never: the later offset, +02:00
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # its midnight is skipped: 01:00 -02:00
        ("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z"),  # its midnight comes twice: the first
    ],
)
def test_text_is_an_instant(text: str, timezone: str, utc: str) -> None:
    assert iso(instant(text, timezone)) == utc


def test_dates_and_times_of_a_toml_are_instants_too() -> None:
    assert instant(date(1970, 1, 2)) == DAY_US
    assert instant(datetime(1970, 1, 2)) == DAY_US  # noqa: DTZ001  a local time
    assert instant(datetime(1970, 1, 2, tzinfo=UTC), "Asia/Tokyo") == DAY_US


@pytest.mark.parametrize("text", ["", "yesterday", "2011-13-01", "2011-02-30", "10/09/2011", "1315612800", "12:00"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"expected an ISO date or time such as '2011-09-10' .*, got '{text}'"):
        instant(text)


@pytest.mark.parametrize("name", ["", "Paris", "Europe", "../UTC", "Europe/Paris\0", "x" * 300])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected an IANA time zone such as 'UTC'"):
        instant("2011-09-10", name)


def test_an_instant_survives_the_way_to_text_and_back() -> None:
    assert instant(iso(1_315_612_800_000_001)) == 1_315_612_800_000_001
    assert moment(DAY_US) == datetime(1970, 1, 2, tzinfo=UTC)


def test_a_day_is_86400_seconds_and_parts_of_it_are_rounded() -> None:
    assert days(1) == 86_400_000_000
    assert days(1 / 3) == 28_800_000_000
