"""The rule of `prune`: which versions and runs of a task nobody can need any more.

Stay: every version that ever served, for scores are replayed from its bundle; whatever an alias names; the newest
training; what the ledger does not know. Go, once they are old: versions that never served, with their runs, and
trainings that failed or were killed.
"""

from collections.abc import Sequence

from models.ledger import MOVES, PRUNED, Entry
from models.registry.removal import ListedRun
from models.registry.version import Version

ENDED_BADLY = {"FAILED", "KILLED", "RUNNING"}  # since before that instant: nobody is there to end it


def unneeded_versions(versions: Sequence[Version], history: Sequence[Entry], before_us: int) -> tuple[Version, ...]:
    """Those registered before an instant that may go; `versions` are all of a task, newest first."""
    served, digests = served_versions(history), served_digests(history)
    may_go = {entry.version for entry in history} - served
    return tuple(
        version
        for version in versions[1:]
        if version.created_us < before_us
        and version.version in may_go
        and not version.aliases
        and version.digest not in digests
    )


def served_versions(history: Sequence[Entry]) -> set[int]:
    """Numbers of the versions that ever served."""
    before = {entry.before for entry in history if entry.before is not None}
    return before | {entry.version for entry in history if entry.what in MOVES}


def served_digests(history: Sequence[Entry]) -> set[str]:
    """The bundles that ever served."""
    served = served_versions(history)
    return {entry.digest for entry in history if entry.version in served}


def served_runs(history: Sequence[Entry]) -> set[str]:
    """The ids of runs that made the versions which ever served, as far as the ledger names them."""
    served = served_versions(history)
    return {str(entry.evidence.get("run_id")) for entry in history if entry.version in served}


def unneeded_runs(
    runs: Sequence[ListedRun], before_us: int, with_version: set[str], pruned: set[str]
) -> tuple[ListedRun, ...]:
    """Trainings that failed or were killed before an instant, and what a killed prune left; `runs` are newest first.

    `with_version` are the ids of runs that have a version or made one that served, `pruned` of those whose version is
    gone.
    """
    trainings = [run for run in runs if run.parent is None and run.id not in with_version]
    newest = next((run.id for run in runs if run.parent is None), "")
    return tuple(
        run
        for run in trainings
        if run.id != newest and run.ended_us < before_us and (run.status in ENDED_BADLY or run.id in pruned)
    )


def pruned_runs(history: Sequence[Entry]) -> set[str]:
    """The ids of runs of versions that went."""
    return {str(entry.evidence["run_id"]) for entry in history if entry.what == PRUNED}


def family(run_id: str, runs: Sequence[ListedRun]) -> tuple[ListedRun, ...]:
    """The runs that ran in a run, and last the run itself; nothing when it is gone already."""
    inside = [descendant for run in runs if run.parent == run_id for descendant in family(run.id, runs)]
    return (*inside, *(run for run in runs if run.id == run_id))
