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
from training.context import OnProgress, Phase, TrainingContext
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

MOST_ROWS_IN_MEMORY = 5_000_000


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
    requested = [config.task(name) for name in tasks] if tasks else list(config.tasks.values())
    if not requested:
        raise ConfigError("expected at least one table [tasks.NAME] in the configuration, found none; add a task")
    context, facts = prepare(config, store, as_of=as_of, trials=trials, minutes=minutes, progress=progress)
    promotion = Promotion.open(config, [task.name for task in requested])
    context = replace(context, champions=champions_parameters(promotion, context.as_of, requested), diagnose=True)
    request = TrainingRequest(promote, who, clock, toml)
    return [_trained(promotion, context, task, facts, request) for task in requested]


def _trained(
    promotion: Promotion, context: TrainingContext, task: TaskConfig, facts: dict[str, Any], request: TrainingRequest
) -> Outcome:
    """A task's training, begun or finished before; its outcome is in registry and ledger when its run ends."""
    started, digest = request.clock(), request_digest(context, task)
    if finished := find_finished_training(promotion, task.name, digest):
        promoted = _decided(promotion, task.name, finished.run_id, finished.version, finished.verdict, request)
        seconds = (request.clock() - started) / SECOND_US
        return Outcome(
            task, finished.bundle, finished.folder, finished.version.version, finished.verdict, promoted, seconds, True
        )
    phases = Phases(request.clock, context.on_progress)
    tags = {"request": digest, "who": request.who}
    with tracked(promotion.registry, task, context.as_of, toml=request.toml, tags=tags) as run:
        bundle, trained = train_task(replace(context, on_progress=phases.on_progress), task, facts)
        folder = save(bundle, promotion.bundles)
        bundle = replace(bundle, digest=folder.name)
        phases.on_progress(Phase.GATE, f"{task.name}: comparing with the champion")
        judgement = verdict(promotion.registry, context, bundle, trained, history=promotion.history(task.name))
        known_facts = evidence(bundle, folder, context.data, trained)
        version = track(promotion.registry, run, known_facts, judgement, toml=request.toml, phases=phases)
        promoted = _decided(promotion, task.name, run.id, version, judgement, request)
    return Outcome(task, bundle, folder, version.version, judgement, promoted, (request.clock() - started) / SECOND_US)


def _decided(
    promotion: Promotion, task_name: str, run_id: str, version: Version, judgement: Verdict, request: TrainingRequest
) -> bool:
    """Enter in the ledger what the gate said in that run, which need not be the one that registered the version;
    whether the version was promoted by it.
    """
    actor, gate_evidence = Actor(request.who, request.clock()), {"gate": judgement.record(), "run_id": run_id}
    promotion.register(task_name, version, actor, why="it was trained", evidence={})
    if judgement.serves_already:
        return False
    if not judgement.passed:
        promotion.refuse(task_name, version, actor, why=judgement.reason, evidence=gate_evidence)
        return False
    if request.promote:
        over = judgement.against.get("champion", {}).get("version")
        promotion.promote(task_name, version, actor, why=judgement.reason, evidence=gate_evidence, over=over)
    return request.promote


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
    requested = instant(as_of, config.log.timezone) if isinstance(as_of, str) else as_of
    now = store.end(config) if requested is None else requested
    end = store.label_end(now, config)

    on_progress, count = _progress_reports(progress)
    on_progress(Phase.SURVEY, "surveying the log")
    parts = _parts(store, now, count)
    summary = survey(parts())
    first = end if summary.first_us is None else min(history_start(parts, summary.first_us), end)
    user_features = load_user_features(config)
    feature_choices = _chosen(config, user_features, summary, first, end)
    features = FeatureSet(
        tuple(choice.feature for choice in feature_choices), config.log.timezone, user_features.module
    )
    if count_keys(features):
        on_progress(Phase.GLOBAL_COUNTS, "counting what all customers did")
        parts = _parts(store.with_global_counts(count_keys(features), count), now, count)
    context = TrainingContext(
        config=config,
        parts=parts,
        features=features,
        reasons={choice.feature.name: choice.reason for choice in feature_choices},
        as_of=now,
        first=first,
        end=end,
        budget=Budget(config.train.trials if trials is None else trials, minutes),
        on_progress=on_progress,
        data=data_digest(store),
    )
    facts = {
        "trained_as_of_us": now,
        "end_us": end,
        "log_position": store.log_position,
        "code_version": code_version(),
        "seed": config.seed,
        "repeatable": minutes is None,
        "survey": {
            "customers": summary.customers,
            "rows": summary.rows,
            "events": dict(sorted(summary.events.items())),
        },
    }
    return context, facts


def _progress_reports(progress: Callable[[str], None]) -> tuple[OnProgress, Callable[[int, int], None]]:
    """What reports a phase, and what reports how many buckets of how many have been read for it."""
    last = ""

    def on_progress(_phase: Phase, message: str) -> None:
        nonlocal last
        last = message
        progress(message)

    return on_progress, lambda done, total: progress(f"{last} (bucket {done} of {total})")


def _parts(store: Store, now: int, count: Callable[[int, int], None]) -> Parts:
    """All journeys as of `now`: held in memory when they are few, else read anew bucket by bucket."""
    if store.manifest.statistics.rows <= MOST_ROWS_IN_MEMORY:
        in_memory = [journeys.as_of(now) for journeys in store.buckets(count)]
        return lambda: in_memory
    return lambda: (journeys.as_of(now) for journeys in store.buckets(count))


def train_task(context: TrainingContext, task: TaskConfig, facts: dict[str, Any]) -> tuple[Bundle, tuple[Trained, ...]]:
    """The bundle of one task, unsaved, and how each of its answers came about."""
    if task.ranks_actions:
        context.on_progress(Phase.ACTIONS, f"{task.name}: learning what each action gains")
        return Bundle(task, context.features, (), learn(task, context.parts, context.end), facts), ()
    horizons = sorted(task.horizons_days)
    trained = tuple(train_horizon(context, task, split(days, context.first, context.end)) for days in horizons)
    by_days = {str(horizon.split.horizon_days): horizon for horizon in trained}
    more = {
        "prior": {days: dict(horizon.prior) for days, horizon in by_days.items()},
        "growth": {
            days: horizon.choice.parameters.pack() for days, horizon in by_days.items() if horizon.choice.parameters
        },
        "recipes": {
            days: chosen_recipes(horizon.choice, horizon.no_purchase).pack() for days, horizon in by_days.items()
        },
        "accepted": {days: list(horizon.accepted) for days, horizon in by_days.items() if horizon.accepted},
    }
    predictors = tuple(horizon.predictor for horizon in trained)
    return Bundle(task, context.features, predictors, None, {**facts, **more}), trained


def _chosen(
    config: Config, user_features: FeatureSet, summary: LogSummary, first: int, end: int
) -> tuple[ChosenFeature, ...]:
    """One set for all tasks of the shop, trained now or not: batch scoring computes it once. Baselines find theirs."""
    fitted = {
        (task.name, split(days, first, end).fitted_days): task
        for task in config.tasks.values()
        if not task.ranks_actions
        for days in task.horizons_days
    }
    automatic = chosen(summary, config, sorted({days for _, days in fitted}))
    named = {choice.feature.name: choice for choice in with_added(automatic, config, user_features, summary)}
    for (name, days), task in fitted.items():
        for feature in needed(task, days).features:
            named.setdefault(feature.name, ChosenFeature(feature, f"the baseline of task {name} reads it"))
    return tuple(named.values())
