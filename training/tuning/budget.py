"""How much a search may try, and where what it tried is kept."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from features.config.sections import Config
from features.errors import ConfigError
from models.databases.urls import address, without_password
from models.ladder.lightgbm import TreeParameters
from models.registry.client import ADDRESS as TRACKING

ADDRESS = "JOURNEYCAST_STUDY_URI"  # of another database than the workspace's own
OnTrial = Callable[[int, float | None], None]  # (number of a trial finished here, its loss or None)


@dataclass(frozen=True)
class StudyLocation:
    """A study by its name, in the database of that address.

    A process beats every so many seconds for the trial it is at; one that has not beaten for `grace_seconds` is taken
    for dead, which five missed beats do not make it.
    """

    address: str
    name: str
    beat_seconds: int = 15
    grace_seconds: int = 90

    @property
    def shared(self) -> bool:
        """Whether several processes may search at once: SQLite is for one at a time."""
        return not self.address.startswith("sqlite")


@dataclass(frozen=True)
class Budget:
    """How much may be tried: so many trials, or as many as begin within the minutes. Minutes make a training that
    nobody can repeat, which its bundle says. `champion` are the parameters that serve now, tried after the start.

    What other processes and earlier runs finished in the same `study` counts; without one all stays in memory.
    `on_trial` hears of every trial that finished here.
    """

    trials: int
    minutes: float | None = None
    champion: TreeParameters | None = None
    study: StudyLocation | None = None
    on_trial: OnTrial = lambda _number, _loss: None


def study_address(config: Config) -> str:
    """Where studies are kept, absolute: the address in the environment, else a SQLite file in the workspace."""
    url = address(config, ADDRESS, "studies.db")
    if not re.match(r"sqlite:////.|postgresql\+psycopg://", url):
        scheme = url.partition(":")[0]
        raise ConfigError(f"expected {ADDRESS} to begin with sqlite:/// or postgresql://, got '{scheme}:'; change it")
    if url == address(config, TRACKING, "mlflow.db"):
        raise ConfigError(
            f"expected two databases for MLflow and for studies, found {without_password(url)} in {TRACKING} and "
            f"{ADDRESS}: both keep a table of one name there; give each its own"
        )
    return url
