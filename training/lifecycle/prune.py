"""The verb `prune`: what is older than some days and what nobody can need any more goes, by the rule of `unneeded`.

With versions and runs go bundles that no version names and that never served, studies that nobody went on with, and
files that belong to nothing. The ledger keeps every entry, and gets one more for each version that goes. That entry is
written first, and names the run: so a prune that was killed goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from features.config.sections import Config
from features.ingest.cleanup import leftovers, older, remove_leftover
from features.system.duck import SPILL
from features.system.files import TEMPORARY, remove, size
from features.timeline import DAY_US
from models.actor import Actor
from models.ledger import Entry
from models.promotion import Promotion
from models.registry.removal import (
    ListedRun,
    named_digests,
    past_runs,
    remove_run,
    remove_version,
    run_size,
    trained_tasks,
)
from models.registry.version import Version
from models.registry.versions import Registry
from training.lifecycle.retention import (
    family,
    pruned_runs,
    served_digests,
    served_runs,
    unneeded_runs,
    unneeded_versions,
)
from training.tuning.budget import study_address
from training.tuning.cleanup import drop_study, old_studies

BUNDLES, SCORES = "bundles", "scores"  # folders of the workspace
WHY = "it never served and was registered more than {days} days ago"


@dataclass(frozen=True)
class Pruned:
    """What went, or would go: a version, run, bundle, study or file, and the bytes that came free."""

    what: str
    name: str
    size: int


@dataclass(frozen=True)
class _Step:
    pruned: Pruned
    act: Callable[[], None]


@dataclass(frozen=True)
class _Task:
    """What there is of a task: versions and runs newest first; `going` are the versions that may go."""

    name: str
    versions: tuple[Version, ...]
    runs: tuple[ListedRun, ...]
    history: tuple[Entry, ...]
    going: tuple[Version, ...]


def prune(
    config: Config, *, days: int, hand: Actor, dry_run: bool = False, tell: Callable[[Pruned], None] = lambda _: None
) -> tuple[Pruned, ...]:
    """Remove what ended more than `days` before `hand.when_us` and is not needed; `tell` hears of each once it is gone.

    A dry run tells the same and removes nothing.
    """
    before_us = hand.when_us - days * DAY_US
    steps = _steps(config, Promotion.open(config), before_us, hand, WHY.format(days=days))
    for step in steps:
        if not dry_run:
            step.act()
        tell(step.pruned)
    return tuple(step.pruned for step in steps)


def shown(pruned: Pruned) -> str:
    """One line for a person."""
    return f"{pruned.what} {pruned.name}" + (f" ({_bytes(pruned.size)})" if pruned.size else "")


def total(gone: Sequence[Pruned], removed: str) -> str:
    """How much came free, in a sentence."""
    if not gone:
        return "Nothing is old enough that nobody can need any more."
    return f"{removed.capitalize()} {len(gone):,} in all, {_bytes(sum(pruned.size for pruned in gone))}."


def _steps(config: Config, succession: Promotion, before_us: int, hand: Actor, why: str) -> list[_Step]:
    registry = succession.registry
    runs = past_runs(registry)
    tasks = [_task(succession, name, runs, before_us) for name in _names(registry, runs)]
    steps = [step for task in tasks for step in _versions(succession, task, hand, why)]
    steps += [step for task in tasks for step in _runs(registry, task, before_us)]
    at_work = (run.status == "RUNNING" and run.ended_us >= before_us for run in runs)
    if not any(at_work):  # else a training may be about to register the bundle it saved
        steps += _bundles(config.workspace_path / BUNDLES, registry, tasks, before_us)
    steps += _studies(config, before_us)
    return [*steps, *_files(config.workspace_path, before_us)]


def _names(registry: Registry, runs: Sequence[ListedRun]) -> list[str]:
    """Every task that was ever trained, of the TOML or no longer."""
    return sorted({*trained_tasks(registry), *(run.task for run in runs)})


def _task(succession: Promotion, name: str, runs: Sequence[ListedRun], before_us: int) -> _Task:
    versions, history = succession.registry.versions(name), succession.history(name)
    ours = tuple(run for run in runs if run.task == name)
    return _Task(name, versions, ours, history, unneeded_versions(versions, history, before_us))


def _versions(succession: Promotion, task: _Task, hand: Actor, why: str) -> Iterator[_Step]:
    for version in task.going:
        runs = family(version.run_id, task.runs)
        total = sum(run_size(succession.registry, run.id) for run in runs)
        name = f"{task.name} {version.version}{_with(runs)}"
        yield _Step(Pruned("version", name, total), partial(_remove, succession, task.name, version, runs, hand, why))


def _remove(
    succession: Promotion, task: str, version: Version, runs: Sequence[ListedRun], hand: Actor, why: str
) -> None:
    succession.prune(task, version, hand, why=why)
    remove_version(succession.registry, task, version)
    _remove_runs(succession.registry, runs)


def _runs(registry: Registry, task: _Task, before_us: int) -> Iterator[_Step]:
    with_version = {version.run_id for version in task.versions} | served_runs(task.history)
    for training in unneeded_runs(task.runs, before_us, with_version, pruned_runs(task.history)):
        runs = family(training.id, task.runs)
        total = sum(run_size(registry, run.id) for run in runs)
        name = f"{training.name}, {training.status.lower()}{_with(runs[:-1])}"
        yield _Step(Pruned("run", name, total), partial(_remove_runs, registry, runs))


def _remove_runs(registry: Registry, runs: Sequence[ListedRun]) -> None:
    for run in runs:
        remove_run(registry, run.id)


def _with(runs: Sequence[ListedRun]) -> str:
    return f", with {len(runs)} run{'s' if len(runs) > 1 else ''}" if runs else ""


def _bundles(folder: Path, registry: Registry, tasks: Sequence[_Task], before_us: int) -> Iterator[_Step]:
    """Old bundles that never served and that no version names which stays."""
    going = {(version.name, version.version) for task in tasks for version in task.going}
    kept = named_digests(registry, without=going).union(*(served_digests(task.history) for task in tasks))
    pruned = {version.digest for task in tasks for version in task.going}
    for bundle in sorted(folder.glob("[!.]*")):
        if bundle.name not in kept and (bundle.name in pruned or older(bundle, before_us)):
            yield _step("bundle", bundle)


def _studies(config: Config, before_us: int) -> Iterator[_Step]:
    address = study_address(config)
    for name in old_studies(address, config.name, before_us):
        yield _Step(Pruned("study", name, 0), partial(drop_study, address, name))


def _files(workspace: Path, before_us: int) -> Iterator[_Step]:
    """What a killed or refused verb left: nothing that a kept file refers to."""
    for path in leftovers(workspace, before_us):
        what = "unfinished" if path.name.startswith(TEMPORARY) or path.name == SPILL else "quarantine"
        yield _Step(Pruned(what, path.name, size(path)), partial(remove_leftover, workspace, path, before_us))
    unfinished = [*workspace.glob(f"{TEMPORARY}*"), *workspace.glob(f"{BUNDLES}/{TEMPORARY}*")]
    unfinished += workspace.glob(f"{SCORES}/*.lock")
    unfinished += (path.parent for path in workspace.glob(f"{SCORES}/*/part-00000.arrow"))
    for path in sorted(unfinished):
        if older(path, before_us):
            yield _step("unfinished", path)


def _step(what: str, path: Path) -> _Step:
    return _Step(Pruned(what, path.name, size(path)), partial(remove, path))


def _bytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 100_000 else f"{number / 1e3:,.1f} kB"
