"""Environments of their own for peers that do not get along with ours, in `.cache`, with the versions of NAME.txt here.

    python -m experiments.peers.environments                 featuretools, FLAML and lifetimes
    python -m experiments.peers.environments featuretools    one of them

featuretools' newest release (1.31) does not work with pandas 3; lifetimes has not been released since 2020 and does
not know it either. Where an environment was not made, its peer is left out.
"""

import argparse
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache"


@dataclass(frozen=True)
class PeerEnvironment:
    """A virtual environment with exactly the packages that its file of pins names."""

    name: str

    @property
    def python(self) -> Path:
        """Its interpreter; run it with -I: a script's own folder is no place to import from."""
        return self._folder / "bin" / "python"

    def is_made(self) -> bool:
        """Whether the environment was made, with the versions that are asked for now."""
        return self._record.exists() and self._record.read_text() == self._pins.read_text()

    def make(self) -> None:
        """Make it, unless it is there with these versions."""
        if not self.is_made():
            venv.create(self._folder, clear=True, with_pip=True)
            install: list[str | Path] = [
                self.python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--requirement",
                self._pins,
            ]
            subprocess.run(install, check=True)  # noqa: S603  our own words
            self._record.write_text(self._pins.read_text())
        print(f"{self.name} is in {self._folder}")

    @property
    def _pins(self) -> Path:
        return HERE / f"{self.name}.txt"

    @property
    def _folder(self) -> Path:
        return CACHE / self.name

    @property
    def _record(self) -> Path:
        return self._folder / "made.txt"


FEATURETOOLS, FLAML, LIFETIMES = (PeerEnvironment(name) for name in ("featuretools", "flaml", "lifetimes"))


def main() -> None:
    """Make the environments that are named, or all."""
    environments = {environment.name: environment for environment in (FEATURETOOLS, FLAML, LIFETIMES)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(environments)}; all where none is named")
    names = parser.parse_args().names
    if unknown := sorted(set(names) - set(environments)):
        parser.error(f"expected names among {', '.join(environments)}, got {', '.join(unknown)}")
    for name in names or environments:
        environments[name].make()


if __name__ == "__main__":
    main()
