"""What each side was trained on and how, by the parameters of its run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.ladder.lightgbm import lightgbm_name
from training.compare.sides import Side

FIRST = ("as_of", "rung", "grade", "rows.", "split.test", "features", "code_version", "seed")
DATA = "data"  # the parameter that holds the digest whole; MLflow's own data sets cut it
CHOSEN = re.compile(r"(?<=^chosen\.)[a-z0-9_]+?(?=(_\d+d)?$)")  # the name of a choice, without its horizon
LONGEST = 160  # characters of a value


@dataclass(frozen=True)
class Fact:
    """One thing that is known of each side by the name it has in MLflow; `main` ones come first."""

    name: str
    values: tuple[str | None, ...]
    main: bool

    @property
    def differs(self) -> bool:
        """Whether the sides are not alike in it."""
        return len(set(self.values)) > 1


def facts(sides: Sequence[Side]) -> tuple[Fact, ...]:
    """The bundle and the data by their digests, then every parameter, those that tell most first."""
    runs = [side.run for side in sides]
    params = [_by_todays_names(run.params) if run else None for run in runs]
    names = list(dict.fromkeys(name for of_run in params if of_run for name in of_run if name != DATA))
    names.sort(key=_rank)
    return (
        Fact("bundle digest", tuple(side.version.digest for side in sides), main=True),
        Fact("data digest", tuple((run.params.get(DATA) or run.data) if run else None for run in runs), main=True),
        *(_fact(name, params) for name in names),
    )


def _by_todays_names(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a run; those of the chosen trees by LightGBM's names, which older runs do not use."""
    return {CHOSEN.sub(lambda chosen: lightgbm_name(chosen[0]), name): value for name, value in params.items()}


def _fact(name: str, params: Sequence[Mapping[str, str] | None]) -> Fact:
    values = tuple(None if of_run is None else _cut(of_run.get(name)) for of_run in params)
    return Fact(name, values, main=_rank(name) < len(FIRST))


def _rank(name: str) -> int:
    """Its place among the first ones, by the beginning of its name; theirs comes from their order."""
    return next((place for place, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= LONGEST else value[: LONGEST - 1] + "…"
