"""Studies in a database, which outlive the processes that search: who died at a trial is noticed, and none is lost.

A process on the same machine is known to be dead by its number, one elsewhere when its heart has not beaten for long.

Optuna has no public way to give a trial its first heartbeat and its owner in the transaction that makes it. So this
file, and no other, uses what Optuna keeps private: `optuna.storages._rdb.models` and two methods of `RDBStorage`
(`_get_prepared_new_trial`, `_set_trial_attr_without_commit`).
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from features.errors import JourneycastError
from features.system.processes import file_lock, identity, is_gone
from models.databases.sql import is_race
from models.databases.urls import without_password
from training.tuning.budget import StudyLocation
from training.tuning.sampler import SeededTPE

PROCESS = "process"  # the attribute of a trial that names who is at it
RETRIES = 3  # of a trial whose process died
OPENINGS = 8  # tries to open a database that others are making at the same time
SQLITE = "sqlite:///"


class Storage(RDBStorage):
    """Optuna's own, whose heart beats from a trial's first moment and does not stop at one failed query."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Beat; what fails is made good by the next beat, long before anybody is taken for dead."""
        try:
            super().record_heartbeat(trial_id)
        except StorageInternalError:
            self.remove_session()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's; a trial that waited for somebody has a name and a beat before it runs."""
        if state == TrialState.RUNNING:
            super().record_heartbeat(trial_id)
            self.set_trial_user_attr(trial_id, PROCESS, identity())
        return super().set_trial_state_values(trial_id, state, values)

    def _get_prepared_new_trial(self, study_id: int, template_trial: FrozenTrial | None, session: Any) -> Any:
        """In one transaction with the trial itself: without a beat a trial would never be taken for dead."""
        trial = super()._get_prepared_new_trial(study_id, template_trial, session)
        if template_trial is None:
            session.add(models.TrialHeartbeatModel(trial_id=trial.trial_id))
            name, trial_id = models.TrialUserAttributeModel, int(trial.trial_id)
            self._set_trial_attr_without_commit(session, name, trial_id, PROCESS, identity())
        return trial


@contextmanager
def open_study(location: StudyLocation | None, sampler: SeededTPE) -> Iterator[optuna.Study]:
    """The study at this location, made when there is none yet; one in memory without a location."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if location is None:
        yield optuna.create_study(sampler=sampler, direction="minimize")
        return
    storage = storage_of(location)
    try:
        study = optuna.create_study(
            storage=storage, study_name=location.name, sampler=sampler, direction="minimize", load_if_exists=True
        )
        if "sampler" not in study.user_attrs:
            study.set_user_attr("sampler", sampler.describe())
        yield study
    except StorageInternalError as error:
        what = f"the study {location.name} could not be read or written at {without_password(location.address)}"
        raise JourneycastError(f"{what}: {_first_line(error)}; run it again, finished trials are kept") from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def give_up_lost(study: optuna.Study, *, retry: bool) -> None:
    """Fail the trials of processes that are known to be gone, and of this one, which begins another.

    `retry` queues them up again; without it their turn is taken anew, by the same suggestion. Those whose heart stopped
    are always queued up.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.user_attrs.get(PROCESS)
        if process is None or not (process == identity() or is_gone(process)):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # another process was faster
            continue
        if retry:
            _again()(study, trial)


def is_taken_away(error: BaseException, study: optuna.Study, measured: int | None) -> bool:
    """Whether a trial was ended by others, who took this process for dead.

    `measured` is the trial whose objective had come to its end: where the study calls it finished although Optuna could
    not write its end, somebody else did.
    """
    if any(isinstance(cause, UpdateFinishedTrialError) for cause in _chain(error)):
        return True
    if measured is None or is_hiccup(error):
        return False
    return any(trial.number == measured and trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def is_hiccup(error: BaseException) -> bool:
    """Whether the database failed at one query, whatever error of Optuna's came of it."""
    return any(isinstance(cause, StorageInternalError) for cause in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those from which it came or in whose handling it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def storage_of(location: StudyLocation) -> Storage:
    """A connected storage with all its tables, whoever else is making them."""
    file = Path(location.address.removeprefix(SQLITE)) if location.address.startswith(SQLITE) else None
    with file_lock(file.with_name(f"{file.name}.lock")) if file else nullcontext():
        for left in reversed(range(OPENINGS)):
            try:
                return _connected(location)
            except Exception as error:  # SQLAlchemy's errors come through bare; a version row not yet there is asserted
                if not left or not (is_race(error) or isinstance(error, AssertionError)):
                    what = f"the studies at {without_password(location.address)} could not be opened"
                    raise JourneycastError(f"{what}: {_first_line(error)}") from error
                time.sleep(0.2)
    raise AssertionError


def _connected(location: StudyLocation) -> Storage:
    patient = {"connect_args": {"timeout": 60}}
    server = {"pool_pre_ping": True, "connect_args": {"connect_timeout": 30}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return Storage(
            location.address.replace("{", "{{").replace("}", "}}"),
            engine_kwargs=server if location.shared else patient,
            heartbeat_interval=location.beat_seconds,
            grace_period=location.grace_seconds,
            heartbeat_stale_trial_callback=_again(),
        )


def _again() -> RetryHeartbeatStaleTrialCallback:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)


def _first_line(error: BaseException) -> str:
    """The first line of what a library says at the bottom of its own errors."""
    cause = error.__cause__ or error
    return without_password(str(cause).partition("\n")[0])
