"""Who is alive, on a machine whose clock is set."""

import os
from collections.abc import Iterator
from itertools import chain, count, repeat

import psutil
import pytest

from features.system import processes

pytestmark = pytest.mark.skipif(not processes.PROC.exists(), reason="without /proc no start of a process is read")
HOUR = 3600.0


def set_clock(monkeypatch: pytest.MonkeyPatch, *hours: float, then: Iterator[float]) -> None:
    """The readings of the boot time, psutil's own in `create_time()` too, are set forward by so many hours."""
    boot, ahead = psutil.boot_time(), chain(hours, then)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot + HOUR * next(ahead))


@pytest.mark.parametrize("readings", range(7))
def test_a_clock_set_between_any_two_readings_leaves_the_living_alive(
    monkeypatch: pytest.MonkeyPatch, readings: int
) -> None:
    identity = processes.identity()
    set_clock(monkeypatch, *[0.0] * readings, then=repeat(1.0))
    assert not processes.is_gone(identity)
    assert processes.identity() == identity


def test_a_clock_that_never_stands_still_calls_nobody_gone_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = processes.identity()
    set_clock(monkeypatch, then=count(1.0))
    unsure = processes.identity()
    assert not processes.is_gone(identity)
    monkeypatch.undo()
    assert not processes.is_gone(unsure)
    assert processes.is_gone(unsure.replace(f" {os.getpid()} ", " 4194305 "))  # above all numbers there are
