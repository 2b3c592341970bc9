"""A training, a promotion or a rollback that is killed anywhere and done again ends as if it had been left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.support.sizes import Toll, size

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("verb", "kills"),
    [
        ("first", size(1, 6, 50)),
        ("train", size(1, 6, 50)),
        ("promote", size(2, 10, 50)),
        ("rollback", size(2, 10, 50)),
    ],
)
def test_what_is_killed_anywhere_and_done_again_ends_well(tmp_path: Path, verb: str, kills: int, toll: Toll) -> None:
    command = [sys.executable, "-m", "tests.torture.support.killed_training", str(tmp_path), verb, str(kills), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    toll.fault(told["killed"])
    toll.tell(hundredths=round(100 * told["seconds"]))
    for one in told["wrong"]:
        toll.hold(promise=False, otherwise=one)
    toll.settle(at_least=max(1, kills // 2))
