"""A search whose processes are killed at any moment, and whose database stands still: nothing finished is lost, nobody
works at a trial for ever, nothing is done twice without a kill, and the best is the best.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.torture.support.killed_tuning import Plan, noted
from tests.torture.support.sizes import Toll, size

TRIALS, KILLS = size((8, 2), (20, 6), (60, 30))
PAUSES, PAUSE_SECONDS = size((0, 0), (1, 3), (3, 10))
ROOT = Path(__file__).parents[2]


def test_a_search_by_one_process_survives_kills(tmp_path: Path, toll: Toll) -> None:
    plan = Plan(f"sqlite:///{tmp_path / 'studies.db'}", "torture", str(tmp_path), 1, TRIALS, KILLS)
    settled(plan, toll)


@pytest.mark.postgres
@pytest.mark.skipif(not PAUSES, reason="minutes: JOURNEYCAST_TORTURE=ci or full")
def test_a_search_by_three_processes_survives_kills_and_a_database_that_stands_still(
    tmp_path: Path, postgres_url: str, toll: Toll
) -> None:
    name = f"torture-{time.time_ns()}"
    settled(Plan(postgres_url, name, str(tmp_path), 3, TRIALS, KILLS, PAUSES, PAUSE_SECONDS), toll)


def settled(plan: Plan, toll: Toll) -> None:
    """Carry out the plan and count what it broke."""
    found = carried_out(plan)
    folder = Path(plan.folder)
    trials = {trial["number"]: trial for trial in found["trials"]}
    complete = [trial for trial in trials.values() if trial["state"] == "COMPLETE"]
    toll.fault(found["killed"] + found["paused"])
    errors = noted(folder, "error")
    toll.hold(not any(found["codes"]), f"workers ended with {found['codes']}: {errors}")
    toll.hold(len(complete) >= plan.trials, f"{len(complete)} complete of {plan.trials}")
    toll.hold(len(complete) <= plan.trials + plan.workers, f"{len(complete)} complete of {plan.trials}")
    states = Counter(trial["state"] for trial in trials.values())
    toll.hold(not states["RUNNING"], f"{states['RUNNING']} still running")
    toll.hold(states["FAIL"] <= found["killed"], f"{states['FAIL']} failed: somebody alive was taken for dead")
    finished = noted(folder, "finished")
    for number, loss in finished:
        kept = trials[number]["state"] == "COMPLETE" and trials[number]["loss"] == loss
        toll.hold(kept, f"trial {number} was finished and is {trials[number]}")
    evaluations = Counter(tuple(one) for one in noted(folder, "evaluated"))
    twice = sum(evaluations.values()) - len(complete)
    toll.hold(0 <= twice <= found["killed"], f"{twice} evaluations beyond the complete trials")
    lowest = min(trial["loss"] for trial in complete)
    toll.hold(found["best"] == lowest, f"the best is {found['best']} and not {lowest}")
    toll.hold(lowest <= min(loss for _, loss in finished), "the best that was finished is lost")
    toll.tell(complete=len(complete), failed=states["FAIL"], evaluated_twice=twice, pauses=found["paused"])
    toll.settle(at_least=plan.kills + plan.pauses)


def carried_out(plan: Plan) -> dict[str, Any]:
    """What the program in `killed_tuning` tells."""
    command = [sys.executable, "-m", "tests.torture.support.killed_tuning", json.dumps(asdict(plan))]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
