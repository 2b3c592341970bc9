"""lifetimes, in an environment of its own: it has not been released since 2020 and does not know pandas 3.

    python -m benchmarks.million.environment       makes that environment in .cache, with the versions of lifetimes.txt

Where it was not made, the peer is left out. `lifetimes_fit.py` is what runs there.
"""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PINS = HERE / "lifetimes.txt"
ENVIRONMENT = HERE.parents[1] / ".cache" / "lifetimes"
PYTHON = ENVIRONMENT / "bin" / "python"
MADE = ENVIRONMENT / "made.txt"


def main() -> int:
    """Make the environment, unless it is there with these versions."""
    if not is_here():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", PINS], check=True)
        MADE.write_text(PINS.read_text())
    print(f"lifetimes is in {ENVIRONMENT}")
    return 0


def is_here() -> bool:
    """Whether the environment was made, with the versions that are asked for now."""
    return MADE.exists() and MADE.read_text() == PINS.read_text()


if __name__ == "__main__":
    sys.exit(main())
