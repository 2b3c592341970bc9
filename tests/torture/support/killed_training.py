"""Kill a training, a promotion or a rollback at a random instant, do it again, and tell what did not end well.

Run as a program with a folder of its own, the verb, how many kills, and the seed of their instants. It imports once
and forks a child for everything that is done, so that a kill costs no imports.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from features.store.reader import Store
from models.actor import Actor
from models.bundle import load
from models.promotion import Promotion
from tests.support.log_files import opened, run, write
from tests.support.training_shop import config, crowd
from tests.torture.support.killed import ended, forked
from training.run import train

TASK, TRIALS = "churn", 6
BEFORE, NOW = "2024-07-15", "2024-08-30"
ANNA = Actor("anna", 1)
Work = Callable[[Path], None]


def trained(folder: Path, as_of: str) -> None:
    shop = config(folder)
    train(shop, opened(shop), [TASK], as_of=as_of, trials=TRIALS, who="anna", clock=lambda: 1)


def train_first(folder: Path) -> None:
    """The first training of all, which makes every database."""
    trained(folder, BEFORE)


def train_again(folder: Path) -> None:
    """The second training of a task, by which the champion may change."""
    trained(folder, NOW)


def promote(folder: Path) -> None:
    """The second version, which a training left as the challenger."""
    succession = Promotion.open(config(folder))
    succession.promote(TASK, succession.registry.version(TASK, 2), ANNA, why="a test", evidence={})


def rollback(folder: Path) -> None:
    """From the second version to the first, as a script says it that may be run twice."""
    Promotion.open(config(folder)).rollback(TASK, ANNA, why="a test", of=2)


def prepared(folder: Path, verb: str) -> None:
    """A shop before the verb: never trained, or once, or twice."""
    shop = config(folder)
    write(folder / "log" / "rows.jsonl", crowd(120, 240))
    run(shop)
    if verb == "first":
        return
    trained(folder, BEFORE)
    if verb in ("promote", "rollback"):
        train(
            shop, Store.open(shop.workspace_path, shop), [TASK], as_of=NOW, promote=False, who="anna", clock=lambda: 1
        )
    if verb == "rollback":
        promote(folder)


VERBS: dict[str, Work] = {"first": train_first, "train": train_again, "promote": promote, "rollback": rollback}


def checked(folder: Path) -> None:
    """Leave what is wrong, and what stands: champion, versions and how often the champion has moved."""
    shop = config(folder)
    succession = Promotion.open(shop)
    registry, wrong = succession.registry, []
    champion, versions = registry.champion(TASK), registry.versions(TASK)
    moves = [entry for entry in succession.history(TASK) if entry.what in ("promoted", "rolled back")]
    if champion is None or moves[-1].digest != champion.digest:
        wrong.append("alias and ledger name different champions")
    if sum("champion" in version.aliases for version in versions) != 1:
        wrong.append("not one champion")
    if any(one.version != other.before for one, other in pairwise(moves)):
        wrong.append("the history is not linear")
    for version in versions:
        load(registry.fetch(version, shop.workspace_path / "bundles"), version.digest)
    for bundle in (shop.workspace_path / "bundles").iterdir():
        load(bundle, bundle.name)
    experiments = [one.experiment_id for one in registry.client.search_experiments()]
    if running := registry.client.search_runs(experiments, "attributes.status = 'RUNNING'"):
        wrong.append(f"{len(running)} runs are still running")
    state = [champion and champion.digest, sorted(version.digest for version in versions), len(moves)]
    (folder / "checked").write_text(json.dumps([wrong, state]))


def torture(folder: Path, verb: str, kills: int, seed: int) -> dict[str, Any]:
    """How many kills there were, and what was wrong after which of them."""
    shop, saved = folder / "shop", folder / "saved"

    def again() -> None:
        shutil.rmtree(shop)
        shutil.copytree(saved, shop)  # to the same place: MLflow keeps absolute paths

    assert ended(forked(prepared, shop, verb)) == 0
    shutil.copytree(shop, saved)
    before = time.monotonic()
    assert ended(forked(VERBS[verb], shop)) == 0
    seconds = time.monotonic() - before
    assert ended(forked(checked, shop)) == 0
    wrong, expected = json.loads((shop / "checked").read_text())
    killed = 0
    for instant in np.random.default_rng(seed).uniform(0.0, seconds, kills).round(3).tolist():
        again()
        child = forked(VERBS[verb], shop)
        time.sleep(instant)
        os.kill(child, signal.SIGKILL)
        killed += ended(child) == -signal.SIGKILL
        codes = [ended(forked(work, shop)) for work in (VERBS[verb], checked)]
        found = json.loads((shop / "checked").read_text()) if codes == [0, 0] else [[f"ended with {codes}"], expected]
        if found[1] != expected:
            found[0].append(f"expected {expected}, found {found[1]}")
        wrong += [f"{verb} killed after {instant} s: {one}" for one in found[0]]
    return {"killed": killed, "seconds": round(seconds, 2), "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(torture(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
