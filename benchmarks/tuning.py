"""What more workers on one study save: the same budget by one, two and four processes on PostgreSQL, in turns.

    python -m benchmarks.tuning          boosted trees on 40,000 made rows, 24 trials, three turns
    python -m benchmarks.tuning --quick  seconds: fails where workers finish too few or too many trials

JOURNEYCAST_POSTGRES gives the server's address; without it one worker on SQLite is all that is measured. Each worker
grows on one thread. The clock starts when all workers have the libraries and the rows, and stops when the last ends.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from statistics import median

import numpy as np

from features.system import environment
from models.ladder.lightgbm import Sample, Stop, TreeParameters, TreeTrainer, sample
from training.tuning.budget import Budget, StudyLocation
from training.tuning.cleanup import drop_study
from training.tuning.sampler import SeededTPE
from training.tuning.search import search
from training.tuning.storage import open_study

START = TreeParameters(min_data_in_leaf=100)
COLUMNS = 30
ANSWERED = ("COMPLETE", "PRUNED")


@dataclass(frozen=True)
class Measured:
    """Seconds of wall clock and how many trials were finished."""

    workers: int
    seconds: float
    finished: int
    best: float


def main() -> int:
    """The exit code: 1 when a search ended with too few trials, or with more than one too many for each worker."""
    options = _options()
    environment.apply()
    rows, trials, turns = (2_000, 6, 1) if options.quick else (options.rows, options.trials, options.turns)
    server = os.environ.get("JOURNEYCAST_POSTGRES", "")
    counts = ((1, 2) if options.quick else (1, 2, 4)) if server else (1,)
    if not server:
        print("JOURNEYCAST_POSTGRES gives no server, so one worker on SQLite is measured alone")
    with tempfile.TemporaryDirectory() as folder:
        address = server or f"sqlite:///{folder}/studies.db"
        measured = [_measured(address, workers, rows, trials) for _ in range(turns) for workers in counts]
    print(f"\n{rows:,} rows × {COLUMNS} columns, {trials} trials, {os.cpu_count()} processors\n")
    print("| workers | wall s, median (all) | × faster | trials finished | best loss |\n|---|---|---|---|---|")
    for workers in counts:
        print(_line([one for one in measured if one.workers == workers], measured))
    wrong = [one for one in measured if not trials <= one.finished <= trials + one.workers]
    return 1 if wrong else 0


def _line(own: list[Measured], everything: list[Measured]) -> str:
    seconds = [one.seconds for one in own]
    alone = median(one.seconds for one in everything if one.workers == 1)
    told = " ".join(f"{one:.2f}" for one in seconds)
    finished = " ".join(str(one.finished) for one in own)
    best = " ".join(f"{one.best:.5f}" for one in own)
    middle = median(seconds)
    return f"| {own[0].workers} | {middle:.2f} ({told}) | {alone / middle:.2f} | {finished} | {best} |"


def _measured(address: str, workers: int, rows: int, trials: int) -> Measured:
    """So many processes on one new study, which is dropped."""
    place = StudyLocation(address, f"benchmark-{os.getpid()}-{time.time_ns()}")
    context = get_context("spawn")
    ready = context.Barrier(workers + 1)
    processes = [context.Process(target=_work, args=(place, rows, trials, ready)) for _ in range(workers)]
    try:
        for process in processes:
            process.start()
        ready.wait()
        began = time.perf_counter()
        for process in processes:
            process.join()
        seconds = time.perf_counter() - began
        with open_study(place, SeededTPE([], 1, shared=place.shared)) as study:
            finished = [trial for trial in study.trials if trial.state.name in ANSWERED]
            best = study.best_value
    finally:
        drop_study(place.address, place.name)
    return Measured(workers, seconds, len(finished), best)


def _work(place: StudyLocation, rows: int, trials: int, ready: Barrier) -> None:
    """One worker."""
    environment.apply()
    earlier, later = _samples(rows)
    ready.wait()

    def tried(growth: TreeParameters, stop: Stop) -> tuple[int, float]:
        return TreeTrainer("binary", 1, 1).count_trees(earlier, later, growth, stop)

    search(tried, START, budget=Budget(trials, study=place), seed=1)


@cache
def _samples(rows: int) -> tuple[Sample, Sample]:
    """Rows of noise in which some columns decide a little."""
    dice = np.random.default_rng(7)
    values = dice.normal(size=(2 * rows, COLUMNS))
    leaning = values[:, 0] + 0.5 * values[:, 1] * values[:, 2] + np.sin(2 * values[:, 3])
    outcome = (dice.random(2 * rows) < 1 / (1 + np.exp(-leaning))).astype(float)
    earlier = sample(values[:rows], outcome[:rows])
    return earlier, sample(values[rows:], outcome[rows:], like=earlier)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds, for CI")
    parser.add_argument("--rows", type=int, default=40_000, help="rows to learn from, and as many to measure on")
    parser.add_argument("--trials", type=int, default=24, help="the budget of each search")
    parser.add_argument("--turns", type=int, default=3, help="how often each number of workers is measured")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
