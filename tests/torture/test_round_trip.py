"""M-3: a bundle that is saved and loaded by a fresh process predicts the same to the bit, whatever rung is in it.

The faults are flipped bytes, one in every file of every bundle: each must be refused.
"""

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.arrays import Floats
from features.errors import BundleError
from models.bundle import Bundle, load, save
from models.ladder.logistic import Logistic, Standardizer
from models.ladder.rules import Scaled
from models.ladder.rung import Rung
from models.predictor.adjusted import Adjusted
from models.predictor.calibrators import VennAbers
from tests.models.btyd.test_expectations import NAMES, PROBABLE, RUNGS, customers
from tests.support.golden_bundles import AS_OF, COLUMNS, LEVEL, LINEAR, RULE, SCALE, answer, bundle
from tests.torture.support.sizes import Toll, size

ROWS = size(seconds=2_000, ci=20_000, full=100_000)
ROOT = Path(__file__).parents[2]
WIDER = Standardizer(np.array([*SCALE.mean, 3.0, 0.4, 1.0, 0.4]), np.array([*SCALE.scale, 1.0, 0.2, 0.5, 0.2]))
STARTED = Logistic(COLUMNS, WIDER, (0,), np.linspace(-0.5, 0.75, 8), -0.5, PROBABLE)
OTHERS: tuple[Rung, ...] = (LINEAR, STARTED, RULE, Scaled(NAMES[4], 0.5))
CALIBRATOR = VennAbers((0.1, 0.4, 0.6, 0.8), (0.05, 0.3, 0.5, 0.7), (0.1, 0.4, 0.6, 0.9))
FRESH = """
    import sys
    from pathlib import Path
    import numpy as np
    from models.bundle import load
    from tests.torture.test_round_trip import said
    rows = np.load(sys.argv[1], allow_pickle=False)
    np.save(sys.argv[2], np.stack([said(load(Path(one), Path(one).name), rows) for one in sys.argv[3:]]))
"""


def every() -> list[Bundle]:
    """One bundle for every rung, some of them adjusted."""
    task = {"name": "churn", "kind": "churn", "event": "purchase", "horizon_days": 90}
    answers = [answer("churn", "silence", rung, RULE) for rung in (*RUNGS, *OTHERS)]
    answers += [replace(answers[0], adjusted=Adjusted(CALIBRATOR, LEVEL))]
    return [bundle(task, one) for one in answers]


def said(held: Bundle, rows: Floats) -> Floats:
    """All that the bundle says of the rows, (5, n)."""
    (one,) = held.predictors
    spoken = one.predict(rows, held.features.position, AS_OF)
    return np.stack([getattr(spoken, name) for name in ("score", "low", "high", "percentile", "baseline")])


def test_a_fresh_process_predicts_the_same_to_the_bit(tmp_path: Path, toll: Toll) -> None:
    bundles, rows = every(), customers(ROWS, seed=11)
    folders = [save(one, tmp_path / "bundles") for one in bundles]
    np.save(tmp_path / "rows.npy", rows)
    arguments = [tmp_path / "rows.npy", tmp_path / "said.npy", *folders]
    command = [sys.executable, "-c", textwrap.dedent(FRESH), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here, there = np.stack([said(one, rows) for one in bundles]), np.load(tmp_path / "said.npy", allow_pickle=False)
    for one, mine, theirs in zip(bundles, here, there, strict=True):
        toll.hold(mine.tobytes() == theirs.tobytes(), f"{one.predictors[0].rung.name}: {np.nanmax(abs(mine - theirs))}")
    for folder in folders:
        for file in sorted(folder.iterdir()):
            flip(file, toll)
    toll.tell(bundles=len(bundles), rows=ROWS)
    toll.settle(at_least=3 * len(bundles))


def flip(file: Path, toll: Toll) -> None:
    data = file.read_bytes()
    place = len(data) // 3
    file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    toll.fault()
    with pytest.raises(BundleError, match="was changed"):
        load(file.parent, file.parent.name)
    file.write_bytes(data)
