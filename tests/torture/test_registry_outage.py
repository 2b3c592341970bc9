"""Goal F-7, as far as promotions go: whatever becomes of the tracking server, no half of one is left behind.

A real MLflow server, over HTTP, falls ill before every request of a promotion (or every so many). The promotion fails
within five seconds and says why in one line, or it is done.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.config.sections import Config
from features.errors import JourneycastError
from models.promotion import Promotion
from models.registry.client import ADDRESS
from models.registry.versions import Registry
from tests.conftest import ROOT
from tests.support.registered_shop import ASKED, TASK, hand, register, shop
from tests.torture.support.sizes import Toll, size
from tests.torture.support.tracker import ILLNESSES, Tracker, tracking
from training.lifecycle.versions import promote

LIMIT_S = 5
EVERY = size(6, 2, 1)  # requests of a promotion


@dataclass(frozen=True)
class Served:
    """A shop on a tracking server, with two versions, of which the first serves."""

    config: Config
    tracker: Tracker


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("outage")
    shutil.copy(tracking_database, folder / "server.db")
    with pytest.MonkeyPatch.context() as patch, tracking(folder) as tracker:
        patch.setenv(ADDRESS, tracker.address)
        config = shop(folder)
        registry = Registry.open(config)
        for seed in (1, 2):
            register(config, registry, seed)
        promote(config, TASK, 1, hand(), None)
        yield Served(config, tracker)


def states(served: Served) -> tuple[int | None, int]:
    """Who serves by the alias, and by the ledger, which is read without settling anything."""
    registry = Registry.open(served.config)
    succession = Promotion.open(served.config, ())
    return registry.standing(TASK).champion, succession.served(TASK)[0].version


@pytest.fixture(scope="module")
def wanted(served: Served) -> tuple[int, float]:
    """How many requests a promotion takes, and how many seconds, when all is well."""
    with served.tracker.fall_ill("", 0):
        began = time.monotonic()
        promote(served.config, TASK, 2, hand(), None)
        took = time.monotonic() - began
        return served.tracker.requests, took


@pytest.mark.slow
@pytest.mark.parametrize("illness", ILLNESSES)
def test_a_promotion_is_done_or_not_whenever_the_server_falls_ill(
    served: Served, wanted: tuple[int, float], illness: str, toll: Toll
) -> None:
    requests, took = wanted
    for after in range(0, requests, EVERY):
        promote(served.config, TASK, 1, hand(), None)
        said, began = "", time.monotonic()
        with served.tracker.fall_ill(illness, after):
            try:
                promote(served.config, TASK, 2, hand(), None)
            except JourneycastError as error:
                said = str(error)
            seconds = time.monotonic() - began - took
        where = f"{illness} after {after} requests"
        toll.fault()
        toll.hold(seconds < LIMIT_S, f"{where}: it took {seconds:.1f} s")
        toll.hold("\n" not in said and len(said) < 600, f"{where}: it said {said!r}")
        toll.hold(bool(said) or after > 2, f"{where}: it did not fail")
        if illness in {"answer lost", "wrong data"}:  # nobody could know whether the alias moved, until now
            Promotion.open(served.config)
        toll.hold(states(served) in ({(1, 1)} if said else {(2, 2)}), f"{where}: {states(served)}; it said {said!r}")
    toll.settle(at_least=requests // EVERY)


def test_a_server_that_is_not_there_is_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    keys = "\n".join(f"{key} = {value!r}" for key, value in ASKED.items())
    log = '[log]\nsource = ["log/*"]\ncustomer = "who"\ntime = "at"\nevent = "what"\nvalue = "money"\n'
    (tmp_path / "journeycast.toml").write_text(f"{log}[tasks.{TASK}]\n{keys}\n")
    command = [sys.executable, "journeycast.py", "-c", str(tmp_path / "journeycast.toml"), "promote", TASK]
    environment = {**os.environ, ADDRESS: "http://me:secret@127.0.0.1:9"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == (
        "journeycast: MLflow could not open http://…@127.0.0.1:9: nothing listens there; "
        f"start it, or see where {ADDRESS} leads"
    )
    assert not (tmp_path / "workspace/ledger.db").exists()
