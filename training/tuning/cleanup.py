"""Studies that nobody went on with: found by their last trial, and dropped."""

from datetime import datetime
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from training.tuning.budget import StudyLocation
from training.tuning.storage import SQLITE, storage_of


def old_studies(address: str, shop: str, before_us: int) -> tuple[str, ...]:
    """Names of the shop's studies whose last trial ended, or began, before an instant (µs UTC)."""
    if address.startswith(SQLITE) and not Path(address.removeprefix(SQLITE)).exists():
        return ()
    storage = storage_of(StudyLocation(address, ""))
    try:
        names = [study.study_name for study in storage.get_all_studies() if study.study_name.startswith(f"{shop}.")]
        trials = {name: storage.get_all_trials(storage.get_study_id_from_name(name), deepcopy=False) for name in names}
    finally:
        storage.remove_session()
        storage.engine.dispose()
    last = {name: _last_us(tried) for name, tried in trials.items()}
    return tuple(sorted(name for name, at_us in last.items() if at_us is not None and at_us < before_us))


def drop_study(address: str, name: str) -> None:
    """Remove a study with its trials, if it is still there."""
    storage = storage_of(StudyLocation(address, name))
    try:
        optuna.delete_study(study_name=name, storage=storage)
    except KeyError:
        pass
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _last_us(trials: list[FrozenTrial]) -> int | None:
    """When the last of them ended or began, µs UTC; Optuna writes the local time of the machine."""
    times = [at for trial in trials for at in (trial.datetime_start, trial.datetime_complete) if at is not None]
    return max(map(_us, times), default=None)


def _us(local: datetime) -> int:
    return int(local.timestamp() * 1_000_000)
