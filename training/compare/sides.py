"""Who is compared: the champion, and what stands beside it.

Beside the champion stands the challenger; where there is none, the version that served until the champion was
promoted or brought back; where there is none either, the newest one that the gate refused, or that there is. The only
version of a task stands beside its baselines alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from features.errors import JourneycastError
from features.timeline import moment
from models.ledger import MOVES, PROMOTED, REFUSED, REGISTERED, Entry, serving
from models.promotion import Promotion
from models.registry.past_runs import PastRun, read_files, read_run
from models.registry.version import Version


@dataclass(frozen=True, eq=False)
class Side:
    """A version with what its run kept; `run` is None when that run is gone.

    `summary` is what the ledger says of it.
    """

    role: str
    version: Version
    summary: str
    run: PastRun | None
    pictures: Mapping[str, bytes]
    card: str | None

    @property
    def name(self) -> str:
        """How the version is called in a sentence."""
        return f"v{self.version.version}"


def sides(succession: Promotion, task_name: str, history: Sequence[Entry]) -> tuple[Side, ...]:
    """The champion first, then what stands beside it; JourneycastError before the first training."""
    candidates = list(_roles(succession, task_name, history))
    if not candidates:
        shop = succession.registry.shop
        raise JourneycastError(
            f"expected a version of {shop}.{task_name} to compare, found none; train first: "
            f"journeycast train {task_name}"
        )
    return tuple(_side(succession, role, version, history) for role, version in candidates[:2])


def _roles(succession: Promotion, task_name: str, history: Sequence[Entry]) -> Iterator[tuple[str, Version]]:
    """All that could stand there, the most wanted first, each version once."""
    versions = {version.version: version for version in succession.registry.versions(task_name)}
    moved = serving(history)
    before = [moved.before] if moved and moved.before is not None else []
    refused = [entry.version for entry in reversed(history) if entry.what == REFUSED]
    champion, challenger = succession.registry.champion(task_name), succession.registry.challenger(task_name)
    wanted = [
        *([("champion", champion.version)] if champion else []),
        *([("challenger", challenger.version)] if challenger else []),
        *(("served before", number) for number in before),
        *(("refused", number) for number in refused),
        *(("registered", number) for number in list(versions)),
    ]
    for role, number in wanted:
        if number in versions:
            yield role, versions.pop(number)


def _side(succession: Promotion, role: str, version: Version, history: Sequence[Entry]) -> Side:
    registry = succession.registry
    run = read_run(registry, version.run_id)
    files = read_files(registry, version.run_id, "plots") if run else {}
    card = read_files(registry, version.run_id, "model_card.md") if run else {}
    return Side(
        role=role,
        version=version,
        summary=_summary(role, version, history),
        run=run,
        pictures={name: data for name, data in files.items() if name.endswith(".png")},
        card=next((data.decode(errors="replace") for data in card.values()), None),
    )


def _summary(role: str, version: Version, history: Sequence[Entry]) -> str:
    """What happened to a version, in a sentence."""
    number = version.version
    own = [entry for entry in history if (entry.version, entry.digest) == (number, version.digest)]
    last = next((entry for entry in reversed(own) if entry.what in MOVES), None)
    if role == "champion":
        if last is None:
            return f"v{number} serves; the ledger does not say since when"
        how = "promoted" if last.what == PROMOTED else "brought back"
        return f"v{number} serves since {at(last.when_us)}, {how} by {last.who}: {last.why}"
    if last is not None and role == "served before":
        until = next((entry for entry in history if entry.what in MOVES and entry.number > last.number), None)
        return f"v{number} served from {at(last.when_us)}" + (f" to {at(until.when_us)}" if until else "")
    judged = next((entry for entry in reversed(own) if entry.what in (REFUSED, REGISTERED)), None)
    if judged is not None and judged.what == REFUSED:
        return f"v{number} was refused: {judged.why}"
    if judged is None:
        return f"v{number} is registered; the ledger does not say what became of it"
    return f"v{number} waits since {at(judged.when_us)}: nobody has promoted it"


def at(when_us: int) -> str:
    """An instant for a person: `2026-11-28 11:02 UTC`."""
    return f"{moment(when_us):%Y-%m-%d %H:%M} UTC"
