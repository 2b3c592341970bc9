"""FLAML, in an environment of its own.

It gets the panel of the hand-written aggregates: searched on the earlier cutoffs, judged on the newest, refitted on
all. Where the environment was not made, the peer is left out. `flaml_fit.py` is what runs there.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.peers.environments import FLAML

HERE = Path(__file__).parent
SECONDS = 120.0
Floats = NDArray[np.float64]
Part = tuple[Floats, Floats]  # values (n, n_features), labels


def searched(earlier: Part, newest: Part, every: Part, values: Floats, *, seconds: float = SECONDS) -> Floats:
    """The probabilities of the rows of `values` by what FLAML found within so many seconds of search."""
    with TemporaryDirectory() as folder:
        parts = {"earlier": earlier, "newest": newest, "every": every}
        arrays: dict[str, Any] = {
            f"{name}_{axis}": array for name, part in parts.items() for axis, array in zip("xy", part, strict=True)
        }
        np.savez(f"{folder}/task.npz", asked=values, **arrays)
        files = [f"{folder}/task.npz", f"{folder}/chance.npy"]
        command: list[str | Path] = [FLAML.python, "-I", HERE / "flaml_fit.py", *files, str(seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own words
        print(f"  FLAML: {done.stdout.splitlines()[-1]}", file=sys.stderr, flush=True)
        return np.asarray(np.load(f"{folder}/chance.npy"), np.float64)
