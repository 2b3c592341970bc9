"""The same training gives the same bundle, in any process, on one thread or two, and cut off in its search (M-2)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.ladder.lightgbm import TreeParameters, TreeTrainer, sample
from tests.support.log_files import run, write
from tests.support.training_shop import config, crowd
from tests.torture.support.sizes import size

ROOT = Path(__file__).parents[2]
RUNS = size(2, 2, 5)
TRIALS = 8
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from models.ladder import lightgbm
from models.bundle import save
from tests.support.log_files import opened
from tests.support.training_shop import config
from training.run import prepare, train_task

folder, workspace, threads, cut, tasks = json.loads(sys.argv[1])
shop = config(Path(folder), threads=threads).model_copy(update={"name": workspace})
real = lightgbm.TreeTrainer.count_trees

def counted(self, *args, **keys):
    global cut
    cut -= 1
    if cut == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *args, **keys)

lightgbm.TreeTrainer.count_trees = counted
context, facts = prepare(shop, opened(shop), as_of=None, trials=%d, progress=lambda _: None)
made = [train_task(context, shop.task(name), facts)[0] for name in tasks]
print(json.dumps([save(bundle, Path(folder) / workspace).name for bundle in made]))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repro")
    write(folder / "log" / "rows.jsonl", crowd(250, 300))
    run(config(folder))
    return folder


def trained(shop: Path, name: str, threads: int = 1, cut: int = 0, *, tasks: tuple[str, ...]) -> list[str]:
    """Digests of the bundles that a process of its own makes, with studies of its own `name`; none if it was killed."""
    asked = json.dumps([str(shop), name, threads, cut, tasks])
    command = [sys.executable, "-c", PROGRAM % TRIALS, asked]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if cut and done.returncode == -9:
        return []
    assert done.returncode == 0, done.stderr
    digests: list[str] = json.loads(done.stdout)
    return digests


@pytest.mark.parametrize("objective", ["binary", "poisson"])
def test_one_thread_and_two_grow_the_same_trees_and_tell_the_same_loss(objective: str) -> None:
    dice = np.random.default_rng(3)
    values = dice.normal(size=(6000, 20))
    outcome = (dice.random(6000) < 1 / (1 + np.exp(-values[:, 0]))).astype(float)
    earlier = sample(values[:3000], outcome[:3000])
    later = sample(values[3000:], outcome[3000:], like=earlier)
    one, two = (TreeTrainer(objective, 1, threads) for threads in (1, 2))
    assert one.count_trees(earlier, later, TreeParameters()) == two.count_trees(earlier, later, TreeParameters())
    assert one.grow(earlier, TreeParameters(), 40).text == two.grow(earlier, TreeParameters(), 40).text


@pytest.mark.slow
def test_the_same_training_gives_the_same_bundle_in_any_process_on_any_threads_and_after_a_kill(shop: Path) -> None:
    tasks = size(("value",), ("churn", "value"), ("churn", "value"))
    made = [trained(shop, f"run{number}", 1 + number % 2, tasks=tasks) for number in range(RUNS)]
    for cut in size((5,), (2, 6), (1, 2, 3, 5, 8)):
        assert trained(shop, f"cut{cut}", cut=cut, tasks=tasks) == []
        made.append(trained(shop, f"cut{cut}", tasks=tasks))
    assert len(set(map(tuple, made))) == 1
