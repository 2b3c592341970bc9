"""One process at a time."""

import logging
import threading
from pathlib import Path

import pytest

from features.system.processes import file_lock


def test_a_lock_that_is_held_is_waited_for_aloud_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with file_lock(path, leave=False, waiting="somebody is at work"):
            order.append("second")

    waits = threading.Thread(target=second)
    with caplog.at_level(logging.WARNING), file_lock(path, leave=False):
        with pytest.raises(BlockingIOError), file_lock(path, wait=False):
            pass
        waits.start()
        waits.join(0.2)
        order.append("first")
    waits.join()
    assert order == ["first", "second"]
    assert "somebody is at work" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_lock_whose_file_goes_with_it_lets_one_at_a_time_in(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with file_lock(tmp_path / "lock", leave=False):
                inside += 1
                most = max(most, inside)
                inside -= 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (most, list(tmp_path.iterdir())) == (1, [])
