"""Search one study with several processes that are killed again and again, and tell what became of it.

Run as a program with a `Plan` as JSON. It imports once and forks its workers; every other one says that it runs on
another host, where only its heart tells that it died.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.system.processes import identity
from models.ladder.lightgbm import Stop, TreeParameters
from tests.torture.support.stalling import Stalling
from training.tuning import storage
from training.tuning.budget import Budget, StudyLocation
from training.tuning.cleanup import drop_study
from training.tuning.sampler import SeededTPE
from training.tuning.search import search
from training.tuning.storage import open_study

START = TreeParameters(min_data_in_leaf=40)
LONG = 0.4  # seconds of a trial, at most
NAMES = ("num_leaves", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "lambda_l2")


@dataclass(frozen=True)
class Plan:
    """What is to be done to a study: the trials wanted, how many processes search and are killed, and how often and how
    long the database stands still. `folder` takes the lines of what was finished.
    """

    address: str
    name: str
    folder: str
    workers: int
    trials: int
    kills: int
    pauses: int = 0
    pause_seconds: int = 0

    @property
    def grace_seconds(self) -> int:
        """Longer than the database stands still, so that nobody is taken for dead who is not."""
        return self.pause_seconds + 4


def note(folder: Path, kind: str, what: object) -> None:
    """Append a line that no kill takes back."""
    with (folder / f"{kind}-{os.getpid()}").open("a", encoding="utf-8") as log:
        log.write(json.dumps(what) + "\n")
        log.flush()
        os.fsync(log.fileno())


def noted(folder: Path, kind: str) -> list[Any]:
    """All lines of that kind, whoever left them; a kill may tear the last."""
    lines = [line for file in folder.glob(f"{kind}*") for line in file.read_text().splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith("\n")]


def evaluated(folder: Path) -> Callable[[TreeParameters, Stop], tuple[int, float]]:
    """An objective that takes a while, and leaves a line for every evaluation that it ended."""

    def objective(growth: TreeParameters, _: Stop) -> tuple[int, float]:
        note(folder, "began", growth.describe())
        time.sleep(random.random() * LONG)
        note(folder, "evaluated", [growth.describe()[name] for name in NAMES])
        return 10, abs(growth.num_leaves - 12) / 12 + abs(growth.lambda_l2 - 20) / 20

    return objective


def worker(place: StudyLocation, plan: Plan, number: int) -> int:
    """Start a process that searches; returns its number."""
    child = os.fork()
    if child:
        return child
    code, folder = 1, Path(plan.folder)
    try:
        random.seed(os.getpid())
        if number % 2:
            vars(storage)["identity"] = lambda: f"elsewhere-{identity()}"
        budget = Budget(plan.trials, study=place, on_trial=lambda *trial: note(folder, "finished", trial))
        search(evaluated(folder), START, budget=budget, seed=1)
        code = 0
    except Exception:
        note(folder, "error", traceback.format_exc())
        raise
    finally:
        os._exit(code)


def tortured(place: StudyLocation, plan: Plan, proxy: Stalling) -> dict[str, Any]:
    """Keep the workers going until all of them find the budget used, killing one now and then."""
    chance, folder = random.Random(7), Path(plan.folder)
    running = {worker(place, plan, number): number for number in range(plan.workers)}
    killed, paused, codes = 0, 0, list[int]()
    while running:
        time.sleep(chance.random() * LONG / 8)
        done = len(noted(folder, "finished")) / plan.trials
        at_work = [child for child in running if is_in_a_trial(folder, child)]
        if at_work and killed < plan.kills and done >= 0.9 * (killed + 0.5) / plan.kills:
            child = chance.choice(at_work)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            number = running.pop(child)
            running[worker(place, plan, number)] = number
            killed += 1
        if paused < plan.pauses and done >= (paused + 0.5) / plan.pauses:
            proxy.stall(plan.pause_seconds)
            paused += 1
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            running.pop(child)
            codes.append(os.waitstatus_to_exitcode(status))
    return {"killed": killed, "paused": paused, "codes": codes}


def is_in_a_trial(folder: Path, child: int) -> bool:
    """Whether a process began more trials than it finished."""
    return len(noted(folder, f"began-{child}")) > len(noted(folder, f"finished-{child}"))


def left(place: StudyLocation, plan: Plan) -> dict[str, Any]:
    """What the study holds for who asks again when the grace of the dead is over."""
    time.sleep(plan.grace_seconds + 1)
    found = search(evaluated(Path(plan.folder)), START, budget=Budget(plan.trials, study=place), seed=1)
    with open_study(place, SeededTPE([], 1, shared=True)) as study:
        trials = [
            {
                "number": one.number,
                "state": one.state.name,
                "loss": one.value,
                "params": [one.params.get(name) for name in NAMES],
            }
            for one in study.trials
        ]
    return {"best": found.loss, "trials": trials}


def main(plan: Plan) -> dict[str, Any]:
    """What was done to the study and what it holds; it is dropped."""
    with Stalling.before(plan.address) as proxy:
        place = StudyLocation(proxy.address, plan.name, 1, plan.grace_seconds)
        try:
            return {**tortured(place, plan, proxy), **left(place, plan)}
        finally:
            drop_study(plan.address, plan.name)


if __name__ == "__main__":
    print(json.dumps(main(Plan(**json.loads(sys.argv[1])))))
