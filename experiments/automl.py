"""FLAML, in an environment of its own.

    python experiments/automl.py       makes that environment in .cache, with the versions of flaml.txt

It gets the panel of the hand-written aggregates: searched on the earlier cutoffs, judged on the newest, refitted on
all. Where the environment was not made, the peer is left out. `automl_fit.py` is what runs there.
"""

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
PINS = HERE / "flaml.txt"
ENVIRONMENT = HERE.parent / ".cache" / "flaml"
PYTHON = ENVIRONMENT / "bin" / "python"
MADE = ENVIRONMENT / "made.txt"
SECONDS = 120.0
Floats = NDArray[np.float64]
Part = tuple[Floats, Floats]  # values (n, n_features), labels


def main() -> int:
    """Make the environment, unless it is there with these versions."""
    if not is_here():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install = [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", PINS]
        subprocess.run(install, check=True)  # noqa: S603  our own words
        MADE.write_text(PINS.read_text())
    print(f"FLAML is in {ENVIRONMENT}")
    return 0


def is_here() -> bool:
    """Whether the environment was made, with the versions that are asked for now."""
    return MADE.exists() and MADE.read_text() == PINS.read_text()


def searched(earlier: Part, newest: Part, every: Part, asked: Floats, *, seconds: float = SECONDS) -> Floats:
    """The probabilities of the asked rows by what FLAML found within so many seconds of search."""
    with TemporaryDirectory() as folder:
        parts = {"earlier": earlier, "newest": newest, "every": every}
        arrays = {f"{name}_{what}": one for name, part in parts.items() for what, one in zip("xy", part, strict=True)}
        np.savez(f"{folder}/task.npz", asked=asked, **arrays)
        command = [PYTHON, "-I", HERE / "automl_fit.py", f"{folder}/task.npz", f"{folder}/said.npy", str(seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own words
        print(f"  FLAML: {done.stdout.splitlines()[-1]}", file=sys.stderr, flush=True)
        return np.asarray(np.load(f"{folder}/said.npy"), np.float64)


if __name__ == "__main__":
    sys.exit(main())
