"""All of training on one screen: survey → features → per task and horizon choose, test, refit → bundle → run → gate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.errors import ConfigError
from features.language.feature_set import FeatureSet
from features.panel.comparisons import count_keys
from features.sets.chosen_feature import ChosenFeature
from features.sets.defaults import chosen
from features.sets.overrides import with_added
from features.sets.survey import LogSummary, survey
from features.sets.user_module import load_user_features
from features.store.reader import Store
from features.timeline import SECOND_US, instant
from models.actor import Actor
from models.bundle import Bundle, save
from models.promotion import Promotion
from models.registry.version import Version
from training.context import TrainingContext
from training.dataset.examples import Parts, history_start
from training.dataset.split import split
from training.fit.actions import learn
from training.fit.baselines import needed
from training.gate.gate import Verdict, verdict
from training.horizon import Trained, chosen_recipes, train_horizon
from training.request import code_version, data_digest, request_digest
from training.resume import find_finished_training
from training.tracking.evidence import evidence
from training.tracking.timings import Phases
from training.tracking.track import track, tracked
from training.tuning.budget import Budget
from training.tuning.warm_start import champions_parameters

HELD_ROWS = 5_000_000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of training a task: the registered bundle, whether it serves now and why, and how long it took.

    `finished_before` says that nothing was trained: the same request had been, to its end.
    """

    task: TaskConfig
    bundle: Bundle
    folder: Path
    version: int
    verdict: Verdict
    promoted: bool
    seconds: float
    finished_before: bool = False


@dataclass(frozen=True)
class TrainingRequest:
    """Whether what passes the gate serves, who asks for it, µs UTC by the clock, and the configuration's text."""

    promote: bool
    who: str
    clock: Callable[[], int]
    toml: str


def train(  # noqa: PLR0913  as many arguments as the verb has options
    config: Config,
    store: Store,
    tasks: Sequence[str] | None = None,
    *,
    as_of: str | int | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    promote: bool = True,
    who: str = "somebody",
    clock: Callable[[], int],
    toml: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Fit, tune, test, track and register a bundle for each task (all when none is named), and promote what may serve.

    `as_of` is an instant (µs UTC, or ISO text) after which nothing is seen; `clock` gives µs UTC and times the phases;
    `who` and `toml` (the configuration's text) are for the record. Equal store, configuration, seed and champion give
    equal bundles, but where `minutes` (for the trees of each model) bound the search instead of `trials`. What was
    finished before is not done again; what was killed goes on at the trial it was in.
    """
    asked = [config.task(name) for name in tasks] if tasks else list(config.tasks.values())
    if not asked:
        raise ConfigError("expected at least one table [tasks.NAME] in the configuration, found none; add a task")
    context, facts = prepare(config, store, as_of=as_of, trials=trials, minutes=minutes, progress=progress)
    succession = Promotion.open(config, [task.name for task in asked])
    context = replace(context, champions=grown_before(succession, context.as_of, asked), diagnose=True)
    order = TrainingRequest(promote, who, clock, toml)
    return [_trained(succession, context, task, facts, order) for task in asked]


def _trained(
    succession: Promotion, context: TrainingContext, task: TaskConfig, facts: dict[str, Any], order: TrainingRequest
) -> Outcome:
    """A task's training, begun or found finished; what it found is in registry and ledger when its run ends."""
    started, request = order.clock(), request_digest(context, task)
    if known := find_finished_training(succession, task.name, request):
        promoted = _decided(succession, task.name, known.run_id, known.version, known.verdict, order)
        seconds = (order.clock() - started) / SECOND_US
        return Outcome(task, known.bundle, known.folder, known.version.version, known.verdict, promoted, seconds, True)
    phases = Phases(order.clock, context.tell)
    tags = {"request": request, "who": order.who}
    with tracked(succession.registry, task, context.as_of, toml=order.toml, tags=tags) as run:
        bundle, trained = train_task(replace(context, tell=phases.tell), task, facts)
        folder = save(bundle, succession.bundles)
        bundle = replace(bundle, digest=folder.name)
        phases.tell(f"{task.name}: gate")
        found = verdict(succession.registry, context, bundle, trained, history=succession.history(task.name))
        told = evidence(bundle, folder, context.data, trained)
        version = track(succession.registry, run, told, found, toml=order.toml, phases=phases)
        promoted = _decided(succession, task.name, run.id, version, found, order)
    return Outcome(task, bundle, folder, version.version, found, promoted, (order.clock() - started) / SECOND_US)


def _decided(
    succession: Promotion, task_name: str, run_id: str, version: Version, found: Verdict, order: TrainingRequest
) -> bool:
    """Enter in the ledger what the gate said in that run, which need not be the one that registered the version;
    whether the version was promoted by it.
    """
    hand, known = Actor(order.who, order.clock()), {"gate": found.record(), "run_id": run_id}
    succession.register(task_name, version, hand, why="it was trained", evidence={})
    if found.serves_already:
        return False
    if not found.passed:
        succession.refuse(task_name, version, hand, why=found.reason, evidence=known)
        return False
    if order.promote:
        over = found.against.get("champion", {}).get("version")
        succession.promote(task_name, version, hand, why=found.reason, evidence=known, over=over)
    return order.promote


def prepare(
    config: Config,
    store: Store,
    *,
    as_of: str | int | None,
    trials: int | None,
    minutes: float | None = None,
    progress: Callable[[str], None],
) -> tuple[TrainingContext, dict[str, Any]]:
    """What all tasks of a training share, and the facts that their bundles write down."""
    given = instant(as_of, config.log.timezone) if isinstance(as_of, str) else as_of
    now = store.end(config) if given is None else given
    end = store.label_end(now, config)

    tell, count = _telling(progress)
    tell("surveying the log")
    parts = _parts(store, now, count)
    found = survey(parts())
    first = end if found.first_us is None else min(history_start(parts, found.first_us), end)
    own = load_user_features(config)
    wanted = _chosen(config, own, found, first, end)
    features = FeatureSet(tuple(one.feature for one in wanted), config.log.timezone, own.module)
    if count_keys(features):
        tell("counting what everybody did")
        parts = _parts(store.with_crowd(topics(features), count), now, count)
    context = TrainingContext(
        config=config,
        parts=parts,
        features=features,
        reasons={one.feature.name: one.reason for one in wanted},
        as_of=now,
        first=first,
        end=end,
        budget=Budget(config.train.trials if trials is None else trials, minutes),
        tell=tell,
        data=data_digest(store),
    )
    facts = {
        "trained_as_of_us": now,
        "end_us": end,
        "log_position": store.log_position,
        "code_version": code_version(),
        "seed": config.seed,
        "repeatable": minutes is None,
        "survey": {"customers": found.customers, "rows": found.rows, "events": dict(sorted(found.events.items()))},
    }
    return context, facts


def _telling(progress: Callable[[str], None]) -> tuple[Callable[[str], None], Callable[[int, int], None]]:
    """Say what is being done; and, while buckets are read for it, how many of how many."""
    doing = ""

    def tell(what: str) -> None:
        nonlocal doing
        doing = what
        progress(what)

    return tell, lambda done, total: progress(f"{doing} (bucket {done} of {total})")


def _parts(store: Store, now: int, count: Callable[[int, int], None]) -> Parts:
    """All journeys as of `now`: held in memory when they are few, else read anew bucket by bucket."""
    if store.manifest.statistics.rows <= HELD_ROWS:
        held = [journeys.as_of(now) for journeys in store.buckets(count)]
        return lambda: held
    return lambda: (journeys.as_of(now) for journeys in store.buckets(count))


def train_task(context: TrainingContext, task: TaskConfig, facts: dict[str, Any]) -> tuple[Bundle, tuple[Trained, ...]]:
    """The bundle of one task, unsaved, and how each of its answers came about."""
    if task.ranks_actions:
        context.tell(f"{task.name}: learning what each action gains")
        return Bundle(task, context.features, (), learn(task, context.parts, context.end), facts), ()
    horizons = sorted(task.horizons_days)
    trained = tuple(train_horizon(context, task, split(days, context.first, context.end)) for days in horizons)
    more = {
        "prior": {str(one.predictor.horizon_days): dict(one.prior) for one in trained},
        "growth": {str(one.predictor.horizon_days): asdict(one.choice.growth) for one in trained if one.choice.growth},
        "recipes": {str(one.predictor.horizon_days): chosen_recipes(one.choice, one.quiet).pack() for one in trained},
        "accepted": {str(one.predictor.horizon_days): list(one.accepted) for one in trained if one.accepted},
    }
    return Bundle(task, context.features, tuple(one.predictor for one in trained), None, {**facts, **more}), trained


def _chosen(config: Config, own: FeatureSet, found: LogSummary, first: int, end: int) -> tuple[ChosenFeature, ...]:
    """One set for all tasks of the shop, trained now or not: batch scoring computes it once. Baselines find theirs."""
    fitted = {
        (task.name, split(days, first, end).fitted_days): task
        for task in config.tasks.values()
        if not task.ranks_actions
        for days in task.horizons_days
    }
    found_alone = chosen(found, config, sorted({days for _, days in fitted}))
    named = {choice.feature.name: choice for choice in with_added(found_alone, config, own, found)}
    for (name, days), task in fitted.items():
        for feature in needed(task, days).features:
            named.setdefault(feature.name, ChosenFeature(feature, f"the baseline of task {name} reads it"))
    return tuple(named.values())
